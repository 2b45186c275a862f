// Measures the mirror: a relay's rate over that of js_PublishAsync alone, reading the mirror over reading the
// log, and how long a deleted stream takes to be whole again, while a reader goes on.
//
//   bench_mirror NATS-URL LOG EVENTS          (LOG: a SQLite file, or a PostgreSQL URL)
//
// Prints: raw publishes/s, relayed events/s, events/s read from the mirror, events/s read from the log,
// seconds until the stream was whole again, the longest time in milliseconds from an event's commit to its
// reader meanwhile.

#include "bench/measuring.h"
#include "eventlog/crypto.h"
#include "eventlog/mirror/nats_handles.h"
#include "eventlog/mirror/reader.h"
#include "eventlog/mirror/relay.h"
#include "eventlog/mirror/stream.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "projections/mirror_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace linkledger;
using namespace linkledger::eventlog;

/// A click as the redirect records it.
event_body click(uuid const& workspace, uuid const& key) {
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = "link.clicked";
    body.workspace_id = workspace;
    body.data =
        R"({"country_code":"DE","device_type":"mobile","browser":"Chrome Mobile","browser_version":"120.0",)"
        R"("os":"Android","os_version":"14","is_bot":false})";
    body.personal = {key, std::string(220, 'p')};
    body.metadata = R"({"command":"ClickLink","command_id":")" + to_string(body.event_id) +
                    R"(","correlation_id":")" + to_string(body.event_id) + R"(","actor":{"kind":"visitor"}})";
    body.occurred_at = now();
    body.salt = new_salt();
    return body;
}

