#pragma once
// Runs one projection: lock, checkpoint, batches, parked events, retries.

#include "projections/checkpoint.h"
#include "projections/event_feed.h"
#include "projections/pause_gate.h"
#include "projections/progress_board.h"
#include "projections/runner.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace linkledger::projections {

/// What the workers of a runner share.
struct worker_surroundings {
    event_source& source;
    eventlog::keyring& keys;
    read_store& store;
    event_feed& feed;
    progress_board& board;
    pause_gate& gate;
    std::timed_mutex&
        turns;  ///< At the head of the log projections take turns: visitors need the other cores.
    runner_options const& options;
};

class worker {
public:
    worker(projection& runs, build_id build, std::size_t number, worker_surroundings const& around);

    /// Until the gate is stopped, or `let_go` is called.
    void run();
    /// Finishes the batch in hand and ends `run`.
    void let_go() { let_go_ = true; }
    /// Whether reads are answered from what this one fills: whether the board hears of it.
    void set_live(bool live);
    [[nodiscard]] build_id build() const { return build_; }
    /// One turn of it: takes the projection over, or a step. What fails for a store's sake is noted, and the
    /// next turn starts again. For `run`, and for simulations, which have no thread to give.
    enum class after_turn { go_on, stand_by, retry };
    after_turn turn();
    void retry_parked() { retry_parked_ = true; }

    /// What this process knows of it; `head` and lag are not filled in. From any thread.
    [[nodiscard]] projection_status known_status() const;

private:
    using clock = std::chrono::steady_clock;
    using event_list = std::vector<decoded_event const*>;
    /// A range of events as they will be committed together.
    struct share {
        event_list applied;
        std::vector<parked_event> parked;
    };

    [[nodiscard]] bool acquire();
    void adopt(eventlog::log_head const& head);
    void release();
    void step();
    void check_history();
    using page_list = std::vector<std::shared_ptr<feed_page const>>;
    [[nodiscard]] page_list next_pages();
    [[nodiscard]] bool is_full(feed_page const& page) const;
    void apply_pages(page_list const& pages);
    void apply_range(event_batch events, checkpoint const& to);
    void isolate(event_batch events, checkpoint const& to, share const& failed, std::string const& why);
    void commit(share const& what, checkpoint const& to);
    [[nodiscard]] share split(event_batch events) const;
    [[nodiscard]] bool is_retry_wanted();
    void retry_parked_events();
    [[nodiscard]] bool retry(parked_event const& event, std::string& why);
    void load_parked_events();
    void tell_board();
    void note_state(projection_state now);
    void note_failure(std::string const& what);

    projection& runs_;
    build_id build_;
    std::size_t number_;
    worker_surroundings around_;
    std::string name_;
    std::set<std::string, std::less<>> types_;

    // The worker's thread alone.
    std::unique_ptr<sql::connection> writer_;
    std::unique_ptr<writer_lock> lock_;
    checkpoint at_;
    std::vector<parked_event> parked_;
    std::set<std::string> parked_subjects_;
    std::map<eventlog::position, std::string> defects_;  ///< Of the pages in hand.
    clock::time_point next_history_check_{};
    clock::time_point next_parked_retry_{};
    clock::time_point next_parked_look_{};
    std::atomic<bool> retry_parked_ = false;
    std::atomic<bool> let_go_ = false;
    std::mutex board_mutex_;  ///< Who is live changes while batches are applied.
    bool live_ = false;
    bool runs_here_ = false;
    eventlog::position told_ = 0;

    mutable std::mutex status_mutex_;
    projection_status status_;
};

}  // namespace linkledger::projections
