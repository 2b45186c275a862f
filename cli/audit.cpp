// `linkledger audit`: export and verify the signed log, and show the keys that sign it.

#include "cli/audit_url.h"
#include "cli/composition.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "eventlog/merkle/bundle.h"
#include "eventlog/merkle/key_file.h"
#include "eventlog/merkle/store_source.h"
#include "projections/builds.h"
#include "projections/read_model_check.h"
#include "projections/registry.h"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

namespace linkledger::cli {

namespace {

namespace merkle = eventlog::merkle;

struct audit_options {
    std::string url;
    std::string bundle;
    std::vector<std::string> keys;
    std::string since;
    std::string into;
    unsigned threads = 2;
    bool as_json = false;
    bool read_models = false;
};

/// The keys that sign this store's log, under its name.
std::vector<merkle::verifier_key> own_keys(configuration const& from, eventlog::event_log& log) {
    auto const head = value_or_fail(log.head(), "the log cannot be read");
    auto const keys = value_or_fail(merkle::load_signing_keys(from.log_signing_key_file),
                                    "the signing keys cannot be read (`serve` makes one)");
    std::vector<merkle::verifier_key> verifiers;
    for (auto const& key : keys) verifiers.push_back(key.verifier(merkle::origin_of(head)));
    return verifiers;
}

int show_keys() {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const log = open_log(from);
    for (auto const& key : own_keys(from, *log.log)) fmt::print("{}\n", key.to_text());
    return succeeded;
}

int write_bundle(audit_options const& options) {
    auto const from = read_configuration(process_environment);
    set_up_tool_logging(from);
    auto const log = open_log(from);
    auto const store = open_tree_store(from);
    merkle::published_log tree{*log.log, *store};
    auto const keys = own_keys(from, *log.log);
    auto const to = value_or_fail(merkle::create_bundle(options.into), "the bundle cannot be made");
    std::unique_ptr<progress> shown;
    auto const written =
        merkle::export_bundle(*log.log, tree, keys, *to, [&](eventlog::position done, eventlog::position of) {
            if (!shown)
                shown =
                    std::make_unique<progress>(stderr, "Exporting", "events", static_cast<std::uint64_t>(of));
            shown->update(static_cast<std::uint64_t>(done));
        });
    if (shown) shown->finish();
    if (!written) {
        std::filesystem::remove(options.into);
        fail("the bundle could not be written", written.error());
    }
    fmt::print("{} holds the {} events up to the signed head of {}\n", options.into,
               grouped(static_cast<std::uint64_t>(written.value().size)), written.value().origin);
    return succeeded;
}

std::string read_file(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw command_failed{"cannot read " + path};
    return std::move(text).str();
}

/// A key as text, or the name of a file that holds one a line.
void add_keys(std::string const& given, std::vector<merkle::verifier_key>& to) {
    std::istringstream lines{std::filesystem::is_regular_file(given) ? read_file(given) : given};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty()) continue;
        auto key = merkle::parse_verifier_key(line);
        if (!key)
            throw command_failed{
                fmt::format("{} is no verifier key (`linkledger audit key` prints one)", line)};
        to.push_back(std::move(*key));
    }
}

/// What is verified, and what must outlive it.
struct subject {
    log_side log;
    std::unique_ptr<merkle::tree_store> store;
    std::unique_ptr<merkle::audit_source> source;
    std::string name;
    std::string doubt;  ///< What the outcome does not prove, for want of a key.
};

subject open_subject(audit_options const& options, std::vector<merkle::verifier_key>& keys) {
    subject made;
    if (!options.bundle.empty()) {
        made.name = options.bundle;
        auto members = value_or_fail(merkle::open_bundle(options.bundle), "the bundle cannot be read");
        auto bundle = value_or_fail(merkle::bundle_source::open(std::move(members)), options.bundle);
        if (keys.empty()) {
            keys = bundle->keys();
            made.doubt = "the key is the bundle's own; give --key to know who signed";
        }
        made.source = std::move(bundle);
    } else if (!options.url.empty()) {
        made.name = options.url;
        made.source = open_published_log(options.url);
        if (keys.empty()) made.doubt = "no --key was given, so signatures were not checked";
    } else {
        auto const from = read_configuration(process_environment);
        set_up_tool_logging(from);
        made.name = describe_backend(from);
        made.log = open_log(from);
        made.store = open_tree_store(from);
        if (keys.empty()) keys = own_keys(from, *made.log.log);
        made.source = std::make_unique<merkle::store_source>(*made.log.log, *made.store,
                                                             bulk_readers_of(from, bulk_reading::mapped));
    }
    return made;
}

std::unique_ptr<projections::read_store> open_read_models(configuration const& from) {
    auto store = open_read_store(from);
    projections::adopt_builds(*store, projections::create_all());
    return store;
}

/// Read models against the log; differences join the findings.
void add_read_models(subject const& of, merkle::verify_report& to) {
    auto const store = open_read_models(read_configuration(process_environment));
    std::unique_ptr<progress> shown;
    auto const report =
        value_or_fail(projections::check_read_models(*of.log.log, *of.log.keys, *store,
                                                     [&](eventlog::position done, eventlog::position total) {
                                                         if (!shown)
                                                             shown = std::make_unique<progress>(
                                                                 stderr, "Comparing read models", "events",
                                                                 static_cast<std::uint64_t>(total));
                                                         shown->update(static_cast<std::uint64_t>(done));
                                                     }),
                      "the read models cannot be compared");
    if (shown) shown->finish();
    for (auto const& one : report.differences)
        to.findings.push_back({one.at, "read model " + one.model, one.what});
}

