#include "cli/operator.h"

#include "cli/subcommand.h"
#include "domain/streams.h"
#include "eventlog/crypto.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <fmt/format.h>

namespace linkledger::cli {

namespace {

std::string describe(domain::refusal const& refusal) {
    return fmt::format("{} ({})", refusal.detail, domain::code_text(refusal.code));
}

}  // namespace

operator_session::operator_session(configuration const& from) {
    set_up_tool_logging(from);
    make_data_folder(from);
    migrate_up(from);
    log_ = open_log(from);
    auto options = bus_options_of(from);
    options.follow_tail = false;
    write_ = open_write_side(from, log_, options);
    auto const key = value_or_fail(write_.bus->bootstrap(from.admin_key), "the first admin cannot be made");
    if (key && from.admin_key.empty()) new_admin_key_ = key;

    auto const admin = owner("bootstrap", "first_admin", "user-");
    if (!admin)
        throw command_failed{"the log names no first admin, on whose behalf commands could be carried out"};
    domain::caller who;
    who.user_id = domain::user_id{*admin};
    who.scopes = {domain::scope::read, domain::scope::write, domain::scope::admin, domain::scope::audit};
    who.root = true;
    as_.caller = who;
    // Retries are recognised by the caller's credential; the operator's is whoever holds the master key.
    as_.credential = log_.keys->pseudonym("operator", "command line");
    as_.kind = eventlog::actor_kind::system;
    as_.correlation_id = eventlog::new_uuid_v7();
}

operator_session::~operator_session() {
    if (write_.bus) write_.bus->stop();
    threads_.join();
}

commands::command_answer operator_session::execute(std::string name, std::string data) {
    commands::command_request const request{std::move(name), std::move(data), std::nullopt, std::nullopt};
    auto outcome =
        boost::asio::co_spawn(threads_, write_.bus->execute(request, as_), boost::asio::use_future).get();
    if (auto const* refused = std::get_if<domain::refusal>(&outcome)) {
        throw command_failed{request.name + " was refused: " + describe(*refused)};
    }
    if (auto const* why = std::get_if<eventlog::failure>(&outcome)) fail(request.name + " failed", *why);
    return std::get<commands::command_answer>(std::move(outcome));
}

std::future<std::vector<commands::command_outcome>> operator_session::execute_bulk(
    std::vector<commands::command_request> const& requests) {
    return boost::asio::co_spawn(threads_, write_.bus->execute_bulk(requests, as_), boost::asio::use_future);
}

std::optional<domain::workspace_id> operator_session::find_workspace(std::string const& id_or_slug) {
    if (auto const id = domain::parse_uuid(id_or_slug)) {
        domain::workspace_id const workspace{*id};
        auto const version = value_or_fail(log_.log->stream_version(domain::stream_of(workspace)),
                                           "the workspace cannot be looked up");
        return version > 0 ? std::optional{workspace} : std::nullopt;
    }
    auto const id = owner("slug", id_or_slug, "workspace-");
    return id ? std::optional{domain::workspace_id{*id}} : std::nullopt;
}

std::optional<domain::uuid> operator_session::owner(std::string const& scope, std::string const& key,
                                                    std::string_view kind) {
    auto const stream = value_or_fail(log_.log->claim_owner(scope, key), "the log cannot be read");
    if (!stream || !stream->starts_with(kind)) return std::nullopt;
    return domain::parse_uuid(std::string_view{*stream}.substr(kind.size()));
}

}  // namespace linkledger::cli
