// Listening, handing connections to threads in turn, sweeping deadlines, draining.

#include "api/server.h"

#include "api/session.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <spdlog/spdlog.h>

#include <array>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace linkledger::api {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

[[nodiscard]] std::string date_header(std::time_t at) {
    std::tm utc{};
    gmtime_r(&at, &utc);
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 64> text;
    auto const length =
        std::snprintf(text.data(), text.size(), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                      days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                      months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                      utc.tm_min, utc.tm_sec);
    return {text.data(), static_cast<std::size_t>(length)};
}

[[nodiscard]] unsigned threads_of(server_options const& options) {
    if (options.threads != 0) return options.threads;
    return std::clamp(std::thread::hardware_concurrency(), 1u, 2u);
}

/// A worker with what runs it. Each has a context of its own, so sessions need neither locks nor strands.
struct running_worker : worker {
    running_worker(server_options const& o, request_handler& h)
        : worker(o, h), sweeper(context), guard(asio::make_work_guard(context)) {}

    asio::steady_timer sweeper;
    asio::executor_work_guard<asio::io_context::executor_type> guard;
    std::thread thread;
};

}  // namespace

struct server::state {
    state(server_options const& o, request_handler& handler) : options(o) {
        for (unsigned i = 0; i < threads_of(options); ++i) {
            auto one = std::make_unique<running_worker>(options, handler);
            one->ended = [this](std::string const& address) { forget(address); };
            workers.push_back(std::move(one));
        }
    }

    void listen();
    awaitable<void> accept();
    awaitable<void> sweep(running_worker& on);
    void admit(tcp::socket socket, running_worker& to);
    [[nodiscard]] bool may_connect(std::string const& address);
    void forget(std::string const& address);
    void for_each_session(void (session::*what)());
    [[nodiscard]] bool wait_for_sessions(std::chrono::steady_clock::time_point until);

    server_options options;
    tcp::endpoint bound;
    std::atomic<std::uint64_t> accepted{0}, refused{0};

    std::mutex mutex;  // Guards what follows.
    std::condition_variable changed;
    std::unordered_map<std::string, std::size_t> connections_by_address;
    std::size_t connections = 0;
    bool started = false, stopped = false;

    // Last, and in this order: what a worker still holds uses the rest, and the acceptor uses a worker.
    std::vector<std::unique_ptr<running_worker>> workers;
    std::optional<tcp::acceptor> acceptor;
};

server::server(server_options const& options, request_handler& handler)
    : state_(std::make_unique<state>(options, handler)) {}

server::~server() {
    drain(std::chrono::milliseconds{0});
}

void server::start() {
    state_->listen();
    state_->started = true;
    for (auto& each : state_->workers) {
        each->date_header = date_header(std::time(nullptr));
        asio::co_spawn(each->context, state_->sweep(*each), asio::detached);
    }
    asio::co_spawn(state_->workers.front()->context, state_->accept(), asio::detached);
    for (auto& each : state_->workers) each->thread = std::thread([&on = *each] { on.context.run(); });
}

std::uint16_t server::port() const {
    return state_->bound.port();
}

server_stats server::stats() const {
    server_stats now;
    {
        std::lock_guard const lock(state_->mutex);
        now.connections = state_->connections;
    }
    now.accepted = state_->accepted;
    now.refused = state_->refused;
    for (auto const& each : state_->workers) now.requests += each->requests;
    return now;
}

bool server::drain(std::chrono::milliseconds patience) {
    auto const until = std::chrono::steady_clock::now() + patience;
    {
        std::lock_guard const lock(state_->mutex);
        if (!state_->started || state_->stopped) return true;
        state_->stopped = true;
    }
    asio::post(state_->workers.front()->context, [this] {
        error_code ec;
        state_->acceptor->close(ec);
    });
    for (auto& each : state_->workers) asio::post(each->context, [&on = *each] { on.draining = true; });
    state_->for_each_session(&session::drain);
    bool const clean = state_->wait_for_sessions(until);
    if (!clean) {
        state_->for_each_session(&session::cut);
        // What a handler still waits for ends by the deadlines of the bus; no handler outlives its server.
        (void)state_->wait_for_sessions(std::chrono::steady_clock::now() + std::chrono::seconds{10});
    }
    for (auto& each : state_->workers) {
        each->guard.reset();
        asio::post(each->context, [&on = *each] { on.sweeper.cancel(); });
    }
    for (auto& each : state_->workers) each->context.stop();
    for (auto& each : state_->workers) each->thread.join();
    return clean;
}

