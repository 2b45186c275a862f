#include "commands/inputs.h"

#include "commands/command_bus.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

#include <array>

namespace linkledger::commands {
namespace {

constexpr std::optional<domain::scope> none = std::nullopt;
constexpr auto write = domain::scope::write;
constexpr auto admin = domain::scope::admin;

#define LINKLEDGER_COMMAND_DESCRIPTION(NAME, INPUT, RESULT, SCOPE, SUMMARY) \
    command_description{#NAME, SUMMARY, SCOPE},
constexpr std::array descriptions = {LINKLEDGER_COMMANDS(LINKLEDGER_COMMAND_DESCRIPTION)};
#undef LINKLEDGER_COMMAND_DESCRIPTION

using input_or_refusal = std::variant<any_input, domain::refusal>;

/// A key that a client made up may be as long as its body; an answer repeats the start of it.
std::string shown(std::string path) {
    constexpr std::size_t bytes_max = 100;
    if (path.size() <= bytes_max) return path;
    auto end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(path[end]) & 0xC0) == 0x80) --end;
    return path.substr(0, end) + "…";
}

domain::refusal refusal_of(std::vector<json::read_error> const& errors) {
    domain::refusal no{domain::refusal_code::invalid_input, {}, {}};
    for (auto const& error : errors) {
        auto path = shown(error.path);
        if (!no.detail.empty()) no.detail += "; ";
        no.detail += path.empty() ? error.message : path + ": " + error.message;
        no.fields.push_back({std::move(path), error.message});
    }
    return no;
}

template <typename Input>
input_or_refusal read_input(json::bj::value const& from) {
    Input input{};
    std::vector<json::read_error> errors;
    if (!json::read(from, input, {}, json::unknown_fields::refuse, errors)) return refusal_of(errors);
    return any_input{std::move(input)};
}

struct reader {
    std::string_view command;
    input_or_refusal (*read)(json::bj::value const&);
};
#define LINKLEDGER_COMMAND_READER(NAME, INPUT, RESULT, SCOPE, SUMMARY) reader{#NAME, &read_input<INPUT>},
constexpr std::array readers = {LINKLEDGER_COMMANDS(LINKLEDGER_COMMAND_READER)};
#undef LINKLEDGER_COMMAND_READER

}  // namespace

std::span<command_description const> command_table() {
    return descriptions;
}

std::variant<parsed_input, domain::refusal> parse_input(std::string_view command, std::string_view data) {
    auto const entry = std::find_if(readers.begin(), readers.end(),
                                    [&](reader const& one) { return one.command == command; });
    if (entry == readers.end()) {
        return domain::refusal{domain::refusal_code::not_found, "There is no such command."};
    }
    std::string error;
    json::bj::monotonic_resource memory;
    auto const value = json::parse(data, error, &memory);
    if (!value)
        return domain::refusal{domain::refusal_code::invalid_input, "The data is no valid JSON: " + error};
    input_or_refusal read = entry->read(*value);
    if (auto* no = std::get_if<domain::refusal>(&read)) return std::move(*no);
    return parsed_input{std::get<any_input>(std::move(read)), json::bj::serialize(*value)};
}

}  // namespace linkledger::commands
