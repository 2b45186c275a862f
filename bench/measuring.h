#pragma once
// What the programs that measure share.

#include "eventlog/result.h"

#include <chrono>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace linkledger {

using steady = std::chrono::steady_clock;

inline double seconds_since(steady::time_point start) {
    return std::chrono::duration<double>(steady::now() - start).count();
}

/// The value; a failure ends the measurement.
template <typename T>
T must(eventlog::result<T> outcome) {
    if (!outcome) throw std::runtime_error{outcome.error().detail};
    if constexpr (!std::is_void_v<T>) return std::move(outcome).value();
}

}  // namespace linkledger
