// `linkledger erase`: forget a person or the details of clicks, from the machine itself, and sign a receipt.

#include "cli/composition.h"
#include "cli/operator.h"
#include "cli/process_lock.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "commands/erasure.h"
#include "projections/erasure_receipt.h"
#include "projections/rebuild/part_store.h"
#include "projections/rewrite.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <thread>

namespace linkledger::cli {

namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::seconds read_models_patience{60};

struct erase_options {
    std::string user;
    std::string email;
    std::string workspace;
    std::string from;
    std::string to;
    std::string receipt_path;
    bool rewrite = false;
    bool as_json = false;
};

boost::json::object command_of(erase_options const& options, operator_session& session) {
    boost::json::object what;
    if (!options.user.empty()) what["user_id"] = options.user;
    if (!options.email.empty()) what["email"] = options.email;
    if (options.workspace.empty()) return what;
    auto const workspace = session.find_workspace(options.workspace);
    if (!workspace) throw command_failed{fmt::format("there is no workspace \"{}\"", options.workspace)};
    what["workspace_id"] = domain::to_string(workspace->value);
    what["first_day"] = options.from;
    what["last_day"] = options.to.empty() ? options.from : options.to;
    return what;
}

/// Carries the order out here rather than wait for a process that serves, unless one is at it.
void erase_details(configuration const& from, operator_session& session,
                   commands::command_answer const& order, boost::json::object const& what) {
    auto const lock = try_process_lock(from, "erasure");
    if (!lock) return;
    commands::detail_days which;
    which.workspace_id =
        domain::workspace_id{*domain::parse_uuid(what.at("workspace_id").as_string().c_str())};
    which.first_day = what.at("first_day").as_string().c_str();
    which.last_day = what.at("last_day").as_string().c_str();
    progress shown{stderr, "Settling", "clicks", 0};
    commands::erase_details_options how;
    how.stream = order.stream;
    how.progress = [&](std::int64_t clicks) { shown.update(static_cast<std::uint64_t>(clicks)); };
    commands::click_details details{session.log(), session.committer(), session.keys()};
    auto const done = value_or_fail(details.erase(which, how), "the click details could not be erased");
    shown.finish();
    fmt::print(stderr, "{} clicks of {} links lost their details; {} keys were destroyed.\n",
               grouped(static_cast<std::uint64_t>(done.clicks)), grouped(done.links), done.keys);
}

/// Until the read models reflect the erasure. Where no other process runs the projections, this one does.
projections::erasure_report wait_for_receipt(configuration const& from, operator_session& session,
                                             eventlog::position at) {
    auto const store = open_read_store(from);
    auto const trees = open_tree_store(from);
    eventlog::merkle::published_log tree{session.log(), *trees};
    projections::runner_options running;
    auto const reads = open_read_side(from, session.parts(), running, nullptr);
    reads.runner->start();
    auto const until = clock::now() + read_models_patience;
    for (;;) {
        auto const head = value_or_fail(tree.head(), "the signed log cannot be read");
        auto report = value_or_fail(
            projections::report_erasure(session.log(), *store, at, head ? head->checkpoint : std::string{}),
            "the erasure cannot be looked at");
        if (!report) throw command_failed{"the erasure is not in the log"};
        bool const is_over = report->receipt.has_value() || clock::now() >= until;
        if (is_over) {
            reads.runner->stop();
            return std::move(*report);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
}

void write_receipt(erase_options const& options, std::string const& receipt) {
    if (options.receipt_path.empty()) return;
    std::ofstream file{options.receipt_path, std::ios::binary};
    file << receipt;
    file.close();
    if (!file) throw command_failed{fmt::format("{} cannot be written", options.receipt_path)};
}

int erase(erase_options const& options) {
    auto const from = read_configuration(process_environment);
    operator_session session{from};
    auto const what = command_of(options, session);
    auto const answer = session.execute("EraseSubject", boost::json::serialize(what));
    if (answer.events.empty()) {
        fmt::print(stderr, "Nothing is left to erase.\n");
        return succeeded;
    }
    if (!options.workspace.empty()) erase_details(from, session, answer, what);
    auto const report = wait_for_receipt(from, session, answer.position);
    if (!report.receipt)
        throw command_failed{fmt::format(
            "the keys are destroyed, but the read models do not reflect it yet; the receipt is at "
            "/v1/erasures/{} once they do",
            answer.position)};
    if (options.rewrite) {
        fmt::print(stderr, "Rewriting the read models…\n");
        projections::forget_parts(*open_read_store(from));
        projections::rewrite_read_models(from.on_postgresql() ? from.database_url : from.db_path,
                                         from.on_postgresql());
    }
    auto const receipt = note_signer(from, session.log())(*report.receipt);
    write_receipt(options, receipt);
    if (options.as_json)
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{
                       {"position", report.position}, {"subject", report.subject}, {"receipt", receipt}}));
    else
        fmt::print("{}", receipt);
    return succeeded;
}

}  // namespace

void add_erase(subcommand& to) {
    auto command =
        to.add_subcommand("erase", "Forget a person, or the details of a workspace's clicks, for ever");
    auto const options = std::make_shared<erase_options>();
    auto which = command.add_choice("what");
    which.add_option("--user", options->user, "A user's id");
    which.add_option("--email", options->email, "A person's address");
    auto workspace =
        which.add_option("--workspace", options->workspace, "The clicks of this workspace, by id or slug");
    auto first = command.add_option("--from", options->from, "The first UTC day, as in 2026-11-01");
    command.add_option("--to", options->to, "The last one; must have ended 8 days ago (--from)").needs(first);
    workspace.needs(first);
    first.needs(workspace);
    command.add_option("--receipt", options->receipt_path, "Write the signed receipt here, too");
    command.add_flag("--rewrite", options->rewrite,
                     "Rewrite the read models' files afterwards, so that freed space holds nothing either");
    command.add_flag("--json", options->as_json, "The receipt within a JSON object");
    command.footer(
        "There is no way back. Counts stay as they are, and every proof of the signed log stays valid.\n"
        "Prints a signed receipt; docs/audit.md, \"Erasure\", says what still holds copies and for how "
        "long.");
    command.runs([options] { return erase(*options); });
}

}  // namespace linkledger::cli
