#pragma once
// The composition root: which implementation stands behind each port, decided by the configuration.

#include "api/probe.h"
#include "cli/configuration.h"
#include "commands/command_bus.h"
#include "eventlog/bulk_reader.h"
#include "eventlog/committer.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"
#include "eventlog/merkle/follower.h"
#include "eventlog/merkle/published.h"
#include "eventlog/mirror/relay.h"
#include "eventlog/redis/client.h"
#include "eventlog/spool/spooler.h"
#include "migrations/migrator.h"
#include "projections/event_source.h"
#include "projections/read_store.h"
#include "projections/realtime/redis_writer.h"
#include "projections/runner.h"

#include <functional>
#include <memory>
#include <string>
#include <type_traits>

namespace linkledger::cli {

/// Makes the folders that hold the SQLite files and the master key, where they are missing.
void make_data_folder(configuration const& from);

[[nodiscard]] migrations::target migration_target(configuration const& from);

/// `sqlite at ./data/linkledger.db` or `postgresql at postgresql://linkledger:***@db/linkledger`.
[[nodiscard]] std::string describe_backend(configuration const& from);

/// `000003 links_v1 (links-v1)`; the file's name in SQLite alone.
[[nodiscard]] std::string describe(migrations::migration const& one);

/// For subcommands other than serve: warnings to standard error, and more only where LOG_LEVEL asks for it.
void set_up_tool_logging(configuration const& from);

/// Applies missing migrations and logs each.
void migrate_up(configuration const& from);

/// The log and the keys to what is sealed in it.
struct log_side {
    std::unique_ptr<eventlog::event_log> log;
    std::unique_ptr<eventlog::keyring> keys;
};
/// Throws command_failed where the store cannot be used.
[[nodiscard]] log_side open_log(configuration const& from);

/// The Merkle tree over the log, and what signs it.
struct tree_side {
    std::unique_ptr<eventlog::merkle::tree_store> store;
    std::unique_ptr<eventlog::merkle::published_log> published;
    std::unique_ptr<eventlog::merkle::follower> signer;
    std::function<std::string(std::string const&)> sign;  ///< A note of any text, under the log's name.
};
[[nodiscard]] std::unique_ptr<eventlog::merkle::tree_store> open_tree_store(configuration const& from);
/// Signs from here on. Throws command_failed where the signing keys cannot be used.
[[nodiscard]] tree_side open_tree_side(configuration const& from, log_side const& log);

/// Signs a text as the log whose history is the present one. Throws command_failed where the signing keys
/// cannot be used.
[[nodiscard]] std::function<std::string(std::string const&)> note_signer(configuration const& from,
                                                                         eventlog::event_log& log);

/// Redis, with a log line when it goes and comes; null where REDIS_URL is not set.
[[nodiscard]] std::unique_ptr<redis::client> open_redis(configuration const& from);
/// `of` must outlive it.
[[nodiscard]] api::probe probe_of(redis::client const& of);

/// The read models' store, a runner of their projections that is not started, and what copies the real-time
/// counters to Redis (null without Redis, or where their projection is not run).
struct read_side {
    std::unique_ptr<projections::event_source> source;
    std::unique_ptr<projections::read_store> store;
    std::unique_ptr<projections::runner> runner;
    std::unique_ptr<projections::realtime::redis_writer> counters;

    read_side() = default;
    read_side(read_side&&) = default;
    read_side& operator=(read_side&&) = default;
    ~read_side() { stop(); }
    /// The runner first, so that what it committed last is copied.
    void stop() {
        if (runner) runner->stop();
        if (counters) counters->stop();
    }
};
/// Reads the log unless `source` is given. `redis` may be null, or must outlive it.
[[nodiscard]] read_side open_read_side(configuration const& from, log_side const& log,
                                       projections::runner_options const& options, redis::client* redis,
                                       std::unique_ptr<projections::event_source> source = nullptr);
/// `of` must outlive it.
[[nodiscard]] api::probe probe_of(projections::realtime::redis_writer const& of);
/// Readers of long stretches of the log.
/// Those of a rebuild keep its memory bounded; those of a tool that reads the log once may map its file.
enum class bulk_reading { bounded, mapped };
[[nodiscard]] eventlog::bulk_reader_factory bulk_readers_of(configuration const& from, bulk_reading how);
[[nodiscard]] std::unique_ptr<projections::read_store> open_read_store(configuration const& from);

/// How NATS is reached; `what` is the process's name in its monitoring.
[[nodiscard]] eventlog::mirror::nats_options nats_options_of(configuration const& from,
                                                             std::string const& what);

/// A relay that is not started; null where NATS_URL is not set.
[[nodiscard]] std::unique_ptr<eventlog::mirror::relay> open_relay(configuration const& from,
                                                                  log_side const& log);
/// `of` must outlive it.
[[nodiscard]] api::probe probe_of(eventlog::mirror::relay const& of);

/// Where clicks wait while PostgreSQL is away: the first file that no other process has. Null on SQLite, and
/// where SPOOL=off. Throws command_failed where no file can be used.
[[nodiscard]] std::unique_ptr<eventlog::spool> open_spool(configuration const& from);
/// The links that a process knew, beside its spool.
[[nodiscard]] std::string links_file_of(eventlog::spool const& spool);

/// What carries out commands. Members are destroyed in the reverse order: the bus first.
struct write_side {
    std::unique_ptr<eventlog::committer> committer;
    std::unique_ptr<eventlog::spooler> spooler;  ///< Null without a spool.
    std::unique_ptr<commands::command_bus> bus;

    /// What they complete resumes on the contexts of whoever called: they have to end before those do.
    void end() {
        bus.reset();
        spooler.reset();
        committer.reset();
    }
};
/// `spool` may be null, or must outlive it.
[[nodiscard]] write_side open_write_side(configuration const& from, log_side const& log,
                                         commands::bus_options options, eventlog::spool* spool = nullptr);
/// `of` must outlive it.
[[nodiscard]] api::probe probe_of(eventlog::spooler const& of, commands::command_bus const& bus);
[[nodiscard]] commands::bus_options bus_options_of(configuration const& from);

/// A failure as one line for a person.
[[nodiscard]] std::string describe(eventlog::failure const& failure);

/// The value, or command_failed with `what` and the failure.
template <typename T>
T value_or_fail(eventlog::result<T> outcome, std::string const& what);

[[noreturn]] void fail(std::string const& what, eventlog::failure const& why);

template <typename T>
T value_or_fail(eventlog::result<T> outcome, std::string const& what) {
    if (!outcome) fail(what, outcome.error());
    if constexpr (!std::is_void_v<T>) return std::move(outcome).value();
}

}  // namespace linkledger::cli
