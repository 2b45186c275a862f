// The signer and what is published of its work, over a log in memory and a store in SQLite.

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/memory_log.h"
#include "eventlog/merkle/follower.h"
#include "eventlog/merkle/opening.h"
#include "eventlog/merkle/published.h"
#include "migrations/migrator.h"
#include "tests/support/faulty_log.h"
#include "tests/support/numbered_batches.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

namespace linkledger::test {
namespace {

using namespace eventlog;
using namespace eventlog::merkle;
using outcome = tree_signer::outcome;

constexpr std::chrono::milliseconds budget{10'000};

class LogSigner : public testing::Test {
protected:
    LogSigner() {
        migrations::target where;
        where.db_path = folder_.file("linkledger.db");
        migrations::up(where);
        store_ = create_sqlite_tree_store(where.db_path);
    }

    /// Events of one writer; true when they were appended.
    static void append(event_log& log, std::int64_t batches) {
        for (std::int64_t i = 0; i < batches; ++i)
            ASSERT_TRUE(log.append(numbered_batch(1, log_sequence(log) + 1, 50)));
    }
    /// Of writer 1, found by trying: batches have the same number of appends.
    static std::int64_t log_sequence(event_log& log) { return log_check{log}.last_sequence(1); }
    [[nodiscard]] tree_signer signer(event_log& log, std::vector<signing_key> keys = {}) {
        if (keys.empty()) keys.push_back(key_);
        return {log, *store_, std::move(keys), 100};
    }
    [[nodiscard]] checkpoint published_checkpoint(event_log& log) const {
        auto const head = published_log{log, *store_}.head().value();
        auto const origin = origin_of(log.head().value());
        auto const verifier = key_.verifier(origin);
        auto const text = open_note(head->checkpoint, {&verifier, 1});
        EXPECT_TRUE(text);
        auto const read = parse_checkpoint(text.value_or(""));
        EXPECT_TRUE(read);
        EXPECT_EQ(read->origin, origin);
        return read.value_or(checkpoint{});
    }

    temp_folder folder_;
    std::unique_ptr<event_log> log_ = create_memory_log();
    std::unique_ptr<tree_store> store_;
    signing_key key_{std::string(32, 'k')};
};

TEST_F(LogSigner, SignsTheRootOfAllLeaves) {
    auto one = signer(*log_);
    EXPECT_EQ(one.step(budget).value(), outcome::idle) << "an empty log has no head";
    EXPECT_FALSE(published_log(*log_, *store_).head().value());
    for (int round = 0; round < 4; ++round) {
        append(*log_, 5);
        EXPECT_EQ(one.step(budget).value(), outcome::signed_one);
        EXPECT_EQ(one.step(budget).value(), outcome::idle);
        auto const head = published_checkpoint(*log_);
        EXPECT_EQ(head.size, log_->head().value().last);
        growing_tree tree;
        auto const leaves = log_->read_leaf_hashes(0, 1'000'000).value();
        for (digest const& leaf : leaves) tree.add(leaf, [](int, std::int64_t, std::span<digest const>) {});
        EXPECT_EQ(head.root, tree.root());
    }
}

TEST_F(LogSigner, GoesOnWhereItWasKilled) {
    append(*log_, 6);
    { EXPECT_EQ(signer(*log_).step(budget).value(), outcome::signed_one); }
    append(*log_, 6);
    { EXPECT_EQ(signer(*log_).step(budget).value(), outcome::signed_one); }
    EXPECT_EQ(published_checkpoint(*log_).size, log_->head().value().last);
    EXPECT_EQ(signer(*log_).step(budget).value(), outcome::idle);
}

TEST_F(LogSigner, SignsNothingFromAHistoryThatTookAnotherWay) {
    append(*log_, 6);
    EXPECT_EQ(signer(*log_).step(budget).value(), outcome::signed_one);
    // A restored copy: the same id and epoch over other events, shorter and then longer than the head.
    class pretender final : public faulty_log {
    public:
        pretender(event_log& inner, log_head as) : faulty_log(inner), as_(as) {}
        result<log_head> head() override {
            BOOST_OUTCOME_TRY(auto own, faulty_log::head());
            own.log_id = as_.log_id;
            own.epoch = as_.epoch;
            return own;
        }

    private:
        log_head as_;
    };
    auto const other = create_memory_log();
    pretender restored{*other, log_->head().value()};
    append(*other, 2);
    EXPECT_FALSE(signer(restored).step(budget)) << "shorter than what was signed";
    append(*other, 8);
    EXPECT_FALSE(signer(restored).step(budget)) << "longer, with other events";
    EXPECT_EQ(published_checkpoint(*log_).size, log_->head().value().last);

    pretender raised{*other, {log_->head().value().log_id, 2, 0, {}}};
    EXPECT_EQ(signer(raised).step(budget).value(), outcome::signed_one) << "another epoch is another tree";
    EXPECT_EQ(published_checkpoint(raised).size, other->head().value().last);
    EXPECT_EQ(published_checkpoint(*log_).size, log_->head().value().last) << "the first one stays";
}

TEST_F(LogSigner, LeavesTheLogToOneProcessAtATime) {
    append(*log_, 1);
    auto first = signer(*log_);
    auto second = signer(*log_);
    EXPECT_EQ(first.step(budget).value(), outcome::signed_one);
    EXPECT_EQ(second.step(budget).value(), outcome::stands_by);
}

TEST_F(LogSigner, SignsAgainWithAKeyThatWasAdded) {
    append(*log_, 1);
    EXPECT_EQ(signer(*log_).step(budget).value(), outcome::signed_one);
    signing_key const next{std::string(32, 'n')};
    EXPECT_EQ(signer(*log_, {key_, next}).step(budget).value(), outcome::signed_one);
    auto const verifier = next.verifier(origin_of(log_->head().value()));
    EXPECT_TRUE(open_note(published_log(*log_, *store_).head().value()->checkpoint, {&verifier, 1}));
    EXPECT_EQ(published_checkpoint(*log_).size, log_->head().value().last) << "the old key still verifies";
    EXPECT_EQ(signer(*log_, {key_, next}).step(budget).value(), outcome::idle);
}

TEST_F(LogSigner, FollowsTheLogOnItsThread) {
    follower_options options;
    options.interval = std::chrono::milliseconds{5};
    follower const running{*log_, *store_, {key_}, options};
    for (int round = 0; round < 3; ++round) {
        append(*log_, 3);
        auto const wanted = log_->head().value().last;
        std::int64_t size = 0;
        for (int i = 0; i < 2'000 && size < wanted; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
            auto const head = published_log{*log_, *store_}.head().value();
            size = head ? head->size : 0;
        }
        EXPECT_EQ(size, wanted);
    }
}

TEST_F(LogSigner, ReportsAStoreThatIsAwayAndGoesOn) {
    faulty_log faulty{*log_};
    append(*log_, 1);
    auto one = signer(faulty);
    faulty.from_now_on(fault::away);
    EXPECT_FALSE(one.step(budget));
    faulty.from_now_on(fault::none);
    EXPECT_EQ(one.step(budget).value(), outcome::signed_one);
}

TEST_F(LogSigner, PublishesTilesEntriesAndProofsThatLeadToItsHead) {
    append(*log_, 12);
    ASSERT_EQ(signer(*log_).step(budget).value(), outcome::signed_one);
    append(*log_, 1);  // Not under the head.
    auto const head = published_checkpoint(*log_);
    ASSERT_GT(head.size, 512);
    published_log world{*log_, *store_};
    tile_reader const read = [&](int level, std::int64_t number,
                                 std::int64_t width) -> result<std::vector<digest>> {
        auto const bytes = world.tile({false, level, number, width}).value();
        EXPECT_TRUE(bytes);
        std::vector<digest> hashes(static_cast<std::size_t>(width));
        std::memcpy(hashes.data(), bytes.value_or("").data(), bytes.value_or("").size());
        return hashes;
    };
    EXPECT_EQ(root_of(head.size, read).value(), head.root);

    auto const bundle = world.entries({true, 0, 1, 256}).value();
    auto const entries = parse_bundle(*bundle, 256);
    ASSERT_TRUE(entries);
    auto const leaves = read(0, 1, 256).value();
    for (std::size_t i = 0; i < leaves.size(); ++i) ASSERT_EQ(leaf_hash((*entries)[i]), leaves[i]);

    auto const beyond = head.size - head.size % 256;
    EXPECT_FALSE(world.tile({false, 0, beyond / 256, 256}).value());
    EXPECT_TRUE(world.tile({false, 0, beyond / 256, head.size % 256}).value());
    EXPECT_FALSE(world.tile({false, 0, beyond / 256, head.size % 256 + 1}).value());
    EXPECT_FALSE(world.entries({true, 0, beyond / 256, head.size % 256 + 1}).value());
    EXPECT_FALSE(world.tile({false, 1, 0, 4}).value());
    EXPECT_FALSE(world.tile({false, 2, 0, 1}).value());
    EXPECT_FALSE(world.proof(head.size + 1).value());
    EXPECT_FALSE(world.proof(0).value());

    auto const proof = world.proof(300).value();
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->event.position, 300);
    EXPECT_EQ(leaf_hash_of(proof->event), proof->event.leaf_hash);
    auto const path = inclusion_proof(299, head.size, read).value();
    EXPECT_TRUE(proves_inclusion(path, 299, head.size, proof->event.leaf_hash, head.root));
    EXPECT_NE(proof->text.find("\nindex 299\n" + to_base64(path.front()) + '\n'), std::string::npos);
    EXPECT_TRUE(proof->text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
}

TEST_F(LogSigner, OpensALeafInOneFormAlone) {
    append(*log_, 1);
    auto const event = log_->read({}).value().events.front();
    auto const line = to_opening(event);
    std::string error;
    auto const read = parse_opening(line, error);
    ASSERT_TRUE(read) << error;
    EXPECT_EQ(*read, event);
    EXPECT_FALSE(parse_opening(line + ' ', error));
    EXPECT_FALSE(parse_opening("{ " + line.substr(1), error));
    EXPECT_FALSE(parse_opening("{}", error));
    EXPECT_FALSE(parse_opening("", error));
}

}  // namespace
}  // namespace linkledger::test
