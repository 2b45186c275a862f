// Keys and the master key's file: agreement between processes, erasure, pseudonyms.
#include "eventlog/keyring.h"

#include "eventlog/crypto.h"
#include "eventlog/memory_log.h"
#include "tests/support/faulty_log.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace linkledger::eventlog {
namespace {

using testing::HasSubstr;

class MasterKey : public testing::Test {
protected:
    [[nodiscard]] std::string path() const { return folder_.path() + "/master.key"; }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator{folder_.path()}, {}));
    }
    void write(std::string const& bytes, mode_t mode) const {
        std::ofstream{path()} << bytes;
        ASSERT_EQ(::chmod(path().c_str(), mode), 0);
    }

private:
    test::temp_folder folder_;
};

TEST_F(MasterKey, IsMadeOnceAndForItsOwnerAlone) {
    std::string const made = load_or_create_master_key(path()).value().bytes;
    EXPECT_EQ(made.size(), 32u);
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_EQ(load_or_create_master_key(path()).value().bytes, made);
    EXPECT_EQ(files(), 1u) << "no draft is left";
}

TEST_F(MasterKey, IsTheSameForProcessesThatStartAtOnce) {
    constexpr int processes = 8;
    int ready[2];
    int answers[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(answers), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
        pid_t const child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            char go;
            bool good = ::read(ready[0], &go, 1) == 1;
            auto const key = load_or_create_master_key(path());
            good = good && key && ::write(answers[1], key.value().bytes.data(), 32) == 32;
            ::_exit(good ? 0 : 1);
        }
        children.push_back(child);
    }
    ASSERT_EQ(::write(ready[1], "12345678", processes), processes);
    std::set<std::string> keys;
    for (pid_t const child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
        std::string key(32, '\0');
        ASSERT_EQ(::read(answers[0], key.data(), key.size()), 32);
        keys.insert(key);
    }
    for (int const fd : {ready[0], ready[1], answers[0], answers[1]}) ::close(fd);
    EXPECT_EQ(keys.size(), 1u);
    EXPECT_EQ(files(), 1u);
}

TEST_F(MasterKey, IsRefusedWhenOthersMayReadIt) {
    write(std::string(32, 'k'), 0640);
    auto const key = load_or_create_master_key(path());
    ASSERT_FALSE(key);
    EXPECT_THAT(key.error().detail, HasSubstr("chmod 600"));
    EXPECT_THAT(key.error().detail, HasSubstr(path()));
}

TEST_F(MasterKey, IsRefusedWhenItsSizeIsWrong) {
    for (std::size_t const size : {0u, 31u, 33u}) {
        write(std::string(size, 'k'), 0600);
        auto const key = load_or_create_master_key(path());
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().code, failure_code::corrupted);
        EXPECT_THAT(key.error().detail, HasSubstr("rather than 32"));
    }
}

TEST_F(MasterKey, NeedsAFolderThatIsThere) {
    auto const key = load_or_create_master_key(path() + "/below/a/file");
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, failure_code::unavailable);
}

class Keyring : public testing::Test {
protected:
    using key = std::shared_ptr<data_key const>;

    std::unique_ptr<event_log> inner_ = create_memory_log();
    test::faulty_log log_{*inner_};
    master_key const master_{random_bytes(32)};
    keyring keys_{log_, master_};
    keyring elsewhere_{log_, master_};  ///< Another process of the cluster.
    uuid const event_ = new_uuid_v7();
};

TEST_F(Keyring, MakesOneKeyPerSubjectForAllProcesses) {
    EXPECT_EQ(keys_.find("person-1").value(), nullptr);
    EXPECT_EQ(keys_.cached("person-1"), nullptr);
    key const made = keys_.get_or_create("person-1").value();
    EXPECT_EQ(made->bytes.size(), 32u);
    EXPECT_EQ(keys_.cached("person-1"), made);
    key const there = elsewhere_.get_or_create("person-1").value();
    EXPECT_EQ(there->key_id, made->key_id);
    EXPECT_EQ(there->bytes, made->bytes);
    EXPECT_NE(keys_.get_or_create("person-2").value()->bytes, made->bytes);
}

TEST_F(Keyring, StoresKeysWrapped) {
    key const made = keys_.get_or_create("person-1").value();
    stored_key const stored = log_.find_key("person-1").value().value();
    EXPECT_EQ(stored.wrapped.find(made->bytes), std::string::npos);
    keyring stranger{log_, master_key{random_bytes(32)}};
    EXPECT_EQ(stranger.find("person-1").error().code, failure_code::corrupted);
}

TEST_F(Keyring, OpensAPartOnlyInItsOwnPlace) {
    key const made = keys_.get_or_create("person-1").value();
    sealed const part = keyring::seal(*made, "plain", event_, sealed_part::personal);
    EXPECT_EQ(part.key_id, made->key_id);
    EXPECT_EQ(keys_.open(part, event_, sealed_part::personal).value(), "plain");
    EXPECT_EQ(elsewhere_.open(part, event_, sealed_part::personal).value(), "plain");
    EXPECT_EQ(keys_.open(part, new_uuid_v7(), sealed_part::personal).error().code, failure_code::corrupted);
    EXPECT_EQ(keys_.open(part, event_, sealed_part::context).error().code, failure_code::corrupted)
        << "swapped with the event's other part";
    sealed altered = part;
    altered.bytes.back() = static_cast<char>(altered.bytes.back() ^ 1);
    EXPECT_EQ(keys_.open(altered, event_, sealed_part::personal).error().code, failure_code::corrupted);
    EXPECT_EQ(keys_.open(sealed{}, event_, sealed_part::personal).value(), std::nullopt) << "there is none";
}