void fill(event_log& log, position events) {
    append_batch batch;
    batch.producer = new_uuid_v7();
    uuid const workspace = new_uuid_v7(), key = new_uuid_v7();
    auto const stream = "clicks-" + to_string(new_uuid_v7());
    for (position done = 0; done < events; done += 1'000) {
        ++batch.sequence;
        batch.appends.assign(1, {});
        auto& one = batch.appends.front().streams.emplace_back();
        one.stream = stream;
        for (int i = 0; i < 1'000; ++i) one.events.push_back(click(workspace, key));
        must(log.append(batch));
    }
}

/// nats.c's own asynchronous publishing of the same payloads under the same condition, nothing else.
double measure_raw(std::string const& url, event_log& log, position events) {
    mirror::nats_connection nats{{.url = url}};
    if (!nats.wait_connected(std::chrono::seconds{10})) throw std::runtime_error{"NATS cannot be reached"};
    must(nats.delete_stream(mirror::stream_name));
    must(nats.create_stream({"RAW", "raw.>", "", 1}));
    jsOptions options;
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = 8'192;
    options.PublishAsync.StallWait = 10'000;
    jsCtx* js = nullptr;
    natsConnection_JetStream(&js, nats.handle(), &options);
    // The payloads are made first: what is measured is nats.c and the server.
    std::vector<std::string> payloads;
    mirror::message scratch;
    for (position after = 0; after < std::min<position>(events, 20'000);) {
        auto const page = must(log.read({.after = after}));
        for (auto const& event : page.events) {
            mirror::encode(event, {}, scratch);
            payloads.push_back(scratch.payload);
        }
        after = page.scanned_to;
    }
    auto const start = steady::now();
    for (position at = 0; at < events; ++at) {
        auto const& payload = payloads[static_cast<std::size_t>(at) % payloads.size()];
        jsPubOptions publishing;
        jsPubOptions_Init(&publishing);
        publishing.ExpectLastSeq = static_cast<std::uint64_t>(at);
        auto const status = js_PublishAsync(js, "raw.link.clicked", payload.data(),
                                            static_cast<int>(payload.size()), &publishing);
        if (status != NATS_OK) throw std::runtime_error{natsStatus_GetText(status)};
    }
    jsPubOptions waiting;
    jsPubOptions_Init(&waiting);
    waiting.MaxWait = 60'000;
    if (js_PublishAsyncComplete(js, &waiting) != NATS_OK) throw std::runtime_error{"publishing did not end"};
    double const took = seconds_since(start);
    auto const stored = must(nats.find_stream("RAW"));
    if (!stored || stored->last != events) throw std::runtime_error{"not everything was stored"};
    jsCtx_Destroy(js);
    must(nats.delete_stream("RAW"));
    return static_cast<double>(events) / took;
}

double measure_relay(std::string const& url, event_log& log, position events) {
    mirror::relay_options options;
    options.nats.url = url;
    options.standby_pause = std::chrono::milliseconds{1};
    auto const start = steady::now();
    mirror::relay relay{log, options};
    relay.start();
    while (relay.stats().mirrored < events) {
        if (seconds_since(start) > 120) throw std::runtime_error{"the relay: " + relay.stats().last_failure};
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return static_cast<double>(events) / seconds_since(start);
}

/// Appends 200 events a second, one at a time.
void write_on(event_log& log, std::atomic<bool> const& stop) {
    append_batch batch;
    batch.producer = new_uuid_v7();
    uuid const workspace = new_uuid_v7(), key = new_uuid_v7();
    auto const stream = "clicks-" + to_string(new_uuid_v7());
    while (!stop) {
        ++batch.sequence;
        batch.appends.assign(1, {});
        batch.appends.front().streams.push_back({stream, expected_version::any(), {click(workspace, key)}});
        must(log.append(batch));
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
}

/// Follows the log's end as a projector does; the longest time from commit to arrival.
std::chrono::milliseconds read_on(std::string const& url, event_log& log, std::atomic<bool> const& stop) {
    projections::mirror_source_options options;
    options.nats.url = url;
    auto const source = projections::create_mirror_source(log, options);
    std::chrono::microseconds longest{0};
    for (position after = must(log.head()).last; !stop;) {
        if (!source->wait_beyond(after, std::chrono::milliseconds{100})) continue;
        auto const page = must(source->read({.after = after, .limit = 2'000}));
        if (!page.events.empty())
            longest = std::max(longest, std::chrono::duration_cast<std::chrono::microseconds>(
                                            now() - page.events.front().recorded_at));
        after = page.scanned_to;
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

struct repair {
    double seconds = 0;
    std::chrono::milliseconds longest_delay{0};
};

/// Deletes the stream beneath a relay, a writer and a reader.
repair measure_repair(std::string const& url, event_log& log, position events) {
    mirror::nats_connection nats{{.url = url}};
    if (!nats.wait_connected(std::chrono::seconds{10})) throw std::runtime_error{"NATS cannot be reached"};
    mirror::relay_options options;
    options.nats.url = url;
    mirror::relay relay{log, options};
    relay.start();
    std::atomic<bool> stop = false;
    repair found;
    std::thread writer{[&] { write_on(log, stop); }};
    std::thread reader{[&] { found.longest_delay = read_on(url, log, stop); }};
    std::this_thread::sleep_for(std::chrono::seconds{2});
    must(nats.delete_stream(mirror::stream_name));
    auto const start = steady::now();
    // Whole: at the head that the log has by then, with a message at every sequence.
    for (;;) {
        auto const stream = must(nats.find_stream(mirror::stream_name));
        position const head = must(log.head()).last;
        if (stream && stream->last >= events && stream->last + 200 >= head && stream->first == 1 &&
            stream->messages == stream->last)
            break;
        if (seconds_since(start) > 300) throw std::runtime_error{"the stream was not repaired"};
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    found.seconds = seconds_since(start);
    std::this_thread::sleep_for(std::chrono::seconds{2});
    stop = true;
    writer.join();
    reader.join();
    relay.stop();
    position const head = must(log.head()).last;
    auto const last = must(nats.payload_at(mirror::stream_name, head));
    if (!last || must(mirror::decode(*last)).event.position != head)
        throw std::runtime_error{"the last sequence is not the log's last position"};
    return found;
}

std::unique_ptr<event_log> open_log(std::string const& where) {
    if (where.starts_with("postgresql:")) {
        migrations::up({sql::dialect::postgresql, "", where});
        return must(open_postgres_log({.url = where}));
    }
    migrations::up({sql::dialect::sqlite, where, ""});
    sqlite_log_options options;
    options.path = where;
    return must(open_sqlite_log(options));
}

double measure_mirror_read(std::string const& url, event_log& log, position events) {
    mirror::nats_connection nats{{.url = url}};
    if (!nats.wait_connected(std::chrono::seconds{10})) throw std::runtime_error{"NATS cannot be reached"};
    auto const start = steady::now();
    mirror::reader from{nats, mirror::history_of(must(log.head())), 0};
    while (from.at() < events) {
        if (must(from.next(2'000, std::chrono::seconds{10})).empty())
            throw std::runtime_error{"the mirror ends early"};
    }
    return static_cast<double>(events) / seconds_since(start);
}

double measure_log_read(event_log& log, position events) {
    auto const start = steady::now();
    for (position after = 0; after < events;)
        after = must(log.read({.after = after, .limit = 2'000})).scanned_to;
    return static_cast<double>(events) / seconds_since(start);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: bench_mirror NATS-URL LOG EVENTS\n");
        return 2;
    }
    spdlog::set_level(spdlog::level::err);  // That the mirror is behind is what is measured.
    try {
        position const events = (std::atoll(argv[3]) + 999) / 1'000 * 1'000;
        auto const log = open_log(argv[2]);
        auto const had = must(log->head()).last;
        fill(*log, std::max<position>(events - had, 0));
        double const raw = measure_raw(argv[1], *log, events);
        double const relayed = measure_relay(argv[1], *log, events);
        double const mirror_read = measure_mirror_read(argv[1], *log, events);
        double const log_read = measure_log_read(*log, events);
        auto const repaired = measure_repair(argv[1], *log, events);
        std::printf("%.0f %.0f %.0f %.0f %.1f %lld\n", raw, relayed, mirror_read, log_read, repaired.seconds,
                    static_cast<long long>(repaired.longest_delay.count()));
        return 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "bench_mirror: %s\n", problem.what());
        return 1;
    }
}
