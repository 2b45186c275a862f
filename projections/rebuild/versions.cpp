#include "projections/rebuild/versions.h"

#include "projections/checkpoint.h"
#include "projections/rebuild/bulk_build.h"
#include "projections/rebuild/rebuild.h"
#include "projections/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace linkledger::projections {
namespace {

using clock = std::chrono::steady_clock;

/// What is switched to is fed from the same log, so it is behind for a moment only; longer than this, nobody
/// feeds it.
constexpr std::chrono::seconds switch_patience{20};
/// How long the live version's checkpoint is held still for the other to come up to it.
constexpr std::chrono::milliseconds hold{500};
constexpr std::chrono::milliseconds version_look_pause{10};
/// Runners look at the versions every half second.
constexpr std::chrono::seconds let_go_patience{30};

std::vector<build_row> builds_of(sql::connection& control, std::string const& name) {
    auto rows = load_builds(control);
    std::erase_if(rows, [&](build_row const& each) { return each.name != name; });
    return rows;
}

build_row const& find_build(std::vector<build_row> const& rows, std::string const& name, build_id which) {
    auto const found =
        std::find_if(rows.begin(), rows.end(), [&](build_row const& each) { return each.build == which; });
    if (found != rows.end()) return *found;
    std::string there;
    for (auto const& each : rows) there += (there.empty() ? "" : ", ") + to_string(each.build);
    throw version_refused{
        fmt::format("there is no version {} of {}; there is {}. linkledger rebuild {} builds one.",
                    to_string(which), name, there.empty() ? "none" : there, name)};
}

std::unique_ptr<writer_lock> lock_versions(read_store& store, std::string const& name,
                                           sql::connection& control) {
    auto lock = store.try_lock_rebuild(name, control);
    if (!lock)
        throw version_refused{fmt::format(
            "a rebuild of {} is running; wait for it, or end it (started again, it goes on where it was)",
            name)};
    return lock;
}

eventlog::position position_of(sql::connection& tables, std::string const& name, build_id which) {
    return load_checkpoint(tables, name, which.version).position;
}

/// True: switched. False: the other version did not come up to the live one in time.
bool try_switch(read_store& store, sql::connection& control, std::string const& name, build_id from,
                build_id to) {
    auto const live = store.open_writer(name, from);
    auto const fresh = store.open_writer(name, to);
    // Whoever feeds the live version waits for this transaction with its next batch. Nobody else does.
    sql::transaction held{*live, sql::connection::access::write};
    if (live->dialect() == sql::dialect::postgresql)
        live->query("SELECT 1 FROM projection_checkpoints WHERE name = $1 AND version = $2 FOR UPDATE",
                    {name, std::int64_t{from.version}}, [](sql::row const&) {});
    auto const position = position_of(*live, name, from);
    for (auto const until = clock::now() + hold; position_of(*fresh, name, to) < position;) {
        if (clock::now() >= until) return false;
        std::this_thread::sleep_for(version_look_pause);
    }
    make_live(control, name, to);
    return true;
}

}  // namespace

void switch_locked(read_store& store, sql::connection& control, std::string const& name, build_id to) {
    auto const rows = builds_of(control, name);
    auto const& wanted = find_build(rows, name, to);
    if (wanted.state == build_state::live) return;
    if (wanted.state != build_state::ready && wanted.state != build_state::kept)
        throw version_refused{
            fmt::format("version {} of {} is not filled; linkledger rebuild {} --version {} goes on",
                        to_string(to), name, name, to.version)};
    auto const live = std::find_if(rows.begin(), rows.end(),
                                   [](build_row const& each) { return each.state == build_state::live; });
    if (live == rows.end()) return make_live(control, name, to);
    for (auto const until = clock::now() + switch_patience; clock::now() < until;) {
        if (try_switch(store, control, name, live->build, to)) return;
        std::this_thread::sleep_for(version_look_pause * 10);
    }
    throw version_refused{
        fmt::format("version {} of {} is behind version {}, which is live, and does not come up to it; is it "
                    "fed by a server or "
                    "projector that knows it? Nothing was changed.",
                    to_string(to), name, to_string(live->build))};
}

void switch_version(read_store& store, std::string const& name, build_id to) {
    auto const control = store.open_control();
    auto const lock = lock_versions(store, name, *control);
    switch_locked(store, *control, name, to);
}

void drop_version(read_store& store, std::span<std::unique_ptr<projection> const> projections,
                  std::string const& name, build_id which) {
    auto const control = store.open_control();
    auto const lock = lock_versions(store, name, *control);
    auto const rows = builds_of(*control, name);
    auto const& row = find_build(rows, name, which);
    if (row.state == build_state::live)
        throw version_refused{fmt::format(
            "version {} of {} is live; switch to another one before it is dropped", to_string(which), name)};
    auto const of = std::find_if(projections.begin(), projections.end(), [&](auto const& each) {
        return each->name() == name && each->version() == which.version;
    });
    if (of == projections.end())
        throw version_refused{fmt::format("this executable does not know version {} of {}, nor its tables",
                                          to_string(which), name)};
    set_build_state(*control, name, which, build_state::dropping);
    auto const tables = store.open_writer(name, which);
    std::unique_ptr<writer_lock> alone;
    for (auto const until = clock::now() + let_go_patience; !alone && clock::now() < until;) {
        alone = store.try_lock(name, which, *tables);
        if (!alone) std::this_thread::sleep_for(version_look_pause * 10);
    }
    if (!alone)
        throw version_refused{
            fmt::format("version {} of {} is not fed any more from now on, but a process holds on to "
                        "it; drop it again later",
                        to_string(which), name)};
    abandon_bulk(**of, which, store);
    store.remove_tables(**of, which);
    remove_build(*control, name, which);
    // A process that stands by for it and looked at the versions before that would begin to fill it: it
    // cannot until it has looked again.
    std::this_thread::sleep_for(runner_options{}.versions_pause * 2);
}

}  // namespace linkledger::projections
