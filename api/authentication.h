#pragma once
// Who sends a request: the key behind `Authorization: Bearer`, and whether it is good for the endpoint.

#include "api/exchange.h"

namespace linkledger::api {

/// Sets `who` and `credential` from the Authorization header and checks the endpoint's scope. False: refused
/// (401 without a valid key, 403 without the scope, 503 when the log cannot be asked), and answered.
[[nodiscard]] awaitable<bool> authenticate(exchange& x);
/// Of an answer that goes on for long: whether its key is still good. True while the log cannot tell.
[[nodiscard]] awaitable<bool> still_authentic(shared_state& shared, std::string_view credential,
                                              domain::scope needed);

/// The token of `Bearer <token>`; empty when there is none.
[[nodiscard]] std::string_view bearer_of(request const& from);

/// What the bus is told of the sender: correlation id, W3C trace context, address as KEEP_IP allows.
[[nodiscard]] commands::sender sender_of(exchange const& x);

}  // namespace linkledger::api