TEST_F(Keyring, ErasesByDestroyingAKey) {
    key const made = keys_.get_or_create("person-1").value();
    sealed const part = keyring::seal(*made, "plain", event_, sealed_part::personal);
    ASSERT_TRUE(keys_.destroy(made->key_id));
    EXPECT_EQ(keys_.open(part, event_, sealed_part::personal).value(), std::nullopt);
    EXPECT_EQ(keys_.cached("person-1"), nullptr);
    EXPECT_EQ(elsewhere_.open(part, event_, sealed_part::personal).value(), std::nullopt);
    EXPECT_NE(keys_.get_or_create("person-1").value()->key_id, made->key_id) << "a new person";
    EXPECT_EQ(keys_.open(part, event_, sealed_part::personal).value(), std::nullopt);
}

TEST_F(Keyring, NeedsNoStoreForWhatItHasAtHand) {
    key const made = keys_.get_or_create("person-1").value();
    sealed const part = keyring::seal(*made, "plain", event_, sealed_part::personal);
    log_.from_now_on(test::fault::away);
    EXPECT_EQ(keys_.get_or_create("person-1").value(), made);
    EXPECT_EQ(keys_.open(part, event_, sealed_part::personal).value(), "plain");
    EXPECT_EQ(elsewhere_.open(part, event_, sealed_part::personal).error().code, failure_code::unavailable);
    EXPECT_EQ(elsewhere_.get_or_create("person-1").error().code, failure_code::unavailable);
    EXPECT_EQ(keys_.get_or_create("person-2").error().code, failure_code::unavailable);
}

TEST_F(Keyring, MakesKeysWithoutTheStoreThatBecomeTheStores) {
    log_.from_now_on(test::fault::away);
    auto const made = keys_.make("clicks-a");
    EXPECT_EQ(keys_.unwrap(made.stored).value()->bytes, made.key->bytes);
    EXPECT_FALSE(keys_.adopt(made.stored));
    EXPECT_EQ(keys_.at_hand("clicks-a").key, nullptr) << "nobody else may take it for the store's";
    log_.from_now_on(test::fault::none);
    EXPECT_EQ(keys_.adopt(made.stored).value()->key_id, made.key->key_id);
    EXPECT_EQ(elsewhere_.find("clicks-a").value()->bytes, made.key->bytes);
    EXPECT_TRUE(keys_.at_hand("clicks-a").is_trusted);
}

TEST_F(Keyring, GivesTheStoresKeyForOneThatCameTooLate) {
    auto const made = keys_.make("clicks-a");
    auto const known = elsewhere_.get_or_create("clicks-a").value();
    auto const kept = keys_.adopt(made.stored).value();
    EXPECT_EQ(kept->key_id, known->key_id);

    auto const event = new_uuid_v7();
    auto const before = keyring::seal(*made.key, "who", event, sealed_part::personal);
    auto const after = keyring::reseal(before, *made.key, *kept, event, sealed_part::personal).value();
    EXPECT_EQ(after.key_id, kept->key_id);
    EXPECT_EQ(elsewhere_.open(after, event, sealed_part::personal).value(), "who");
    EXPECT_FALSE(keyring::reseal(after, *made.key, *kept, event, sealed_part::personal))
        << "not under that key";
}

TEST_F(Keyring, MakesPseudonymsThatOnlyTheMasterKeyGives) {
    std::string const name = keys_.pseudonym("email", "zoe@example.org");
    EXPECT_EQ(name.size(), 64u);
    EXPECT_EQ(elsewhere_.pseudonym("email", "zoe@example.org"), name);
    EXPECT_NE(keys_.pseudonym("email", "zoe@example.com"), name);
    EXPECT_NE(keys_.pseudonym("other", "zoe@example.org"), name);
    EXPECT_NE(keys_.pseudonym("emailz", "oe@example.org"), name);
    keyring stranger{log_, master_key{random_bytes(32)}};
    EXPECT_NE(stranger.pseudonym("email", "zoe@example.org"), name);
}

TEST_F(Keyring, TellsVisitorsApartWithinADayAlone) {
    key const today = keys_.get_or_create("today").value();
    key const tomorrow = keys_.get_or_create("tomorrow").value();
    std::string const visitor = keyring::visitor_hash(*today, "192.0.2.1", "Firefox");
    EXPECT_EQ(visitor.size(), 32u);
    EXPECT_EQ(keyring::visitor_hash(*today, "192.0.2.1", "Firefox"), visitor);
    EXPECT_NE(keyring::visitor_hash(*tomorrow, "192.0.2.1", "Firefox"), visitor);
    EXPECT_NE(keyring::visitor_hash(*today, "192.0.2.2", "Firefox"), visitor);
    EXPECT_NE(keyring::visitor_hash(*today, "192.0.2.1", "Chrome"), visitor);
    EXPECT_NE(keyring::visitor_hash(*today, "192.0.2.", "1Firefox"), visitor);
}

TEST(Subjects, NameWhoseKeyItIs) {
    domain::workspace_id const workspace{*domain::parse_uuid("0192f0d0-0000-7000-8000-000000000001")};
    EXPECT_EQ(click_subject(workspace, *domain::parse_timestamp("2026-11-21T23:59:59.999999Z")),
              "clicks-0192f0d0-0000-7000-8000-000000000001-2026-11-21");
    EXPECT_EQ(workspace_subject(workspace), "workspace-0192f0d0-0000-7000-8000-000000000001");
    EXPECT_EQ(user_subject(domain::user_id{workspace.value}), "user-0192f0d0-0000-7000-8000-000000000001");
}

}  // namespace
}  // namespace linkledger::eventlog
