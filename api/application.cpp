// The composition of the HTTP service.

#include "api/application.h"

#include "api/authentication.h"
#include "api/client_address.h"
#include "api/exchange.h"
#include "api/handlers.h"
#include "api/metrics.h"
#include "api/problem.h"
#include "eventlog/committer.h"
#include "eventlog/crypto.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <tuple>

namespace linkledger::api {

namespace {

constexpr std::size_t command_bytes_max = 1u << 20;
constexpr std::size_t bulk_bytes_max = 8u << 20;
constexpr std::size_t short_code_bytes_max = 50;

/// No such path or, where `allow` says so, not with this method.
void refuse_path(response& to, std::string_view allow) {
    if (allow.empty()) return send(to, problem{404, "not_found", "There is nothing here."});
    send(to, problem{405, "method_not_allowed", "This path takes other methods; see Allow."});
    to.add_header("Allow", allow);
}

/// Raises the soft limit of descriptors as far as the connections need and the hard limit allows.
void allow_connections(std::size_t connections) {
    constexpr std::size_t others = 512;  // Stores, files, libraries.
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= connections + others) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, connections + others);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < connections + others)
        spdlog::warn("{} descriptors allow fewer connections than {}", limit.rlim_cur, connections);
}

/// `127.0.0.1:8080` or `[::1]:8080` into address and port.
[[nodiscard]] std::pair<std::string, std::uint16_t> split_listen(std::string const& listen) {
    auto const colon = listen.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string::npos) {
        auto const* const last = listen.data() + listen.size();
        auto const [end, ec] = std::from_chars(listen.data() + colon + 1, last, port);
        auto address = listen.substr(0, colon);
        if (address.size() > 2 && address.front() == '[' && address.back() == ']')
            address = address.substr(1, address.size() - 2);
        if (ec == std::errc{} && end == last && end != listen.data() + colon + 1 && !address.empty())
            return {address, port};
    }
    throw std::invalid_argument("LISTEN is address:port, not " + listen);
}

/// The id that a client gave its request, or a new one.
[[nodiscard]] domain::uuid request_id_of(request const& from) {
    auto const given = domain::parse_uuid(from.header("X-Request-Id"));
    return given ? *given : eventlog::new_uuid_v7();
}

/// Paths of one segment that are no endpoint's belong to the links.
[[nodiscard]] bool may_be_code(std::string_view path) {
    return path.size() > 1 && path.size() <= short_code_bytes_max + 1 &&
           path.find('/', 1) == std::string_view::npos;
}

}  // namespace

struct application::state final : request_handler {
    state(application_options const& o, services const& s)
        : options(o),
          on(s),
          proxies(o.trusted_proxies),
          blocking(o.blocking_threads),
          limits(o.rates, s.redis),
          shared{options, on, proxies, counters, blocking, limits},
          http(server_options_of(o), *this) {
        shared.server_stats = [this] { return http.stats(); };
        on.committer.on_commit = [this](std::chrono::microseconds took, std::size_t appends) {
            counters.count_commit(took, appends);
        };
    }
    ~state() override {
        http.drain(std::chrono::milliseconds{0});
        blocking.join();  // What still runs there refers to requests, which end with the server.
    }

    server_options server_options_of(application_options const& o) {
        auto made = o.limits;
        std::tie(made.address, made.port) = split_listen(o.listen);
        made.threads = o.threads;
        made.unlimited_from = [this](std::string const& address) { return proxies.trusts(address); };
        return made;
    }

    awaitable<void> handle(request const& from, response& to) override;
    awaitable<void> handle_endpoint(request const& from, response& to, route const& found);
    [[nodiscard]] bool admit_link(request const& from, response& to);
    [[nodiscard]] std::size_t body_bytes_max(request const& from) const override {
        return from.path == "/v1/commands" ? bulk_bytes_max : command_bytes_max;
    }
    void log(request const& from, response const& to, std::chrono::nanoseconds took) const;

    application_options options;
    services on;
    trusted_proxies proxies;
    metrics counters;
    boost::asio::thread_pool blocking;
    rate_limits limits;
    shared_state shared;
    server http;
};

awaitable<void> application::state::handle(request const& from, response& to) {
    auto const started = std::chrono::steady_clock::now();
    auto const found = find_route(from.verb, from.path);
    bool const is_link = found.to == nullptr && found.allow.empty() && may_be_code(from.path);
    std::exception_ptr bug;
    try {
        if (is_link && from.verb != method::other) {
            if (admit_link(from, to)) co_await follow_link(shared, from, to);
        } else if (found.to != nullptr) {
            co_await handle_endpoint(from, to, found);
        } else {
            refuse_path(to, is_link ? "GET, HEAD, POST" : found.allow);
        }
    } catch (...) {
        bug = std::current_exception();  // The session logs it and answers.
    }
    auto const took = std::chrono::steady_clock::now() - started;
    counters.count_request(found.to, is_link, bug ? 500 : to.status, took);
    if (bug) std::rethrow_exception(bug);
    if (options.log_requests) log(from, to, took);
}

awaitable<void> application::state::handle_endpoint(request const& from, response& to, route const& found) {
    exchange x(shared, from, to);
    x.at = found.to;
    x.path_values = found.values;
    x.client_address = proxies.client_of(from);
    x.request_id = request_id_of(from);
    bool go_on = x.check_headers();
    if (go_on && found.to->scope)
        go_on = co_await authenticate(x);
    else if (go_on && found.to->handle != run_command)  // Which knows whose limit a command counts against.
        go_on = admit_open(x, found.to->path);
    if (go_on && x.check_parameters()) co_await found.to->handle(x);
    if (x.rate) add_rate_headers(to, *x.rate);
    to.add_header("X-Request-Id", domain::to_string(x.request_id));
}

/// A guess at a link's password counts against its sender; a redirect only where the operator wants that.
bool application::state::admit_link(request const& from, response& to) {
    bool const is_guess = from.verb == method::post;
    if (!is_guess && !limits.limits_redirects()) return true;
    auto const address = proxies.client_of(from);
    auto const verdict = is_guess ? limits.count_secret(address, "password") : limits.count_redirect(address);
    if (verdict.limit == 0 || verdict.allowed) return true;
    send_too_many(to, verdict);
    add_rate_headers(to, verdict);
    return false;
}

/// One line per request: no query, which may hold a secret, and no header.
void application::state::log(request const& from, response const& to, std::chrono::nanoseconds took) const {
    spdlog::info("{} {} {} {}us {}", method_text(from.verb), from.path, to.status, took.count() / 1'000,
                 from.remote_address);
}

application::application(application_options const& options, services const& on)
    : state_(std::make_unique<state>(options, on)) {}
application::~application() = default;

void application::start() {
    allow_connections(state_->options.limits.connections_max);
    state_->http.start();
}
std::uint16_t application::port() const {
    return state_->http.port();
}
bool application::stop(std::chrono::milliseconds patience) {
    return state_->http.drain(patience);
}

}  // namespace linkledger::api
