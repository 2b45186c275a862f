// `linkledger serve`: HTTP, commands and projections in one process, until a signal ends it in order.

#include "api/application.h"
#include "api/logging.h"
#include "cli/cold_start.h"
#include "cli/composition.h"
#include "cli/detail_keeper.h"
#include "cli/keepers.h"
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

api::application_options application_options_of(configuration const& from) {
    api::application_options made;
    made.listen = host_and_port(from);
    made.public_url = from.public_url;
    made.version = LINKLEDGER_VERSION;
    made.threads = from.http_threads;
    made.trusted_proxies = from.trusted_proxies;
    made.keep_ip = from.keep_ip;
    made.rates = from.rates;
    made.log_requests = from.log_level == "debug" || from.log_level == "trace";
    made.blocking_threads = from.blocking_threads;
    made.limits.connections_max = from.connections_max;
    made.limits.connections_per_address_max = from.connections_per_address_max;
    return made;
}

/// Everything that runs, in the order in which it stands on each other.
class server {
public:
    /// Everything but the port. `spool` may be null, or must outlive it.
    server(configuration const& from, serve_options const& options, eventlog::spool* spool)
        : configuration_(from) {
        if (!options.no_migrate) migrate_up(from);
        log_ = open_log(from);
        auto const head = value_or_fail(log_.log->head(), "the log cannot be read");
        spdlog::info("backend: {}; log {} epoch {} at position {}", describe_backend(from),
                     domain::to_string(head.log_id), head.epoch, head.last);
        if (spool != nullptr)
            value_or_fail(spool->bind_history(head), "clicks could not wait for the database");
        projections::runner_options runner;
        runner.run = from.projections_in_process;
        redis_ = open_redis(from);
        reads_ = open_read_side(from, log_, runner, redis_.get());
        auto bus = bus_options_of(from);
        bus.redis = redis_.get();
        writes_ = open_write_side(from, log_, bus, spool);
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
            *reads_.source, *log_.keys, *reads_.store, bulk_readers_of(from, bulk_reading::bounded),
            all_projections_});
        services.rebuilds = rebuilds_.get();
        relay_ = open_relay(from, log_);
        if (relay_) services.probes.push_back(probe_of(*relay_));
        if (redis_) {
            services.probes.push_back(probe_of(*redis_));
            counts_ = std::make_unique<projections::realtime::redis_reader>(*redis_, head);
            services.counts = counts_.get();
            services.redis = redis_.get();
        }
        if (reads_.counters) services.probes.push_back(probe_of(*reads_.counters));
        services.sign = tree_.sign;
        if (writes_.spooler) {
            services.probes.push_back(probe_of(*writes_.spooler, *writes_.bus));
            services.takes_clicks_without_log = [this] { return writes_.spooler->has_room(); };
            services.follows_without_log = [this] {
                return writes_.spooler->is_active() ||
                       writes_.bus->stats().since_log_contact > commands::log_silence_max;
            };
            links_ = std::make_unique<links_keeper>(*writes_.bus, links_file_of(*spool));
        }
        application_ = std::make_unique<api::application>(application_options_of(from), services);
        reads_.runner->start();
        if (relay_) relay_->start();
        answers_ = std::make_unique<answer_keeper>(*log_.log, from.idempotency_kept);
        details_ = std::make_unique<detail_keeper>(configuration_, *log_.log, *writes_.committer, *log_.keys);
    }

    void listen() { application_->start(); }

    /// True when nothing had to be cut off.
    bool stop() {
        auto const until = std::chrono::steady_clock::now() + configuration_.shutdown_deadline;
        bool whole = application_->stop(configuration_.shutdown_deadline);
        details_.reset();
        rebuilds_->stop();
        reads_.stop();
        links_.reset();
        writes_.bus->stop();
        auto const left = until - std::chrono::steady_clock::now();
        auto const at_least = std::chrono::milliseconds{100};
        whole = writes_.committer->drain(
                    std::max(at_least, std::chrono::duration_cast<std::chrono::milliseconds>(left))) &&
                whole;
        if (relay_) relay_->stop();
        answers_.reset();
        tree_.signer.reset();
        writes_.end();
        return whole;
    }

private:
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
    std::unique_ptr<links_keeper> links_;
    std::unique_ptr<api::application> application_;
};

/// Starts the server, at once or as soon as its database can be reached.
class starting_server {
public:
    starting_server(configuration const& from, serve_options const& options)
        : configuration_(from), options_(options) {
        make_data_folder(from);
        spool_ = open_spool(from);
        auto const why = spool_ ? why_unreachable(from) : std::nullopt;
        if (why) {
            cold_ = std::make_unique<cold_server>(from, application_options_of(from), *spool_, *why);
            waiter_ = std::jthread{[this](std::stop_token const& stop) { start_when_reachable(stop); }};
        } else {
            server_ = std::make_unique<server>(from, options, spool_.get());
            server_->listen();
        }
    }

    bool stop() {
        if (waiter_.joinable()) {
            waiter_.request_stop();
            waiter_.join();
        }
        return server_ ? server_->stop() : cold_->stop(configuration_.shutdown_deadline);
    }

private:
    /// The cold server goes on until everything but the port is ready.
    void start_when_reachable(std::stop_token const& stop) {
        constexpr std::chrono::seconds pause{1}, handover_patience{1};
        std::string problem;
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(pause);
            if (why_unreachable(configuration_)) continue;
            try {
                auto ready = std::make_unique<server>(configuration_, options_, spool_.get());
                cold_->stop(handover_patience);
                cold_.reset();
                server_ = std::move(ready);
                listen_again(stop);
                spdlog::info("the database is reached; everything is served");
                return;
            } catch (std::exception const& why) {
                if (problem != why.what()) spdlog::error("the server cannot start yet: {}", why.what());
                problem = why.what();
            }
        }
    }

    /// The cold server's connections may take a moment to leave the address.
    void listen_again(std::stop_token const& stop) {
        for (;;) {
            try {
                return server_->listen();
            } catch (std::runtime_error const& why) {
                if (stop.stop_requested()) return;
                spdlog::error("the address cannot be had yet: {}", why.what());
                std::this_thread::sleep_for(std::chrono::milliseconds{100});
            }
        }
    }

    configuration const configuration_;
    serve_options const options_;
    std::unique_ptr<eventlog::spool> spool_;
    std::unique_ptr<cold_server> cold_;
    std::unique_ptr<server> server_;
    std::jthread waiter_;
};

int serve(serve_options const& options) {
    auto from = read_configuration(process_environment);
    api::set_up_logging(from.log_level, from.log_format);
    settle_address(from);
    starting_server running{from, options};
    fmt::print("linkledger {} listens on http://{} ({})\n", LINKLEDGER_VERSION, host_and_port(from),
               describe_backend(from));
    std::fflush(stdout);
    return run_until_signal([&] { return running.stop(); });
}

}  // namespace

void add_serve(subcommand& to) {
    auto command = to.add_subcommand("serve", "Start the server: HTTP, commands and projections");
    auto const options = std::make_shared<serve_options>();
    command.add_flag("--no-migrate", options->no_migrate, "Leave the schema alone; see linkledger migrate");
    command.footer(
        "Settings come from the environment; see linkledger --help and .env.example. When it is ready it "
        "prints the\n"
        "address to standard output; logs go to standard error. SIGTERM or SIGINT ends it in order, twice at "
        "once.");
    command.runs([options] { return serve(*options); });
}

}  // namespace linkledger::cli
