// `linkledger keys`: issue and revoke API keys from the machine itself, for operators without a key.

#include "cli/operator.h"
#include "cli/subcommand.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <memory>

namespace linkledger::cli {

namespace {

struct issue_options {
    std::string workspace;
    std::string name;
    std::vector<std::string> scopes;
    std::string expires_at;
    bool as_json = false;
};

int issue(issue_options const& options) {
    operator_session session{read_configuration(process_environment)};
    auto const workspace = session.find_workspace(options.workspace);
    if (!workspace) throw command_failed{fmt::format("there is no workspace \"{}\"", options.workspace)};
    boost::json::object data{{"workspace_id", domain::to_string(*workspace)}, {"name", options.name}};
    boost::json::array scopes;
    for (auto const& scope : options.scopes) scopes.emplace_back(scope);
    data["scopes"] = std::move(scopes);
    if (!options.expires_at.empty()) data["expires_at"] = options.expires_at;
    auto const answer = session.execute("IssueApiKey", boost::json::serialize(data));
    if (options.as_json) {
        fmt::print("{}\n", answer.result);
        return succeeded;
    }
    auto const result = boost::json::parse(answer.result);
    fmt::print("{}\n", result.at("api_key").as_string().c_str());
    fmt::print(stderr, "This key is shown this once. Its id, to revoke it: {}\n",
               result.at("api_key_id").as_string().c_str());
    return succeeded;
}

int revoke(std::string const& id) {
    operator_session session{read_configuration(process_environment)};
    auto const answer =
        session.execute("RevokeApiKey", boost::json::serialize(boost::json::object{{"api_key_id", id}}));
    fmt::print("{}\n", answer.events.empty() ? "it was revoked already" : "revoked");
    return succeeded;
}

}  // namespace

void add_keys(subcommand& to) {
    auto keys = to.add_subcommand("keys", "Issue and revoke API keys, on the log itself");
    keys.require_subcommand();

    auto make = keys.add_subcommand("issue", "Issue a key, shown once, on behalf of the first admin");
    auto const options = std::make_shared<issue_options>();
    make.add_option("--workspace", options->workspace, "Its workspace, by id or slug").required();
    make.add_option("--name", options->name, "What it is for").required();
    make.add_option("--scope", options->scopes, "read, write, admin, audit; several with commas between")
        .required()
        .separated_by_commas()
        .one_of({"read", "write", "admin", "audit"});
    make.add_option("--expires-at", options->expires_at, "As in 2027-01-31T00:00:00Z (never)");
    make.add_flag("--json", options->as_json, "api_key_id and api_key as a JSON object");
    make.runs([options] { return issue(*options); });

    auto end = keys.add_subcommand("revoke", "Revoke a key; every process refuses it within moments");
    auto const id = std::make_shared<std::string>();
    end.add_option("API_KEY_ID", *id, "As keys issue printed it").required();
    end.runs([id] { return revoke(*id); });
}

}  // namespace linkledger::cli
