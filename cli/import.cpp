// `linkledger import`: a file of links through the bulk commands, resumable without duplicates.

#include "cli/import_file.h"

#include "cli/operator.h"
#include "cli/subcommand.h"
#include "cli/terminal.h"
#include "eventlog/crypto.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

namespace linkledger::cli {

namespace {

constexpr std::size_t bulk_commands_max = 1'000;
constexpr std::size_t bulks_under_way_max = 3;
constexpr std::size_t reasons_shown_max = 10;
/// How long a store may be away before the import gives up (to be run again).
constexpr std::chrono::seconds patience{60};

struct import_options {
    std::string path;
    std::string workspace = "imported";
    std::string format;
    std::vector<std::string> columns;
    std::string refused_path;
    bool as_json = false;
};

/// What makes two runs over one file the same: its bytes. Its number of lines is for the progress bar.
struct fingerprint {
    std::string sha256;
    std::uint64_t lines = 0;
};

fingerprint fingerprint_of(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) throw command_failed{fmt::format("{} cannot be read", path)};
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
    fingerprint made;
    std::string block(1u << 20, '\0');
    char last = '\n';
    while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
        std::string_view const bytes{block.data(), static_cast<std::size_t>(file.gcount())};
        EVP_DigestUpdate(hash.get(), bytes.data(), bytes.size());
        made.lines += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        last = bytes.back();
    }
    if (last != '\n') ++made.lines;
    eventlog::digest digest{};
    EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr);
    made.sha256 = eventlog::to_hex(digest);
    return made;
}

/// Lines on their way: the commands, and where they come from.
struct bulk {
    std::vector<commands::command_request> commands;
    std::vector<record> records;
    std::future<std::vector<commands::command_outcome>> outcomes;
};

struct import_report {
    std::uint64_t made = 0;
    std::uint64_t known = 0;  ///< Made by an earlier run over the same file.
    std::uint64_t refused = 0;
};

class importer {
public:
    importer(import_options const& options, operator_session& session, domain::workspace_id workspace)
        : options_(options),
          session_(session),
          workspace_(domain::to_string(workspace)),
          identity_(fingerprint_of(options.path)),
          bar_(stderr, "import", "lines", identity_.lines) {
        if (options.refused_path.empty()) return;
        refused_file_.open(options.refused_path);
        if (!refused_file_) throw command_failed{fmt::format("{} cannot be written", options.refused_path)};
    }

    import_report run() {
        std::ifstream file{options_.path, std::ios::binary};
        table_reader reader{file, format()};
        if (!options_.columns.empty()) columns_ = parse_columns(options_.columns, true);
        auto next = std::make_unique<bulk>();
        for (bool first = true; auto read = reader.next(); first = false) {
            if (first && is_header(read->cells)) {
                if (columns_.empty()) columns_ = parse_columns(read->cells, false);
                continue;
            }
            if (columns_.empty()) columns_ = default_columns();
            add(*next, std::move(*read));
            if (next->commands.size() == bulk_commands_max)
                send(std::exchange(next, std::make_unique<bulk>()));
        }
        if (!next->commands.empty()) send(std::move(next));
        while (!under_way_.empty()) settle_oldest();
        bar_.finish();
        return report_;
    }

    [[nodiscard]] std::vector<std::string> const& reasons() const { return reasons_; }

private:
    [[nodiscard]] table_format format() const {
        if (options_.format.empty()) return format_of(options_.path);
        return options_.format == "csv" ? table_format::csv : table_format::tsv;
    }

    void add(bulk& to, record read) {
        auto data = to_create_link(read, columns_, workspace_);
        if (!read.problem.empty()) return refuse(read, read.problem);
        // The workspace is part of the key: the same file may be imported into several.
        auto key = fmt::format("import-{}-{}-{}", identity_.sha256.substr(0, 32), workspace_, read.line);
        to.commands.push_back({"CreateLink", std::move(data), std::move(key), std::nullopt});
        to.records.push_back(std::move(read));
    }

    void send(std::unique_ptr<bulk> full) {
        if (under_way_.size() == bulks_under_way_max) settle_oldest();
        full->outcomes = session_.execute_bulk(full->commands);
        under_way_.push_back(std::move(full));
    }

    /// Waits for the oldest bulk; what failed for reasons of the store is sent again.
    void settle_oldest() {
        auto oldest = std::move(under_way_.front());
        under_way_.pop_front();
        auto const give_up = std::chrono::steady_clock::now() + patience;
        auto const last_line = oldest->records.back().line;
        for (;;) {
            auto const outcomes = oldest->outcomes.get();
            auto again = std::make_unique<bulk>();
            eventlog::failure why;
            for (std::size_t i = 0; i < outcomes.size(); ++i) {
                if (auto const* failure = std::get_if<eventlog::failure>(&outcomes[i])) {
                    why = *failure;
                    again->commands.push_back(std::move(oldest->commands[i]));
                    again->records.push_back(std::move(oldest->records[i]));
                } else {
                    count(oldest->records[i], outcomes[i]);
                }
            }
            if (again->commands.empty()) break;
            if (std::chrono::steady_clock::now() >= give_up) {
                fail(fmt::format("stopped at line {} (run it again to go on from there)",
                                 again->records.front().line),
                     why);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{200});
            oldest = std::move(again);
            oldest->outcomes = session_.execute_bulk(oldest->commands);
        }
        bar_.update(last_line);
    }

