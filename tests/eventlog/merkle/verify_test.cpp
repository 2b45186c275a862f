// Verification of bundles and of the store: what is whole passes, and every changed byte is found where it
// is.

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/merkle/bundle.h"
#include "eventlog/merkle/follower.h"
#include "eventlog/merkle/store_source.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/support/read_file.h"
#include "tests/support/repetitions.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace eventlog::merkle;

event_body some_event(std::size_t number) {
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = number % 5 == 0 ? "link.created" : "link.clicked";
    body.workspace_id = new_uuid_v7();
    body.data = R"({"url":"https://example.com/)" + std::to_string(number) + R"(","title":"Größe \"A\""})";
    body.metadata = R"({"command":"CreateLink","command_id":")" + domain::to_string(new_uuid_v7()) + "\"}";
    body.personal = {new_uuid_v7(), random_bytes(60)};
    body.context = {new_uuid_v7(), random_bytes(number % 3 * 20)};
    body.occurred_at = now();
    body.salt = new_salt();
    return body;
}

void append(event_log& log, uuid const& producer, std::int64_t sequence, std::size_t count) {
    append_batch batch{producer, sequence, {}};
    for (std::size_t i = 0; i < count; ++i) {
        append_request request;
        request.streams.push_back(
            {"link-" + std::to_string(i % 7), expected_version::any(), {some_event(i)}});
        batch.appends.push_back(std::move(request));
    }
    ASSERT_TRUE(log.append(batch));
}

/// Members in memory, which a test changes at will.
class members_writer final : public bundle_writer {
public:
    result<void> add(std::string const& name, std::string_view bytes) override {
        members.push_back({name, std::string{bytes}});
        return boost::outcome_v2::success();
    }
    result<void> finish() override { return boost::outcome_v2::success(); }
    std::vector<bundle_member> members;
};

member_reader reader_of(std::vector<bundle_member> const& members) {
    return [&members, next = std::size_t{0}]() mutable -> result<std::optional<bundle_member>> {
        if (next == members.size()) return std::optional<bundle_member>{};
        return std::optional{members[next++]};
    };
}

std::string words(std::vector<finding> const& findings) {
    std::string text;
    for (finding const& one : findings)
        text += std::to_string(one.at) + " " + one.where + ": " + one.what + "\n";
    return text;
}

class LogVerification : public testing::Test {
protected:
    LogVerification() {
        where_.db_path = folder_.file("linkledger.db");
        migrations::up(where_);
        store_ = create_sqlite_tree_store(where_.db_path);
        sqlite_log_options options;
        options.path = where_.db_path;
        log_ = std::move(open_sqlite_log(options).value());
    }

