#pragma once
// What erasing needs beyond a command: counts settled in the log before click details go, and keys destroyed
// whatever became of the process that should have done it. Blocking; run off the request threads.

#include "domain/erasure/erasure.h"
#include "domain/event.h"
#include "eventlog/committer.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::commands {

/// The keys that an event says are destroyed; none for other events.
[[nodiscard]] std::vector<domain::uuid> erased_keys_of(domain::event const& happened);

/// The keys that a stream's erasures of persons name.
[[nodiscard]] eventlog::result<std::vector<domain::uuid>> erased_keys_in(eventlog::event_log& log,
                                                                         std::string const& stream);

/// Destroys the keys that erasures in the log name and that still live; returns how many there were. At each
/// start, because a process may die between the event and the destruction, and after a destruction that
/// failed.
eventlog::result<std::size_t> complete_erasures(eventlog::event_log& log, eventlog::keyring& keys);

/// An order that has not been carried out.
struct open_order {
    std::string stream;
    domain::erasure::details_ordered what;
};
[[nodiscard]] eventlog::result<std::vector<open_order>> open_orders(eventlog::event_log& log);

/// Days of a workspace whose click details may go, in order.
struct detail_days {
    domain::workspace_id workspace_id;
    std::string first_day;
    std::string last_day;
};
/// By retention: those that ended `kept` ago or earlier and are settled, 1,000 days at most.
[[nodiscard]] eventlog::result<std::vector<detail_days>> days_beyond(eventlog::event_log& log,
                                                                     std::chrono::days kept,
                                                                     domain::timestamp now);

struct erase_details_options {
    std::string stream{};  ///< Of the order; empty: there was none.
    std::function<void(std::int64_t clicks)> progress{};
    std::function<bool()> stopping{};  ///< Asked between pages; then it fails as shutting_down.
    /// How long after its day a click may have been recorded; longer only where clicks were not recorded by
    /// the commands, which refuse later ones.
    std::chrono::days recorded_within = domain::erasure::details_settle_after;
};
struct details_outcome {
    eventlog::position position = 0;  ///< Of `click_details.erased`; 0: there was nothing to erase.
    std::size_t keys = 0;
    std::int64_t clicks = 0;
    std::size_t links = 0;
};

/// Settles and erases. Resumable: what was settled is not settled again. Holds in memory the visitors of a
/// million clicks, or of one link's day where that has more.
class click_details {
public:
    click_details(eventlog::event_log& log, eventlog::committer& committer, eventlog::keyring& keys)
        : log_(log), committer_(committer), keys_(keys) {}

    /// For ever: destroys the keys of the days' click details. Days that are not settled are passed over.
    eventlog::result<details_outcome> erase(detail_days const& which, erase_details_options const& how);

private:
    struct day_key;
    using progress = std::function<void(std::int64_t)>;

    eventlog::result<std::vector<day_key>> keys_of(detail_days const& which);
    eventlog::result<std::int64_t> settle(detail_days const& which, day_key const& day,
                                          erase_details_options const& how, details_outcome& so_far);
    eventlog::result<void> append_settled(domain::workspace_id const& workspace,
                                          std::vector<domain::click::settled> const& days);

    eventlog::event_log& log_;
    eventlog::committer& committer_;
    eventlog::keyring& keys_;
};

}  // namespace linkledger::commands
