#pragma once
// A real nats-server with JetStream of a test's own: in a temporary folder, on a free loopback port, stopped
// by its process id.

#include "tests/support/temp_folder.h"

#include <sys/types.h>

#include <string>

namespace linkledger::test {

/// Throws std::runtime_error with the server's own words where it does not start. The server dies with the
/// thread that started it, so nothing is left running after a crash.
class nats_server {
public:
    /// Starts it.
    nats_server();
    ~nats_server();
    nats_server(nats_server const&) = delete;
    nats_server& operator=(nats_server const&) = delete;

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string url() const;
    /// Where its streams are stored.
    [[nodiscard]] std::string const& folder() const { return folder_.path(); }
    /// The end of the server's log, for messages of failed tests.
    [[nodiscard]] std::string log_tail() const;

    /// On the same port and folder as before.
    void start();
    /// Ends it in order. Does nothing when it is not running.
    void stop();
    void kill9();
    void restart();
    /// Forgets every stream, as a lost disk would. The server must not run.
    void wipe() const;
    /// Stops the process with SIGSTOP: connections stay open and get no answer.
    void pause() const;
    void resume() const;

private:
    void try_start();
    [[nodiscard]] bool answers() const;
    void await_end(int signal);

    temp_folder folder_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace linkledger::test
