// The table, and what the targets share.

#include "tests/fuzz/targets.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace linkledger::fuzz {

std::span<target const> targets() {
    static constexpr std::array all{
        target{"http_request", http_request},     target{"json_command", json_command},
        target{"stored_event", stored_event},     target{"target_url", target_url},
        target{"user_agent", user_agent},         target{"import_file", import_file},
        target{"migration_name", migration_name},
    };
    return all;
}

void must(bool holds, std::string_view what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", std::string{what}.c_str());
    std::abort();
}

std::string_view take_line(std::string_view& input) {
    auto const end = std::min(input.find('\n'), input.size());
    auto const line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return line;
}

}  // namespace linkledger::fuzz
