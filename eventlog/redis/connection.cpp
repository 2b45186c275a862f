// hiredis behind values and exceptions; written to what 0.14 and 1.2 have in common.

#include "eventlog/redis/connection.h"

#include <hiredis/hiredis.h>

#include <charconv>
#include <csignal>
#include <mutex>
#include <optional>

namespace linkledger::redis {
namespace {

constexpr std::string_view scheme = "redis://";
constexpr char const* accepted = "redis://[:password@]host[:port][/database], as in redis://127.0.0.1:6379/0";

struct free_context {
    void operator()(redisContext* context) const { redisFree(context); }
};
struct free_reply {
    void operator()(void* reply) const { freeReplyObject(reply); }
};

timeval to_timeval(std::chrono::milliseconds time) {
    auto const ms = time.count();
    return {static_cast<time_t>(ms / 1'000), static_cast<suseconds_t>(ms % 1'000 * 1'000)};
}

/// hiredis 0.14 writes to a socket whose other end may be gone, which would end the process.
void ignore_broken_pipes() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction now {};
        if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
    });
}

std::optional<int> number_in(std::string_view text, int low, int high) {
    int number = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size() || number < low || number > high)
        return std::nullopt;
    return number;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size()) return std::nullopt;
        auto const* const first = text.data() + i + 1;
        auto const [end, ec] = std::from_chars(first, first + 2, value, 16);
        if (ec != std::errc{} || end != first + 2) return std::nullopt;
        plain += static_cast<char>(value);
        i += 2;
    }
    return plain;
}

reply to_reply(redisReply const& from, std::string& first_error) {
    switch (from.type) {
        case REDIS_REPLY_INTEGER:
            return {std::int64_t{from.integer}};
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
            return {std::string{from.str, static_cast<std::size_t>(from.len)}};
        case REDIS_REPLY_ARRAY: {
            std::vector<reply> all;
            for (std::size_t i = 0; i < from.elements; ++i)
                all.push_back(to_reply(*from.element[i], first_error));
            return {std::move(all)};
        }
        case REDIS_REPLY_ERROR:
            if (first_error.empty()) first_error.assign(from.str, static_cast<std::size_t>(from.len));
            return {};
        default:
            return {};
    }
}

[[noreturn]] void throw_type() {
    throw error{error::kind::refused, "Redis answered with another type than expected"};
}

}  // namespace

address parse_url(std::string_view url) {
    std::invalid_argument const wrong{accepted};
    if (url.starts_with("rediss://"))
        throw std::invalid_argument{
            "redis://; TLS (rediss://) is not supported: put a tunnel such as stunnel in front"};
    if (!url.starts_with(scheme)) throw wrong;
    url.remove_prefix(scheme.size());
    address made;
    if (auto const at = url.rfind('@'); at != std::string_view::npos) {
        auto const who = url.substr(0, at);
        auto const colon = who.find(':');
        auto const user = percent_decode(who.substr(0, colon));
        auto const password =
            percent_decode(colon == std::string_view::npos ? std::string_view{} : who.substr(colon + 1));
        if (!user || !password) throw wrong;
        made.user = *user;
        made.password = *password;
        url.remove_prefix(at + 1);
    }
    if (auto const slash = url.find('/'); slash != std::string_view::npos) {
        auto const database = url.substr(slash + 1);
        auto const number = database.empty() ? std::optional<int>{0} : number_in(database, 0, 65'535);
        if (!number) throw wrong;
        made.database = *number;
        url = url.substr(0, slash);
    }
    bool const is_v6 = url.starts_with('[');
    auto const host_end = is_v6 ? url.find(']') : url.rfind(':');
    if (is_v6 && host_end == std::string_view::npos) throw wrong;
    made.host = std::string{is_v6 ? url.substr(1, host_end - 1) : url.substr(0, host_end)};
    auto const port = is_v6
                          ? url.substr(host_end + 1)
                          : (host_end == std::string_view::npos ? std::string_view{} : url.substr(host_end));
    if (!port.empty()) {
        auto const number = port.front() == ':' ? number_in(port.substr(1), 1, 65'535) : std::nullopt;
        if (!number) throw wrong;
        made.port = *number;
    }
    if (made.host.empty() || made.host.find_first_of(" \t\r\n") != std::string::npos) throw wrong;
    return made;
}

std::string to_string(address const& of) {
    bool const is_v6 = of.host.find(':') != std::string::npos;
    return (is_v6 ? "[" + of.host + "]" : of.host) + ":" + std::to_string(of.port) + "/" +
           std::to_string(of.database);
}

std::int64_t reply::integer() const {
    auto const* const number = std::get_if<std::int64_t>(&value);
    if (number == nullptr) throw_type();
    return *number;
}
std::string const& reply::text() const {
    auto const* const found = std::get_if<std::string>(&value);
    if (found == nullptr) throw_type();
    return *found;
}
std::vector<reply> const& reply::list() const {
    auto const* const found = std::get_if<std::vector<reply>>(&value);
    if (found == nullptr) throw_type();
    return *found;
}

struct connection::state {
    std::unique_ptr<redisContext, free_context> context;
    std::string where;

    [[noreturn]] void fail() {
        std::string const why = context ? context->errstr : "out of memory";
        context.reset();
        throw error{error::kind::unavailable, "Redis at " + where + ": " + why};
    }
    void send(words const& command) {
        std::vector<char const*> texts;
        std::vector<std::size_t> sizes;
        for (auto const& word : command) {
            texts.push_back(word.data());
            sizes.push_back(word.size());
        }
        if (!context) throw error{error::kind::unavailable, "Redis at " + where + ": no connection"};
        if (redisAppendCommandArgv(context.get(), static_cast<int>(texts.size()), texts.data(),
                                   sizes.data()) != REDIS_OK)
            fail();
    }
    reply receive(std::string& first_error) {
        void* raw = nullptr;
        if (redisGetReply(context.get(), &raw) != REDIS_OK || raw == nullptr) fail();
        std::unique_ptr<void, free_reply> const owned{raw};
        return to_reply(*static_cast<redisReply const*>(raw), first_error);
    }
};

connection::connection(options const& how) : state_(std::make_unique<state>()) {
    ignore_broken_pipes();
    auto const& where = how.where;
    state_->where = to_string(where);
    state_->context.reset(
        redisConnectWithTimeout(where.host.c_str(), where.port, to_timeval(how.connect_timeout)));
    if (!state_->context || state_->context->err != 0) state_->fail();
    if (redisSetTimeout(state_->context.get(), to_timeval(how.call_timeout)) != REDIS_OK) state_->fail();
    redisEnableKeepAlive(state_->context.get());
    if (!where.password.empty())
        call(where.user.empty() ? words{"AUTH", where.password} : words{"AUTH", where.user, where.password});
    if (where.database != 0) call({"SELECT", std::to_string(where.database)});
}

connection::~connection() = default;

reply connection::call(words const& command) {
    return std::move(pipeline({command}).front());
}

std::vector<reply> connection::pipeline(std::vector<words> const& commands) {
    for (auto const& each : commands) state_->send(each);
    std::vector<reply> all;
    all.reserve(commands.size());
    std::string first_error;
    for (std::size_t i = 0; i < commands.size(); ++i) all.push_back(state_->receive(first_error));
    if (!first_error.empty())
        throw error{error::kind::refused, "Redis at " + state_->where + ": " + first_error};
    return all;
}

}  // namespace linkledger::redis
