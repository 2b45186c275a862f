#pragma once
// A cluster of real processes on real servers, any part of which can be killed and started again.

#include "tests/chaos/schedule.h"
#include "tests/cli/process.h"
#include "tests/support/nats_server.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/temp_folder.h"

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::chaos {

struct cluster_size {
    unsigned apis = 2, relays = 3, projectors = 2;
};

/// Used by the thread that made it alone, because the kernel ends its processes with that thread.
class cluster {
public:
    /// Starts everything; returns once the API answers. Throws std::runtime_error.
    explicit cluster(cluster_size const& size);

    /// Ends it as told. Returns its name, as in `relay 2`.
    std::string stop(fault const& what);
    /// Starts what the fault ended.
    void start(fault const& what);
    /// Starts what has ended by itself, as a supervisor does, after a short pause; called often. What did is
    /// kept in `ended`.
    void supervise();
    /// Everything runs and every API is ready. False: not within `patience`.
    bool settle(std::chrono::seconds patience);

    [[nodiscard]] test::variables const& environment() const { return environment_; }
    [[nodiscard]] std::vector<int> const& api_ports() const { return api_ports_; }
    [[nodiscard]] std::string const& admin_key() const { return admin_key_; }
    [[nodiscard]] test::postgres_server& postgres() { return postgres_; }
    [[nodiscard]] test::redis_server const& redis() const { return redis_; }
    /// Processes that ended without being told to, each with the end of its log.
    [[nodiscard]] std::vector<std::string> const& ended() const { return ended_; }
    /// The end of every process's log.
    [[nodiscard]] std::string logs() const;

private:
    struct member {
        std::string name;
        std::vector<std::string> command;
        test::variables environment;
        std::unique_ptr<test::process> process;
        bool wanted = true;
        std::chrono::steady_clock::time_point start_at{};
    };

    void stop_redis(action how);
    void add(target kind, unsigned number, std::string const& subcommand, test::variables more);
    [[nodiscard]] member& member_of(fault const& what);
    [[nodiscard]] static std::string log_end_of(member const& one, std::size_t bytes);
    [[nodiscard]] bool is_ready(int port) const;

    test::temp_folder folder_;
    test::postgres_server postgres_;
    test::nats_server nats_;
    test::redis_server redis_;
    std::string admin_key_ = "ll_chaosChaosChaosChaosChaosChaos";
    test::variables environment_;
    std::vector<int> api_ports_;
    std::map<target, std::vector<member>> members_;
    std::vector<std::string> ended_;
};

}  // namespace linkledger::chaos
