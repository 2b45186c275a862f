// JSON into commands: strict, and in one spelling for the fingerprint of idempotency.

#include "commands/command_bus.h"
#include "commands/inputs.h"
#include "eventlog/json.h"
#include "tests/fuzz/targets.h"

namespace linkledger::fuzz {

/// The first byte chooses the command.
void json_command(std::string_view input) {
    if (input.empty()) return;
    auto const table = commands::command_table();
    auto const& command = table[static_cast<unsigned char>(input.front()) % table.size()];
    input.remove_prefix(1);
    auto const read = commands::parse_input(command.name, input);
    if (auto const* no = std::get_if<domain::refusal>(&read)) {
        must(no->code == domain::refusal_code::invalid_input, "what cannot be read is invalid input");
        must(!no->detail.empty() && json::is_storable_text(no->detail), "a refusal says why, in UTF-8");
        for (auto const& [field, message] : no->fields)
            must(json::is_storable_text(field) && !message.empty(), "a field's error is text");
        return;
    }
    auto const& first = std::get<commands::parsed_input>(read);
    auto const again = commands::parse_input(command.name, first.canonical);
    must(std::holds_alternative<commands::parsed_input>(again), "the one spelling can be read");
    must(std::get<commands::parsed_input>(again).canonical == first.canonical, "there is one spelling");
}

}  // namespace linkledger::fuzz
