#pragma once
// A history of everything that can happen, in a random but valid order.

#include "tests/projections/history.h"

#include <cstdint>

namespace linkledger::test {

/// Tells about `events` events. The same seed gives the same story, ids and times included.
void tell_random_story(history& story, std::uint32_t seed, int events);

}  // namespace linkledger::test
