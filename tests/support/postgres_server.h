#pragma once
// A real PostgreSQL server of a test's own: in a temporary folder, on a free loopback port, stopped by its
// process id.

#include "tests/support/temp_folder.h"

#include <sys/types.h>

#include <string>
#include <vector>

namespace linkledger::test {

struct postgres_server_options {
    /// Off only where a test does not concern durability.
    bool fsync = true;
    /// Further settings, e.g. `shared_buffers=256MB`.
    std::vector<std::string> settings{};
};

/// Finds initdb and postgres below /usr/lib/postgresql; run as root, the server becomes the user `postgres`.
/// Throws std::runtime_error with the server's own words where it does not start. The server dies with the
/// thread that started it, so nothing is left running after a crash; a forked child leaves it alone.
class postgres_server {
public:
    explicit postgres_server(postgres_server_options options = {});
    ~postgres_server();
    postgres_server(postgres_server const&) = delete;
    postgres_server& operator=(postgres_server const&) = delete;

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] std::string url(std::string const& database = "postgres") const;
    /// The end of the server's log, for messages of failed tests.
    [[nodiscard]] std::string log_tail() const;

    /// Creates a database, as a copy of `from` where one is named (nobody may be connected to it).
    void create_database(std::string const& name, std::string const& from = "template1");
    /// Creates a database under a name not used before and returns its URL.
    [[nodiscard]] std::string fresh_database(std::string const& from = "template1");
    /// Runs statements without parameters in a database.
    void run_sql(std::string const& database, std::string const& sql);

    void start();
    /// Ends it in order (SIGINT, a fast shutdown). Does nothing when it is not running.
    void stop();
    void restart();
    /// Ends the server and every backend with SIGKILL, as a power failure would.
    void kill9();
    /// Stops every process of the server with SIGSTOP: connections stay open and get no answer.
    void pause();
    void resume();

private:
    void initialise();
    void try_start();
    [[nodiscard]] std::vector<pid_t> processes() const;

    postgres_server_options options_;
    temp_folder folder_;
    std::string bin_;
    pid_t owner_;
    int port_ = 0;
    pid_t pid_ = -1;
    int databases_ = 0;
};

/// The server that the tests of one executable share; started with the first call, stopped at exit.
postgres_server& shared_postgres();

/// The URL of a database on the shared server that all migrations have been applied to: a copy of one made
/// once, which is much faster than migrating.
[[nodiscard]] std::string fresh_migrated_database();

}  // namespace linkledger::test
