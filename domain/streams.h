#pragma once
// The names of streams: an aggregate's kind and its id. One place, so that no two spellings exist.

#include "domain/ids.h"

#include <string>

namespace linkledger::domain {

[[nodiscard]] inline std::string stream_of(workspace_id const& id) {
    return "workspace-" + to_string(id);
}
[[nodiscard]] inline std::string stream_of(user_id const& id) {
    return "user-" + to_string(id);
}
[[nodiscard]] inline std::string stream_of(link_id const& id) {
    return "link-" + to_string(id);
}
[[nodiscard]] inline std::string stream_of(api_key_id const& id) {
    return "api_key-" + to_string(id);
}

/// A link's counted clicks: this stream's version is their exact number.
[[nodiscard]] inline std::string clicks_stream_of(link_id const& id) {
    return "clicks-" + to_string(id);
}
[[nodiscard]] inline std::string bots_stream_of(link_id const& id) {
    return "bots-" + to_string(id);
}

/// What a link's clicks came to, day by day, where their details were erased.
[[nodiscard]] inline std::string days_stream_of(link_id const& id) {
    return "days-" + to_string(id);
}
/// An erasure that is of no user's stream.
[[nodiscard]] inline std::string erasure_stream_of(uuid const& id) {
    return "erasure-" + to_string(id);
}

}  // namespace linkledger::domain
