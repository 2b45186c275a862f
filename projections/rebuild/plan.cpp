#include "projections/rebuild/plan.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace linkledger::projections {

std::string to_text(build_plan const& plan) {
    return fmt::format("{} {} {} {} {} {}", domain::to_string(plan.id), domain::to_string(plan.head.log_id),
                       plan.head.epoch, plan.head.last, domain::to_unix_us(plan.head.recorded_at),
                       plan.range_events);
}

std::optional<build_plan> parse_plan(std::string_view text) {
    constexpr std::size_t id_characters = 36;
    if (text.size() < 2 * id_characters + 2) return std::nullopt;
    auto const id = domain::parse_uuid(text.substr(0, id_characters));
    auto const log = domain::parse_uuid(text.substr(id_characters + 1, id_characters));
    if (!id || !log) return std::nullopt;
    std::array<std::int64_t, 4> numbers{};
    char const* at = text.data() + 2 * id_characters + 1;
    char const* const last = text.data() + text.size();
    for (auto& number : numbers) {
        if (at == last) return std::nullopt;
        auto const [end, error] = std::from_chars(at + 1, last, number);
        if (error != std::errc{}) return std::nullopt;
        at = end;
    }
    build_plan plan;
    plan.id = *id;
    plan.head = {*log, numbers[0], numbers[1], domain::from_unix_us(numbers[2])};
    plan.range_events = numbers[3];
    return plan;
}

}  // namespace linkledger::projections
