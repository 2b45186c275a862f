// The one executable: a subcommand per file, composed here.

int main() {
    return 2;
}
