#include "commands/user_agent.h"

#include "commands/literal_matcher.h"

#include <re2/filtered_re2.h>
#include <re2/re2.h>
#include <re2/stringpiece.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

namespace linkledger::commands {

namespace {

constexpr std::size_t captures_max = 10;
/// Of one regex's automaton. Measured over uap-core's 18,000 user agents: 1 MiB makes a parse cost twice as
/// much (automata that do not fit are replaced by slower ways), and 4 MiB grow the process by 10 MB, or by 70
/// MB under user agents made to hurt.
constexpr std::int64_t regex_bytes_max = 4 << 20;
/// 3 and 4 leave more regexes unfiltered and cost more than they save.
constexpr int literal_bytes_min = 2;

struct captures {
    std::array<std::string, captures_max> text;
    int count = 0;
};

/// One entry of regexes.yaml; a replacement without text means "the capture of that place".
struct rule {
    int regex = 0;  ///< In the FilteredRE2.
    int capture_count = 0;
    std::array<std::string, 5> replacements;
};

/// The replacement with `$1` to `$9` filled in, trimmed; without one, the capture `place`.
std::string fill(std::string const& replacement, int place, captures const& found) {
    std::string filled;
    if (replacement.empty()) {
        if (place >= 1 && place <= found.count) filled = found.text[static_cast<std::size_t>(place - 1)];
    } else {
        for (std::size_t i = 0; i < replacement.size(); ++i) {
            bool const is_placeholder = replacement[i] == '$' && i + 1 < replacement.size() &&
                                        replacement[i + 1] >= '1' && replacement[i + 1] <= '9';
            if (!is_placeholder) {
                filled += replacement[i];
                continue;
            }
            int const capture = replacement[++i] - '0';
            if (capture <= found.count) filled += found.text[static_cast<std::size_t>(capture - 1)];
        }
    }
    auto const first = filled.find_first_not_of(" \t");
    if (first == std::string::npos) return {};
    return filled.substr(first, filled.find_last_not_of(" \t") - first + 1);
}

/// RE2 has a view of its own or, since it builds on Abseil, that one's, which need not be the standard's.
re2::StringPiece piece_of(std::string_view text) {
    return {text.data(), text.size()};
}

bool match(RE2 const& regex, int capture_count, std::string_view text, captures& found) {
    std::array<RE2::Arg, captures_max> args;
    std::array<RE2::Arg const*, captures_max> arg_pointers{};
    for (std::size_t i = 0; i < static_cast<std::size_t>(capture_count); ++i) {
        args[i] = RE2::Arg(&found.text[i]);
        arg_pointers[i] = &args[i];
    }
    found.count = capture_count;
    return RE2::PartialMatchN(piece_of(text), regex, arg_pointers.data(), capture_count);
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}
bool contains_any(std::string_view text, std::span<std::string_view const> parts) {
    return std::any_of(parts.begin(), parts.end(), [&](auto part) { return contains(text, part); });
}
bool is_any(std::string_view text, std::span<std::string_view const> values) {
    return std::find(values.begin(), values.end(), text) != values.end();
}

// ---- Our two decisions (see the header) -----------------------------------------------------------------

/// Names of bots that uap-core does not know yet. `bot` must end a word: the CUBOT is a phone.
constexpr char const* declared_bot =
    R"((?i)(?:(?:^|[^u])bots?(?:[^a-z]|$)|crawler|spider|link.?preview|url.?preview|unfurl|uptime|monitoring|HeadlessChrome|facebookexternalhit))";

constexpr std::array<std::string_view, 5> command_line_tools{"curl", "Wget", "wget2", "HTTPie", "xh"};

bool is_command_line_tool(parsed_user_agent const& parsed, std::string_view user_agent) {
    return is_any(parsed.browser, command_line_tools) || user_agent.starts_with("HTTPie/");
}

bool is_bot(parsed_user_agent const& parsed, std::string_view user_agent, RE2 const& declared) {
    if (is_command_line_tool(parsed, user_agent)) return false;
    return parsed.device == "Spider" || RE2::PartialMatch(piece_of(user_agent), declared);
}

constexpr std::array<std::string_view, 21> other_screens{
    "HbbTV",    "SmartTV", "SMART-TV", "Smart-TV", "GoogleTV", "AppleTV",     "Apple TV",
    "BRAVIA",   "NetCast", "Web0S",    "CrKey",    "Roku",     "PlayStation", "PLAYSTATION",
    "Nintendo", "Xbox",    "AFTB",     "AFTS",     "WebTV",    "watchOS",     "Watch OS"};
constexpr std::array<std::string_view, 8> other_screen_systems{
    "WatchOS", "tvOS", "ATV OS X", "Chromecast", "FireHbbTV", "GoogleTV", "WebTV", "Roku"};
constexpr std::array<std::string_view, 8> tablet_words{"Tablet", "tablet",   "PlayBook", "Kindle",
                                                       "Silk/",  "TouchPad", "KFTT",     "Xoom"};
constexpr std::array<std::string_view, 16> phone_systems{
    "iOS",  "Windows Phone", "Windows Mobile", "BlackBerry OS", "Symbian OS", "Firefox OS", "KaiOS",
    "Bada", "MeeGo",         "Maemo",          "Brew MP",       "BREW",       "Tizen",      "webOS",
    "VRE",  "Sailfish"};
constexpr std::array<std::string_view, 9> phone_words{
    "Mobile", "mobile", "Mobi/", "MIDP", "Opera Mini", "iPhone", "Windows CE", "IEMobile", "UP.Browser"};
constexpr std::array<std::string_view, 26> desktop_systems{
    "Windows",    "Mac OS X",  "Mac OS",     "Linux",    "Chrome OS", "Ubuntu",  "Debian",
    "Fedora",     "Red Hat",   "CentOS",     "SUSE",     "openSUSE",  "Gentoo",  "Mageia",
    "Arch Linux", "Slackware", "Linux Mint", "Mandriva", "Kubuntu",   "Lubuntu", "PCLinuxOS",
    "Puppy",      "FreeBSD",   "OpenBSD",    "NetBSD",   "Solaris"};

std::optional<std::string> device_type(parsed_user_agent const& parsed, std::string_view user_agent) {
    bool const is_windows = parsed.os == "Windows";
    if (is_any(parsed.os, other_screen_systems) || contains_any(user_agent, other_screens) ||
        contains(parsed.device, "TV")) {
        // Internet Explorer names the Xbox and the tablet features that the machine could have.
        return is_windows && !contains(user_agent, "Xbox") ? std::optional<std::string>("desktop")
                                                           : std::nullopt;
    }
    if (is_command_line_tool(parsed, user_agent)) {
        return is_any(parsed.os, desktop_systems) ? std::optional<std::string>("desktop") : std::nullopt;
    }
    if (contains(user_agent, "iPad") || parsed.device.starts_with("iPad")) return "tablet";
    if (!is_windows && contains_any(user_agent, tablet_words)) return "tablet";
    if (parsed.os == "BlackBerry Tablet OS" || parsed.os == "WeTab") return "tablet";
    if (parsed.os == "Android") {
        // The convention is the browsers'; apps don't keep it.
        bool const is_browser = contains(user_agent, "AppleWebKit/") || contains(user_agent, "Gecko/");
        return is_browser && !contains(user_agent, "Mobi") ? "tablet" : "mobile";
    }
    bool const is_phone_system = is_any(parsed.os, phone_systems) || parsed.os.starts_with("Symbian") ||
                                 parsed.os.starts_with("Nokia Series");
    if (is_phone_system || contains_any(user_agent, phone_words)) return "mobile";
    if (parsed.device == "Generic Smartphone" || parsed.device == "Generic Feature Phone") return "mobile";
    if (is_any(parsed.os, desktop_systems)) return "desktop";
    // A maker's model that names no system: the feature phones of old.
    bool const is_known_model = parsed.os == "Other" && !parsed.device_brand.empty();
    if (is_known_model && !parsed.device_brand.starts_with("Generic")) return "mobile";
    return std::nullopt;
}

std::optional<std::string> family(std::string const& name) {
    if (name.empty() || name == "Other") return std::nullopt;
    return name;
}

std::optional<std::string> version_of(std::initializer_list<std::string_view> parts) {
    std::string joined;
    for (auto const part : parts) {
        if (part.empty()) break;
        if (!joined.empty()) joined += '.';
        joined += part;
    }
    if (joined.empty()) return std::nullopt;
    return joined;
}

}  // namespace

// ---- uap-core's specification ---------------------------------------------------------------------------

struct user_agent_parser::state {
    enum kind { browser, os, device, kind_count };

