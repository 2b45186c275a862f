// Signed notes and checkpoints, against a note that others signed, and the file of signing keys.

#include "eventlog/merkle/note.h"
#include "eventlog/crypto.h"
#include "eventlog/merkle/key_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace eventlog::merkle;

// The example in the documentation of golang.org/x/mod/sumdb/note.
std::string const gophers_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
std::string const gophers_text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
std::string const gophers_note =
    gophers_text +
    "\n\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(SignedNote, OfOthersVerifies) {
    auto const key = parse_verifier_key(gophers_key);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->name, "PeterNeumann");
    EXPECT_EQ(key->to_text(), gophers_key);
    EXPECT_EQ(open_note(gophers_note, {&*key, 1}), gophers_text);
}

TEST(SignedNote, WithAnyOneByteChangedIsRefused) {
    signing_key const key{std::string(32, 's')};
    auto const verifier = key.verifier("linkledger/example");
    auto const note = sign_note(to_text(checkpoint{"linkledger/example", 1'234'567, sha256("root")}),
                                "linkledger/example", {&key, 1});
    ASSERT_TRUE(open_note(note, {&verifier, 1}));
    for (std::size_t at = 0; at < note.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            std::string changed = note;
            changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
            EXPECT_FALSE(open_note(changed, {&verifier, 1})) << "byte " << at << " bit " << bit;
        }
}

TEST(SignedNote, NeedsAKnownSignerAndPassesOverOthers) {
    signing_key const old_key{std::string(32, 'a')};
    signing_key const new_key{std::string(32, 'b')};
    std::vector<signing_key> const both{old_key, new_key};
    auto const note = sign_note("text\n", "log", both);
    for (signing_key const& known : both) {
        auto const verifier = known.verifier("log");
        EXPECT_EQ(open_note(note, {&verifier, 1}), "text\n");
    }
    auto const stranger = signing_key{std::string(32, 'c')}.verifier("log");
    EXPECT_FALSE(open_note(note, {&stranger, 1}));
    auto const other_name = old_key.verifier("another");
    EXPECT_FALSE(open_note(note, {&other_name, 1}));
}

TEST(VerifierKey, IsRefusedWhenItDoesNotHoldTogether) {
    EXPECT_FALSE(parse_verifier_key(""));
    EXPECT_FALSE(parse_verifier_key("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
    EXPECT_FALSE(parse_verifier_key("PaterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
    EXPECT_FALSE(parse_verifier_key("PeterNeumann+c74f20a3+ARpc"));
}

TEST(Checkpoint, IsReadAsItWasWritten) {
    checkpoint const head{"linkledger/x/1", 300, sha256("r")};
    EXPECT_EQ(parse_checkpoint(to_text(head)), head);
    EXPECT_EQ(parse_checkpoint(to_text(head) + "extension\n"), head);
    EXPECT_FALSE(parse_checkpoint("linkledger/x/1\n0300\n" + to_base64(head.root) + '\n'));
    EXPECT_FALSE(parse_checkpoint("linkledger/x/1\n-1\n" + to_base64(head.root) + '\n'));
    EXPECT_FALSE(parse_checkpoint("linkledger/x/1\n300\n"));
}

TEST(SigningKeyFile, IsMadeOnceWithModeSixHundred) {
    temp_folder const folder;
    auto const path = folder.file("log-signing.key");
    auto const made = load_or_create_signing_keys(path).value();
    ASSERT_EQ(made.size(), 1u);
    EXPECT_EQ(load_or_create_signing_keys(path).value().front().seed, made.front().seed);
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777u, 0600u);
}

TEST(SigningKeyFile, HoldsAKeyALineAndIsRefusedWhereOthersMayReadIt) {
    temp_folder const folder;
    auto const path = folder.file("keys");
    auto const first = new_signing_key();
    auto const second = new_signing_key();
    std::ofstream{path} << "# the next one\n"
                        << to_base64(first.seed) << "\n\n"
                        << to_base64(second.seed) << '\n';
    ::chmod(path.c_str(), 0644);
    EXPECT_FALSE(load_signing_keys(path));
    ::chmod(path.c_str(), 0600);
    auto const keys = load_signing_keys(path).value();
    ASSERT_EQ(keys.size(), 2u);
    EXPECT_EQ(keys[1].seed, second.seed);
    std::ofstream{path} << "not a key\n";
    EXPECT_FALSE(load_signing_keys(path));
    EXPECT_FALSE(load_signing_keys(folder.file("missing")));
}

}  // namespace
}  // namespace linkledger::test
