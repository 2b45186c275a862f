// What a click costs this process before the log has it: parsing its user agent, finding its link, making its
// event.

#include "commands/click_facts.h"
#include "commands/link_table.h"
#include "commands/user_agent.h"
#include "commands/visits.h"
#include "domain/claims.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/committer.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"
#include "eventlog/memory_log.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <benchmark/benchmark.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace linkledger::commands {
namespace {

std::string const uap_core = "/usr/share/uap-core/";

/// uap-core's test cases: 18,000 user agents seen in the wild.
std::vector<std::string> const& user_agents() {
    static std::vector<std::string> const all = [] {
        std::vector<std::string> found;
        for (char const* file : {"tests/test_ua.yaml", "tests/test_os.yaml", "tests/test_device.yaml"}) {
            auto const cases = YAML::LoadFile(uap_core + file)["test_cases"];
            for (auto const& one : cases) found.push_back(one["user_agent_string"].as<std::string>());
        }
        std::shuffle(found.begin(), found.end(), std::mt19937(1));
        return found;
    }();
    return all;
}

std::shared_ptr<user_agent_parser const> const& parser() {
    static std::shared_ptr<user_agent_parser const> const loaded =
        std::move(user_agent_parser::load(uap_core + "regexes.yaml").value());
    return loaded;
}

void parse_user_agent_uncached(benchmark::State& state) {
    auto const& all = user_agents();
    for (auto const& one : all) benchmark::DoNotOptimize(parser()->facts_of(one));
    std::size_t next = 0;
    for (auto _ : state) benchmark::DoNotOptimize(parser()->facts_of(all[next++ % all.size()]));
}
BENCHMARK(parse_user_agent_uncached);

void parse_user_agent_cached(benchmark::State& state) {
    constexpr std::size_t known = 5'000;
    static user_agent_cache cache(parser(), 10'000);
    for (std::size_t i = 0; i < known; ++i) (void)cache.find_or_parse(user_agents()[i]);
    std::size_t next = 0;
    for (auto _ : state) benchmark::DoNotOptimize(cache.find_or_parse(user_agents()[next++ % known]));
}
BENCHMARK(parse_user_agent_cached)->Threads(1)->Threads(2);

std::string code_of(std::size_t n) {
    auto code = std::to_string(n);
    return "c" + std::string(6 - std::min<std::size_t>(6, code.size()), '0') + code;
}

long resident_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    }
    return 0;
}

/// Holds a million links with URLs of 60 bytes.
struct full_table {
    static constexpr std::size_t links = 1'000'000;

    full_table() {
        long const before = resident_kb();
        std::mt19937_64 random(1);
        for (std::size_t n = 0; n < links; ++n) {
            domain::link::created e;
            auto const bits = random();
            for (std::size_t i = 0; i < 8; ++i) {
                e.link_id.value.bytes[8 + i] = static_cast<std::uint8_t>(bits >> (8 * i));
            }
            e.short_code = code_of(n);
            e.url = "https://www.example.com/" + std::string(29, 'p') + code_of(n);
            eventlog::recorded_event stored;
            stored.version = 1;
            table.apply(stored, e);
        }
        bytes_per_link = static_cast<double>(resident_kb() - before) * 1024 / links;
    }

    link_table table{links};
    double bytes_per_link = 0;
};

