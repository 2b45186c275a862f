// What visitors call themselves: any bytes, the same facts each time.

#include "commands/user_agent.h"
#include "tests/fuzz/targets.h"

#include <cstdlib>
#include <string>

namespace linkledger::fuzz {
namespace {

std::shared_ptr<commands::user_agent_parser const> load() {
    char const* const path = std::getenv("UAP_REGEXES");
    auto loaded = commands::user_agent_parser::load(path ? path : "/usr/share/uap-core/regexes.yaml");
    must(loaded.has_value(), "uap-core is installed");
    return std::move(loaded.value());
}

}  // namespace

void user_agent(std::string_view input) {
    static auto const parser = load();
    static commands::user_agent_cache cache{parser, 1'000};
    auto const facts = parser->facts_of(input);
    auto const cached = cache.find_or_parse(input);
    must(input.empty() || *cached == facts, "the cache answers as the parser does");
    auto const device = facts.device_type.value_or("desktop");
    must(device == "desktop" || device == "mobile" || device == "tablet", "a device is of a known type");
    for (auto const& text : {facts.browser, facts.browser_version, facts.os, facts.os_version})
        must(!text || (!text->empty() && text->size() <= 4 * commands::user_agent_parser::bytes_max),
             "a fact is text within a limit");
    (void)parser->parse(input);
}

}  // namespace linkledger::fuzz
