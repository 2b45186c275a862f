// The OpenAPI 3.1 document, from the table of endpoints, the commands and their described types.

#include "api/exchange.h"
#include "api/handlers.h"
#include "api/openapi_schema.h"
#include "api/wire_types.h"

namespace linkledger::api {

namespace {

using json::bj::array;
using json::bj::object;
using json::bj::value;

[[nodiscard]] object problem_response(std::string_view description) {
    return {
        {"description", description},
        {"content",
         {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/ProblemDetails"}}}}}}}};
}

[[nodiscard]] object content(std::string_view media_type, value schema) {
    object typed;
    auto const essence = media_type.substr(0, media_type.find(';'));
    typed[essence] = schema.is_null() ? object{} : object{{"schema", std::move(schema)}};
    return typed;
}

[[nodiscard]] object schema_of(parameter const& from) {
    switch (from.type) {
        case parameter_type::text:
            return {{"type", "string"}, {"maxLength", 500}};
        case parameter_type::uuid:
            return {{"type", "string"}, {"format", "uuid"}};
        case parameter_type::time:
            return {{"type", "string"}, {"format", "date-time"}};
        case parameter_type::boolean:
            return {{"type", "boolean"}};
        case parameter_type::integer:
            return {{"type", "integer"}, {"minimum", from.minimum}, {"maximum", from.maximum}};
        case parameter_type::choice:
            break;
    }
    array choices;
    for (auto rest = from.choices; !rest.empty();) {
        auto const comma = std::min(rest.find(','), rest.size());
        choices.push_back(value(rest.substr(0, comma)));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return {{"type", "string"}, {"enum", std::move(choices)}};
}

[[nodiscard]] array parameters(endpoint const& of) {
    array all;
    for (auto rest = of.path; rest.find('{') != std::string_view::npos;) {
        rest.remove_prefix(rest.find('{') + 1);
        auto const name = rest.substr(0, rest.find('}'));
        object schema{{"type", "string"}};
        if (name == "id") schema["format"] = "uuid";
        all.push_back(
            object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", std::move(schema)}});
    }
    for (auto const& each : parameters_of(of))
        all.push_back(object{{"name", each.name},
                             {"in", "query"},
                             {"description", each.description},
                             {"schema", schema_of(each)}});
    return all;
}

[[nodiscard]] object header_parameter(std::string_view name, std::string_view description) {
    return {{"name", name},
            {"in", "header"},
            {"description", description},
            {"schema", {{"type", "string"}, {"maxLength", 255}}}};
}

[[nodiscard]] object too_many_response() {
    auto response = problem_response("Too many requests in a minute. Go on after Retry-After seconds.");
    object headers;
    for (auto const* const name :
         {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"})
        headers[name] = object{{"schema", {{"type", "integer"}}}};
    headers["RateLimit-Policy"] = object{{"schema", {{"type", "string"}, {"example", "60;w=60"}}}};
    response["headers"] = std::move(headers);
    return response;
}

void add_problems(object& responses, std::optional<domain::scope> scope, bool waits) {
    responses["400"] = problem_response("The input breaks a rule; `errors` names the fields.");
    if (scope) {
        responses["401"] = problem_response("No valid key.");
        responses["403"] = problem_response("The key lacks the scope, or its user the role.");
        responses["404"] = problem_response("No such thing for this key.");
    }
    responses["429"] = too_many_response();
    responses["503"] = problem_response("The database is away or too much is waiting; see Retry-After.");
    if (waits) responses["504"] = problem_response("The read model is not at `after` yet.");
}

void add_scope(object& operation, std::optional<domain::scope> scope) {
    if (!scope) {
        operation["security"] = array{};
        return;
    }
    std::string const name = boost::describe::enum_to_string(*scope, "");
    operation["security"] = array{object{{"key", array{}}}};
    operation["x-scope"] = name;
    operation["description"] = "Scope: `" + name + "`.";
}

[[nodiscard]] object operation_of(endpoint const& of, schema_registry& schemas) {
    bool const waits = has(of.groups, parameter_group::waiting);
    value const schema = of.response != nullptr ? of.response(schemas) : value(nullptr);
    object ok{{"description", "Done."}, {"content", content(of.media_type, schema)}};
    if (waits)
        ok["headers"] = object{{"X-Projection-Position",
                                {{"description", "Position of the log that the answer reflects."},
                                 {"schema", {{"type", "integer"}}}}}};
    object responses{{"200", std::move(ok)}};
    add_problems(responses, of.scope, waits);
    object operation{{"summary", of.summary}, {"tags", array{value(of.tag)}}, {"parameters", parameters(of)}};
    add_scope(operation, of.scope);
    operation["responses"] = std::move(responses);
    return operation;
}

[[nodiscard]] object bulk_body() {
    object const entry{{"type", "object"},
                       {"required", {"command", "data"}},
                       {"properties",
                        {{"command", {{"type", "string"}}},
                         {"idempotency_key", {{"type", "string"}, {"maxLength", 255}}},
                         {"data", {{"type", "object"}}}}}};
    object const schema{{"type", "array"}, {"maxItems", 1'000}, {"items", entry}};
    return {{"required", true}, {"content", content("application/json", schema)}};
}

[[nodiscard]] object command_operation(commands::command_description const& of, schema_registry& schemas) {
    auto const input = command_input_schema(of.name, schemas);
    object responses{{"200",
                      {{"description", "Done, and durable."},
                       {"content", content("application/json", command_answer_schema(of.name, schemas))}}}};
    add_problems(responses, of.scope, false);
    responses["409"] = problem_response("Another holds it, or the state does not allow it; `code` says.");
    responses["412"] = problem_response("If-Match named another version.");
    responses["422"] = problem_response("The idempotency key came with another body before.");
    object operation{{"summary", of.summary}, {"operationId", of.name}, {"tags", array{"Commands"}}};
    operation["parameters"] =
        array{header_parameter("Idempotency-Key", "A retry under the same key gets the same answer."),
              header_parameter("If-Match", "The expected version of the stream, in quotes.")};
    operation["requestBody"] = object{{"required", true}, {"content", content("application/json", input)}};
    add_scope(operation, of.scope);
    operation["responses"] = std::move(responses);
    return operation;
}

[[nodiscard]] object redirect_operations() {
    object const code{
        {"name", "short_code"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}};
    object const found{{"description", "On to the link's URL; the click is durable."},
                       {"headers", {{"Location", {{"schema", {{"type", "string"}, {"format", "uri"}}}}}}}};
    object const get{{"summary", "Follow a link (HEAD does not count)"},
                     {"tags", array{"Links"}},
                     {"security", array{}},
                     {"parameters", array{code}},
                     {"responses",
                      {{"302", found},
                       {"401", problem_response("The link has a password; a form asks for it.")},
                       {"404", problem_response("No such link.")},
                       {"410", problem_response("Deleted, disabled, expired or at max_clicks.")},
                       {"503", problem_response("The click could not be made durable; see Retry-After.")}}}};
    object post = get;
    post["summary"] = "Give a link's password";
    post["responses"].as_object()["429"] = too_many_response();
    post["requestBody"] =
        object{{"required", true},
               {"content", content("application/x-www-form-urlencoded",
                                   object{{"type", "object"},
                                          {"required", array{"password"}},
                                          {"properties", {{"password", {{"type", "string"}}}}}})}};
    return {{"get", get}, {"post", std::move(post)}};
}

[[nodiscard]] object paths(schema_registry& schemas) {
    object all;
    for (auto const& each : commands::command_table())
        all["/v1/commands/" + std::string{each.name}] = object{{"post", command_operation(each, schemas)}};
    for (auto const& each : endpoints()) {
        if (each.path == "/v1/commands/{name}") continue;  // Each command has a path of its own above.
        auto operation = operation_of(each, schemas);
        if (each.path == "/v1/commands") operation["requestBody"] = bulk_body();
        auto& path = all[each.path];
        if (!path.is_object()) path = object{};
        path.as_object()[each.verb == method::post ? "post" : "get"] = std::move(operation);
    }
    all["/{short_code}"] = redirect_operations();
    return all;
}

[[nodiscard]] array problem_codes() {
    array all;
    auto const add = [&](problem_code const& each) {
        all.push_back(object{{"code", each.code}, {"status", each.status}, {"meaning", each.meaning}});
    };
    for (auto const& each : refusal_problem_codes()) add(each);
    for (auto const& each : http_problem_codes()) add(each);
    return all;
}

[[nodiscard]] std::string make_document(shared_state const& shared) {
    schema_registry schemas;
    (void)schemas.of<problem_details>();
    object const info{
        {"title", "linkledger"},
        {"version", shared.options.version},
        {"description",
         "Short links on an append-only log: every command's outcome is an event, every click is "
         "durable before its redirect is answered."}};
    object const key{{"type", "http"},
                     {"scheme", "bearer"},
                     {"description", "An API key with the scopes `read`, `write`, `admin` or `audit`."}};
    object document{{"openapi", "3.1.0"}, {"info", info}};
    document["servers"] = array{object{{"url", shared.options.public_url}}};
    document["paths"] = paths(schemas);
    document["components"] = object{{"securitySchemes", object{{"key", key}}}, {"schemas", schemas.all()}};
    document["x-problem-codes"] = problem_codes();
    return json::bj::serialize(document);
}

}  // namespace

std::string schema_name(std::string const& cpp_name) {
    std::string name;
    bool upper = true;
    std::size_t word = 0;  // Where the identifier at hand begins in `name`.
    for (std::size_t i = 0; i < cpp_name.size(); ++i) {
        char const c = cpp_name[i];
        if (c == ':') {
            name.resize(word);  // That was a namespace.
            upper = true;
        } else if (c == '_' || c == ' ' || c == '>') {
            upper = true;
        } else if (c == '<' || c == ',') {
            word = name.size();
            upper = true;
        } else {
            name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
            upper = false;
        }
    }
    return name;
}

json::bj::value or_null(json::bj::value schema) {
    auto& described = schema.as_object();
    if (auto* type = described.if_contains("type"); type != nullptr && type->is_string()) {
        *type = array{*type, "null"};
        return schema;
    }
    return object{{"anyOf", array{std::move(schema), object{{"type", "null"}}}}};
}

std::string const& openapi_document(shared_state const& shared) {
    static std::string const document = make_document(shared);
    return document;
}

}  // namespace linkledger::api
