#pragma once
// What clients were told, held against what the log holds: nothing acknowledged lost, nothing twice, caps
// exact.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::simulation {

/// A rule of the system does not hold; `what()` says which, and where.
class broken_rule : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
inline void must(bool holds, std::string const& what) {
    if (!holds) throw broken_rule{what};
}

/// One thing that a client wants. It leaves a tag in its event: a title, or the referrer's host.
struct operation {
    enum class kind { create, retitle, click, visit };
    operation::kind what = kind::create;
    std::string tag;
    std::string link;  ///< Id, or for a visit the short code.
    bool is_sent = false, is_in_flight = false;
    bool is_over = false;  ///< Answered, for good; an outcome that says nothing is no answer.
    bool was_accepted = false;
    eventlog::position position = 0;
    eventlog::version version = 0;
    std::string stream;
};

/// A link as the fold of its events.
struct folded_link {
    std::string title;
    std::int64_t clicks = 0;

    bool operator==(folded_link const&) const = default;
};
using folded_links = std::map<std::string, folded_link>;

/// The log, read from where the last look ended.
class ledger {
public:
    ledger(eventlog::event_log& log, eventlog::keyring& keys) : log_(log), keys_(keys) {}

    /// Reads on, and checks what must be true of every log.
    void look();
    /// No tag twice; no answer without its event where it was said to be. `caps`: by link id.
    void check_answers(std::vector<operation> const& operations,
                       std::map<std::string, std::int64_t> const& caps) const;
    /// The links as of a position, from the events alone.
    [[nodiscard]] folded_links fold(eventlog::position until) const;
    [[nodiscard]] eventlog::position head() const { return static_cast<eventlog::position>(events_.size()); }
    [[nodiscard]] std::int64_t clicks_of(std::string const& link) const;

private:
    struct entry {
        eventlog::recorded_event stored;
        domain::event event;
        std::string tag;
    };
    eventlog::event_log& log_;
    eventlog::keyring& keys_;
    std::vector<entry> events_;
    std::map<std::string, std::vector<std::size_t>> by_tag_;
    std::map<std::string, eventlog::version> versions_;
};

}  // namespace linkledger::simulation
