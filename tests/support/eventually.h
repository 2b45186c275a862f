#pragma once
// Waiting for what other threads and processes bring about.

#include <chrono>
#include <thread>

namespace linkledger::test {

/// Polls until `holds` does; the deadline of a minute only ends a test that fails.
template <typename Condition>
[[nodiscard]] bool eventually(Condition const& holds) {
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
}

}  // namespace linkledger::test
