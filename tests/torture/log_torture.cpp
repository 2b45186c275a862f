// Many writers in two processes that are killed at random, and a reader that follows the tail: shows that the
// log has no gap, no duplicate, no disorder, and nothing missing that was acknowledged. Exit code 1 on any
// violation.
//
//     linkledger_log_torture --backend sqlite|postgresql --events 1000000 [--writers 64] [--seed N]

#include "eventlog/committer.h"
#include "eventlog/crypto.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/support/postgres_server.h"
#include "tests/support/temp_folder.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <future>
#include <random>
#include <thread>
#include <unordered_map>
#include <unordered_set>

namespace {

using namespace linkledger;
using namespace std::chrono_literals;
using eventlog::event_log;

struct place {
    std::string db_path;
    std::string database_url;
};

std::unique_ptr<event_log> open_log(place const& where) {
    auto opened = where.database_url.empty() ? eventlog::open_sqlite_log({.path = where.db_path})
                                             : eventlog::open_postgres_log({.url = where.database_url});
    if (!opened) throw std::runtime_error("cannot open the log: " + opened.error().detail);
    return std::move(opened).value();
}

eventlog::event_body small_event() {
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = "link.clicked";
    body.data = R"({"link_id":"00000000-0000-7000-8000-000000000000","short_code":"torture"})";
    body.metadata = "{}";
    body.occurred_at = eventlog::now();
    body.salt = eventlog::new_salt();
    return body;
}

/// One writer: appends to a stream of its own and reports each acknowledged event id through the pipe. A
/// write of 16 bytes to a pipe is atomic (PIPE_BUF), so a kill leaves no half report.
void write_for_ever(eventlog::committer& committer, std::string const& stream, int acknowledged) {
    for (;;) {
        eventlog::event_body body = small_event();
        auto const id = body.event_id;
        eventlog::append_request request;
        request.streams.push_back({stream, eventlog::expected_version::any(), {std::move(body)}});
        std::promise<bool> done;
        committer.submit(std::move(request), [&done](eventlog::result<eventlog::append_outcome> outcome) {
            done.set_value(outcome && std::holds_alternative<eventlog::appended>(outcome.value()));
        });
        if (!done.get_future().get()) continue;
        if (::write(acknowledged, id.bytes.data(), id.bytes.size()) != 16) return;
    }
}

[[noreturn]] void run_writer_process(place const& where, int writers, int acknowledged) {
    auto const log = open_log(where);
    eventlog::committer committer{*log, {}};
    std::vector<std::thread> threads;
    for (int i = 0; i < writers; ++i) {
        std::string const stream = "torture-" + domain::to_string(eventlog::new_uuid_v7());
        threads.emplace_back([&, stream] { write_for_ever(committer, stream, acknowledged); });
    }
    for (auto& t : threads) t.join();
    std::_Exit(0);
}

class writer_process {
public:
    writer_process(std::string const& self, place const& where, int writers) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        ::fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
        std::string const fd = std::to_string(ends[1]);
        std::string const count = std::to_string(writers);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::fcntl(ends[1], F_SETFD, 0);
            ::execl(self.c_str(), self.c_str(), "writer", "--db-path", where.db_path.c_str(), "--url",
                    where.database_url.c_str(), "--writers", count.c_str(), "--fd", fd.c_str(), nullptr);
            std::_Exit(127);
        }
        ::close(ends[1]);
        acknowledged_ = ends[0];
    }
    ~writer_process() {
        kill9();
        ::close(acknowledged_);
    }
    void kill9() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    /// Adds what was acknowledged since the last call; with `to_the_end` reads until the pipe is empty and
    /// closed.
    void collect(std::unordered_set<domain::uuid>& into, bool to_the_end) {
        for (;;) {
            pollfd ready{acknowledged_, POLLIN, 0};
            if (!to_the_end && ::poll(&ready, 1, 0) <= 0) return;
            std::array<std::uint8_t, 16 * 4096> buffer;
            ssize_t const got = ::read(acknowledged_, buffer.data(), buffer.size());
            if (got <= 0) return;
            for (ssize_t at = 0; at + 16 <= got; at += 16) {
                domain::uuid id;
                std::copy_n(buffer.begin() + at, 16, id.bytes.begin());
                into.insert(id);
            }
        }
    }

private:
    pid_t pid_ = -1;
    int acknowledged_ = -1;
};

