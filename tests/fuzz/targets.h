#pragma once
// What is fuzzed: code that reads bytes from the outside, each with what must hold whatever the bytes are.
//
// libFuzzer runs a target on inputs that it makes up (`./dev fuzz`, clang); the suite `fuzz` replays the
// committed corpora and every input that once crashed, with the compiler of everything else.

#include <span>
#include <string_view>

namespace linkledger::fuzz {

struct target {
    std::string_view name;  ///< Also of its folders: corpus/<name>, crashes/<name>.
    void (*run)(std::string_view input);
};
[[nodiscard]] std::span<target const> targets();

/// Ends the process with the text when it does not hold: for libFuzzer that is a crash, with its input.
void must(bool holds, std::string_view what);

void http_request(std::string_view input);
void json_command(std::string_view input);
void stored_event(std::string_view input);
void target_url(std::string_view input);
void user_agent(std::string_view input);
void import_file(std::string_view input);
void migration_name(std::string_view input);

/// Takes the first line off; all of it where there is no line end.
[[nodiscard]] std::string_view take_line(std::string_view& input);

}  // namespace linkledger::fuzz
