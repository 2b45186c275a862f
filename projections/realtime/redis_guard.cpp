#include "projections/realtime/redis_guard.h"

#include <array>
#include <charconv>

namespace linkledger::projections::realtime {
namespace {

constexpr std::array<std::string_view, 3> state_names{"at", "filling", "wiping"};

std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t number = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

std::string_view take_part(std::string_view& text) {
    auto const slash = text.find('/');
    auto const part = text.substr(0, slash);
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
    return part;
}

}  // namespace

std::string count_key(domain::uuid const& id, bool is_link) {
    return (is_link ? "clicks:realtime:" : "clicks:realtime:total:") + domain::to_string(id);
}

std::string window_key(domain::uuid const& id) {
    return "clicks:realtime:window:" + domain::to_string(id);
}

std::string to_text(redis_guard const& guard) {
    return domain::to_string(guard.history.log_id) + "/" + std::to_string(guard.history.epoch) + "/v" +
           std::to_string(guard.history.version) + "/" +
           std::string{state_names[static_cast<std::size_t>(guard.what)]} + "/" +
           std::to_string(guard.position);
}

std::optional<redis_guard> parse_guard(std::string_view text) {
    auto const log_id = domain::parse_uuid(take_part(text));
    auto const epoch = number_in(take_part(text));
    auto version_text = take_part(text);
    if (!version_text.starts_with('v')) return std::nullopt;
    auto const version = number_in(version_text.substr(1));
    auto const state = take_part(text);
    auto const position = number_in(text);
    if (!log_id || !epoch || !version || !position) return std::nullopt;
    for (std::size_t i = 0; i < state_names.size(); ++i) {
        if (state == state_names[i])
            return redis_guard{{*log_id, *epoch, *version}, static_cast<redis_guard::state>(i), *position};
    }
    return std::nullopt;
}

}  // namespace linkledger::projections::realtime