/// Follows the tail and counts what must not be.
class tailing_reader {
public:
    void take(std::vector<eventlog::recorded_event> const& events) {
        for (auto const& e : events) {
            if (e.position != last_ + 1) ++gaps_;
            if (e.recorded_at < recorded_at_) ++disorder_;
            if (++versions_[e.stream] != e.version) ++disorder_;
            if (!seen_.insert(e.body.event_id).second) ++duplicates_;
            last_ = e.position;
            recorded_at_ = e.recorded_at;
        }
    }
    [[nodiscard]] eventlog::position last() const { return last_; }
    [[nodiscard]] bool saw(domain::uuid const& id) const { return seen_.contains(id); }
    [[nodiscard]] bool clean() const { return gaps_ + disorder_ + duplicates_ == 0; }
    void print() const {
        std::printf("events=%lld gaps=%ld duplicates=%ld order_violations=%ld\n",
                    static_cast<long long>(last_), gaps_, duplicates_, disorder_);
    }

private:
    eventlog::position last_ = 0;
    eventlog::timestamp recorded_at_{};
    std::unordered_map<std::string, eventlog::version> versions_;
    std::unordered_set<domain::uuid> seen_;
    long gaps_ = 0, duplicates_ = 0, disorder_ = 0;
};

bool torture(std::string const& self, place const& where, long long wanted, int writers, unsigned seed) {
    std::mt19937 random{seed};
    auto const log = open_log(where);
    std::unordered_set<domain::uuid> acknowledged;
    std::array<std::unique_ptr<writer_process>, 2> processes;
    auto const start = [&](auto& slot) { slot = std::make_unique<writer_process>(self, where, writers / 2); };
    for (auto& slot : processes) start(slot);

    tailing_reader reader;
    int kills = 0;
    auto next_kill = std::chrono::steady_clock::now() + 1s;
    auto last_progress = std::chrono::steady_clock::now();
    while (reader.last() < wanted) {
        log->wait_beyond(reader.last(), 100ms);
        auto page = log->read({.after = reader.last(), .limit = 2000});
        if (!page) throw std::runtime_error("read failed: " + page.error().detail);
        auto const now = std::chrono::steady_clock::now();
        if (!page.value().events.empty()) last_progress = now;
        if (now - last_progress > 60s) throw std::runtime_error("no event for 60 s");
        reader.take(page.value().events);
        for (auto& slot : processes) slot->collect(acknowledged, false);
        if (now < next_kill) continue;
        auto& victim = processes[random() % 2];
        victim->kill9();
        victim->collect(acknowledged, true);
        start(victim);
        ++kills;
        next_kill = now + std::chrono::milliseconds{300 + random() % 1500};
    }
    for (auto& slot : processes) {
        slot->kill9();
        slot->collect(acknowledged, true);
    }
    for (;;) {
        auto page = log->read({.after = reader.last(), .limit = 2000});
        if (!page || page.value().events.empty()) break;
        reader.take(page.value().events);
    }
    long missing = 0;
    for (auto const& id : acknowledged) missing += !reader.saw(id);
    reader.print();
    std::printf("acknowledged=%zu missing=%ld kills=%d writers=%d seed=%u backend=%s\n", acknowledged.size(),
                missing, kills, writers, seed, std::string{log->backend()}.c_str());
    return reader.clean() && missing == 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Kills writers of the log at random and checks that nothing is lost, doubled or out of order."};
    std::string backend = "sqlite";
    long long events = 1'000'000;
    int writers = 64;
    unsigned seed = std::random_device{}();
    app.add_option("--backend", backend, "sqlite or postgresql")
        ->check(CLI::IsMember({"sqlite", "postgresql"}));
    app.add_option("--events", events, "how many events to see");
    app.add_option("--writers", writers, "writers, half of them in each process");
    app.add_option("--seed", seed, "of the kills");

    place where;
    int fd = -1;
    auto* writer = app.add_subcommand("writer", "one writing process (used by the program itself)");
    writer->add_option("--db-path", where.db_path);
    writer->add_option("--url", where.database_url);
    writer->add_option("--writers", writers);
    writer->add_option("--fd", fd);
    CLI11_PARSE(app, argc, argv);

    try {
        if (writer->parsed()) run_writer_process(where, writers, fd);
        std::printf("seed=%u\n", seed);
        test::temp_folder folder;
        std::unique_ptr<test::postgres_server> server;
        migrations::target target{sql::dialect::sqlite, folder.file("torture.db"), ""};
        if (backend == "postgresql") {
            server = std::make_unique<test::postgres_server>();
            target = {sql::dialect::postgresql, "", server->fresh_database()};
        }
        migrations::up(target);
        return torture("/proc/self/exe", {target.db_path, target.database_url}, events, writers, seed) ? 0
                                                                                                       : 1;
    } catch (std::exception const& e) {
        std::fprintf(stderr, "log_torture: %s\n", e.what());
        return 1;
    }
}