void server::state::listen() {
    error_code ec;
    auto const address = asio::ip::make_address(options.address, ec);
    std::string const where = options.address + ":" + std::to_string(options.port);
    if (ec) throw std::runtime_error("cannot listen on " + where + ": not an IP address");
    tcp::endpoint const endpoint{address, options.port};
    acceptor.emplace(workers.front()->context);
    acceptor->open(endpoint.protocol(), ec);
    if (!ec) acceptor->set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor->bind(endpoint, ec);
    if (!ec) acceptor->listen(4'096, ec);
    if (ec) throw std::runtime_error("cannot listen on " + where + ": " + ec.message());
    bound = acceptor->local_endpoint(ec);
}

awaitable<void> server::state::accept() {
    std::size_t turn = 0;
    for (;;) {
        auto& to = *workers[turn++ % workers.size()];
        error_code ec;
        auto socket =
            co_await acceptor->async_accept(to.context, asio::redirect_error(asio::use_awaitable, ec));
        if (!acceptor->is_open()) co_return;
        if (!ec) {
            admit(std::move(socket), to);
            continue;
        }
        // Out of descriptors, most likely: leave the queue alone for a moment rather than spin.
        spdlog::warn("cannot accept a connection: {}", ec.message());
        asio::steady_timer pause(workers.front()->context, std::chrono::milliseconds{100});
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
}

void server::state::admit(tcp::socket socket, running_worker& to) {
    error_code ec;
    auto const remote = socket.remote_endpoint(ec);
    if (ec) return;
    auto address = remote.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    auto text = address.to_string();
    if (!may_connect(text)) {
        ++refused;
        return;  // Closed unanswered: an answer would cost what the limit is to save.
    }
    ++accepted;
    auto const protocol = remote.protocol();
    auto const handle = socket.release(ec);
    asio::post(to.context, [this, &to, protocol, handle, text = std::move(text)] {
        session::socket_type own(to.context.get_executor());
        error_code failed;
        own.assign(protocol, handle, failed);
        if (failed) return forget(text);
        auto one = std::make_shared<session>(to, std::move(own), text);
        asio::co_spawn(to.context, session::run(std::move(one)), asio::detached);
    });
}

bool server::state::may_connect(std::string const& address) {
    bool const limited = !options.unlimited_from || !options.unlimited_from(address);
    std::lock_guard const lock(mutex);
    if (connections >= options.connections_max) return false;
    auto& count = connections_by_address[address];
    if (limited && count >= options.connections_per_address_max) return false;
    ++count;
    ++connections;
    return true;
}

void server::state::forget(std::string const& address) {
    std::lock_guard const lock(mutex);
    auto const found = connections_by_address.find(address);
    if (found != connections_by_address.end() && --found->second == 0) connections_by_address.erase(found);
    --connections;
    changed.notify_all();
}

awaitable<void> server::state::sweep(running_worker& on) {
    error_code ec;
    while (!ec) {
        on.now = std::chrono::steady_clock::now();
        on.date_header = date_header(std::time(nullptr));
        // A swept session ends in its own time, so the list stays as it is meanwhile.
        for (auto* each : on.sessions) each->sweep();
        on.sweeper.expires_after(options.sweep_interval);
        co_await on.sweeper.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
}

void server::state::for_each_session(void (session::*what)()) {
    for (auto& each : workers)
        asio::post(each->context, [&on = *each, what] {
            for (auto* one : on.sessions) (one->*what)();
        });
}

bool server::state::wait_for_sessions(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex);
    return changed.wait_until(lock, until, [this] { return connections == 0; });
}

}  // namespace linkledger::api
