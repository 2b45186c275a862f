// The commands' part of the reference, from the same structs that their data is read into.

#include "api/openapi_schema.h"
#include "api/wire_types.h"
#include "commands/inputs.h"

#include <array>

namespace linkledger::api {

namespace {

namespace c = commands;
using json::bj::array;
using json::bj::object;
using json::bj::value;

struct described_command {
    std::string_view name;
    value (*input)(schema_registry&);
    value (*result)(schema_registry&);
};
#define LINKLEDGER_DESCRIBED_COMMAND(NAME, INPUT, RESULT, SCOPE, SUMMARY) \
    described_command{#NAME, response_of<c::INPUT>, response_of<c::RESULT>},
constexpr std::array described{LINKLEDGER_COMMANDS(LINKLEDGER_DESCRIBED_COMMAND)};
#undef LINKLEDGER_DESCRIBED_COMMAND

[[nodiscard]] described_command const* find(std::string_view command) {
    for (auto const& each : described)
        if (each.name == command) return &each;
    return nullptr;
}

/// Says of each field what its name does not.
void explain(value const& reference, schema_registry& schemas) {
    std::string_view path = reference.at("$ref").as_string();
    path.remove_prefix(path.rfind('/') + 1);
    auto& schema = schemas.all().at(path).as_object();
    schema["additionalProperties"] = false;
    auto& properties = schema.at("properties").as_object();
    for (auto const& [field, text] : c::field_descriptions)
        if (auto* property = properties.if_contains(field)) property->as_object()["description"] = text;
}

}  // namespace

value command_input_schema(std::string_view command, schema_registry& schemas) {
    auto const* known = find(command);
    if (known == nullptr) return object{{"type", "object"}};
    auto reference = known->input(schemas);
    explain(reference, schemas);
    return reference;
}

value command_answer_schema(std::string_view command, schema_registry& schemas) {
    auto answer = schemas.of<command_answer>();
    auto const* known = find(command);
    if (known == nullptr) return answer;
    object const with_result{{"properties", {{"result", known->result(schemas)}}}};
    return object{{"allOf", array{std::move(answer), with_result}}};
}

}  // namespace linkledger::api
