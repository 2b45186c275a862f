// Bytes from a connection into requests: however they are cut, the same requests; and what handlers rely on.

#include "api/request_parser.h"
#include "domain/rules.h"
#include "tests/fuzz/targets.h"

#include <algorithm>
#include <optional>
#include <string>

namespace linkledger::fuzz {
namespace {

struct never final : api::request_handler {
    api::awaitable<void> handle(api::request const&, api::response&) override { co_return; }
    std::size_t body_bytes_max(api::request const& from) const override {
        return from.path == "/v1/commands" ? 4'096 : 512;
    }
};

bool is_clean(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

void check(api::request const& read, std::size_t body_max) {
    must(read.path.starts_with('/'), "a path begins with a slash");
    must(read.path.find('\0') == std::string_view::npos, "a path has no NUL");
    must(domain::rules::is_utf8(read.path), "a path is UTF-8");
    must(is_clean(read.target) && is_clean(read.query), "a target is on one line");
    must(read.body.size() <= body_max, "a body is within its limit");
    must(read.headers.size() <= 20, "headers are within their number");
    for (auto const& [name, value] : read.headers)
        must(!name.empty() && is_clean(name) && is_clean(value), "a header is on one line");
    (void)api::parse_form(read.query);
    (void)api::parse_form(read.body);
}

std::string text_of(api::request const& read) {
    std::string text{api::method_text(read.verb)};
    text.append(" ").append(read.target).append("\n").append(read.path).append("\n");
    for (auto const& [name, value] : read.headers) text.append(name).append("=").append(value).append("\n");
    return text.append(read.body);
}

struct outcome {
    std::string requests;  // Each that was complete.
    std::string ending;
};

/// Hands over `bytes` in pieces of at most `piece`.
outcome read_all(std::string_view bytes, std::size_t piece) {
    never handler;
    api::parser_limits limits;
    limits.target_bytes_max = 600;
    limits.header_bytes_max = 1'000;
    limits.headers_max = 20;
    api::request_parser parser{limits, handler, "127.0.0.1"};
    outcome all;
    std::size_t begin = 0, end = std::min(piece, bytes.size());
    for (int requests = 0; requests < 20;) {
        auto const progress = parser.feed(bytes.substr(begin, end - begin));
        must(progress.consumed <= end - begin, "no more is consumed than there was");
        begin += progress.consumed;
        if (progress.state == api::request_parser::state::complete) {
            check(parser.message(), handler.body_bytes_max(parser.message()));
            all.requests += text_of(parser.message()) + (parser.keep_alive() ? "\n--\n" : "\n-- close\n");
            parser.reset();
            ++requests;
        } else if (progress.state == api::request_parser::state::failed) {
            must(parser.error().status >= 400 && parser.error().status < 600, "an error has a status");
            all.ending = "failed " + std::to_string(parser.error().status);
            return all;
        } else if (end == bytes.size()) {
            all.ending = parser.started() ? "unfinished" : "idle";
            return all;
        } else {
            end = std::min(end + piece, bytes.size());
        }
    }
    all.ending = "more";
    return all;
}

/// What is refused may be refused for another reason when it comes in pieces, by whichever limit is met
/// first, or sooner or later: Beast looks at heads and chunk extensions once their end is there.
bool is_same_ending(std::string_view one, std::string_view other) {
    auto const is_not_whole = [](std::string_view ending) {
        return ending == "unfinished" || ending.starts_with("failed ");
    };
    return one == other || (is_not_whole(one) && is_not_whole(other));
}

/// Near its limits a head may be refused in pieces and taken at once, or the other way round: Beast counts
/// other bytes then.
bool is_refused_sooner(outcome const& one, outcome const& other) {
    return (one.ending == "failed 414" || one.ending == "failed 431") &&
           other.requests.starts_with(one.requests);
}

}  // namespace

/// The first byte says how the rest is cut.
void http_request(std::string_view input) {
    if (input.empty()) return;
    auto const piece = std::size_t{static_cast<unsigned char>(input.front())} + 1;
    input.remove_prefix(1);
    auto const whole = read_all(input, input.size() + 1);
    auto const cut = read_all(input, piece);
    if (is_refused_sooner(whole, cut) || is_refused_sooner(cut, whole)) return;
    must(whole.requests == cut.requests, "requests are the same however their bytes arrive");
    must(is_same_ending(whole.ending, cut.ending), "what is refused is so however its bytes arrive");
}

}  // namespace linkledger::fuzz
