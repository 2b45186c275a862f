#pragma once
// A deadline for calls that block in a library without one: the socket of a call that takes too long is shut
// down, and the call fails as on any broken connection.

#include <chrono>
#include <memory>
#include <mutex>

namespace linkledger::sql {

/// A connection's place in the watchdog's list. One small thread serves all of a process.
class watched_socket {
public:
    watched_socket();
    ~watched_socket();
    watched_socket(watched_socket const&) = delete;
    watched_socket& operator=(watched_socket const&) = delete;

    /// From here on the call has `limit` to finish (checked every 50 ms).
    void arm(int fd, std::chrono::milliseconds limit);
    /// The call is over. True when its socket was shut down.
    bool disarm();

private:
    friend class call_watchdog;
    struct state {
        std::mutex mutex;
        int fd = -1;
        std::chrono::steady_clock::time_point deadline{};
        bool armed = false;
        bool fired = false;
    };
    std::shared_ptr<state> state_;
};

}  // namespace linkledger::sql
