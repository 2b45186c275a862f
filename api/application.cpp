// The composition of the HTTP service.

#include "api/application.h"

#include "api/client_address.h"
#include "api/problem.h"

#include <charconv>
#include <stdexcept>

namespace linkledger::api {

namespace {

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

}  // namespace

struct application::state final : request_handler {
    state(application_options const& o, services const& s)
        : options(o), on(s), proxies(o.trusted_proxies), http(server_options_of(o), *this) {}

    server_options server_options_of(application_options const& o) {
        auto made = o.limits;
        std::tie(made.address, made.port) = split_listen(o.listen);
        made.threads = o.threads;
        made.unlimited_from = [this](std::string const& address) { return proxies.trusts(address); };
        return made;
    }

    awaitable<void> handle(request const& from, response& to) override {
        if (from.path == "/healthz") {
            to.add_header("Content-Type", "application/json");
            to.body = R"({"status":"ok"})";
            co_return;
        }
        send(to, problem{404, "not_found", "There is nothing here."});
    }
    std::size_t body_bytes_max(request const& from) const override {
        return from.path == "/v1/commands" ? 8u << 20 : 1u << 20;
    }

    application_options options;
    services on;
    trusted_proxies proxies;
    server http;
};

application::application(application_options const& options, services const& on)
    : state_(std::make_unique<state>(options, on)) {}
application::~application() = default;

void application::start() {
    state_->http.start();
}
std::uint16_t application::port() const {
    return state_->http.port();
}
bool application::stop(std::chrono::milliseconds patience) {
    return state_->http.drain(patience);
}

}  // namespace linkledger::api
