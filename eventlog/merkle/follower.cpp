#include "eventlog/merkle/follower.h"

#include "eventlog/crypto.h"

#include <algorithm>

namespace linkledger::eventlog::merkle {
namespace {

using std::chrono::steady_clock;

failure contradiction(std::string const& what) {
    return {failure_code::corrupted, "the log is not signed any further: " + what +
                                         ". After a restore that lost events, raise the log's epoch"};
}

}  // namespace

// ---- The signer ---------------------------------------------------------------------------------------

result<tree_signer::outcome> tree_signer::step(std::chrono::milliseconds budget) {
    auto const until = steady_clock::now() + budget;
    if (!writer_) {
        BOOST_OUTCOME_TRY(writer_, store_.try_open_writer());
        if (!writer_) return outcome::stands_by;
        tree_.reset();
    }
    auto const done = [&]() -> result<outcome> {
        BOOST_OUTCOME_TRY(auto const at, log_.head());
        if (!tree_ || history_ != history{at.log_id, at.epoch}) {
            BOOST_OUTCOME_TRY(load(at));
        }
        if (at.last < tree_->size())
            return contradiction("it is shorter than the last signed head, which has " +
                                 std::to_string(tree_->size()) + " events");
        BOOST_OUTCOME_TRY(bool const all, read(until));
        if (tree_->size() == signed_size_ && !sign_again_) return outcome::idle;
        BOOST_OUTCOME_TRY(sign());
        return all ? outcome::signed_one : outcome::behind;
    }();
    if (!done) forget();
    return done;
}

void tree_signer::forget() {
    tree_.reset();
    filled_.clear();
    writer_.reset();
}

/// Starts from the stored head, and only where log and tiles lead to its root.
result<void> tree_signer::load(log_head const& at) {
    tree_.reset();
    filled_.clear();
    history_ = {at.log_id, at.epoch};
    origin_ = origin_of(at);
    BOOST_OUTCOME_TRY(auto const stored, store_.head(history_));
    signed_size_ = stored ? stored->size : 0;
    if (at.last < signed_size_)
        return contradiction("it is shorter than the last signed head, which has " +
                             std::to_string(signed_size_) + " events");
    std::vector<std::vector<digest>> edge;
    for (int level = 0; hashes_at(level, signed_size_) > 0 && level < levels_max; ++level) {
        auto const hashes = hashes_at(level, signed_size_);
        auto const width = static_cast<std::size_t>(hashes % tile_width);
        auto const number = hashes / tile_width;
        auto tile = level == 0 ? log_.read_leaf_hashes(number * tile_width, width)
                               : store_.tile(history_, level, number);
        if (!tile) return tile.error();
        if (tile.value().size() < width) return contradiction("tiles of the signed tree are missing");
        tile.value().resize(width);
        edge.push_back(std::move(tile).value());
    }
    BOOST_OUTCOME_TRY(check_edge(signed_size_, edge));
    growing_tree tree{signed_size_, std::move(edge)};
    if (stored && tree.root() != stored->root)
        return contradiction("its events or tiles do not lead to the root of the last signed head");
    sign_again_ = stored && !std::all_of(keys_.begin(), keys_.end(), [&](signing_key const& key) {
                      auto const verifier = key.verifier(origin_);
                      return open_note(stored->checkpoint, {&verifier, 1}).has_value();
                  });
    tree_ = std::move(tree);
    return boost::outcome_v2::success();
}

/// The last full tile of leaves lies below the edge; a log that took another way before the signed head has
/// other leaves there, or in the edge.
result<void> tree_signer::check_edge(std::int64_t size, std::vector<std::vector<digest>> const& edge) {
    auto const full = hashes_at(0, size) / tile_width;
    if (full == 0) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(auto const leaves, log_.read_leaf_hashes((full - 1) * tile_width, tile_width));
    bool const in_edge = full % tile_width != 0;
    digest wanted{};
    if (in_edge) {
        wanted = edge[1].back();
    } else {
        BOOST_OUTCOME_TRY(auto const tile, store_.tile(history_, 1, full / tile_width - 1));
        if (tile.size() != static_cast<std::size_t>(tile_width))
            return contradiction("tiles of the signed tree are missing");
        wanted = tile.back();
    }
    if (leaves.size() != static_cast<std::size_t>(tile_width) || perfect_root(leaves) != wanted)
        return contradiction("its last events are not those that were signed");
    return boost::outcome_v2::success();
}

/// True once the end of the log was reached.
result<bool> tree_signer::read(steady_clock::time_point until) {
    auto const keep = [&](int level, std::int64_t number, std::span<digest const> hashes) {
        if (level > 0) filled_.push_back({level, number, {hashes.begin(), hashes.end()}});
    };
    for (;;) {
        BOOST_OUTCOME_TRY(auto const leaves, log_.read_leaf_hashes(tree_->size(), page_));
        for (digest const& leaf : leaves) tree_->add(leaf, keep);
        if (leaves.size() < page_) return true;
        if (steady_clock::now() >= until) return false;
    }
}

result<void> tree_signer::sign() {
    auto tiles = std::move(filled_);
    filled_.clear();
    for (int level = 1; level < tree_->levels(); ++level) {
        auto const hashes = tree_->edge(level);
        if (hashes.empty()) continue;
        tiles.push_back(
            {level, hashes_at(level, tree_->size()) / tile_width, {hashes.begin(), hashes.end()}});
    }
    signed_head head{tree_->size(), tree_->root(), {}, now()};
    head.checkpoint = sign_note(to_text(checkpoint{origin_, head.size, head.root}), origin_, keys_);
    BOOST_OUTCOME_TRY(bool const stored, writer_->advance(history_, signed_size_, head, tiles));
    if (!stored) return failure{failure_code::unavailable, "another process signed meanwhile"};
    signed_size_ = head.size;
    sign_again_ = false;
    return boost::outcome_v2::success();
}

// ---- The thread ---------------------------------------------------------------------------------------

follower::follower(event_log& log, tree_store& store, std::vector<signing_key> keys, follower_options options)
    : log_(log),
      options_(std::move(options)),
      signer_(log, store, std::move(keys), options_.page),
      thread_([this](std::stop_token const& stop) { run(stop); }) {}

follower::~follower() {
    thread_.request_stop();
    thread_.join();
}

void follower::run(std::stop_token const& stop) {
    while (!stop.stop_requested()) {
        auto const began = steady_clock::now();
        auto const done = signer_.step(options_.interval);
        report(done ? "" : done.error().detail);
        if (!done || done.value() == tree_signer::outcome::stands_by) {
            pause(stop, options_.retry);
            continue;
        }
        if (done.value() == tree_signer::outcome::behind) continue;
        // Heads come at most once an interval: each costs an fsync.
        auto const spent = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
        if (spent < options_.interval) pause(stop, options_.interval - spent);
        while (!stop.stop_requested() && !log_.wait_beyond(signer_.size(), std::chrono::milliseconds{250})) {
        }
    }
    // Whoever stops in order leaves nothing unsigned behind.
    if (auto const last = signer_.step(options_.interval); !last) report(last.error().detail);
}

void follower::pause(std::stop_token const& stop, std::chrono::milliseconds time) {
    std::unique_lock lock{mutex_};
    wake_.wait_for(lock, stop, time, [] { return false; });
}

void follower::report(std::string const& problem) {
    if (problem == reported_) return;
    reported_ = problem;
    if (options_.report) options_.report(problem);
}

}  // namespace linkledger::eventlog::merkle
