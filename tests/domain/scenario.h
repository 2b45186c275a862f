#pragma once
// Given / when / then over a decider: given(events).when(command).then(events) or .then_refused(code).

#include "domain/decision.h"
#include "domain/ids.h"
#include "domain/time.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace linkledger::domain::testing {

/// An id that is the same in every run: 16 bytes, the last of them `n`.
template <typename Id>
[[nodiscard]] Id id(std::uint8_t n) {
    Id made;
    made.value.bytes[15] = n;
    return made;
}

inline constexpr timestamp noon = from_unix_us(1'780'000'000'000'000);

/// What a decider answered.
class outcome {
public:
    explicit outcome(decision made) : made_(std::move(made)) {}

    void then(std::vector<event> const& expected) const {
        ASSERT_TRUE(std::holds_alternative<std::vector<event>>(made_)) << "refused: " << detail();
        auto const& events = std::get<std::vector<event>>(made_);
        ASSERT_EQ(events.size(), expected.size());
        for (std::size_t i = 0; i < events.size(); ++i) {
            EXPECT_EQ(type_name(events[i]), type_name(expected[i]));
            EXPECT_TRUE(events[i] == expected[i]) << "event " << i << " differs";
        }
    }
    void then_nothing() const { then({}); }
    void then_refused(refusal_code code) const {
        ASSERT_TRUE(std::holds_alternative<refusal>(made_)) << "was not refused";
        EXPECT_EQ(code_text(std::get<refusal>(made_).code), code_text(code)) << detail();
    }
    void then_invalid(std::vector<std::string> const& fields) const {
        then_refused(refusal_code::invalid_input);
        if (!std::holds_alternative<refusal>(made_)) return;
        std::vector<std::string> named;
        for (auto const& error : std::get<refusal>(made_).fields) named.push_back(error.field);
        EXPECT_EQ(named, fields);
    }
    [[nodiscard]] std::vector<event> const& events() const { return std::get<std::vector<event>>(made_); }

private:
    [[nodiscard]] std::string detail() const {
        auto const* no = std::get_if<refusal>(&made_);
        return no ? no->detail : std::string{};
    }

    decision made_;
};

/// A state that was folded from events, of the aggregate whose `evolve` is found by the state's namespace.
template <typename State>
class scenario {
public:
    explicit scenario(std::vector<event> const& history) {
        for (auto const& one : history) state_ = evolve(std::move(state_), one);
    }
    template <typename Command>
    [[nodiscard]] outcome when(Command const& command) const {
        return outcome{decide(state_, command)};
    }
    [[nodiscard]] State const& state() const { return state_; }

private:
    State state_{};
};

}  // namespace linkledger::domain::testing
