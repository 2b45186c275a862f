#pragma once
// What a relay decides, a step at a time and without a thread or a clock: bring the stream in order, wait for
// the turn, publish until something is not as it should be.

#include "eventlog/mirror/jetstream.h"
#include "eventlog/mirror/publisher.h"
#include "eventlog/mirror/relay.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace linkledger::eventlog::mirror {

/// Pages of all events, in order.
class page_source {
public:
    virtual ~page_source() = default;
    /// A page with at least one event; none when there was none within `patience`. After a failure there is
    /// nothing more.
    [[nodiscard]] virtual std::optional<result<std::vector<recorded_event>>> next(
        std::chrono::milliseconds patience) = 0;
};

/// Not thread-safe, but for `stats`. Steps may come early, late or twice: when they come decides how soon the
/// mirror is whole, never whether it is right.
class relay_steps {
public:
    using clock = std::chrono::steady_clock;
    /// How long nothing is to be done; less when the log gets beyond a position.
    struct rest {
        std::chrono::milliseconds at_most{0};
        std::optional<position> or_beyond{};
    };

    /// `log` and `to` must outlive it. `open_pages` gives the events after a position.
    relay_steps(event_log& log, jetstream& to, relay_options options, std::uint32_t seed,
                std::function<std::unique_ptr<page_source>(position after)> open_pages);

    /// Blocks for the deadlines of the calls that it makes, at most.
    [[nodiscard]] rest step(clock::time_point now);
    /// Waits for acknowledgements of what is under way.
    void finish();
    /// From any thread.
    [[nodiscard]] relay_stats stats() const;

private:
    enum class phase {
        looking,      ///< Is the stream a beginning of the log?
        standing_by,  ///< Another relay may publish, or there is nothing to publish.
        settling,     ///< There is more in the log; whoever publishes has the time to.
        publishing,
    };

    rest look();
    [[nodiscard]] result<std::optional<std::string>> find_fault_of(std::optional<stream_state> const& stream);
    rest stand_by(clock::time_point now);
    rest settle();
    void begin_publishing();
    [[nodiscard]] bool is_check_due(clock::time_point now);
    rest publish(clock::time_point now);
    rest look_again();
    [[nodiscard]] result<void> make_anew(stream_state const* found, std::string const& why);
    [[nodiscard]] bool publish_page(std::vector<recorded_event> const& page);
    [[nodiscard]] bool is_still_whole();
    [[nodiscard]] bool accept(publish_outcome outcome);

    void tell(note_level level, std::string const& text) const {
        if (options_.note) options_.note(level, text);
    }
    rest fail(failure const& why);
    void note_failure(failure const& why);
    void note_recovered();
    void set_role(relay_role role);
    void saw_stream(position mirrored);
    void saw_head(position head);
    /// Two that lost at the same moment do not come back at the same moment.
    [[nodiscard]] std::chrono::milliseconds standby_pause();

    event_log& log_;
    jetstream& mirror_;
    relay_options options_;
    std::minstd_rand random_;
    std::function<std::unique_ptr<page_source>(position)> open_pages_;

    phase phase_ = phase::looking;
    log_head head_;                                ///< As last seen.
    position last_ = 0;                            ///< Of the stream, as last seen.
    std::optional<clock::time_point> next_check_;  ///< None: from the next step on.
    std::chrono::milliseconds retry_pause_;
    bool active_ = false;  ///< Published last, and lost no race since.
    bool seen_stream_ = false;
    bool failing_ = false;
    /// What speaks against a stream, by when it was made; 0: there is none. It is found by chance, so it is
    /// kept until the stream is made anew.
    struct doubt {
        std::int64_t created;
        std::string fault;
    };
    std::optional<doubt> doubted_;
    std::unique_ptr<page_source> in_;
    std::unique_ptr<publisher> out_;

    mutable std::mutex stats_mutex_;
    relay_stats stats_;
};

}  // namespace linkledger::eventlog::mirror
