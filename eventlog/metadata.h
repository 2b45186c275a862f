#pragma once
// What every event says of its cause: who sent which command, and what it belongs to.

#include "domain/ids.h"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <optional>
#include <string>

namespace linkledger::eventlog {

enum class actor_kind {
    key,      ///< A user through an API key.
    token,    ///< A person through an invitation token.
    visitor,  ///< Someone who followed a link.
    system,   ///< linkledger itself, or an operator at the command line.
};
BOOST_DESCRIBE_ENUM(actor_kind, key, token, visitor, system)

struct actor {
    actor_kind kind = actor_kind::system;
    std::optional<domain::user_id> user_id;
    std::optional<domain::api_key_id> api_key_id;

    bool operator==(actor const&) const = default;
};
BOOST_DESCRIBE_STRUCT(actor, (), (kind, user_id, api_key_id))

/// Stored as JSON text in `event_body::metadata`. Empty optionals are left out.
struct metadata {
    std::string command;                       ///< `CreateLink`, `ClickLink`, …
    domain::uuid command_id{};                 ///< One per command, shared by its events.
    domain::uuid correlation_id{};             ///< The request's or conversation's id.
    std::optional<domain::uuid> causation_id;  ///< The event that caused the command, where one did.
    std::optional<std::string> traceparent;    ///< W3C Trace Context, as received.
    eventlog::actor actor;

    bool operator==(metadata const&) const = default;
};
BOOST_DESCRIBE_STRUCT(metadata, (), (command, command_id, correlation_id, causation_id, traceparent, actor))

/// The sender's context, sealed in `event_body::context` under the sender's key.
struct request_context {
    std::optional<std::string> ip_address;  ///< As KEEP_IP allows.
    std::optional<std::string> user_agent;

    bool operator==(request_context const&) const = default;
};
BOOST_DESCRIBE_STRUCT(request_context, (), (ip_address, user_agent))

}  // namespace linkledger::eventlog
