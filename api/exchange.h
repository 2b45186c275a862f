#pragma once
// One request on its way through an endpoint: the caller, checked input, and the ways to answer.

#include "api/application.h"
#include "api/endpoints.h"
#include "api/problem.h"
#include "api/rate_limits.h"
#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"
#include "projections/read_store.h"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace linkledger::api {

class metrics;
class trusted_proxies;

/// What the endpoints share.
struct shared_state {
    application_options const& options;
    services const& on;
    trusted_proxies const& proxies;
    api::metrics& metrics;
    boost::asio::thread_pool& blocking;
    rate_limits& limits;
    std::atomic<std::size_t> blocking_queued{0};
    std::atomic<std::size_t> streams{0};
    std::function<api::server_stats()> server_stats{};
};

/// One of the `streams_max` streams that there may be at a time, for as long as it lives.
class stream_place {
public:
    /// None: all are taken.
    [[nodiscard]] static std::optional<stream_place> take(shared_state& of);
    stream_place(stream_place&& from) noexcept : count_(std::exchange(from.count_, nullptr)) {}
    stream_place& operator=(stream_place&&) = delete;
    ~stream_place() {
        if (count_ != nullptr) --*count_;
    }

private:
    explicit stream_place(std::atomic<std::size_t>& count) : count_(&count) {}
    std::atomic<std::size_t>* count_;
};

/// How long an open stream is silent at most: only a write tells that a client has gone.
inline constexpr std::chrono::seconds stream_heartbeat{15};

class exchange {
public:
    exchange(shared_state& s, request const& f, response& t) : shared(s), from(f), to(t) {}

    shared_state& shared;
    request const& from;
    response& to;
    endpoint const* at = nullptr;
    std::array<std::string_view, 2> path_values{};
    domain::caller who;  ///< Set where the endpoint needs a scope.
    std::string_view credential;
    std::string client_address;
    domain::uuid request_id{};
    std::optional<rate_verdict> rate{};  ///< Of the limit that the request counts against.

    /// Refuses what stands twice and must stand once: a proxy may have looked at the other one.
    [[nodiscard]] bool check_headers();

    /// Checks path values and query parameters against the endpoint's description; a problem when they fail.
    [[nodiscard]] bool check_parameters();

    /// Query parameters by name, once checked; empty when absent.
    [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
    [[nodiscard]] std::optional<domain::uuid> uuid(std::string_view name) const;
    [[nodiscard]] std::optional<domain::timestamp> time(std::string_view name) const;
    [[nodiscard]] std::optional<bool> boolean(std::string_view name) const;
    /// The `{id}` of the path.
    [[nodiscard]] domain::uuid id() const;

    void refuse(problem const& what) { send(to, what); }
    void refuse(domain::refusal const& what) { send(to, problem_of(what)); }
    void refuse(eventlog::failure const& what);
    /// As not found: absent, or not for this key to know of.
    void refuse_not_found(std::string detail);
    /// "There is no such … for this key."
    void refuse_unknown(std::string_view what);
    void answer_json(std::string text);
    /// The position that the answer reflects: the lowest of those noted.
    void note_position(eventlog::position at_position);
    [[nodiscard]] std::optional<eventlog::position> const& noted_position() const { return position_; }

private:
    parameter_list parameters_;
    std::optional<eventlog::position> position_;
};

/// Runs `work` off the server's threads. False: refused, and answered (queue full, database away). What else
/// it throws is a bug and goes through.
[[nodiscard]] awaitable<bool> run_off_thread(exchange& x, std::function<void()> work);

/// Reads from a read model that is at `?after=` and at `at_least`, in one snapshot, and notes its position
/// for X-Projection-Position (the lowest where there are several). False: refused, and answered.
[[nodiscard]] awaitable<bool> read_model(exchange& x, std::string_view projection,
                                         std::function<void(projections::snapshot const&)> work,
                                         eventlog::position at_least = 0);

/// The link of the path, by `?after=`. False: refused as not found, and answered.
[[nodiscard]] awaitable<bool> may_read_link(exchange& x);

/// False: refused as not found, and answered.
[[nodiscard]] awaitable<bool> may_read(exchange& x, domain::workspace_id const& workspace);

}  // namespace linkledger::api
