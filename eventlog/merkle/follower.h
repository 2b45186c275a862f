#pragma once
// The signer: follows the log, grows the tree and signs its heads, on a thread of its own.

#include "eventlog/merkle/note.h"
#include "eventlog/merkle/tree_store.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace linkledger::eventlog::merkle {

struct follower_options {
    /// Between heads while events come in; a new event is under a head within this and a moment.
    std::chrono::milliseconds interval{500};
    /// Before another try when another process signs, or something failed.
    std::chrono::milliseconds retry{1'000};
    std::size_t page = 8'192;
    /// Told of a failure or of its end (empty), once each.
    std::function<void(std::string const&)> report;
};

/// Grows the tree of one history and signs it. Not a thread: `step` does what there is to do now.
///
/// It never signs two heads that contradict each other: it starts from the stored head, which must be the
/// root of what log and tiles hold, and a head is stored before anyone can read it.
class tree_signer {
public:
    tree_signer(event_log& log, tree_store& store, std::vector<signing_key> keys, std::size_t page)
        : log_(log), store_(store), keys_(std::move(keys)), page_(page) {}

    enum class outcome {
        stands_by,   ///< Another process signs.
        idle,        ///< The head covers the log.
        signed_one,  ///< It does now.
        behind,      ///< Signed as far as this call's time went.
    };
    /// Signs what the log has, for `budget` at most. After a failure the next call starts from the store.
    result<outcome> step(std::chrono::milliseconds budget);
    /// Of the last signed head.
    [[nodiscard]] std::int64_t size() const { return tree_ ? signed_size_ : 0; }

private:
    result<void> load(log_head const& at);
    result<void> check_edge(std::int64_t size, std::vector<std::vector<digest>> const& edge);
    result<bool> read(std::chrono::steady_clock::time_point until);
    result<void> sign();
    void forget();

    event_log& log_;
    tree_store& store_;
    std::vector<signing_key> keys_;
    std::size_t page_;
    std::unique_ptr<tree_writer> writer_;
    std::optional<growing_tree> tree_;
    history history_;
    std::string origin_;
    std::int64_t signed_size_ = 0;
    bool sign_again_ = false;  ///< The stored head lacks a signature of a present key.
    std::vector<stored_tile> filled_;
};

/// Runs a tree_signer until it goes.
class follower {
public:
    follower(event_log& log, tree_store& store, std::vector<signing_key> keys, follower_options options);
    ~follower();
    follower(follower const&) = delete;
    follower& operator=(follower const&) = delete;

private:
    void run(std::stop_token const& stop);
    void pause(std::stop_token const& stop, std::chrono::milliseconds time);
    void report(std::string const& problem);

    event_log& log_;
    follower_options options_;
    tree_signer signer_;
    std::string reported_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

}  // namespace linkledger::eventlog::merkle
