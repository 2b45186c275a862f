#pragma once
// Keeps clicks going while the log does not answer: spools what waits too long, and sends it on when the log
// is back.

#include "eventlog/committer.h"
#include "eventlog/keyring.h"
#include "eventlog/spool/spool.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <thread>
#include <unordered_map>

namespace linkledger::eventlog {

struct spooler_options {
    std::chrono::milliseconds after{100};        ///< How long a click waits for the log before it is spooled.
    std::chrono::milliseconds retry_pause{200};  ///< Between tries to send what is spooled.
    /// A click that is sent later than so long after it happened goes without what is personal in it: its
    /// day's details may have been settled and erased by then.
    std::chrono::hours details_kept{24 * 7};
    std::size_t waiting_max = 16'384;  ///< Clicks that wait for the disk; more fail as queue_full.
    std::function<void(bool is_problem, std::string const& text)> note{};  ///< For the operator's log.
};

struct spooler_stats {
    bool active = false;  ///< Clicks go to the spool at this moment.
    spool_stats spool;
    /// Clicks, since the start. `settled`: they were on their way when they were spooled, and got there.
    std::uint64_t spooled = 0, sent_on = 0, settled = 0, refused = 0;
    std::string problem;  ///< Why what is spooled cannot be sent on, if it can't.
};

/// Two threads: one writes to the spool, one sends on. Safe to call from any thread. Destroy it after whoever
/// submits, and before the committer. What is spooled by then stays in the file for the next start.
class spooler final : public append_spool {
public:
    /// Registers with the committer. Everything given must outlive it.
    spooler(event_log& log, committer& of, keyring& keys, spool& file, spooler_options options);
    ~spooler() override;
    spooler(spooler const&) = delete;
    spooler& operator=(spooler const&) = delete;

    [[nodiscard]] bool is_active() const override { return active_.load(std::memory_order_relaxed); }
    /// How long it has been so by now; 0 when it is not.
    [[nodiscard]] std::chrono::milliseconds active_for() const;
    void keep(append_request request, append_completion done) override;
    void settle(batch_number const& number, bool is_stored) override;

    /// Clicks go to the spool from now on, until the log takes what is in there.
    void activate();

    /// A click key for as long as the log's own cannot be had, durable in the spool: `done` is called with
    /// it, on the writing thread. What is sealed under it has to go to `keep`.
    using local_key = std::shared_ptr<data_key const>;
    [[nodiscard]] local_key known_local_key(std::string const& subject) const;
    void make_local_key(std::string subject, std::function<void(result<local_key>)> done);

    [[nodiscard]] spooler_stats stats() const;
    /// Whether clicks are kept while the log is away.
    [[nodiscard]] bool has_room() const { return spool_.has_room(); }

private:
    struct wanted_key {
        std::string subject;
        std::function<void(result<local_key>)> done;
    };
    struct settlement {
        batch_number number;
        bool is_stored = false;
    };

    void write_until_stopped();
    void write(std::vector<waiting_append> clicks, overdue_appends overdue);
    void settle_all(std::vector<settlement> const& settled);
    void make_key(wanted_key const& wanted);

    void send_until_stopped();
    /// Whether there may be more to send at once.
    bool send_one();
    void set_active();
    bool send(append_batch const& batch);
    bool bind();
    result<void> settle_keys();
    result<void> prepare(event_body& event, bool is_local);
    void give_way(std::chrono::steady_clock::time_point started);
    void note_problem(std::string const& text);
    void wake_sender();
    void pause(std::chrono::milliseconds length);

    event_log& log_;
    committer& committer_;
    keyring& keys_;
    spool& spool_;
    spooler_options const options_;
    std::atomic<bool> active_{false};
    std::atomic<std::int64_t> active_since_ns_{0};

    mutable std::mutex mutex_;
    std::condition_variable wake_writer_, wake_sender_;
    std::vector<waiting_append> waiting_;
    std::vector<wanted_key> wanted_keys_;
    std::vector<settlement> settled_;
    std::map<std::string, local_key> local_keys_;  ///< By subject; those that the log does not have.
    bool stopping_ = false;
    bool is_sender_wanted_ = false;
    std::uint64_t spooled_ = 0, sent_on_ = 0, settled_clicks_ = 0, refused_ = 0;
    std::string problem_;

    struct settled_key {
        local_key own, kept;
    };
    std::unordered_map<uuid, settled_key>
        settled_keys_;  ///< The sender's: what stands for a local key in the log.
    bool is_bound_ = false;

    std::thread writer_, sender_;
};

}  // namespace linkledger::eventlog
