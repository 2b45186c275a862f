// `linkledger serve`: HTTP, commands and projections in one process, until a signal ends it in order.

#include "api/application.h"
#include "api/logging.h"
#include "cli/composition.h"
#include "cli/detail_keeper.h"
#include "cli/signals.h"
#include "cli/subcommand.h"
#include "eventlog/crypto.h"
#include "projections/realtime/redis_reader.h"
#include "projections/rebuild/manager.h"
#include "projections/registry.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

namespace linkledger::cli {

namespace {

namespace asio = boost::asio;

struct serve_options {
    bool no_migrate = false;
};

std::string host_and_port(configuration const& from) {
    bool const is_v6 = from.listen_host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), from.listen_host, from.listen_port);
}

/// Short URLs hold the port, so port 0 is settled before anything is made of it.
void settle_address(configuration& from) {
    if (from.listen_port == 0) {
        asio::io_context context;
        asio::ip::tcp::endpoint const any{asio::ip::make_address(from.listen_host), 0};
        from.listen_port = asio::ip::tcp::acceptor{context, any}.local_endpoint().port();
    }
    if (from.public_url.empty()) from.public_url = "http://" + host_and_port(from);
}

/// Forgets stored answers that are older than configured, every hour.
class answer_keeper {
public:
    answer_keeper(eventlog::event_log& log, std::chrono::hours kept)
        : thread_([this, &log, kept](std::stop_token const& stop) { run(log, kept, stop); }) {}

private:
    void run(eventlog::event_log& log, std::chrono::hours kept, std::stop_token const& stop) {
        std::unique_lock lock{mutex_};
        while (!stop.stop_requested()) {
            auto const forgotten = log.forget_responses(eventlog::now() - kept);
            if (forgotten && forgotten.value() > 0) {
                spdlog::info("forgot {} stored answers older than {} days", forgotten.value(),
                             kept.count() / 24);
            }
            wake_.wait_for(lock, stop, std::chrono::hours{1}, [] { return false; });
        }
    }

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

/// Everything that runs, in the order in which it stands on each other.
class server {
public:
    server(configuration const& from, serve_options const& options) : configuration_(from) {
        make_data_folder(from);
        if (!options.no_migrate) migrate_up(from);
        log_ = open_log(from);
        auto const head = value_or_fail(log_.log->head(), "the log cannot be read");
        spdlog::info("backend: {}; log {} epoch {} at position {}", describe_backend(from),
                     domain::to_string(head.log_id), head.epoch, head.last);
        projections::runner_options runner;
        runner.run = from.projections_in_process;
        redis_ = open_redis(from);
        reads_ = open_read_side(from, log_, runner, redis_.get());
        auto bus = bus_options_of(from);
        bus.redis = redis_.get();
        writes_ = open_write_side(from, log_, bus);
        tree_ = open_tree_side(from, log_);
        auto const key =
            value_or_fail(writes_.bus->bootstrap(from.admin_key), "the first admin cannot be made");
        if (key && from.admin_key.empty()) {
            fmt::print("The log is empty. The first admin key, shown this once:\n\n    {}\n\n", *key);
            std::fflush(stdout);
        }
        api::services services{*log_.log,     *writes_.committer,  *log_.keys,           *writes_.bus,
                               *reads_.store, reads_.runner.get(), tree_.published.get()};
        rebuilds_ = std::make_unique<projections::rebuild_manager>(projections::rebuild_surroundings{
            *reads_.source, *log_.keys, *reads_.store, bulk_readers_of(from), all_projections_});
        services.rebuilds = rebuilds_.get();
        relay_ = open_relay(from, log_);
        if (relay_) services.probes.push_back(probe_of(*relay_));
        if (redis_) {
            services.probes.push_back(probe_of(*redis_));
            counts_ = std::make_unique<projections::realtime::redis_reader>(*redis_, head.log_id);
            services.counts = counts_.get();
            services.redis = redis_.get();
        }
        if (reads_.counters) services.probes.push_back(probe_of(*reads_.counters));
        services.sign = tree_.sign;
        application_ = std::make_unique<api::application>(application_options(), services);
        reads_.runner->start();
        if (relay_) relay_->start();
        answers_ = std::make_unique<answer_keeper>(*log_.log, from.idempotency_kept);
        details_ = std::make_unique<detail_keeper>(configuration_, *log_.log, *writes_.committer, *log_.keys);
        application_->start();
    }

    /// True when nothing had to be cut off.
    bool stop() {
        auto const until = std::chrono::steady_clock::now() + configuration_.shutdown_deadline;
        bool whole = application_->stop(configuration_.shutdown_deadline);
        details_.reset();
        rebuilds_->stop();
        reads_.stop();
        writes_.bus->stop();
        auto const left = until - std::chrono::steady_clock::now();
        auto const at_least = std::chrono::milliseconds{100};
        whole = writes_.committer->drain(
                    std::max(at_least, std::chrono::duration_cast<std::chrono::milliseconds>(left))) &&
                whole;
        if (relay_) relay_->stop();
        answers_.reset();
        tree_.signer.reset();
        return whole;
    }

private:
    [[nodiscard]] api::application_options application_options() const {
        api::application_options made;
        made.listen = host_and_port(configuration_);
        made.public_url = configuration_.public_url;
        made.version = LINKLEDGER_VERSION;
        made.threads = configuration_.http_threads;
        made.trusted_proxies = configuration_.trusted_proxies;
        made.keep_ip = configuration_.keep_ip;
        made.rates = configuration_.rates;
        made.log_requests = configuration_.log_level == "debug" || configuration_.log_level == "trace";
        made.blocking_threads = configuration_.blocking_threads;
        made.limits.connections_max = configuration_.connections_max;
        made.limits.connections_per_address_max = configuration_.connections_per_address_max;
        return made;
    }

    configuration configuration_;
    log_side log_;
    std::unique_ptr<redis::client> redis_;
    std::unique_ptr<projections::realtime::redis_reader> counts_;
    read_side reads_;
    std::vector<std::unique_ptr<projections::projection>> const all_projections_ = projections::create_all();
    std::unique_ptr<projections::rebuild_manager> rebuilds_;
    write_side writes_;
    tree_side tree_;
    std::unique_ptr<eventlog::mirror::relay> relay_;
    std::unique_ptr<answer_keeper> answers_;
    std::unique_ptr<detail_keeper> details_;
    std::unique_ptr<api::application> application_;
};

int serve(serve_options const& options) {
    auto from = read_configuration(process_environment);
    api::set_up_logging(from.log_level, from.log_format);
    settle_address(from);
    server running{from, options};
    fmt::print("linkledger {} listens on http://{} ({})\n", LINKLEDGER_VERSION, host_and_port(from),
               describe_backend(from));
    std::fflush(stdout);
    return run_until_signal([&] { return running.stop(); });
}

}  // namespace

void add_serve(CLI::App& to, work& chosen) {
    auto* const command = to.add_subcommand("serve", "Start the server: HTTP, commands and projections");
    auto const options = std::make_shared<serve_options>();
    command->add_flag("--no-migrate", options->no_migrate, "Leave the schema alone; see linkledger migrate");
    command->footer(
        "Settings come from the environment; see linkledger --help and .env.example. When it is ready it "
        "prints the\n"
        "address to standard output; logs go to standard error. SIGTERM or SIGINT ends it in order, twice at "
        "once.");
    command->callback([&chosen, options] { chosen = [options] { return serve(*options); }; });
}

}  // namespace linkledger::cli
