#pragma once
// The log as one process's committer sees it: each call stands still until the simulation decides its fate.

#include "eventlog/event_log.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>

namespace linkledger::simulation {

/// What becomes of a call. Those that fail keep the contract of the port (event_log.h).
enum class fate {
    done,
    acknowledgement_lost,  ///< It is written; `unknown_outcome`.
    request_lost,          ///< Nothing is written; `unknown_outcome`.
    away,                  ///< Nothing is written; `unavailable`.
};

/// A planted bug. The simulation must find each.
enum class canary {
    none,
    lost_write,            ///< A batch is acknowledged and was not written.
    written_twice,         ///< A batch that is sent again is written again.
    cap_off_by_one,        ///< A link takes one click more than its cap.
    early_effects,         ///< A projection's effects are committed without its checkpoint.
    forgotten_event,       ///< A projection passes over an event when its batch is cut in some way.
    batches_that_show,     ///< Rows depend on how events were cut into batches.
    mirrored_anyway,       ///< The mirror takes a message that does not follow its last one.
    copied_without_guard,  ///< Counters are set whatever the guard says.
};
[[nodiscard]] std::string_view name_of(canary which);

/// Used by one committer's thread, and by the thread of the simulation.
class committer_gate final : public eventlog::event_log {
public:
    committer_gate(eventlog::event_log& store, canary bug) : store_(store), bug_(bug) {}

    // ---- The simulation's side ----

    /// The number of appends in the batch that stands at the gate, 0 for another call; none: nobody does.
    [[nodiscard]] std::optional<std::size_t> standing();
    /// Whether the committer has answered a batch and waits to be let on to the next. Meanwhile those who
    /// were answered come to rest: what is in the next batch must not depend on how fast they are.
    [[nodiscard]] bool has_answered();
    void go_on();
    /// Lets the call go on to its fate.
    void release(fate how);
    /// The process is dead: what stands here, and whatever comes, writes nothing. With `written`, what stands
    /// here was on its way and arrives.
    void die(bool written);

    // ---- The committer's side ----

    /// For committer::on_commit.
    void wait_after_answers();

    [[nodiscard]] std::string_view backend() const override { return "simulated"; }
    eventlog::result<eventlog::log_head> head() override;
    eventlog::result<eventlog::batch_outcome> append(eventlog::append_batch const& batch) override;

    // The committer asks nothing else.
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        return store_.read(query);
    }
    eventlog::result<std::vector<eventlog::digest>> read_leaf_hashes(eventlog::position after,
                                                                     std::size_t limit) override {
        return store_.read_leaf_hashes(after, limit);
    }
    eventlog::result<std::vector<eventlog::recorded_event>> read_stream(std::string const& stream,
                                                                        eventlog::version after,
                                                                        std::size_t limit) override {
        return store_.read_stream(stream, after, limit);
    }
    eventlog::result<eventlog::version> stream_version(std::string const& stream) override {
        return store_.stream_version(stream);
    }
    eventlog::result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                             std::string const& key) override {
        return store_.claim_owner(scope, key);
    }
    eventlog::result<std::vector<std::optional<eventlog::stored_response>>> find_responses(
        std::vector<eventlog::digest> const& ids) override {
        return store_.find_responses(ids);
    }
    eventlog::result<std::int64_t> forget_responses(eventlog::timestamp before) override {
        return store_.forget_responses(before);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(std::string const& subject) override {
        return store_.find_key(subject);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(domain::uuid const& id) override {
        return store_.find_key(id);
    }
    eventlog::result<std::vector<eventlog::stored_key>> list_keys(std::string const& prefix,
                                                                  std::string const& after,
                                                                  std::size_t limit) override {
        return store_.list_keys(prefix, after, limit);
    }
    eventlog::result<eventlog::stored_key> add_key(eventlog::stored_key const& key) override {
        return store_.add_key(key);
    }
    eventlog::result<void> destroy_key(domain::uuid const& id) override { return store_.destroy_key(id); }
    eventlog::result<eventlog::log_head> raise_epoch() override { return store_.raise_epoch(); }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return store_.wait_beyond(after, deadline);
    }

private:
    /// None: the process is dead.
    std::optional<fate> pass(std::size_t appends);
    eventlog::result<eventlog::batch_outcome> write(eventlog::append_batch const& batch);

    eventlog::event_log& store_;
    canary const bug_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::size_t> standing_;
    std::optional<fate> released_;
    bool has_answered_ = false;
    bool dead_ = false;
    bool arrives_dead_ = false;

    // Of the committer's thread.
    std::int64_t last_written_ = 0;
    domain::uuid last_producer_{};
};

}  // namespace linkledger::simulation
