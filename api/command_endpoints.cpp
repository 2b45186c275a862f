// Commands, one at a time and in bulk. The bus decides; this turns HTTP into its requests and back.

#include "api/authentication.h"
#include "api/exchange.h"
#include "api/handlers.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

#include <charconv>

namespace linkledger::api {

namespace {

constexpr std::size_t bulk_commands_max = 1'000;
constexpr std::size_t idempotency_key_max = 255;

[[nodiscard]] commands::command_description const* find_command(std::string_view name) {
    for (auto const& each : commands::command_table())
        if (each.name == name) return &each;
    return nullptr;
}

[[nodiscard]] domain::refusal unknown_command(std::string_view name) {
    return {domain::refusal_code::not_found,
            "There is no command " + json::storable_text(name.substr(0, 100)) + ".",
            {}};
}

/// JSON, also where the sender did not say so: `curl -d` calls every body a form. That opens no way in for
/// forms on other sites: a command's credential is a bearer header or stands in its data, and browsers add
/// neither by themselves.
[[nodiscard]] bool may_be_json(request const& from) {
    auto const coding = from.header("Content-Encoding");
    if (!coding.empty() && !equal_ignoring_case(coding, "identity")) return false;
    auto const type = from.header("Content-Type");
    auto essence = type.substr(0, type.find(';'));
    essence = essence.substr(0, essence.find_last_not_of(" \t") + 1);
    return essence.empty() || equal_ignoring_case(essence, "application/json") ||
           equal_ignoring_case(essence, "application/x-www-form-urlencoded");
}

[[nodiscard]] bool is_idempotency_key(std::string_view text) {
    return !text.empty() && text.size() <= idempotency_key_max && json::is_storable_text(text);
}

/// `"7"` (RFC 9110, section 13.1.1), also without quotes; a version is never weak.
[[nodiscard]] std::optional<eventlog::version> parse_if_match(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    eventlog::version number = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

/// The headers that belong to a command. False: refused, and answered.
[[nodiscard]] bool read_headers(exchange& x, commands::command_request& command) {
    if (x.from.has_header("Idempotency-Key")) {
        command.idempotency_key = std::string{x.from.header("Idempotency-Key")};
        if (!is_idempotency_key(*command.idempotency_key)) {
            x.refuse(domain::invalid_field("Idempotency-Key", "must have 1 to 255 characters"));
            return false;
        }
    }
    if (x.from.has_header("If-Match")) {
        command.if_match = parse_if_match(x.from.header("If-Match"));
        if (!command.if_match) {
            x.refuse(domain::invalid_field("If-Match", "must be the stream's version in quotes, like \"7\""));
            return false;
        }
    }
    return true;
}

/// Who sends a command; one whose data is the credential needs no key. False: refused, and answered.
[[nodiscard]] awaitable<bool> identify(exchange& x, commands::command_description const& command,
                                       commands::sender& from) {
    if (command.scope) {
        endpoint scoped = *x.at;
        scoped.scope = command.scope;
        auto const* const before = x.at;
        x.at = &scoped;
        bool const known = co_await authenticate(x);
        x.at = before;
        if (!known) co_return false;
        from = sender_of(x);
        from.caller = x.who;
        co_return true;
    }
    if (!admit_secret(x, command.name)) co_return false;
    from = sender_of(x);
    from.kind = eventlog::actor_kind::token;
    co_return true;
}

void append_answer(std::string& to, commands::command_answer const& answer) {
    to += "{\"position\":" + std::to_string(answer.position) + ",\"stream\":";
    json::append_text(to, answer.stream);
    to += ",\"version\":" + std::to_string(answer.version) + ",\"events\":";
    json::append_text(to, answer.events);
    to += ",\"result\":" + (answer.result.empty() ? std::string{"{}"} : answer.result) + "}";
}

[[nodiscard]] std::optional<problem> problem_in(commands::command_outcome const& outcome) {
    if (auto const* refusal = std::get_if<domain::refusal>(&outcome)) return problem_of(*refusal);
    if (auto const* failure = std::get_if<eventlog::failure>(&outcome)) return problem_of(*failure);
    return std::nullopt;
}

/// An entry of a bulk as far as it could be read: a request, or what is wrong with it.
struct bulk_entry {
    std::optional<commands::command_request> command;
    std::optional<domain::refusal> refused;
};

[[nodiscard]] bulk_entry read_entry(json::bj::value const& from) {
    bulk_entry entry;
    auto const refuse = [&](domain::refusal why) {
        entry.refused = std::move(why);
        return entry;
    };
    auto const* object = from.if_object();
    if (object == nullptr) return refuse(domain::invalid_field("command", "the entry must be an object"));
    commands::command_request command;
    for (auto const& item : *object) {
        std::string_view const key{item.key().data(), item.key().size()};
        auto const* text = item.value().if_string();
        if (key == "command" && text != nullptr) {
            command.name = std::string{*text};
        } else if (key == "idempotency_key" && text != nullptr && is_idempotency_key(*text)) {
            command.idempotency_key = std::string{*text};
        } else if (key == "idempotency_key" && item.value().is_null()) {
            continue;
        } else if (key == "data" && item.value().is_object()) {
            command.data = json::bj::serialize(item.value());
        } else if (key == "command") {
            return refuse(domain::invalid_field("command", "must be a string"));
        } else if (key == "idempotency_key") {
            return refuse(domain::invalid_field("idempotency_key", "must have 1 to 255 characters"));
        } else if (key == "data") {
            return refuse(domain::invalid_field("data", "must be an object"));
        } else {
            return refuse(
                domain::invalid_field(json::storable_text(key.substr(0, 100)), "is not a known field"));
        }
    }
    if (command.name.empty()) return refuse(domain::invalid_field("command", "is required"));
    if (command.data.empty()) return refuse(domain::invalid_field("data", "is required"));
    entry.command = std::move(command);
    return entry;
}

/// Refuses what the caller's key may not send, and commands that take no key: each is answered alone.
void check_entry(bulk_entry& entry, domain::caller const& who) {
    if (!entry.command) return;
    auto const* described = find_command(entry.command->name);
    if (described == nullptr) {
        entry.refused = unknown_command(entry.command->name);
    } else if (!described->scope) {
        entry.refused = domain::invalid_field("command", "cannot be part of a bulk");
    } else if (!domain::has_scope(who, *described->scope)) {
        entry.refused = domain::refusal{domain::refusal_code::forbidden, "The key lacks the scope.", {}};
    }
}

using bulk = std::variant<std::vector<bulk_entry>, problem>;

[[nodiscard]] bulk read_bulk(std::string_view body, domain::caller const& who) {
    std::string error;
    auto const parsed = json::parse(body, error);
    if (!parsed) return problem{400, "malformed_json", error};
    auto const* array = parsed->if_array();
    if (array == nullptr || array->empty() || array->size() > bulk_commands_max)
        return problem{400, "invalid_input", "The body is an array of 1 to 1,000 commands."};
    std::vector<bulk_entry> entries;
    entries.reserve(array->size());
    for (auto const& each : *array) {
        entries.push_back(read_entry(each));
        check_entry(entries.back(), who);
    }
    return entries;
}

[[nodiscard]] std::string bulk_answer(std::vector<bulk_entry> const& entries,
                                      std::vector<commands::command_outcome> const& outcomes) {
    std::string body = "[";
    auto next = outcomes.begin();
    for (auto const& entry : entries) {
        if (body.size() > 1) body += ',';
        if (entry.refused) {
            body += to_json(problem_of(*entry.refused));
            continue;
        }
        auto const& outcome = *next++;
        if (auto const why = problem_in(outcome))
            body += to_json(*why);
        else
            append_answer(body, std::get<commands::command_answer>(outcome));
    }
    return body + "]";
}

}  // namespace

awaitable<void> run_command(exchange& x) {
    auto const* described = find_command(x.path_values[0]);
    if (described == nullptr) {
        x.refuse(unknown_command(x.path_values[0]));
        co_return;
    }
    if (!may_be_json(x.from)) {
        problem const wrong{415, "unsupported_media_type", "Send application/json, uncompressed."};
        x.refuse(wrong);
        co_return;
    }
    commands::command_request command;
    command.name = described->name;
    command.data = x.from.body;
    commands::sender from;
    if (!co_await identify(x, *described, from)) co_return;
    if (!read_headers(x, command)) co_return;
    auto const outcome = co_await x.shared.on.bus.execute(command, from);
    if (auto const why = problem_in(outcome)) {
        if (auto const* failed = std::get_if<eventlog::failure>(&outcome))
            x.refuse(*failed);
        else
            x.refuse(*why);
        co_return;
    }
    auto const& answer = std::get<commands::command_answer>(outcome);
    std::string body;
    append_answer(body, answer);
    x.to.add_header("ETag", "\"" + std::to_string(answer.version) + "\"");
    if (answer.replayed) x.to.add_header("Idempotent-Replayed", "true");
    x.answer_json(std::move(body));
}

awaitable<void> run_commands(exchange& x) {
    if (!may_be_json(x.from)) {
        problem const wrong{415, "unsupported_media_type", "Send application/json, uncompressed."};
        x.refuse(wrong);
        co_return;
    }
    // Megabytes of JSON would hold up the other connections of this thread.
    bulk read;
    std::function<void()> reading = [&] { read = read_bulk(x.from.body, x.who); };
    if (!co_await run_off_thread(x, std::move(reading))) co_return;
    if (auto const* wrong = std::get_if<problem>(&read)) {
        x.refuse(*wrong);
        co_return;
    }
    auto& entries = std::get<std::vector<bulk_entry>>(read);
    std::vector<commands::command_request> requests;
    requests.reserve(entries.size());
    for (auto& entry : entries)
        if (!entry.refused) requests.push_back(std::move(*entry.command));
    auto from = sender_of(x);
    from.caller = x.who;
    std::vector<commands::command_outcome> outcomes;
    if (!requests.empty()) outcomes = co_await x.shared.on.bus.execute_bulk(requests, from);
    x.answer_json(bulk_answer(entries, outcomes));
}

}  // namespace linkledger::api
