#pragma once
// Requests that mean harm or are merely broken: each a row with the bytes as they are sent, and what must
// come back. After every one of them the log's head is where it was.

#include "tests/api/service.h"

#include <string>
#include <string_view>
#include <vector>

namespace linkledger::tests {

/// What the requests are about: all of it exists, and the keys are good.
struct hostile_world {
    std::string admin_key, reader_key, revoked_key, bound_key;  ///< The last: of another workspace.
    std::string workspace, link;
    std::string locked_id;
};
/// Short codes of links in the workspace: one without conditions, one with a password, a disabled and a
/// deleted one.
inline constexpr std::string_view open_code = "open-link", locked_code = "locked-link",
                                  disabled_code = "disabled", deleted_code = "was-here";

struct hostile_case {
    std::string name;
    std::string bytes;
    int status;             ///< 0: the connection ends without an answer.
    std::string code = {};  ///< Of the problem; empty: the answer is none, or is for browsers.
};
using hostile_cases = std::vector<hostile_case>;

// ---- Requests -------------------------------------------------------------------------------------------

/// The head of a request with this key, without the empty line that ends it.
[[nodiscard]] std::string start_of(std::string_view method, std::string_view target,
                                   std::string_view key = {});
/// A complete request; `headers` are lines that end in CR LF.
[[nodiscard]] std::string get(std::string_view target, std::string_view key = {},
                              std::string_view headers = {});
[[nodiscard]] std::string post(std::string_view target, std::string_view key, std::string_view body,
                               std::string_view headers = {});
[[nodiscard]] std::string command(std::string_view name, std::string_view key, std::string_view data,
                                  std::string_view headers = {});
/// Data of a CreateLink that would be carried out.
[[nodiscard]] std::string good_link(hostile_world const& w);

// ---- The cases, a table per file ------------------------------------------------------------------------

[[nodiscard]] hostile_cases framing_cases(hostile_world const& w);
[[nodiscard]] hostile_cases target_cases(hostile_world const& w);
[[nodiscard]] hostile_cases json_cases(hostile_world const& w);
[[nodiscard]] hostile_cases bulk_cases(hostile_world const& w);
[[nodiscard]] hostile_cases url_cases(hostile_world const& w);
[[nodiscard]] hostile_cases value_cases(hostile_world const& w);
[[nodiscard]] hostile_cases header_cases(hostile_world const& w);
[[nodiscard]] hostile_cases parameter_cases(hostile_world const& w);
[[nodiscard]] hostile_cases visit_cases(hostile_world const& w);

}  // namespace linkledger::tests
