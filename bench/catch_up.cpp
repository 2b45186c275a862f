// Measures how fast a projector catches up: the projection `links`, all clicks counted, from position 0 to
// the head, fed by the mirror and by the log.
//
//   bench_catch_up NATS-URL DATABASE-URL EVENTS LINKS ROUNDS
//
// Prints a line per round: events/s from JetStream, events/s from the log.

#include "bench/measuring.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/mirror/relay.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sql/connection.h"
#include "migrations/migrator.h"
#include "projections/mirror_source.h"
#include "projections/registry.h"
#include "projections/runner.h"

#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace linkledger;
using namespace linkledger::eventlog;

/// Links, then clicks on them by visitors of whom most come more than once: written as the redirect writes
/// them.
class story {
public:
    story(event_log& log, keyring& keys, std::size_t links) : log_(log), keys_(keys), links_(links) {
        batch_.producer = new_uuid_v7();
        for (auto& each : links_) each.value = new_uuid_v7();
    }

    void tell(position events) {
        for (auto const& id : links_) {
            domain::link::created made;
            made.link_id = id;
            made.workspace_id = workspace_;
            made.user_id = {new_uuid_v7()};
            made.short_code = to_string(id.value);
            made.url = "https://shop.example/";
            add(domain::stream_of(id), made);
        }
        for (auto at = static_cast<position>(links_.size()); at < events; ++at) {
            domain::click::clicked click;
            click.link_id = links_[random_() % links_.size()];
            click.short_code = "benchmark";
            click.country_code = "DE";
            click.device_type = "mobile";
            click.browser = "Chrome Mobile";
            click.os = "Android";
            click.personal = domain::click::clicked_personal{
                std::string(24, 'v') + std::to_string(10'000'000 + random_() % (events / 3 + 1)),
                {},
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
                {}};
            add(domain::clicks_stream_of(click.link_id), click);
        }
        flush();
    }

private:
    void add(std::string const& stream, domain::event const& event) {
        auto const encoded = encode(event);
        event_body body;
        body.event_id = new_uuid_v7();
        body.type = encoded.type;
        body.schema_version = encoded.schema_version;
        body.workspace_id = workspace_.value;
        body.data = encoded.data;
        body.occurred_at = now();
        body.salt = new_salt();
        if (encoded.personal)
            body.personal = keyring::seal(*key_, *encoded.personal, body.event_id, sealed_part::personal);
        metadata cause;
        cause.command_id = body.event_id;
        body.metadata = encode_metadata(cause);
        auto& one = batch_.appends.emplace_back();
        one.streams.push_back({stream, expected_version::any(), {std::move(body)}});
        if (batch_.appends.size() == 1'000) flush();
    }
    void flush() {
        if (batch_.appends.empty()) return;
        ++batch_.sequence;
        must(log_.append(batch_));
        batch_.appends.clear();
    }

    event_log& log_;
    keyring& keys_;
    std::vector<domain::link_id> links_;
    domain::workspace_id workspace_{new_uuid_v7()};
    std::shared_ptr<data_key const> key_ = must(keys_.get_or_create(click_subject(workspace_, now())));
    std::mt19937_64 random_{1};
    append_batch batch_;
};

void mirror_all(event_log& log, std::string const& nats_url, position head) {
    mirror::relay_options options;
    options.nats.url = nats_url;
    mirror::relay relay{log, options};
    relay.start();
    auto const start = steady::now();
    while (relay.stats().mirrored < head) {
        if (seconds_since(start) > 300) throw std::runtime_error{"the relay: " + relay.stats().last_failure};
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
}

/// From position 0 to the head.
double measure(projections::event_source& source, keyring& keys, std::string const& database, position head) {
    sql::postgres_options options;
    options.url = database;
    sql::open_postgres(options)->execute_script(
        "UPDATE projection_checkpoints SET log_id = NULL, epoch = 0, position = 0");
    auto const store = projections::create_postgres_read_store(database);
    projections::runner_options running;
    running.only = {"links"};
    projections::runner runner{source, keys, *store, projections::create_all(), running};
    auto const start = steady::now();
    runner.start();
    if (!runner.wait_for("links", head, std::chrono::minutes{5}))
        throw std::runtime_error{"the projection did not reach the head"};
    double const took = seconds_since(start);
    runner.stop();
    for (auto const& each : runner.status())
        if (each.parked > 0) throw std::runtime_error{"events were parked"};
    return static_cast<double>(head) / took;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) {
        std::fprintf(stderr, "usage: bench_catch_up NATS-URL DATABASE-URL EVENTS LINKS ROUNDS\n");
        return 2;
    }
    spdlog::set_level(spdlog::level::warn);
    try {
        std::string const nats_url = argv[1], database = argv[2];
        migrations::up({sql::dialect::postgresql, "", database});
        auto const log = must(open_postgres_log({.url = database}));
        keyring keys{*log, master_key{std::string(32, 'k')}};
        story{*log, keys, static_cast<std::size_t>(std::atoll(argv[4]))}.tell(std::atoll(argv[3]));
        auto const head = must(log->head()).last;
        mirror_all(*log, nats_url, head);
        auto const from_log = projections::create_log_source(*log);
        projections::mirror_source_options options;
        options.nats.url = nats_url;
        auto const from_mirror = projections::create_mirror_source(*log, options);
        for (int round = 0; round < std::atoi(argv[5]); ++round) {
            double const mirrored = measure(*from_mirror, keys, database, head);
            double const logged = measure(*from_log, keys, database, head);
            auto const used = from_mirror->stats();
            if (used.log_events > used.mirror_events / 10)
                throw std::runtime_error{"the mirror was not read: " + used.reason};
            std::printf("%.0f %.0f\n", mirrored, logged);
            std::fflush(stdout);
        }
        return 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "bench_catch_up: %s\n", problem.what());
        return 1;
    }
}
