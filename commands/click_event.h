#pragma once
// From a link and a request to the `link.clicked` event, and to the append that writes it.

#include "commands/click_facts.h"
#include "commands/command_bus.h"
#include "commands/geoip.h"
#include "commands/link_table.h"
#include "commands/user_agent.h"
#include "domain/click/events.h"
#include "eventlog/event_log.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::eventlog {
struct data_key;
}

namespace linkledger::commands {

/// What a click's event says, its link apart. Views are of the request.
struct click_source {
    std::string const& ip;
    std::string_view user_agent;
    std::string_view referer;
    std::string_view query;
    std::optional<std::string> visitor;  ///< As reported, in place of address and user agent.
    domain::timestamp at;
};

/// What is personal is hashed under `key`, or kept as `kept` says.
[[nodiscard]] domain::click::clicked click_event(link_record const& link, client_facts const& client,
                                                 click_source const& source, eventlog::data_key const& key,
                                                 geoip const& places, keep_ip kept);

/// Seals the event. The link's cap is the version that its stream of clicks may have; bots have a stream of
/// their own.
[[nodiscard]] eventlog::append_request click_append(link_record const& link, domain::click::clicked event,
                                                    domain::timestamp at, eventlog::data_key const& key,
                                                    std::string metadata);

}  // namespace linkledger::commands