void find_link(benchmark::State& state) {
    static full_table const full;
    std::mt19937 random(static_cast<unsigned>(state.thread_index()));
    std::size_t const choices =
        state.range(0) == 0 ? full_table::links : static_cast<std::size_t>(state.range(0));
    std::string code;
    for (auto _ : state) {
        code = code_of(random() % choices);
        benchmark::DoNotOptimize(full.table.find(code));
    }
    if (state.thread_index() == 0) state.counters["bytes_per_link"] = full.bytes_per_link;
}
BENCHMARK(find_link)->ArgName("hot_links")->Arg(1)->Arg(10'000)->Arg(0)->Threads(1)->Threads(2)->Threads(4);

/// A log that takes everything and keeps nothing, so that what is left is the cost of the click path.
class sink_log final : public eventlog::event_log {
public:
    explicit sink_log(std::unique_ptr<eventlog::event_log> under) : under_(std::move(under)) {}

    [[nodiscard]] std::string_view backend() const override { return "sink"; }
    eventlog::result<eventlog::log_head> head() override { return under_->head(); }
    eventlog::result<eventlog::batch_outcome> append(eventlog::append_batch const& batch) override {
        if (!swallow.load()) return under_->append(batch);
        eventlog::batch_outcome all;
        eventlog::appended const done{1, {1}, {}};
        all.outcomes.assign(batch.appends.size(), eventlog::append_outcome(done));
        all.first_position = 1;
        return all;
    }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        return under_->read(query);
    }
    eventlog::result<std::vector<eventlog::digest>> read_leaf_hashes(eventlog::position after,
                                                                     std::size_t limit) override {
        return under_->read_leaf_hashes(after, limit);
    }
    eventlog::result<std::vector<eventlog::recorded_event>> read_stream(std::string const& stream,
                                                                        eventlog::version after,
                                                                        std::size_t limit) override {
        return under_->read_stream(stream, after, limit);
    }
    eventlog::result<eventlog::version> stream_version(std::string const& stream) override {
        return under_->stream_version(stream);
    }
    eventlog::result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                             std::string const& key) override {
        return under_->claim_owner(scope, key);
    }
    eventlog::result<std::vector<std::optional<eventlog::stored_response>>> find_responses(
        std::vector<eventlog::digest> const& ids) override {
        return under_->find_responses(ids);
    }
    eventlog::result<std::int64_t> forget_responses(domain::timestamp before) override {
        return under_->forget_responses(before);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(std::string const& subject) override {
        return under_->find_key(subject);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(domain::uuid const& key_id) override {
        return under_->find_key(key_id);
    }
    eventlog::result<std::vector<eventlog::stored_key>> list_keys(std::string const& prefix,
                                                                  std::string const& after,
                                                                  std::size_t limit) override {
        return under_->list_keys(prefix, after, limit);
    }
    eventlog::result<eventlog::stored_key> add_key(eventlog::stored_key const& key) override {
        return under_->add_key(key);
    }
    eventlog::result<void> destroy_key(domain::uuid const& key_id) override {
        return under_->destroy_key(key_id);
    }
    eventlog::result<eventlog::log_head> raise_epoch() override { return under_->raise_epoch(); }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return under_->wait_beyond(after, deadline);
    }

    std::atomic<bool> swallow{false};

private:
    std::unique_ptr<eventlog::event_log> under_;
};

void put_link(eventlog::event_log& log) {
    domain::link::created e;
    e.link_id.value = eventlog::new_uuid_v7();
    e.workspace_id.value = eventlog::new_uuid_v7();
    e.short_code = "spring";
    e.url = "https://www.example.com/a/page/of/about/sixty/bytes/for/test";
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = "link.created";
    body.data = eventlog::encode(e).data;
    body.metadata = "{}";
    eventlog::append_batch batch;
    batch.producer = eventlog::new_uuid_v7();
    batch.sequence = 1;
    auto& append = batch.appends.emplace_back();
    append.streams.push_back({stream_of(e.link_id), eventlog::expected_version::none(), {body}});
    append.claims.push_back({eventlog::claim_change::kind::acquire, "short_code",
                             domain::short_code_key(std::nullopt, e.short_code), stream_of(e.link_id)});
    if (!log.append(batch)) throw std::runtime_error("the log refused the link");
}

/// CPU time of the thread that makes the clicks: finding, facts, sealing, JSON, submitting, resuming. The
/// committer's own work runs on its thread and is not in it.
void follow_known_link(benchmark::State& state) {
    sink_log log(eventlog::create_memory_log());
    put_link(log);
    eventlog::keyring keys(log, eventlog::master_key{std::string(32, 'k')});
    boost::asio::thread_pool pool(2);
    eventlog::committer committer(log, eventlog::committer_options{});
    visits_options options;
    options.user_agents = parser();
    options.click_queued = state.range(0) == 1;
    auto const path = std::move(create_visits(log, committer, keys, pool, options).value());
    visit request;
    request.short_code = "spring";
    request.ip = "203.0.113.77";
    request.referer = "https://news.example.org/today";
    request.user_agent =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 "
        "Safari/537.36";
    auto const follow = [&](std::size_t clicks) {
        boost::asio::io_context loop(1);
        auto many = [&]() -> awaitable<void> {
            for (std::size_t i = 0; i < clicks; ++i) (void)co_await path->follow(request);
        };
        constexpr std::size_t visitors = 64;
        for (std::size_t i = 0; i < visitors; ++i) {
            boost::asio::co_spawn(loop, many, [](std::exception_ptr error) {
                if (error) std::rethrow_exception(error);
            });
        }
        loop.run();
        return clicks * visitors;
    };
    follow(1);
    log.swallow = true;
    std::size_t total = 0;
    for (auto _ : state) total += follow(100);
    state.SetItemsProcessed(static_cast<std::int64_t>(total));
    state.counters["cpu_per_click"] = benchmark::Counter(
        static_cast<double>(total), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    committer.drain(std::chrono::seconds(10));
    pool.join();
}
BENCHMARK(follow_known_link)->ArgName("queued")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace linkledger::commands
