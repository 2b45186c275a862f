// Watches two counters while clicks are answered, and says how long after the n-th answer each of them had
// counted n.

#include "eventlog/redis/connection.h"
#include "eventlog/sql/connection.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

/// When a counter was first seen to have this value or more.
struct sighting {
    std::int64_t count = 0;
    std::int64_t at_ns = 0;
};

std::int64_t now_ns() {
    return clock_type::now().time_since_epoch().count();
}

/// Looks again and again; the time of a sighting is that after the answer, so none is too early.
std::vector<sighting> watch(std::function<std::int64_t()> const& count, clock_type::time_point until,
                            std::chrono::microseconds pause) {
    std::vector<sighting> seen{{count(), now_ns()}};
    while (clock_type::now() < until) {
        auto const value = count();
        if (value > seen.back().count) seen.push_back({value, now_ns()});
        std::this_thread::sleep_for(pause);
    }
    return seen;
}

void report(char const* what, std::vector<sighting> const& seen, std::vector<std::int64_t> const& answered,
            std::size_t skipped) {
    auto const before = seen.front().count;
    std::vector<double> ms;
    std::size_t at = 0;
    for (std::size_t i = 0; i < answered.size(); ++i) {
        auto const wanted = before + static_cast<std::int64_t>(i) + 1;
        while (at < seen.size() && seen[at].count < wanted) ++at;
        if (at == seen.size()) break;
        if (i >= skipped)
            ms.push_back(std::max(0.0, static_cast<double>(seen[at].at_ns - answered[i]) / 1e6));
    }
    std::sort(ms.begin(), ms.end());
    auto const share = [&](double part) {
        return ms.empty() ? 0.0
                          : ms[std::min(ms.size() - 1,
                                        static_cast<std::size_t>(part * static_cast<double>(ms.size())))];
    };
    std::printf("%-22s p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms; counted %zu of %zu answers\n",
                what, share(0.5), share(0.9), share(0.99), share(1.0), ms.size(),
                answered.size() - std::min(skipped, answered.size()));
}

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> given;
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    for (auto const* const name :
         {"--redis", "--database", "--table", "--link", "--seconds", "--answers", "--skip"}) {
        if (given.contains(name)) continue;
        std::fprintf(
            stderr,
            "usage: bench_freshness --redis URL --database URL --table LINKS --link ID --seconds S --answers "
            "FILE "
            "--skip N\nFILE is read at the end: the times of answers, as bench_open_loop writes them; "
            "the first N are left out.\n");
        return 2;
    }
    try {
        linkledger::redis::options redis;
        redis.where = linkledger::redis::parse_url(given["--redis"]);
        linkledger::redis::connection counters{redis};
        linkledger::sql::postgres_options database;
        database.url = given["--database"];
        auto const rows = linkledger::sql::open_postgres(database);
        auto const link = linkledger::domain::parse_uuid(given["--link"]).value();
        auto const until =
            clock_type::now() +
            std::chrono::milliseconds{static_cast<int>(std::atof(given["--seconds"].c_str()) * 1'000)};

        std::vector<sighting> in_redis, in_links;
        std::jthread first{[&] {
            auto const count = [&] {
                auto const text =
                    counters.call({"GET", "clicks:realtime:" + given["--link"]}).text_or_empty();
                return std::int64_t{std::atoll(text.c_str())};
            };
            in_redis = watch(count, until, std::chrono::microseconds{500});
        }};
        auto const total = [&] {
            return rows
                ->query_one("SELECT total_clicks FROM " + given["--table"] + " WHERE id = $1", {link},
                            [](linkledger::sql::row const& r) { return r.integer(0); })
                .value_or(0);
        };
        in_links = watch(total, until, std::chrono::milliseconds{2});
        first.join();

        std::vector<std::int64_t> answered;
        std::ifstream file{given["--answers"]};
        for (std::int64_t at = 0; file >> at;) answered.push_back(at);
        auto const skipped = static_cast<std::size_t>(std::atoll(given["--skip"].c_str()));
        report("counted in Redis", in_redis, answered, skipped);
        report("in the links model", in_links, answered, skipped);
        return answered.empty() ? 1 : 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "bench_freshness: %s\n", problem.what());
        return 1;
    }
}
