#pragma once
// What is killed when: the same seed gives the same list.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace linkledger::chaos {

enum class target { api, relay, projector, nats, redis, postgres };
inline constexpr int targets = 6;

enum class action {
    kill,     ///< kill -9
    restart,  ///< In order.
    wipe,     ///< kill -9, and its data are gone: of NATS and Redis alone, which hold nothing of their own.
};

struct fault {
    std::chrono::milliseconds at{0};  ///< After the load began.
    target whom = target::api;
    unsigned which = 0;  ///< Of several; taken modulo their number.
    action how = action::kill;
    std::chrono::milliseconds down{0};  ///< Before it is started again.
};

/// One every `every`, until `every` before the end. Every target has its turn before one has its next.
[[nodiscard]] std::vector<fault> make_schedule(std::uint64_t seed, std::chrono::milliseconds length,
                                               std::chrono::milliseconds every);

[[nodiscard]] std::string name_of(target whom);
/// As in `12.0 s: kill -9 of relay 2, away for 1.3 s`.
[[nodiscard]] std::string describe(fault const& what);

}  // namespace linkledger::chaos
