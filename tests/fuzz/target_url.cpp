// The rule for where links lead: what it lets through is safe in a Location header, and not this service.

#include "domain/rules.h"
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace linkledger::fuzz {

void target_url(std::string_view input) {
    constexpr std::string_view own = "ll.example";
    auto const outcome = domain::rules::url(input, own);
    (void)domain::rules::host_of(input);
    if (auto const* no = std::get_if<domain::rules::broken>(&outcome)) {
        must(!no->message.empty(), "a refusal says why");
        return;
    }
    auto const& kept = std::get<std::string>(outcome);
    must(kept.starts_with("http://") || kept.starts_with("https://"), "a link leads to http or https");
    must(kept.size() <= domain::rules::url_bytes_max, "a URL is within its limit");
    must(std::all_of(kept.begin(), kept.end(), [](char c) { return c > 0x20 && c < 0x7F; }),
         "a URL is visible ASCII");
    auto const authority =
        kept.substr(kept.find("//") + 2, kept.find_first_of("/?#", 8) - kept.find("//") - 2);
    must(authority.find('@') == std::string::npos, "a URL names no user");
    must(authority.find('\\') == std::string::npos, "a host has no backslash");
    must(!domain::rules::host_of(kept).empty(), "a URL has a host");
    must(domain::rules::host_of(kept) != own, "a link does not lead to this service");
}

}  // namespace linkledger::fuzz
