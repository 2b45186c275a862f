#include "tests/chaos/cluster.h"

#include "paths.h"
#include "tests/cli/http_client.h"

#include <csignal>
#include <stdexcept>
#include <thread>

namespace linkledger::chaos {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto restart_pause = 300ms;

}  // namespace

cluster::cluster(cluster_size const& size) {
    environment_ = {{"DATABASE_URL", postgres_.fresh_database()},
                    {"NATS_URL", nats_.url()},
                    {"REDIS_URL", redis_.url()},
                    {"MASTER_KEY_FILE", folder_.file("master.key")},
                    {"LINKLEDGER_ADMIN_KEY", admin_key_},
                    {"LOG_LEVEL", "info"},
                    {"SHUTDOWN_SECONDS", "5"}};
    for (unsigned i = 0; i < size.apis; ++i) {
        api_ports_.push_back(test::free_port());
        add(target::api, i, "serve",
            {{"PROJECTIONS", "none"}, {"LISTEN", "127.0.0.1:" + std::to_string(api_ports_.back())}});
        // The first one makes the schema and the keys.
        if (i == 0 && !settle(60s)) throw std::runtime_error{"the first API does not start:\n" + logs()};
    }
    for (unsigned i = 0; i < size.relays; ++i) add(target::relay, i, "relay", {});
    for (unsigned i = 0; i < size.projectors; ++i) add(target::projector, i, "projector", {});
    if (!settle(60s)) throw std::runtime_error{"the cluster does not start:\n" + logs()};
}

void cluster::add(target kind, unsigned number, std::string const& subcommand, test::variables more) {
    member made;
    made.name = name_of(kind) + " " + std::to_string(number + 1);
    made.command = {LINKLEDGER_EXECUTABLE, subcommand};
    made.environment = std::move(more);
    made.environment.insert(environment_.begin(), environment_.end());
    made.process = std::make_unique<test::process>(made.command, made.environment);
    members_[kind].push_back(std::move(made));
}

cluster::member& cluster::member_of(fault const& what) {
    auto& all = members_.at(what.whom);
    return all[what.which % all.size()];
}

std::string cluster::stop(fault const& what) {
    if (what.whom == target::postgres) {
        what.how == action::restart ? postgres_.stop() : postgres_.kill9();
        return name_of(what.whom);
    }
    if (what.whom == target::nats) {
        what.how == action::restart ? nats_.stop() : nats_.kill9();
        if (what.how == action::wipe) nats_.wipe();
        return name_of(what.whom);
    }
    if (what.whom == target::redis) {
        stop_redis(what.how);
        return name_of(what.whom);
    }
    auto& one = member_of(what);
    one.wanted = false;
    one.process->signal(what.how == action::restart ? SIGTERM : SIGKILL);
    auto const done = one.process->wait(30s);
    if (what.how == action::restart && done.exit_code != 0)
        ended_.push_back(one.name + " stopped with code " + std::to_string(done.exit_code) + ":\n" +
                         log_end_of(one, 1'500));
    return one.name;
}

/// Restarted, it comes back as it was; killed, with the counters of the last restart, long out of date.
void cluster::stop_redis(action how) {
    if (how == action::wipe) redis_.call({"FLUSHALL"});
    if (how != action::kill) redis_.call({"SAVE"});
    how == action::restart ? redis_.stop() : redis_.kill9();
}

void cluster::start(fault const& what) {
    if (what.whom == target::postgres) return postgres_.start();
    if (what.whom == target::nats) return nats_.start();
    if (what.whom == target::redis) return redis_.start();
    auto& one = member_of(what);
    one.process = std::make_unique<test::process>(one.command, one.environment);
    one.wanted = true;
}

void cluster::supervise() {
    for (auto& [kind, all] : members_) {
        for (auto& one : all) {
            if (!one.wanted || one.process->running()) continue;
            if (one.start_at == steady::time_point{}) {
                one.start_at = steady::now() + restart_pause;
                ended_.push_back(one.name + " ended by itself with code " +
                                 std::to_string(one.process->wait().exit_code) + ":\n" +
                                 log_end_of(one, 1'500));
            } else if (steady::now() >= one.start_at) {
                one.process = std::make_unique<test::process>(one.command, one.environment);
                one.start_at = {};
            }
        }
    }
}

bool cluster::settle(std::chrono::seconds patience) {
    for (auto const until = steady::now() + patience; steady::now() < until;
         std::this_thread::sleep_for(20ms)) {
        supervise();
        bool all = true;
        for (auto& [kind, some] : members_)
            for (auto& one : some) all = all && one.wanted && one.process->running();
        for (auto const port : api_ports_) all = all && is_ready(port);
        if (all) return true;
    }
    return false;
}

bool cluster::is_ready(int port) const {
    try {
        return test::http_client{port}.get("/readyz").status == 200;
    } catch (test::http_failed const&) {
        return false;
    }
}

std::string cluster::log_end_of(member const& one, std::size_t bytes) {
    auto const text = one.process->out() + one.process->err();
    return text.size() > bytes ? text.substr(text.size() - bytes) : text;
}

std::string cluster::logs() const {
    std::string text;
    for (auto const& [kind, all] : members_)
        for (auto const& one : all) text += "--- " + one.name + "\n" + log_end_of(one, 3'000) + "\n";
    return text;
}

}  // namespace linkledger::chaos
