#include "cli/composition.h"

#include "api/logging.h"
#include "cli/subcommand.h"
#include "eventlog/crypto.h"
#include "eventlog/merkle/key_file.h"
#include "eventlog/postgres_log.h"
#include "eventlog/sqlite_log.h"
#include "projections/builds.h"
#include "projections/registry.h"

#include <spdlog/spdlog.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

namespace linkledger::cli {

namespace {

void make_folder_of(std::string const& path) {
    auto const folder = std::filesystem::path{path}.parent_path();
    if (folder.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        throw command_failed{
            fmt::format("the folder {} cannot be made: {}", folder.string(), error.message())};
}

/// Only a log that is empty gets a new master key; under another one nobody's data would open, and addresses
/// would be strangers'. A key of the log's own tells whether it is the right one.
std::unique_ptr<eventlog::keyring> open_keys(configuration const& from, eventlog::event_log& log) {
    auto const& path = from.master_key_file;
    auto const head = value_or_fail(log.head(), "the log cannot be read");
    if (head.last > 0 && !std::filesystem::exists(path))
        throw command_failed{fmt::format(
            "the log has events, but their master key file {} is missing. Put it back from where it "
            "was backed up, or copy it from another process of the log; MASTER_KEY_FILE names it.",
            path)};
    auto master = value_or_fail(eventlog::load_or_create_master_key(path), "the master key cannot be used");
    auto keys = std::make_unique<eventlog::keyring>(log, std::move(master));
    auto const probe = keys->get_or_create("master-key");
    if (!probe && probe.error().code == eventlog::failure_code::corrupted)
        throw command_failed{fmt::format(
            "the master key file {} is not this log's. All processes of a log share one; put the right one "
            "there, or name it in MASTER_KEY_FILE.",
            path)};
    if (!probe) fail("the log's keys cannot be read", probe.error());
    return keys;
}

std::string_view name_of(eventlog::failure_code code) {
    switch (code) {
        case eventlog::failure_code::unavailable:
            return "unavailable";
        case eventlog::failure_code::unknown_outcome:
            return "unknown outcome";
        case eventlog::failure_code::timeout:
            return "timeout";
        case eventlog::failure_code::queue_full:
            return "queue full";
        case eventlog::failure_code::shutting_down:
            return "shutting down";
        case eventlog::failure_code::corrupted:
            return "corrupted";
    }
    return "failed";
}

}  // namespace

void make_data_folder(configuration const& from) {
    if (!from.on_postgresql()) make_folder_of(from.db_path);
    if (from.on_postgresql() && from.spools) make_folder_of(from.spool_file);
    make_folder_of(from.master_key_file);
}

migrations::target migration_target(configuration const& from) {
    return {from.on_postgresql() ? sql::dialect::postgresql : sql::dialect::sqlite, from.db_path,
            from.database_url};
}

std::string describe_backend(configuration const& from) {
    return from.on_postgresql() ? "postgresql at " + redact_url(from.database_url)
                                : "sqlite at " + from.db_path;
}

std::string describe(migrations::migration const& one) {
    auto const where = one.database.empty() ? std::string{} : fmt::format(" ({})", one.database);
    return fmt::format("{:06} {}{}", one.number, one.name, where);
}

void set_up_tool_logging(configuration const& from) {
    api::set_up_logging(from.log_level == "info" ? "warn" : from.log_level, from.log_format);
}

void migrate_up(configuration const& from) {
    migrations::up(migration_target(from),
                   [](migrations::migration const& done) { spdlog::info("migrated {}", describe(done)); });
}

log_side open_log(configuration const& from) {
    log_side made;
    if (from.on_postgresql()) {
        eventlog::postgres_log_options options;
        options.url = from.database_url;
        options.allow_unsafe = from.allow_unsafe_database;
        made.log = value_or_fail(eventlog::open_postgres_log(options), "the log cannot be opened");
    } else {
        eventlog::sqlite_log_options options;
        options.path = from.db_path;
        made.log = value_or_fail(eventlog::open_sqlite_log(options), "the log cannot be opened");
    }
    made.keys = open_keys(from, *made.log);
    return made;
}

std::unique_ptr<eventlog::merkle::tree_store> open_tree_store(configuration const& from) {
    return from.on_postgresql() ? eventlog::merkle::create_postgres_tree_store(from.database_url)
                                : eventlog::merkle::create_sqlite_tree_store(from.db_path);
}

std::function<std::string(std::string const&)> note_signer(configuration const& from,
                                                           eventlog::event_log& log) {
    auto const keys = value_or_fail(eventlog::merkle::load_or_create_signing_keys(from.log_signing_key_file),
                                    "the signing keys cannot be read");
    auto const name = eventlog::merkle::origin_of(value_or_fail(log.head(), "the log cannot be read"));
    return [keys, name](std::string const& text) { return eventlog::merkle::sign_note(text, name, keys); };
}

tree_side open_tree_side(configuration const& from, log_side const& log) {
    make_folder_of(from.log_signing_key_file);
    auto keys = value_or_fail(eventlog::merkle::load_or_create_signing_keys(from.log_signing_key_file),
                              "the log cannot be signed");
    tree_side made;
    made.sign = note_signer(from, *log.log);
    made.store = open_tree_store(from);
    made.published = std::make_unique<eventlog::merkle::published_log>(*log.log, *made.store);
    eventlog::merkle::follower_options options;
    options.report = [](std::string const& problem) {
        if (problem.empty())
            spdlog::info("the log is signed again");
        else
            spdlog::error("the log is not signed: {}", problem);
    };
    made.signer =
        std::make_unique<eventlog::merkle::follower>(*log.log, *made.store, std::move(keys), options);
    return made;
}

std::unique_ptr<redis::client> open_redis(configuration const& from) {
    if (from.redis_url.empty()) return nullptr;
    redis::client_options options;
    options.connect.where = redis::parse_url(from.redis_url);
    options.note = [](bool up, std::string const& text) {
        spdlog::log(up ? spdlog::level::info : spdlog::level::warn, "{}", text);
    };
    return std::make_unique<redis::client>(options);
}

api::probe probe_of(redis::client const& of) {
    api::probe made;
    made.name = "redis";
    made.state = [&of] {
        auto const now = of.stats();
        return api::probe_state{now.up, now.up ? redis::to_string(of.where()) : now.problem};
    };
    made.samples = [&of] {
        auto const now = of.stats();
        return std::vector<api::probe_sample>{{"linkledger_redis_calls_total", "Times that Redis was used.",
                                               true, static_cast<double>(now.calls)},
                                              {"linkledger_redis_failures_total", "Times that it failed.",
                                               true, static_cast<double>(now.failures)}};
    };
    return made;
}

read_side open_read_side(configuration const& from, log_side const& log,
                         projections::runner_options const& options, redis::client* redis,
                         std::unique_ptr<projections::event_source> source) {
    using projections::realtime::redis_writer;
    static constexpr std::string_view counters = "realtime";
    auto const& only = options.only;
    bool const runs_counters =
        options.run && (only.empty() || std::find(only.begin(), only.end(), counters) != only.end());
    // The runner tells the writer, which asks the runner: the one that is made first gets the other later.
    auto const to_wake = std::make_shared<std::atomic<redis_writer*>>(nullptr);
    auto running = options;
    if (redis != nullptr && runs_counters)
        running.moved = [to_wake](std::string_view name) {
            auto* const writer = to_wake->load();
            if (writer != nullptr && name == counters) writer->wake();
        };
    read_side made;
    made.source = source ? std::move(source) : projections::create_log_source(*log.log);
    made.store = open_read_store(from);
    auto all = projections::create_all();
    projections::adopt_builds(*made.store, all);
    made.runner =
        std::make_unique<projections::runner>(*made.source, *log.keys, *made.store, std::move(all), running);
    if (redis == nullptr || !runs_counters) return made;
    projections::realtime::redis_writer_options writing;
    writing.active = [runner = made.runner.get()] { return runner->runs_here(std::string{counters}); };
    writing.copying.note = [](std::string const& text) { spdlog::warn("real-time counters: {}", text); };
    made.counters = std::make_unique<redis_writer>(*made.store, *redis, writing);
    *to_wake = made.counters.get();
    return made;
}

api::probe probe_of(projections::realtime::redis_writer const& of) {
    api::probe made;
    made.name = "real-time counters";
    made.state = [] { return api::probe_state{true, "copied to Redis"}; };
    made.samples = [&of] {
        auto const now = of.stats();
        return std::vector<api::probe_sample>{
            {"linkledger_realtime_redis_position", "The position that the counters in Redis reflect.", false,
             static_cast<double>(now.copied.position)},
            {"linkledger_realtime_redis_steps_total", "Writes of counters to Redis.", true,
             static_cast<double>(now.copied.steps)},
            {"linkledger_realtime_redis_counters_total", "Counters written to Redis.", true,
             static_cast<double>(now.copied.counters)},
            {"linkledger_realtime_redis_refills_total", "Times that Redis had none of this log's counters.",
             true, static_cast<double>(now.copied.refills)},
            {"linkledger_realtime_redis_failures_total", "Writes that failed.", true,
             static_cast<double>(now.failures)}};
    };
    return made;
}

std::unique_ptr<projections::read_store> open_read_store(configuration const& from) {
    if (!from.on_postgresql()) return projections::create_sqlite_read_store(from.db_path);
    auto const data = std::filesystem::path{from.db_path}.parent_path();
    return projections::create_postgres_read_store(from.database_url, (data / "rebuild").string());
}

eventlog::bulk_reader_factory bulk_readers_of(configuration const& from, bulk_reading how) {
    if (from.on_postgresql())
        return [url = from.database_url] { return eventlog::create_postgres_bulk_reader(url); };
    bool const map = how == bulk_reading::mapped;
    return [path = from.db_path, map] { return eventlog::create_sqlite_bulk_reader(path, map); };
}

eventlog::mirror::nats_options nats_options_of(configuration const& from, std::string const& what) {
    eventlog::mirror::nats_options options;
    options.url = from.nats_url;
    options.client_name = what;
    return options;
}

std::unique_ptr<eventlog::mirror::relay> open_relay(configuration const& from, log_side const& log) {
    if (from.nats_url.empty()) return nullptr;
    eventlog::mirror::relay_options options;
    options.nats = nats_options_of(from, "linkledger relay");
    options.replicas = from.nats_replicas;
    options.note = [](eventlog::mirror::note_level level, std::string const& text) {
        spdlog::log(
            level == eventlog::mirror::note_level::warning ? spdlog::level::warn : spdlog::level::info, "{}",
            text);
    };
    return std::make_unique<eventlog::mirror::relay>(*log.log, std::move(options));
}

api::probe probe_of(eventlog::mirror::relay const& of) {
    using eventlog::mirror::relay_role;
    api::probe made;
    made.name = "mirror";
    made.state = [&of] {
        auto const now = of.stats();
        bool const up = now.role != relay_role::away;
        auto const* const role = now.role == relay_role::publishing ? "publishing" : "standing by";
        return api::probe_state{up, up ? fmt::format("{}, at position {}", role, now.mirrored)
                                       : "NATS cannot be reached; readers use the log"};
    };
    made.samples = [&of] {
        auto const now = of.stats();
        return std::vector<api::probe_sample>{
            {"linkledger_mirror_position", "Last position in the JetStream stream, as last seen.", false,
             static_cast<double>(now.mirrored)},
            {"linkledger_mirror_lag_events", "Events that the stream does not have yet.", false,
             static_cast<double>(now.head - now.mirrored)},
            {"linkledger_mirror_publishing", "1 while this process's relay publishes.", false,
             now.role == relay_role::publishing ? 1.0 : 0.0},
            {"linkledger_mirror_published_total", "Events that this process published.", true,
             static_cast<double>(now.published)},
            {"linkledger_mirror_repairs_total", "Streams that were lost or wrong and made anew.", true,
             static_cast<double>(now.repairs)},
            {"linkledger_mirror_races_lost_total", "Times that another relay was first.", true,
             static_cast<double>(now.races_lost)},
            {"linkledger_mirror_failures_total", "Times that NATS or the log could not be used.", true,
             static_cast<double>(now.failures)}};
    };
    return made;
}

std::unique_ptr<eventlog::spool> open_spool(configuration const& from) {
    constexpr int processes_max = 32;
    if (!from.on_postgresql() || !from.spools) return nullptr;
    std::filesystem::path const first{from.spool_file};
    for (int number = 1; number <= processes_max; ++number) {
        auto path = first;
        if (number > 1)
            path.replace_filename(
                fmt::format("{}-{}{}", first.stem().string(), number, first.extension().string()));
        eventlog::spool_options options;
        options.path = path.string();
        options.bytes_max = from.spool_bytes_max;
        auto opened = value_or_fail(eventlog::spool::open(options), "clicks could not wait for the database");
        if (!opened) continue;
        if (auto const waiting = opened->stats().clicks; waiting > 0)
            spdlog::info("{} clicks wait in {}; they are sent to the log", waiting, options.path);
        return opened;
    }
    throw command_failed{
        fmt::format("other processes have {} and the {} files after it; name another in SPOOL",
                    from.spool_file, processes_max - 1)};
}

std::string links_file_of(eventlog::spool const& spool) {
    return std::filesystem::path{spool.path()}.replace_extension(".links.db").string();
}

write_side open_write_side(configuration const& from, log_side const& log, commands::bus_options options,
                           eventlog::spool* spool) {
    write_side made;
    made.committer = std::make_unique<eventlog::committer>(*log.log, eventlog::committer_options{});
    if (spool != nullptr) {
        eventlog::spooler_options how;
        how.after = from.spool_after;
        how.note = [](bool is_problem, std::string const& text) {
            spdlog::log(is_problem ? spdlog::level::warn : spdlog::level::info, "{}", text);
        };
        made.spooler = std::make_unique<eventlog::spooler>(*log.log, *made.committer, *log.keys, *spool, how);
        options.outage.spool = made.spooler.get();
    }
    made.bus = value_or_fail(commands::create_command_bus(*log.log, *made.committer, *log.keys, options),
                             "commands cannot be carried out");
    return made;
}

api::probe probe_of(eventlog::spooler const& of, commands::command_bus const& bus) {
    api::probe made;
    made.name = "spool";
    made.state = [&of] {
        auto const now = of.stats();
        auto const detail = fmt::format("{} clicks wait for the log{}{}", now.spool.clicks,
                                        now.problem.empty() ? "" : ": ", now.problem);
        return api::probe_state{!now.active && now.problem.empty(), detail};
    };
    made.samples = [&of, &bus] {
        auto const now = of.stats();
        auto const age =
            now.spool.oldest ? eventlog::now() - *now.spool.oldest : std::chrono::microseconds{0};
        auto const seconds = std::max(0.0, std::chrono::duration<double>(age).count());
        auto const number = [](auto value) { return static_cast<double>(value); };
        return std::vector<api::probe_sample>{
            {"linkledger_spool_active", "1 while clicks go to the spool.", false, now.active ? 1.0 : 0.0},
            {"linkledger_spool_clicks", "Clicks that wait there for the log.", false,
             number(now.spool.clicks)},
            {"linkledger_spool_bytes", "What they take.", false, number(now.spool.bytes)},
            {"linkledger_spool_bytes_max", "What they may take.", false, number(now.spool.bytes_max)},
            {"linkledger_spool_age_seconds", "Age of the click that has waited longest.", false, seconds},
            {"linkledger_spool_spooled_total", "Clicks answered from the spool.", true, number(now.spooled)},
            {"linkledger_spool_sent_total", "Of them, sent on to the log.", true, number(now.sent_on)},
            {"linkledger_spool_settled_total", "Of them, found to be in the log already.", true,
             number(now.settled)},
            {"linkledger_spool_refused_total", "Clicks that it did not take.", true, number(now.refused)},
            {"linkledger_spool_beyond_caps_total", "Clicks of links with max_clicks that were let through.",
             true, number(bus.stats().beyond_caps)}};
    };
    return made;
}

commands::bus_options bus_options_of(configuration const& from) {
    commands::bus_options options;
    options.public_url = from.public_url;
    options.keep_ip = from.keep_ip;
    options.geoip_db = from.geoip_db;
    options.uap_regexes = from.uap_regexes;
    options.link_cache_max = from.link_cache_max;
    options.blocking_threads = from.blocking_threads;
    options.click_queued = from.click_queued;
    options.outage.let_capped_through = from.spool_capped;
    options.outage.stale_max = from.stale_max;
    options.outage.refuse_stale = from.refuse_stale;
    return options;
}

std::string describe(eventlog::failure const& failure) {
    return failure.detail.empty() ? std::string{name_of(failure.code)}
                                  : fmt::format("{} ({})", failure.detail, name_of(failure.code));
}

void fail(std::string const& what, eventlog::failure const& why) {
    throw command_failed{what + ": " + describe(why)};
}

}  // namespace linkledger::cli
