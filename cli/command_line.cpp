// The one file that includes CLI11.

#include "cli/command_line.h"

#include "cli/subcommand.h"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <utility>

namespace linkledger::cli {

option& option::required() {
    of_->required();
    return *this;
}
option& option::excludes(option const& other) {
    of_->excludes(other.of_);
    return *this;
}
option& option::needs(option const& other) {
    of_->needs(other.of_);
    return *this;
}
option& option::separated_by_commas() {
    of_->delimiter(',');
    return *this;
}
option& option::existing_file() {
    return check(CLI::ExistingFile);
}
option& option::existing_folder() {
    return check(CLI::ExistingDirectory);
}
option& option::one_of(std::vector<std::string> values) {
    return check(CLI::IsMember(std::move(values)));
}
option& option::positive() {
    return check(CLI::PositiveNumber);
}
option& option::not_negative() {
    return check(CLI::NonNegativeNumber);
}
option& option::within(int least, int most) {
    return check(CLI::Range(least, most));
}
option& option::within(double least, double most) {
    return check(CLI::Range(least, most));
}
option& option::check(CLI::Validator const& by) {
    of_->check(by);
    return *this;
}
option& option::take_last() {
    of_->take_last();
    return *this;
}
option& option::show_default() {
    of_->capture_default_str();
    return *this;
}

subcommand subcommand::add_subcommand(std::string const& name, std::string const& help) {
    return {of_->add_subcommand(name, help), chosen_};
}
void subcommand::require_subcommand() {
    of_->require_subcommand(1);
}
subcommand subcommand::add_choice(std::string const& title) {
    auto* const group = of_->add_option_group(title, "One of these");
    group->require_option(1);
    return {group, chosen_};
}
template <typename T>
option subcommand::add_option(std::string const& name, T& into, std::string const& help) {
    return option{of_->add_option(name, into, help)};
}
template option subcommand::add_option(std::string const&, std::string&, std::string const&);
template option subcommand::add_option(std::string const&, std::vector<std::string>&, std::string const&);
template option subcommand::add_option(std::string const&, int&, std::string const&);
template option subcommand::add_option(std::string const&, unsigned&, std::string const&);
template option subcommand::add_option(std::string const&, std::int64_t&, std::string const&);
template option subcommand::add_option(std::string const&, std::uint64_t&, std::string const&);
template option subcommand::add_option(std::string const&, std::optional<std::uint64_t>&, std::string const&);
template option subcommand::add_option(std::string const&, double&, std::string const&);
option subcommand::add_flag(std::string const& name, bool& into, std::string const& help) {
    return option{of_->add_flag(name, into, help)};
}
void subcommand::footer(std::string const& text) {
    of_->footer(text);
}
void subcommand::runs(work what) {
    of_->callback([chosen = chosen_, what = std::move(what)] { *chosen = what; });
}

int run(command_line const& line, int argc, char const* const* argv) {
    CLI::App app{line.about, line.name};
    if (!line.version.empty()) app.set_version_flag("--version", line.version);
    work chosen;
    subcommand root{&app, &chosen};
    line.fill(root);
    app.footer(line.footer);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        // The parser misses a subcommand first, and does not say what stood in its place.
        std::string_view const first = argc > 1 ? argv[1] : "";
        auto const is_first = [&](CLI::App const* each) { return each->get_name() == first; };
        if (app.get_require_subcommand_min() > 0 && !first.empty() && !first.starts_with('-') &&
            app.get_subcommands(is_first).empty()) {
            fmt::print(stderr, "{0}: there is no subcommand \"{1}\"; {0} --help lists them.\n", line.name,
                       first);
            return wrong_usage;
        }
        // Help and version are answers; everything else is wrong usage.
        return app.exit(error) == 0 ? succeeded : wrong_usage;
    }
    return chosen();
}

}  // namespace linkledger::cli
