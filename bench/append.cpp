// Measures a log itself, without HTTP: batches of one-event appends, each durable, then a read of it all.
//
//   bench_append URL-OR-FILE [APPENDS PER BATCH] [STREAMS] [SECONDS]

#include "bench/measuring.h"
#include "eventlog/crypto.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace linkledger;
using namespace linkledger::eventlog;

result<std::unique_ptr<event_log>> open(std::string const& where) {
    if (where.find("://") == std::string::npos) {
        migrations::up({sql::dialect::sqlite, where, ""});
        sqlite_log_options options;
        options.path = where;
        return open_sqlite_log(options);
    }
    migrations::up({sql::dialect::postgresql, "", where});
    postgres_log_options options;
    options.url = where;
    return open_postgres_log(options);
}

/// A click as the redirect records it.
append_request click(std::string const& stream, uuid const& workspace, uuid const& key) {
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
    append_request request;
    request.streams.push_back({stream, expected_version::any(), {std::move(body)}});
    return request;
}

struct sizes {
    int appends = 64, streams = 1;
    double seconds = 5;
};

/// Events a second, the making of the events not counted. Negative: it failed.
double measure_appends(event_log& log, sizes const& of) {
    std::vector<std::string> streams;
    for (int i = 0; i < of.streams; ++i) streams.push_back("clicks-" + to_string(new_uuid_v7()));
    uuid const workspace = new_uuid_v7(), key = new_uuid_v7();
    append_batch batch;
    batch.producer = new_uuid_v7();
    double appending = 0;
    long events = 0;
    for (auto const start = steady::now(); seconds_since(start) < of.seconds; events += of.appends) {
        ++batch.sequence;
        batch.appends.clear();
        for (int i = 0; i < of.appends; ++i)
            batch.appends.push_back(
                click(streams[std::size_t(std::rand()) % streams.size()], workspace, key));
        auto const sent = steady::now();
        auto const outcome = log.append(batch);
        if (!outcome) {
            std::fprintf(stderr, "append: %s\n", outcome.error().detail.c_str());
            return -1;
        }
        appending += seconds_since(sent);
    }
    return double(events) / appending;
}

double measure_read(event_log& log) {
    auto const start = steady::now();
    long events = 0;
    for (position after = 0;;) {
        auto const page = log.read({.after = after});
        if (!page) {
            std::fprintf(stderr, "read: %s\n", page.error().detail.c_str());
            return -1;
        }
        if (page.value().events.empty()) break;
        events += long(page.value().events.size());
        after = page.value().scanned_to;
    }
    return double(events) / seconds_since(start);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: bench_append URL-OR-FILE [APPENDS PER BATCH] [STREAMS] [SECONDS]\n");
        return 2;
    }
    sizes of;
    if (argc > 2) of.appends = std::atoi(argv[2]);
    if (argc > 3) of.streams = std::atoi(argv[3]);
    if (argc > 4) of.seconds = std::atof(argv[4]);
    try {
        auto const log = open(argv[1]);
        if (!log) {
            std::fprintf(stderr, "%s\n", log.error().detail.c_str());
            return 1;
        }
        double const appended = measure_appends(*log.value(), of), read = measure_read(*log.value());
        std::printf("%.0f %.0f\n", appended, read);
        return appended < 0 || read < 0 ? 1 : 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
