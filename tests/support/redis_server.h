#pragma once
// A real redis-server of a test's own: in a temporary folder, on a free loopback port, stopped by its process
// id.

#include "eventlog/redis/connection.h"
#include "tests/support/temp_folder.h"

#include <sys/types.h>

#include <string>

namespace linkledger::test {

/// Throws std::runtime_error with the server's own words where it does not start. The server dies with the
/// thread that started it, so nothing is left running after a crash. It saves when it is told to (`SAVE`),
/// and never by itself.
class redis_server {
public:
    /// Starts it, with a password unless that is empty.
    explicit redis_server(std::string password = {});
    ~redis_server();
    redis_server(redis_server const&) = delete;
    redis_server& operator=(redis_server const&) = delete;

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string url() const;
    [[nodiscard]] redis::options options() const;
    /// One command on a connection of its own.
    redis::reply call(redis::words const& command) const;

    /// On the same port and folder as before: with what was saved last.
    void start();
    void stop();
    void kill9();
    /// Stops the process with SIGSTOP: connections stay open and get no answer.
    void pause() const;
    void resume() const;

private:
    void try_start();
    void await_end(int signal);
    [[nodiscard]] std::string log_tail() const;

    temp_folder folder_;
    std::string password_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace linkledger::test
