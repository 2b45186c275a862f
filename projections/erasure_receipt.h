#pragma once
// Whether an erasure is done, by what log, keys and read models say now, and the receipt's text once it is.

#include "eventlog/event_log.h"
#include "projections/read_store.h"

#include <optional>
#include <string>

namespace linkledger::projections {

struct erasure_report {
    eventlog::position position = 0;  ///< Of the event that erases; of the order while there is none.
    domain::uuid workspace_id{};      ///< Of click details; nil for a person.
    std::optional<domain::user_id> ordered_by;
    std::string subject;  ///< `person` or `click_details`.
    bool keys_destroyed = false;
    bool read_models_follow = false;
    std::optional<std::string> receipt;  ///< Text of a note, to be signed; none before both hold.
};

/// None: at this position is no erasure. Blocks, and throws sql::error where the read models are away.
/// `tree`: the checkpoint of the signed log as it is now; empty: there is none yet.
[[nodiscard]] eventlog::result<std::optional<erasure_report>> report_erasure(eventlog::event_log& log,
                                                                             read_store& store,
                                                                             eventlog::position at,
                                                                             std::string const& tree);

}  // namespace linkledger::projections