    void count(record const& from, commands::command_outcome const& outcome) {
        if (auto const* answer = std::get_if<commands::command_answer>(&outcome)) {
            ++(answer->replayed ? report_.known : report_.made);
        } else {
            refuse(from, std::get<domain::refusal>(outcome).detail);
        }
    }

    void refuse(record const& from, std::string const& reason) {
        ++report_.refused;
        if (reasons_.size() < reasons_shown_max)
            reasons_.push_back(fmt::format("line {}: {}", from.line, reason));
        if (refused_file_.is_open())
            refused_file_ << from.line << '\t' << reason << '\t' << from.text << '\n';
    }

    import_options const& options_;
    operator_session& session_;
    std::string workspace_;
    fingerprint identity_;
    progress bar_;
    std::vector<column> columns_;
    std::deque<std::unique_ptr<bulk>> under_way_;
    std::ofstream refused_file_;
    import_report report_;
    std::vector<std::string> reasons_;
};

/// The workspace that is named; a slug that nobody has becomes a new workspace.
domain::workspace_id workspace_of(std::string const& name, operator_session& session) {
    if (auto const found = session.find_workspace(name)) return *found;
    if (domain::parse_uuid(name)) throw command_failed{fmt::format("there is no workspace {}", name)};
    boost::json::object const data{{"name", name}, {"slug", name}};
    static_cast<void>(session.execute("CreateWorkspace", boost::json::serialize(data)));
    fmt::print(stderr, "The workspace \"{}\" was made.\n", name);
    if (auto const made = session.find_workspace(name)) return *made;
    throw command_failed{fmt::format("the workspace \"{}\" was made and cannot be found", name)};
}

int import_links(import_options const& options) {
    auto const from = read_configuration(process_environment);
    if (std::filesystem::is_directory(options.path))
        throw command_failed{fmt::format("{} is a folder, not a file", options.path)};
    if (!std::ifstream{options.path}) throw command_failed{fmt::format("{} cannot be read", options.path)};
    operator_session session{from};
    if (session.new_admin_key()) {
        fmt::print(stderr, "The log was empty. The first admin key, shown this once:\n\n    {}\n\n",
                   *session.new_admin_key());
    }
    auto const workspace = workspace_of(options.workspace, session);
    auto const started = std::chrono::steady_clock::now();
    importer run{options, session, workspace};
    auto const report = run.run();
    auto const took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    auto const links = report.made + report.known;
    auto const rate = static_cast<std::uint64_t>(
        1000.0 * static_cast<double>(links) / static_cast<double>(std::max<std::int64_t>(took.count(), 1)));
    for (auto const& reason : run.reasons()) fmt::print(stderr, "  refused, {}\n", reason);
    if (report.refused > run.reasons().size()) {
        fmt::print(stderr, "  … and {} more{}\n", grouped(report.refused - run.reasons().size()),
                   options.refused_path.empty() ? " (--refused FILE writes all)" : "");
    }
    if (options.as_json) {
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{{"workspace_id", domain::to_string(workspace)},
                                                              {"made", report.made},
                                                              {"known", report.known},
                                                              {"refused", report.refused},
                                                              {"milliseconds", took.count()},
                                                              {"links_per_second", rate}}));
    } else {
        fmt::print(
            "{} links made, {} were there from an earlier run, {} lines refused; {} links/s into workspace "
            "{}\n",
            grouped(report.made), grouped(report.known), grouped(report.refused), grouped(rate),
            domain::to_string(workspace));
    }
    return report.refused == 0 ? succeeded : failed;
}

}  // namespace

void add_import(subcommand& to) {
    auto command = to.add_subcommand("import", "Make links from a TSV or CSV file");
    auto const options = std::make_shared<import_options>();
    command.add_option("FILE", options->path, "The file; .csv is CSV (RFC 4180), everything else TSV")
        .required();
    command.add_option("--workspace", options->workspace,
                       "Id or slug; a slug that nobody has becomes a new workspace (imported)");
    command
        .add_option("--columns", options->columns, "What the columns hold, as in url,-,title; - passes over")
        .separated_by_commas();
    command.add_option("--format", options->format, "tsv or csv, whatever the file is called")
        .one_of({"tsv", "csv"});
    command.add_option("--refused", options->refused_path, "Write refused lines here: line, reason, text");
    command.add_flag("--json", options->as_json, "The report as a JSON object");
    command.footer(
        "Columns: url, title, description, short_code, tags (commas or semicolons between). They are named "
        "by the\n"
        "file's first line if one of its cells is \"url\", else by --columns, else they stand in this "
        "order.\n\n"
        "Run it again after an interruption, or twice by mistake: links of the same file and line are made "
        "once\n"
        "(for as long as answers are kept, 7 days unless configured).\n\n"
        "Exit code: 0 all links are there, 1 some lines were refused or the import stopped.");
    command.runs([options] { return import_links(*options); });
}

}  // namespace linkledger::cli
