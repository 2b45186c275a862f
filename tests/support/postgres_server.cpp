#include "tests/support/postgres_server.h"

#include "migrations/migrator.h"
#include "tests/support/read_file.h"
#include "tests/support/spawn.h"

#include <pqxx/pqxx>

#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>

namespace linkledger::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Recovery after a kill takes its time on a busy machine.
constexpr auto start_patience = 180s;

std::string find_binaries() {
    std::string found;
    int newest = 0;
    std::error_code none;
    for (auto const& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
        int const major = std::atoi(entry.path().filename().c_str());
        if (major > newest && fs::exists(entry.path() / "bin/postgres")) {
            newest = major;
            found = (entry.path() / "bin").string();
        }
    }
    if (found.empty()) throw std::runtime_error("no PostgreSQL server below /usr/lib/postgresql");
    return found;
}

/// PostgreSQL refuses to run as root.
account server_account() {
    if (::geteuid() != 0) return {::geteuid(), ::getegid()};
    passwd const* const entry = ::getpwnam("postgres");
    if (entry == nullptr) throw std::runtime_error("run as root, the server needs a user `postgres`");
    return {entry->pw_uid, entry->pw_gid};
}

/// State and parent from /proc/<pid>/stat; '\0' where there is no such process.
struct process_state {
    char state = '\0';
    pid_t parent = 0;
};
process_state look_up(pid_t pid) {
    auto const text = read_file("/proc/" + std::to_string(pid) + "/stat");
    process_state found;
    auto const name_end = text.rfind(')');
    if (name_end == std::string::npos) return found;
    std::sscanf(text.c_str() + name_end + 1, " %c %d", &found.state, &found.parent);
    return found;
}
bool is_gone(pid_t pid) {
    char const state = look_up(pid).state;
    return state == '\0' || state == 'Z' || state == 'X';
}

void await(std::function<bool()> const& done, std::chrono::seconds limit, std::string const& what) {
    auto const deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited too long: " + what);
        std::this_thread::sleep_for(5ms);
    }
}

}  // namespace

postgres_server::postgres_server(postgres_server_options options)
    : options_(std::move(options)), bin_(find_binaries()), owner_(::getpid()) {
    initialise();
    start();
}

postgres_server::~postgres_server() {
    if (::getpid() != owner_) return;
    try {
        kill9();  // Its files go with it: nothing is worth a checkpoint.
    } catch (std::exception const&) {
        // A process that does not die of SIGKILL is the kernel's to report.
    }
}

std::string postgres_server::url(std::string const& database) const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string postgres_server::log_tail() const {
    auto const text = read_file(folder_.file("server.log"));
    return text.size() <= 4000 ? text : text.substr(text.size() - 4000);
}

void postgres_server::create_database(std::string const& name, std::string const& from) {
    run_sql("postgres", "CREATE DATABASE \"" + name + "\" TEMPLATE \"" + from + "\"");
}

std::string postgres_server::fresh_database(std::string const& from) {
    std::string const name = "test_" + std::to_string(::getpid()) + "_" + std::to_string(++databases_);
    create_database(name, from);
    return url(name);
}

void postgres_server::run_sql(std::string const& database, std::string const& sql) {
    pqxx::connection connection(url(database));
    pqxx::nontransaction work(connection);
    work.exec(sql);
}

void postgres_server::start() {
    // Between the choice of a port and its use another process may take it: then try another. A server that
    // was there before stays where its clients look for it.
    bool const chosen = port_ != 0;
    for (int attempt = 1;; ++attempt) {
        try {
            if (port_ == 0) port_ = free_port();
            return try_start();
        } catch (std::runtime_error const&) {
            kill9();  // One that only was too slow would keep the next from starting.
            if (attempt == 3) throw;
            if (!chosen) port_ = 0;
        }
    }
}

void postgres_server::stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGINT);
    await([&] { return ::waitpid(pid_, nullptr, WNOHANG) == pid_; }, 60s, "PostgreSQL to stop");
    pid_ = -1;
}

void postgres_server::restart() {
    stop();
    start();
}

void postgres_server::kill9() {
    if (pid_ < 0) return;
    // Standing still it starts nobody else, who would outlive it and keep its shared memory from the next.
    ::kill(pid_, SIGSTOP);
    await([&] { return look_up(pid_).state == 'T' || is_gone(pid_); }, 30s, "PostgreSQL to stand still");
    std::vector<pid_t> const all = processes();
    for (pid_t const each : all) ::kill(each, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    for (pid_t const each : all) await([&] { return is_gone(each); }, 30s, "a killed backend to go");
}

void postgres_server::pause() {
    for (pid_t const each : processes()) ::kill(each, SIGSTOP);
}

void postgres_server::resume() {
    for (pid_t const each : processes()) ::kill(each, SIGCONT);
}

void postgres_server::initialise() {
    account const as = server_account();
    std::string const log = folder_.file("server.log");
    if (::chown(folder_.path().c_str(), as.user, as.group) != 0)
        throw std::runtime_error("cannot give the folder to the server's user");
    pid_t const child = spawn({bin_ + "/initdb", "-D", folder_.file("data"), "-U", "postgres", "-A", "trust",
                               "-E", "UTF8", "--locale=C", "--no-sync"},
                              log, {.on_parent_death = SIGQUIT, .as = as});
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("initdb: " + log_tail());
}

void postgres_server::try_start() {
    std::vector<std::string> command{bin_ + "/postgres", "-D", folder_.file("data"), "-p",
                                     std::to_string(port_)};
    std::vector<std::string> settings{
        "listen_addresses=127.0.0.1", "unix_socket_directories=" + folder_.path(), "max_connections=200",
        "shared_buffers=128MB",       "dynamic_shared_memory_type=posix",          "logging_collector=off"};
    if (!options_.fsync) settings.emplace_back("fsync=off");
    settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
    for (auto const& each : settings) {
        command.emplace_back("-c");
        command.push_back(each);
    }
    // The server writes "ready" as the eighth line of its pid file once it accepts connections.
    std::string const pid_file = folder_.file("data/postmaster.pid");
    fs::remove(pid_file);
    pid_ = spawn(command, folder_.file("server.log"), {.on_parent_death = SIGQUIT, .as = server_account()});
    auto const ready = [&] {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = -1;
            throw std::runtime_error("PostgreSQL did not start: " + log_tail());
        }
        std::ifstream file(pid_file);
        std::string line;
        for (int i = 0; i < 8; ++i)
            if (!std::getline(file, line)) return false;
        return line.rfind("ready", 0) == 0;
    };
    await(ready, start_patience, "PostgreSQL to start");
}

std::vector<pid_t> postgres_server::processes() const {
    if (pid_ < 0) return {};
    std::vector<pid_t> found{pid_};
    std::error_code none;
    for (auto const& entry : fs::directory_iterator("/proc", none)) {
        pid_t const each = std::atoi(entry.path().filename().c_str());
        if (each > 0 && look_up(each).parent == pid_) found.push_back(each);
    }
    return found;
}

postgres_server& shared_postgres() {
    static postgres_server server;
    return server;
}

std::string fresh_migrated_database() {
    static std::string const migrated = [] {
        std::string name = "migrated";
        shared_postgres().create_database(name);
        migrations::up({sql::dialect::postgresql, "", shared_postgres().url(name)});
        return name;
    }();
    return shared_postgres().fresh_database(migrated);
}

}  // namespace linkledger::test
