#pragma once
// What a stream's events must be, whatever the store says.

#include "eventlog/event_log.h"
#include "eventlog/sql/connection.h"

#include <string>
#include <vector>

namespace linkledger::eventlog {

/// Events of `stream` after `after`, one version after the other. Throws sql::error (`other`) when one is
/// missing or of another stream: no leaf of the tree holds what the store finds them by.
inline void require_in_order(std::vector<recorded_event> const& events, std::string const& stream,
                             version after) {
    for (auto const& event : events) {
        if (event.stream != stream || event.version != ++after)
            throw sql::error{sql::error::kind::other,
                             "stream " + stream + " is damaged: there is no version " +
                                 std::to_string(after) + " where it must be (position " +
                                 std::to_string(event.position) + ")"};
    }
}

}  // namespace linkledger::eventlog
