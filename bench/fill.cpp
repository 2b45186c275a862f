// Fills an empty log with a workspace, its links and their clicks, as the commands would have written them:
// for measurements of what reads a large log.
//
//   bench_fill URL-OR-FILE MASTER-KEY-FILE EVENTS [LINKS]

#include "bench/measuring.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace linkledger;
using namespace linkledger::eventlog;

constexpr std::size_t batch_events = 1'000;

std::unique_ptr<event_log> open(std::string const& where) {
    if (where.find("://") == std::string::npos) {
        migrations::up({sql::dialect::sqlite, where, ""});
        sqlite_log_options options;
        options.path = where;
        return must(open_sqlite_log(options));
    }
    migrations::up({sql::dialect::postgresql, "", where});
    postgres_log_options options;
    options.url = where;
    return must(open_postgres_log(options));
}

class filler {
public:
    filler(event_log& log, keyring& keys) : log_(log), keys_(keys) { batch_.producer = new_uuid_v7(); }

    void run(long events, long links) {
        add("workspace-" + to_string(workspace_),
            domain::workspace::created{{workspace_}, "Bench", "bench", {new_uuid_v7()}, "free"}, "bench");
        for (long i = 0; i < links; ++i) add_link(i);
        auto const day = click_subject({workspace_}, now());
        for (long i = 1 + links; i < events; ++i) add_click(day);
        flush();
    }

private:
    void add(std::string const& stream, domain::event const& happened, std::string const& subject) {
        auto encoded = encode(happened);
        event_body body;
        body.event_id = new_uuid_v7();
        body.type = std::move(encoded.type);
        body.data = std::move(encoded.data);
        body.workspace_id = workspace_;
        if (encoded.personal)
            body.personal = keyring::seal(*must(keys_.get_or_create(subject)), *encoded.personal,
                                          body.event_id, sealed_part::personal);
        metadata cause;
        cause.command = "Bench";
        cause.command_id = cause.correlation_id = body.event_id;
        cause.actor.kind = actor_kind::visitor;
        body.metadata = encode_metadata(cause);
        body.occurred_at = now();
        body.salt = new_salt();
        append_request request;
        request.streams.push_back({stream, expected_version::any(), {std::move(body)}});
        batch_.appends.push_back(std::move(request));
        if (batch_.appends.size() == batch_events) flush();
    }
    void add_link(long number) {
        domain::link::created e;
        e.link_id = {new_uuid_v7()};
        e.workspace_id = {workspace_};
        e.user_id = {new_uuid_v7()};
        e.url = "https://example.com/" + std::to_string(number);
        e.short_code = "bench" + std::to_string(number);
        links_.push_back(e.link_id);
        add(domain::stream_of(e.link_id), e, "bench");
    }
    void add_click(std::string const& day) {
        constexpr char const* countries[] = {"AT", "CH", "DE", "FR", "IT"};
        domain::click::clicked e;
        e.link_id = links_[random_() % links_.size()];
        e.short_code = "bench";
        e.country_code = countries[random_() % 5];
        e.device_type = "mobile";
        e.browser = "Chrome Mobile";
        e.os = "Android";
        e.referer_domain = "example.org";
        auto const visitor = to_hex(sha256(std::to_string(random_() % 100'000))).substr(0, 32);
        e.personal = domain::click::clicked_personal{
            visitor, {}, "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36", "https://example.org/a/page"};
        add(domain::clicks_stream_of(e.link_id), e, day);
    }
    void flush() {
        if (batch_.appends.empty()) return;
        ++batch_.sequence;
        must(log_.append(batch_));
        batch_.appends.clear();
    }

    event_log& log_;
    keyring& keys_;
    append_batch batch_;
    uuid workspace_ = new_uuid_v7();
    std::vector<domain::link_id> links_;
    std::mt19937 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: bench_fill URL-OR-FILE MASTER-KEY-FILE EVENTS [LINKS]\n");
        return 2;
    }
    try {
        auto const log = open(argv[1]);
        keyring keys{*log, must(load_or_create_master_key(argv[2]))};
        filler{*log, keys}.run(std::atol(argv[3]), argc > 4 ? std::atol(argv[4]) : 10'000);
        std::printf("%ld events\n", long(must(log->head()).last));
        return 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
