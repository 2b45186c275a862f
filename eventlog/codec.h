#pragma once
// Events to stored JSON and back, by the reflection of the event structs. A member named `personal` is
// written apart (to be sealed); everything else is `data`.

#include "domain/event.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"
#include "eventlog/metadata.h"

#include <span>

namespace linkledger::eventlog {

/// The stored form, before sealing.
struct encoded_event {
    std::string type;
    int schema_version = 1;
    std::string data;
    std::optional<std::string> personal;
};
[[nodiscard]] encoded_event encode(domain::event const& event);

/// Reads the stored form back, through the upcasters where `schema_version` is an old one. Unknown fields are
/// ignored, missing optional ones are empty. `corrupted` for an unknown type, a newer schema version than
/// this executable knows, or JSON that does not fit; the detail has the field's path.
[[nodiscard]] result<domain::event> decode(std::string_view type, int schema_version, std::string_view data,
                                           std::optional<std::string_view> personal);
/// The same, with upcasters other than this executable's own (eventlog/upcast.h).
class upcaster_table;
[[nodiscard]] result<domain::event> decode(std::string_view type, int schema_version, std::string_view data,
                                           std::optional<std::string_view> personal,
                                           upcaster_table const& upcasters);

/// Decodes a stored event, with its personal part where the key still exists.
[[nodiscard]] result<domain::event> decode(recorded_event const& event, keyring& keys);

[[nodiscard]] std::string encode_metadata(metadata const& value);
[[nodiscard]] result<metadata> decode_metadata(std::string_view json);
[[nodiscard]] std::string encode_context(request_context const& value);
[[nodiscard]] result<request_context> decode_context(std::string_view json);

}  // namespace linkledger::eventlog