    void sign() { ASSERT_TRUE((tree_signer{*log_, *store_, {key_}, 1'000}.step(std::chrono::minutes{1}))); }
    void append_and_sign(std::size_t count) {
        append(*log_, producer_, ++sequence_, count);
        sign();
    }
    [[nodiscard]] verifier_key verifier() const { return key_.verifier(origin_of(log_->head().value())); }
    [[nodiscard]] std::string note() const {
        return published_log{*log_, *store_}.head().value()->checkpoint;
    }
    [[nodiscard]] verify_options with_key() const {
        verify_options options;
        options.keys = {verifier()};
        return options;
    }
    [[nodiscard]] std::vector<bundle_member> exported() const {
        members_writer to;
        published_log tree{*log_, *store_};
        auto const head = export_bundle(*log_, tree, {verifier()}, to, {});
        EXPECT_TRUE(head) << head.error().detail;
        return std::move(to.members);
    }
    [[nodiscard]] verify_report verified(std::vector<bundle_member> const& members,
                                         verify_options const& options) const {
        auto source = bundle_source::open(reader_of(members));
        if (!source) return {{}, true, 0, 0, {{0, "checkpoint", source.error().detail}}, false};
        auto report = verify(*source.value(), options);
        if (!report) return {{}, true, 0, 0, {{0, "source", report.error().detail}}, false};
        return std::move(report.value());
    }
    [[nodiscard]] verify_report verified_store(verify_options const& options) const {
        store_source source{*log_, *store_,
                            [this] { return create_sqlite_bulk_reader(where_.db_path, true); }};
        return verify(source, options).value();
    }
    void change(std::string const& database, std::string const& sql, sql::parameters const& values = {}) {
        auto const on = sql::open_sqlite(migrations::database_path(where_.db_path, database), {});
        EXPECT_EQ(on->execute(sql, values), 1) << sql;
    }

    temp_folder folder_;
    migrations::target where_;
    std::unique_ptr<event_log> log_;
    std::unique_ptr<tree_store> store_;
    signing_key key_{std::string(32, 'k')};
    uuid producer_ = new_uuid_v7();
    std::int64_t sequence_ = 0;
};

TEST_F(LogVerification, PassesWhatIsWholeFromStoreAndBundle) {
    append_and_sign(300);
    auto const earlier = note();
    append_and_sign(700);
    append(*log_, producer_, ++sequence_, 10);
    auto options = with_key();
    options.since = earlier;
    auto const from_store = verified_store(options);
    EXPECT_THAT(from_store.findings, testing::IsEmpty()) << words(from_store.findings);
    EXPECT_EQ(from_store.events, 1'010);
    EXPECT_EQ(from_store.unsigned_events, 10);
    EXPECT_EQ(from_store.head.size, 1'000);
    EXPECT_TRUE(from_store.signature_checked);
    auto const from_bundle = verified(exported(), options);
    EXPECT_THAT(from_bundle.findings, testing::IsEmpty()) << words(from_bundle.findings);
    EXPECT_EQ(from_bundle.events, 1'000);
}

TEST_F(LogVerification, PassesABundleThatWasWrittenToAFile) {
    append_and_sign(1'500);
    auto const path = folder_.file("log.tar.zst");
    published_log tree{*log_, *store_};
    {
        auto const to = create_bundle(path);
        ASSERT_TRUE(to);
        ASSERT_TRUE(export_bundle(*log_, tree, {verifier()}, *to.value(), {}));
        EXPECT_FALSE(create_bundle(path)) << "what is there is not overwritten";
    }
    auto const verify_file = [&] {
        auto source = bundle_source::open(open_bundle(path).value());
        if (!source) return std::vector<finding>{{0, "bundle", source.error().detail}};
        EXPECT_EQ(source.value()->keys(), (std::vector{verifier()}));
        auto const report = verify(*source.value(), with_key());
        return report ? report.value().findings : std::vector<finding>{{0, "bundle", report.error().detail}};
    };
    EXPECT_THAT(verify_file(), testing::IsEmpty());
    auto const bytes = test::read_file(path);
    std::mt19937 random{5};
    for (int i = 0; i < 20; ++i) {
        std::string changed = bytes;
        changed[random() % changed.size()] ^= static_cast<char>(1 << random() % 8);
        std::ofstream{path, std::ios::binary} << changed;
        EXPECT_THAT(verify_file(), testing::Not(testing::IsEmpty()));
    }
    std::ofstream{path, std::ios::binary} << bytes.substr(0, bytes.size() - 5);
    EXPECT_THAT(verify_file(), testing::Not(testing::IsEmpty()));
}

/// Where a byte was changed, and what a finding must say of it.
struct expected_finding {
    position at = 0;
    std::string where;
};

/// Changes one bit of one byte of one kind of thing in a bundle.
class byte_flipper {
public:
    explicit byte_flipper(std::vector<bundle_member> const& whole, unsigned seed) : random_(seed) {
        for (std::size_t i = 0; i < whole.size(); ++i) {
            auto const& name = whole[i].name;
            if (name.starts_with("events/")) events_.push_back(i);
            if (name.starts_with("tile/entries/")) entries_.push_back(i);
            if (name.starts_with("tile/") && !name.starts_with("tile/entries/")) tiles_.push_back(i);
        }
    }

    expected_finding flip(std::vector<bundle_member>& in) {
        switch (random_() % 5) {
            case 0:
                return flip_event(in, "\"data\":\"", "\",\"metadata\"");
            case 1:
                return flip_event(in, "\"metadata\":\"", "\",\"personal_key_id\"");
            case 2: {
                auto const block = random_() % entries_.size();
                auto& member = in[entries_[block]];
                return {first_of(block) +
                            static_cast<position>(flip_byte(member.bytes, 0, member.bytes.size()) / 34),
                        member.name};
            }
            case 3: {
                auto& member = in[tiles_[random_() % tiles_.size()]];
                auto const tile = parse_tile_path(member.name).value();
                auto const hash =
                    static_cast<std::int64_t>(flip_byte(member.bytes, 0, member.bytes.size()) / 32);
                return {((tile.number * tile_width + hash) << (tile_height * tile.level)) + 1, member.name};
            }
            default:
                flip_byte(in[0].bytes, 0, in[0].bytes.size());
                return {0, "checkpoint"};
        }
    }

private:
    static position first_of(std::size_t block) { return static_cast<position>(block) * tile_width + 1; }

    std::size_t flip_byte(std::string& bytes, std::size_t begin, std::size_t end) {
        auto const at = begin + random_() % (end - begin);
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_() % 8));
        return at;
    }

    expected_finding flip_event(std::vector<bundle_member>& in, std::string const& before,
                                std::string const& after) {
        auto const block = random_() % events_.size();
        auto& text = in[events_[block]].bytes;
        auto const lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
        auto const line = random_() % lines;
        std::size_t begin = 0;
        for (std::size_t i = 0; i < line; ++i) begin = text.find('\n', begin) + 1;
        auto const from = text.find(before, begin) + before.size();
        flip_byte(text, from, text.find(after, from));
        return {first_of(block) + static_cast<position>(line), "event"};
    }

    std::mt19937 random_;
    std::vector<std::size_t> events_;
    std::vector<std::size_t> entries_;
    std::vector<std::size_t> tiles_;
};

TEST_F(LogVerification, FindsEveryChangedByteWhereItIs) {
    append_and_sign(300);
    auto const whole = exported();
    auto options = with_key();
    options.threads = 1;
    ASSERT_THAT(verified(whole, options).findings, testing::IsEmpty());
    constexpr unsigned seed = 20261121;
    byte_flipper flipper{whole, seed};
    for (int i = 0; i < test::repetitions(1'000); ++i) {
        auto changed = whole;
        auto const expected = flipper.flip(changed);
        auto const report = verified(changed, options);
        ASSERT_THAT(report.findings, testing::Not(testing::IsEmpty())) << i << " of seed " << seed;
        if (expected.at == 0) {
            EXPECT_THAT(report.findings, testing::Contains(testing::Field(&finding::where, "checkpoint")))
                << i << " of seed " << seed << ": " << words(report.findings);
            continue;
        }
        EXPECT_EQ(report.findings.front().at, expected.at) << i << ": " << words(report.findings);
        EXPECT_EQ(report.findings.front().where, expected.where) << i << ": " << words(report.findings);
    }
}

TEST_F(LogVerification, FindsWhatWasChangedInTheStore) {
    append_and_sign(600);
    auto const where = [&] {
        auto const report = verified_store(with_key());
        return report.findings.empty() ? std::pair<position, std::string>{}
                                       : std::pair{report.findings.front().at, report.findings.front().where};
    };
    using found = std::pair<position, std::string>;
    ASSERT_EQ(where(), found{});
    change("log", "UPDATE events SET data = replace(data, 'example', 'examplf') WHERE position = 17");
    EXPECT_EQ(where(), (found{17, "event"}));
    change("log", "UPDATE events SET data = replace(data, 'examplf', 'example') WHERE position = 17");
    ASSERT_EQ(where(), found{});
    change("log", "UPDATE events SET metadata = metadata || ' ' WHERE position = 300");
    EXPECT_EQ(where(), (found{300, "event"}));
    change("log", "UPDATE events SET metadata = rtrim(metadata) WHERE position = 300");
    change("log", "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 600");
    EXPECT_EQ(where(), (found{600, "event"}));
    change("log", "UPDATE events SET recorded_at = recorded_at - 1 WHERE position = 600");
    ASSERT_EQ(where(), found{});
    change("merkle-v1",
           "UPDATE merkle_tiles SET hashes = CAST(substr(hashes, 1, 32) || substr(hashes, 1, 32) AS BLOB)");
    EXPECT_EQ(where(), (found{257, "tile/1/000.p/2"}));
}

TEST_F(LogVerification, FindsAnEventThatIsGone) {
    append_and_sign(600);
    change("log", "DELETE FROM events WHERE position = 400");
    auto const report = verified_store(with_key());
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings.front().at, 400);
}

/// Who may write to the store can make event and leaf agree, and even the tiles: not the signature.
TEST_F(LogVerification, FindsARewrittenHistory) {
    append_and_sign(600);
    auto const kept = note();
    auto event = log_->read({.after = 41, .limit = 1}).value().events.front();
    event.body.data = R"({"url":"https://example.org/other"})";
    change("log", "UPDATE events SET data = $1, leaf_hash = $2 WHERE position = 42",
           {event.body.data, sql::blob{to_bytes(std::vector{leaf_hash_of(event)})}});
    auto const report = verified_store(with_key());
    EXPECT_THAT(report.findings, testing::Contains(testing::Field(&finding::where, "tile/1/000.p/2")));
    EXPECT_THAT(report.findings, testing::Contains(testing::Field(&finding::where, "checkpoint")));

    // Signed anew from nothing, it holds in itself; an auditor who kept an earlier head sees it all the same.
    auto const tree = sql::open_sqlite(migrations::database_path(where_.db_path, "merkle-v1"), {});
    tree->execute("DELETE FROM merkle_tiles");
    tree->execute("DELETE FROM merkle_heads");
    sign();
    EXPECT_THAT(verified_store(with_key()).findings, testing::IsEmpty());
    auto options = with_key();
    options.since = kept;
    EXPECT_THAT(verified_store(options).findings,
                testing::Contains(testing::Field(&finding::where, "since")));
}

TEST_F(LogVerification, IsNotContentWithAnotherSigner) {
    append_and_sign(10);
    verify_options options;
    options.keys = {signing_key{std::string(32, 'x')}.verifier(verifier().name)};
    EXPECT_THAT(verified_store(options).findings, testing::Not(testing::IsEmpty()));
    options.keys.clear();
    auto const unchecked = verified_store(options);
    EXPECT_THAT(unchecked.findings, testing::IsEmpty());
    EXPECT_FALSE(unchecked.signature_checked);
}

TEST_F(LogVerification, LetsTheKeyOfAnotherLogSignForNoOther) {
    append_and_sign(10);
    signing_key const strangers{std::string(32, 'x')};
    std::string const other_log = "linkledger/of-another-log/1";
    auto options = with_key();
    options.keys.push_back(strangers.verifier(other_log));
    EXPECT_THAT(verified_store(options).findings, testing::IsEmpty());
    auto const text = open_note(note(), options.keys);
    ASSERT_TRUE(text);
    change("merkle-v1", "UPDATE merkle_heads SET checkpoint = $1",
           {sign_note(*text, other_log, std::vector{strangers})});
    EXPECT_THAT(verified_store(options).findings,
                testing::Contains(testing::Field(&finding::where, "checkpoint")));
}

TEST_F(LogVerification, SaysSoWhereNothingIsSignedYet) {
    append(*log_, producer_, ++sequence_, 10);
    auto const report = verified_store(with_key());
    ASSERT_EQ(report.findings.size(), 1u);
    EXPECT_EQ(report.findings.front().where, "checkpoint");
    EXPECT_EQ(report.events, 10);
}

}  // namespace
}  // namespace linkledger::test
