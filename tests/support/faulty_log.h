#pragma once
// A log whose store fails when told to: it is away, loses the acknowledgement of what it wrote, or stands
// still.

#include "eventlog/event_log.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

namespace linkledger::test {

/// What happens to a call of `append`.
enum class fault {
    none,
    away,                  ///< Nothing is written; `unavailable`.
    lost_request,          ///< Nothing is written; `unknown_outcome`.
    lost_acknowledgement,  ///< It is written; `unknown_outcome`.
    written_yet_away,      ///< It is written, and the store lies: `unavailable`.
    damaged,               ///< Nothing is written; `corrupted`.
};

/// Passes everything to `inner`, which must outlive it. Safe to call from any thread.
class faulty_log : public eventlog::event_log {
public:
    explicit faulty_log(eventlog::event_log& inner) : inner_(inner) {}

    /// Faults of the next appends, one each.
    void next(std::vector<fault> faults);
    /// What happens after those. `away` concerns reads and heads too.
    void from_now_on(fault always);
    /// Makes appends stand still before they do anything.
    void close_gate();
    void open_gate();
    /// Returns once `count` appends in all have begun.
    void wait_for_appends(std::size_t count);
    /// The number of appends in each batch that was sent, in order.
    [[nodiscard]] std::vector<std::size_t> batches() const;
    /// The producer of each batch that was sent, in order.
    [[nodiscard]] std::vector<domain::uuid> producers() const;

    [[nodiscard]] std::string_view backend() const override { return inner_.backend(); }
    eventlog::result<eventlog::log_head> head() override;
    eventlog::result<eventlog::batch_outcome> append(eventlog::append_batch const& batch) override;
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override;
    eventlog::result<std::vector<eventlog::digest>> read_leaf_hashes(eventlog::position after,
                                                                     std::size_t limit) override;
    eventlog::result<std::vector<eventlog::recorded_event>> read_stream(std::string const& stream,
                                                                        eventlog::version after,
                                                                        std::size_t limit) override;
    eventlog::result<eventlog::version> stream_version(std::string const& stream) override;
    eventlog::result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                             std::string const& key) override;
    eventlog::result<std::vector<std::optional<eventlog::stored_response>>> find_responses(
        std::vector<eventlog::digest> const& ids) override;
    eventlog::result<std::int64_t> forget_responses(eventlog::timestamp before) override;
    eventlog::result<std::optional<eventlog::stored_key>> find_key(std::string const& subject) override;
    eventlog::result<std::optional<eventlog::stored_key>> find_key(domain::uuid const& key_id) override;
    eventlog::result<std::vector<eventlog::stored_key>> list_keys(std::string const& prefix,
                                                                  std::string const& after,
                                                                  std::size_t limit) override;
    eventlog::result<eventlog::stored_key> add_key(eventlog::stored_key const& key) override;
    eventlog::result<void> destroy_key(domain::uuid const& key_id) override;
    eventlog::result<eventlog::log_head> raise_epoch() override { return inner_.raise_epoch(); }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override;

private:
    fault begin_append(eventlog::append_batch const& batch);
    [[nodiscard]] bool is_away() const;

    eventlog::event_log& inner_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<fault> next_;
    fault always_ = fault::none;
    bool closed_ = false;
    std::vector<std::size_t> batches_;
    std::vector<domain::uuid> producers_;
};

}  // namespace linkledger::test
