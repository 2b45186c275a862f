// The commands on links.

#include "commands/handlers.h"
#include "domain/rules.h"
#include "eventlog/crypto.h"
#include "eventlog/json.h"
#include "eventlog/json_reflect.h"

namespace linkledger::commands {
namespace {

namespace link = domain::link;

constexpr std::size_t generated_code_characters = 7;

/// A generated code may spell a reserved word too.
std::string generate_short_code() {
    std::string code;
    do {
        code = eventlog::random_base58(generated_code_characters);
    } while (domain::rules::is_reserved_word(code));
    return code;
}

std::string result_of(attempt const& on, domain::link_id const& id, std::string const& code) {
    link_result const result{id, code, on.with().short_url(code)};
    return json::to_text(result);
}

/// A link with its workspace's word on the sender.
struct link_view {
    loaded<link::state> link;
    domain::standing by;
};

awaitable<eventlog::result<link_view>> load_link(attempt& on, domain::link_id id) {
    auto found = co_await on.load(id);
    if (!found) co_return found.assume_error();
    link_view view{std::move(found.assume_value()), {on.by().user_id, std::nullopt}};
    if (view.link.version == 0) co_return view;
    auto const workspace = co_await on.load(view.link.state->workspace_id);
    if (!workspace) co_return workspace.assume_error();
    view.by = domain::workspace::standing_of(*workspace.assume_value().state, on.by());
    co_return view;
}

/// The four commands that only name a link.
template <typename Command>
awaitable<planned> handle_simple(attempt& on, domain::link_id id) {
    auto const found = co_await load_link(on, id);
    if (!found) co_return found.assume_error();
    link_view const& view = found.assume_value();
    link::state const& state = *view.link.state;
    Command const command{view.by};
    co_return plan_of(on, domain::stream_of(id), view.link.version, state.workspace_id.value,
                      link::decide(state, command), result_of(on, id, state.short_code));
}

link::create_link to_command(attempt const& on, create_link_input const& input, domain::standing const& by) {
    link::create_link command;
    command.link_id = domain::link_id{eventlog::new_uuid_v7()};
    command.workspace_id = input.workspace_id;
    command.by = by;
    command.now = on.now();
    command.own_host = on.with().own_host;
    command.url = input.url;
    command.short_code = input.short_code ? *input.short_code : generate_short_code();
    command.title = input.title;
    command.description = input.description;
    command.favicon_url = input.favicon_url;
    command.og_image_url = input.og_image_url;
    if (input.tags) command.tags = *input.tags;
    command.expires_at = input.expires_at;
    command.max_clicks = input.max_clicks;
    command.utm_source = input.utm_source;
    command.utm_medium = input.utm_medium;
    command.utm_campaign = input.utm_campaign;
    command.utm_term = input.utm_term;
    command.utm_content = input.utm_content;
    return command;
}

/// `url` and `short_code` may be changed, not cleared.
void refuse_null(domain::rules::findings& found, char const* field,
                 std::optional<std::optional<std::string>> const& value) {
    if (value && !*value) found.add(field, "must not be null");
}

link::update_link to_command(attempt const& on, update_link_input const& input, domain::standing const& by) {
    link::update_link command;
    command.by = by;
    command.now = on.now();
    command.own_host = on.with().own_host;
    if (input.url) command.url = *input.url;
    if (input.short_code) command.short_code = *input.short_code;
    command.title = input.title;
    command.description = input.description;
    command.favicon_url = input.favicon_url;
    command.og_image_url = input.og_image_url;
    if (input.tags) command.tags = input.tags->value_or(std::vector<std::string>{});
    if (input.password && !*input.password) command.password_hash = std::optional<std::string>{};
    command.expires_at = input.expires_at;
    command.max_clicks = input.max_clicks;
    command.utm_source = input.utm_source;
    command.utm_medium = input.utm_medium;
    command.utm_campaign = input.utm_campaign;
    command.utm_term = input.utm_term;
    command.utm_content = input.utm_content;
    return command;
}

/// Whether `password` is the one that the link has already. Argon2id, hence on the pool.
awaitable<bool> is_present_password(attempt const& on, link::state const& state, std::string password) {
    if (!state.password_hash) co_return false;
    auto work = [hash = *state.password_hash, password = std::move(password)] {
        return eventlog::verify_password(hash, password);
    };
    co_return co_await run_blocking(on.with().pool, std::move(work));
}

bool is_refused(domain::decision const& decided) {
    return std::holds_alternative<domain::refusal>(decided);
}

}  // namespace

awaitable<planned> handle(attempt& on, create_link_input const& input) {
    auto const workspace = co_await on.load(input.workspace_id);
    if (!workspace) co_return workspace.assume_error();
    auto const by = domain::workspace::standing_of(*workspace.assume_value().state, on.by());
    link::create_link command = to_command(on, input, by);
    link::state const nothing{};
    domain::decision decided = link::decide(nothing, command);
    if (input.password) {
        auto const rule = domain::rules::password(*input.password);
        if (auto const* no = std::get_if<domain::rules::broken>(&rule)) {
            co_return domain::invalid_field("password", no->message);
        }
        // Asked first without the hash, which is dear, so that nobody has one made for nothing.
        if (!is_refused(decided)) {
            command.password_hash = co_await on.hash_password(*input.password);
            decided = link::decide(nothing, command);
        }
    }
    std::string result = result_of(on, command.link_id, command.short_code);
    co_return plan_of(on, domain::stream_of(command.link_id), 0, input.workspace_id.value, std::move(decided),
                      std::move(result));
}

awaitable<planned> handle(attempt& on, update_link_input const& input) {
    domain::rules::findings found_in_input;
    refuse_null(found_in_input, "url", input.url);
    refuse_null(found_in_input, "short_code", input.short_code);
    if (input.password && *input.password) {
        static_cast<void>(found_in_input.keep("password", domain::rules::password(**input.password)));
    }
    if (found_in_input.any()) co_return found_in_input.to_refusal();

    auto const found = co_await load_link(on, input.link_id);
    if (!found) co_return found.assume_error();
    link_view const& view = found.assume_value();
    link::state const& state = *view.link.state;
    link::update_link command = to_command(on, input, view.by);
    domain::decision decided = link::decide(state, command);
    if (input.password && *input.password && !is_refused(decided)) {
        bool const is_same = co_await is_present_password(on, state, **input.password);
        if (!is_same) {
            std::string hash = co_await on.hash_password(**input.password);
            command.password_hash = std::optional<std::string>{std::move(hash)};
            decided = link::decide(state, command);
        }
    }
    std::string result = result_of(on, input.link_id, command.short_code.value_or(state.short_code));
    co_return plan_of(on, domain::stream_of(input.link_id), view.link.version, state.workspace_id.value,
                      std::move(decided), std::move(result));
}

awaitable<planned> handle(attempt& on, disable_link_input const& input) {
    return handle_simple<link::disable_link>(on, input.link_id);
}
awaitable<planned> handle(attempt& on, enable_link_input const& input) {
    return handle_simple<link::enable_link>(on, input.link_id);
}
awaitable<planned> handle(attempt& on, delete_link_input const& input) {
    return handle_simple<link::delete_link>(on, input.link_id);
}
awaitable<planned> handle(attempt& on, restore_link_input const& input) {
    return handle_simple<link::restore_link>(on, input.link_id);
}

}  // namespace linkledger::commands