void print_json(merkle::verify_report const& report, subject const& of) {
    boost::json::array findings;
    for (auto const& one : report.findings)
        findings.push_back({{"position", one.at}, {"where", one.where}, {"what", one.what}});
    boost::json::object const answer{{"ok", report.findings.empty()},
                                     {"source", of.name},
                                     {"origin", report.head.origin},
                                     {"size", report.head.size},
                                     {"root", merkle::to_base64(report.head.root)},
                                     {"signature_checked", report.signature_checked},
                                     {"events", report.events},
                                     {"unsigned_events", report.unsigned_events},
                                     {"findings", std::move(findings)},
                                     {"more_findings", report.more_findings}};
    fmt::print("{}\n", boost::json::serialize(answer));
}

void print_text(merkle::verify_report const& report, subject const& of) {
    constexpr std::size_t shown_max = 20;
    fmt::print("{}\n  log    {}\n  head   {} events, root {}\n", of.name, report.head.origin,
               grouped(static_cast<std::uint64_t>(report.head.size)), merkle::to_base64(report.head.root));
    if (report.unsigned_events > 0)
        fmt::print("  beyond the head: {} events, checked and not signed yet\n",
                   grouped(static_cast<std::uint64_t>(report.unsigned_events)));
    if (!of.doubt.empty()) fmt::print("  note   {}\n", of.doubt);
    if (report.findings.empty()) {
        fmt::print("Everything holds: {} events.\n", grouped(static_cast<std::uint64_t>(report.events)));
        return;
    }
    fmt::print("WRONG, {}{} in all{}:\n", report.more_findings ? "more than " : "", report.findings.size(),
               report.findings.front().at > 0
                   ? fmt::format(", first at position {}", report.findings.front().at)
                   : "");
    for (std::size_t i = 0; i < report.findings.size() && i < shown_max; ++i) {
        auto const& one = report.findings[i];
        fmt::print("  {}{}: {}\n", one.at > 0 ? fmt::format("position {}, ", one.at) : "", one.where,
                   one.what);
    }
    if (report.findings.size() > shown_max) fmt::print("  …\n");
}

int verify(audit_options const& options) {
    std::vector<merkle::verifier_key> keys;
    for (auto const& given : options.keys) add_keys(given, keys);
    auto const of = open_subject(options, keys);
    merkle::verify_options how;
    how.keys = keys;
    how.threads = options.threads;
    if (!options.since.empty()) how.since = read_file(options.since);
    std::unique_ptr<progress> shown;
    how.progress = [&](eventlog::position done, eventlog::position total) {
        if (!shown)
            shown =
                std::make_unique<progress>(stderr, "Verifying", "events", static_cast<std::uint64_t>(total));
        shown->update(static_cast<std::uint64_t>(done));
    };
    auto report = value_or_fail(merkle::verify(*of.source, how), of.name + " cannot be verified");
    if (shown) shown->finish();
    if (options.read_models) add_read_models(of, report);
    if (options.as_json)
        print_json(report, of);
    else
        print_text(report, of);
    return report.findings.empty() ? succeeded : failed;
}

void add_verify(subcommand& to) {
    auto command = to.add_subcommand("verify", "Recompute the signed log from the bottom up");
    auto const options = std::make_shared<audit_options>();
    auto url = command.add_option("--url", options->url, "A published log, as in http://host:8080");
    auto bundle = command.add_option("--bundle", options->bundle, "A bundle made by audit export")
                      .excludes(url)
                      .existing_file();
    command.add_option("--key", options->keys,
                       "A verifier key, or a file of them (the store's own; a bundle's own)");
    command.add_option("--since", options->since, "An earlier checkpoint that the log must continue")
        .existing_file();
    command.add_option("--threads", options->threads, "Threads (2)").within(1, 64);
    command
        .add_flag("--read-models", options->read_models,
                  "Links' totals and uniques, clicks, counters, audit rows, workspaces, members and keys "
                  "against a fold of the log, too")
        .excludes(url)
        .excludes(bundle);
    command.add_flag("--json", options->as_json, "As one JSON object");
    command.footer(
        "Without --url and --bundle: the store that the environment names. Exit code 1 when anything is "
        "wrong.\nKeep a copy of /log/checkpoint and give it as --since the next time.");
    command.runs([options] { return verify(*options); });
}

}  // namespace

void add_audit(subcommand& to) {
    auto group = to.add_subcommand("audit", "Export and verify the signed log");
    group.require_subcommand();
    add_verify(group);

    auto bundle = group.add_subcommand("export", "Write events, tiles and checkpoint into one file");
    auto const options = std::make_shared<audit_options>();
    bundle.add_option("--into", options->into, "The file, as in log.tar.zst; must not exist yet").required();
    bundle.runs([options] { return write_bundle(*options); });

    auto key = group.add_subcommand("key", "Print the verifier keys of the log's signatures");
    key.runs([] { return show_keys(); });
}

}  // namespace linkledger::cli