    re2::FilteredRE2 regexes{literal_bytes_min};
    std::array<std::vector<rule>, kind_count> rules;
    std::vector<std::pair<kind, std::size_t>> rule_of_regex;
    std::unique_ptr<literal_matcher> literals;
    RE2 declared{declared_bot, RE2::Latin1};

    bool add(kind of, YAML::Node const& entry, std::array<char const*, 5> const& replacement_names);
    void compile();
    void parse_kind(kind of, std::span<int const> candidates, std::string_view text,
                    parsed_user_agent& into) const;
};

bool user_agent_parser::state::add(kind of, YAML::Node const& entry,
                                   std::array<char const*, 5> const& replacement_names) {
    RE2::Options options(RE2::Latin1);
    options.set_log_errors(false);
    options.set_max_mem(regex_bytes_max);
    if (entry["regex_flag"] && entry["regex_flag"].as<std::string>() == "i")
        options.set_case_sensitive(false);
    rule made;
    if (regexes.Add(entry["regex"].as<std::string>(), options, &made.regex) != RE2::NoError) return false;
    made.capture_count =
        std::min(regexes.GetRE2(made.regex).NumberOfCapturingGroups(), static_cast<int>(captures_max));
    for (std::size_t i = 0; i < replacement_names.size(); ++i) {
        if (replacement_names[i] == nullptr) break;
        if (auto const replacement = entry[replacement_names[i]]) {
            made.replacements[i] = replacement.as<std::string>();
        }
    }
    auto& list = rules[of];
    rule_of_regex.emplace_back(of, list.size());
    list.push_back(std::move(made));
    return true;
}

void user_agent_parser::state::compile() {
    std::vector<std::string> atoms;
    regexes.Compile(&atoms);
    literals = std::make_unique<literal_matcher>(atoms);
}

/// The first rule that matches decides. `candidates` are in order.
void user_agent_parser::state::parse_kind(kind of, std::span<int const> candidates, std::string_view text,
                                          parsed_user_agent& into) const {
    thread_local captures found;
    for (int const candidate : candidates) {
        auto const [candidate_kind, index] = rule_of_regex[static_cast<std::size_t>(candidate)];
        if (candidate_kind != of) continue;
        rule const& tried = rules[of][index];
        if (!match(regexes.GetRE2(tried.regex), tried.capture_count, text, found)) continue;
        auto const& to = tried.replacements;
        if (of == browser) {
            into.browser = fill(to[0], 1, found);
            into.browser_major = fill(to[1], 2, found);
            into.browser_minor = fill(to[2], 3, found);
            into.browser_patch = fill(to[3], 4, found);
        } else if (of == os) {
            into.os = fill(to[0], 1, found);
            into.os_major = fill(to[1], 2, found);
            into.os_minor = fill(to[2], 3, found);
            into.os_patch = fill(to[3], 4, found);
            into.os_patch_minor = fill(to[4], 5, found);
        } else {
            into.device = fill(to[0], 1, found);
            into.device_brand = fill(to[1], 0, found);
            into.device_model = fill(to[2], 1, found);
        }
        return;
    }
}

user_agent_parser::user_agent_parser(std::unique_ptr<state> from) : state_(std::move(from)) {}
user_agent_parser::~user_agent_parser() = default;

eventlog::result<std::unique_ptr<user_agent_parser>> user_agent_parser::load(
    std::string const& regexes_path) {
    auto const refuse = [&](std::string const& why) {
        return eventlog::failure{eventlog::failure_code::unavailable,
                                 "the user-agent regexes " + regexes_path + " cannot be used: " + why};
    };
    auto made = std::make_unique<state>();
    try {
        YAML::Node const file = YAML::LoadFile(regexes_path);
        struct section {
            state::kind kind;
            char const* name;
            std::array<char const*, 5> replacements;
        };
        std::array<section, 3> const sections{{
            {state::browser,
             "user_agent_parsers",
             {"family_replacement", "v1_replacement", "v2_replacement", "v3_replacement", nullptr}},
            {state::os,
             "os_parsers",
             {"os_replacement", "os_v1_replacement", "os_v2_replacement", "os_v3_replacement",
              "os_v4_replacement"}},
            {state::device,
             "device_parsers",
             {"device_replacement", "brand_replacement", "model_replacement", nullptr, nullptr}},
        }};
        for (auto const& [kind, name, replacements] : sections) {
            YAML::Node const entries = file[name];
            if (!entries || !entries.IsSequence()) return refuse(std::string("it has no list ") + name);
            for (auto const& entry : entries) {
                if (!made->add(kind, entry, replacements)) {
                    return refuse("the regex " + entry["regex"].as<std::string>() + " does not compile");
                }
            }
        }
    } catch (YAML::Exception const& e) {
        return refuse(e.what());
    }
    made->compile();
    return std::unique_ptr<user_agent_parser>(new user_agent_parser(std::move(made)));
}

parsed_user_agent user_agent_parser::parse(std::string_view user_agent) const {
    thread_local std::vector<int> found_literals;
    thread_local std::vector<int> candidates;
    state_->literals->find(user_agent, found_literals);
    state_->regexes.AllPotentials(found_literals, &candidates);
    std::sort(candidates.begin(), candidates.end());

    parsed_user_agent parsed;
    parsed.browser = parsed.os = parsed.device = "Other";
    for (auto const kind : {state::browser, state::os, state::device}) {
        state_->parse_kind(kind, candidates, user_agent, parsed);
    }
    return parsed;
}

client_facts user_agent_parser::facts_of(std::string_view user_agent) const {
    user_agent = user_agent.substr(0, bytes_max);
    parsed_user_agent const parsed = parse(user_agent);
    client_facts facts;
    facts.is_bot = is_bot(parsed, user_agent, state_->declared);
    if (!facts.is_bot) facts.device_type = device_type(parsed, user_agent);
    facts.browser = family(parsed.browser);
    if (facts.browser) {
        facts.browser_version =
            version_of({parsed.browser_major, parsed.browser_minor, parsed.browser_patch});
    }
    facts.os = family(parsed.os);
    if (facts.os) {
        facts.os_version =
            version_of({parsed.os_major, parsed.os_minor, parsed.os_patch, parsed.os_patch_minor});
    }
    return facts;
}

}  // namespace linkledger::commands
