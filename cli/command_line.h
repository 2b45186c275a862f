#pragma once
// What subcommands say of their options. CLI11 does the work, in command_line.cpp alone: it is a header of
// which every file that includes it compiles for half a minute.

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace linkledger::cli {

/// The chosen subcommand's work; returns an exit code. Exceptions become a line on standard error and 1.
using work = std::function<int()>;

/// An option, a flag or a positional argument. Which values it takes is checked before any work begins.
class option {
public:
    explicit option(CLI::Option* of) : of_(of) {}

    option& required();
    option& excludes(option const& other);
    option& needs(option const& other);
    option& separated_by_commas();
    option& existing_file();
    option& existing_folder();
    option& one_of(std::vector<std::string> values);
    option& positive();
    option& not_negative();
    option& within(int least, int most);
    option& within(double least, double most);
    /// The last value counts where it is given several times.
    option& take_last();
    /// Says in the help what the variable held before.
    option& show_default();

private:
    option& check(CLI::Validator const& by);

    CLI::Option* of_;
};

/// A subcommand, or a group of its options. What it refers to lives as long as the command line.
class subcommand {
public:
    subcommand(CLI::App* of, work* chosen) : of_(of), chosen_(chosen) {}

    subcommand add_subcommand(std::string const& name, std::string const& help);
    /// One of them must be chosen.
    void require_subcommand();
    /// One of the options that are added to it must be given.
    subcommand add_choice(std::string const& title);
    /// `--name`, or NAME for a positional one. `into` keeps its value where none is given, and must live
    /// until the work is done. Strings, whole numbers (that may be absent),
    /// doubles, and vectors of strings.
    template <typename T>
    option add_option(std::string const& name, T& into, std::string const& help);
    option add_flag(std::string const& name, bool& into, std::string const& help);
    /// Stands below the help.
    void footer(std::string const& text);
    /// What is to be done when this one is chosen.
    void runs(work what);

private:
    CLI::App* of_;
    work* chosen_;
};

struct command_line {
    std::string name;
    std::string about;
    std::string version;                    ///< What --version prints; empty: there is no such flag.
    std::function<void(subcommand&)> fill;  ///< Adds everything.
    std::string footer;                     ///< Below the main help, and there alone.
};

/// Reads the arguments and does what they say. Help is an answer (0); what cannot be read is wrong_usage,
/// with a line on standard error. What the work throws passes through.
[[nodiscard]] int run(command_line const& line, int argc, char const* const* argv);

}  // namespace linkledger::cli
