// Measures the verifiable log without HTTP: appends with and without the signer following, in alternation,
// then signing from nothing, verification from the store, and links as they were.
//
//   bench_audit URL-OR-FILE [PAIRS] [SECONDS EACH] [EVENTS OF THE LAST PART]

#include "bench/measuring.h"
#include "domain/streams.h"
#include "eventlog/bulk_reader.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/merkle/follower.h"
#include "eventlog/merkle/store_source.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "projections/links/links_as_of.h"
#include "projections/moments.h"

#include <sys/resource.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace linkledger;
using namespace linkledger::eventlog;

struct store {
    std::unique_ptr<event_log> log;
    std::unique_ptr<merkle::tree_store> tree;
    bulk_reader_factory readers;
};

store open(std::string const& where) {
    if (where.find("://") == std::string::npos) {
        migrations::up({sql::dialect::sqlite, where, ""});
        sqlite_log_options options;
        options.path = where;
        return {must(open_sqlite_log(options)), merkle::create_sqlite_tree_store(where),
                [where] { return create_sqlite_bulk_reader(where, true); }};
    }
    migrations::up({sql::dialect::postgresql, "", where});
    postgres_log_options options;
    options.url = where;
    return {must(open_postgres_log(options)), merkle::create_postgres_tree_store(where),
            [where] { return create_postgres_bulk_reader(where); }};
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

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    auto const seconds = [](timeval const& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct rate {
    double events_per_second = 0;
    double cpu_us_per_event = 0;
};

class appender {
public:
    explicit appender(event_log& log) : log_(log) {
        batch_.producer = new_uuid_v7();
        for (int i = 0; i < 100; ++i) streams_.push_back("clicks-" + to_string(new_uuid_v7()));
    }
    rate run(double seconds) {
        long events = 0;
        double const cpu = cpu_seconds();
        auto const start = steady::now();
        for (; seconds_since(start) < seconds; events += 64) {
            ++batch_.sequence;
            batch_.appends.clear();
            for (int i = 0; i < 64; ++i)
                batch_.appends.push_back(click(streams_[random_() % streams_.size()], workspace_, key_));
            must(log_.append(batch_));
        }
        return {double(events) / seconds_since(start), 1e6 * (cpu_seconds() - cpu) / double(events)};
    }
    void fill_up_to(position last) {
        while (must(log_.head()).last < last) run(0.5);
    }
    /// A link with `changes` changes; its id.
    domain::link_id add_link(int changes) {
        domain::link_id const id{new_uuid_v7()};
        domain::link::created made;
        made.link_id = id;
        made.workspace_id = {workspace_};
        made.url = "https://example.com/0";
        made.short_code = "q7Xk2";
        add(id, made);
        for (int i = 1; i < changes; ++i) {
            domain::link::updated changed;
            changed.link_id = id;
            changed.before.url = "https://example.com/" + std::to_string(i - 1);
            changed.after.url = "https://example.com/" + std::to_string(i);
            add(id, changed);
        }
        return id;
    }

private:
    void add(domain::link_id const& id, domain::event const& event) {
        auto const encoded = encode(event);
        auto request = click(domain::stream_of(id), workspace_, key_);
        auto& body = request.streams.front().events.front();
        body.type = encoded.type;
        body.data = encoded.data;
        ++batch_.sequence;
        batch_.appends = {std::move(request)};
        must(log_.append(batch_));
    }

    event_log& log_;
    append_batch batch_;
    std::vector<std::string> streams_;
    uuid workspace_ = new_uuid_v7();
    uuid key_ = new_uuid_v7();
    std::mt19937 random_{1};
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    auto const half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

rate run_with_signer(store& on, appender& writer, double seconds) {
    merkle::follower const running{*on.log, *on.tree, {merkle::signing_key{std::string(32, 'k')}}, {}};
    while (must(on.log->head()).last >
           must(merkle::published_log{*on.log, *on.tree}.head()).value_or(merkle::signed_head{}).size)
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return writer.run(seconds);
}

/// In alternation, each first as often as the other, since a log gets slower as it grows.
void measure_appends(store& on, appender& writer, int pairs, double seconds) {
    std::vector<double> rates, cpus;
    for (int i = 0; i < pairs; ++i) {
        rate without, with;
        if (i % 2 == 0) without = writer.run(seconds);
        with = run_with_signer(on, writer, seconds);
        if (i % 2 == 1) without = writer.run(seconds);
        rates.push_back(with.events_per_second / without.events_per_second);
        cpus.push_back(with.cpu_us_per_event / without.cpu_us_per_event);
        std::printf("append %.0f/s without, %.0f/s with the signer (%.3f); CPU %.2f and %.2f us\n",
                    without.events_per_second, with.events_per_second, rates.back(), without.cpu_us_per_event,
                    with.cpu_us_per_event);
    }
    std::printf("append with over without: median %.3f; CPU %.3f\n", median(rates), median(cpus));
}

void measure_verification(store& on) {
    merkle::tree_signer signer{*on.log, *on.tree, {merkle::signing_key{std::string(32, 'k')}}, 8'192};
    must(signer.step(std::chrono::minutes{10}));
    merkle::store_source source{*on.log, *on.tree, on.readers};
    merkle::verify_options options;
    options.keys = {
        merkle::signing_key{std::string(32, 'k')}.verifier(merkle::origin_of(must(on.log->head())))};
    auto const start = steady::now();
    auto const report = must(merkle::verify(source, options));
    std::printf("verify %ld events: %.0f/s, %zu findings\n", long(report.events),
                double(report.events) / seconds_since(start), report.findings.size());
}

void measure_as_of(store& on, domain::link_id const& link) {
    auto const first = must(on.log->read_stream(domain::stream_of(link), 0, 1)).front().position;
    auto const last = must(on.log->head()).last;
    std::mt19937 random{1};
    std::vector<double> took;
    for (int i = 0; i < 300; ++i) {
        projections::moment const at{first + position(random() % std::uint64_t(last - first + 1))};
        auto const start = steady::now();
        auto const events = must(projections::read_until(*on.log, domain::stream_of(link), at));
        must(projections::links::fold_link(events));
        must(projections::version_at(*on.log, domain::clicks_stream_of(link), at));
        took.push_back(1e3 * seconds_since(start));
    }
    std::sort(took.begin(), took.end());
    std::printf("as_of of a link with 1,000 changes: median %.2f ms, p99 %.2f ms\n", took[150], took[297]);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: bench_audit URL-OR-FILE [PAIRS] [SECONDS EACH] [EVENTS]\n");
        return 2;
    }
    try {
        auto on = open(argv[1]);
        appender writer{*on.log};
        writer.run(1);
        auto const link = writer.add_link(1'000);
        measure_appends(on, writer, argc > 2 ? std::atoi(argv[2]) : 10, argc > 3 ? std::atof(argv[3]) : 2);
        measure_verification(on);
        if (argc > 4) writer.fill_up_to(std::atol(argv[4]));
        std::printf("%ld events\n", long(must(on.log->head()).last));
        measure_as_of(on, link);
        return 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
