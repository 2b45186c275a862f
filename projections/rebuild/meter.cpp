#include "projections/rebuild/meter.h"

#include "eventlog/crypto.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace linkledger::projections {
namespace {

/// Sooner than five seconds, with the pause between two looks.
constexpr std::chrono::milliseconds stalled_after{4'000};
constexpr std::chrono::seconds silent_after{5};
/// Before that, a rate says little.
constexpr std::chrono::milliseconds measured_after{1'000};

std::int64_t now_us() {
    return domain::to_unix_us(eventlog::now());
}

std::vector<std::string> read_lines(std::string const& text) {
    std::vector<std::string> lines;
    boost::system::error_code failed;
    auto const value = boost::json::parse(text, failed);
    if (failed || !value.is_array()) return lines;
    for (auto const& each : value.as_array()) {
        if (each.is_string()) lines.emplace_back(each.as_string().c_str());
    }
    return lines;
}

bool is_over(rebuild_phase phase) {
    return phase == rebuild_phase::done || phase == rebuild_phase::failed;
}

rebuild_status read_status(sql::row const& r) {
    rebuild_status status;
    status.name = r.text(0);
    status.version = static_cast<int>(r.integer(1));
    status.build = static_cast<int>(r.integer(2));
    boost::describe::enum_from_string(r.text(3).c_str(), status.phase);
    status.position = r.integer(4);
    status.target = r.integer(5);
    status.rate = r.integer(6);
    status.eta_ms = r.integer_or_null(7);
    status.disk_bytes = r.integer(8);
    status.error = r.text_or_null(11);
    status.differences = read_lines(r.text(12));
    auto const now = now_us();
    auto const silent = std::chrono::microseconds{now - r.integer(10)};
    auto const still = std::chrono::microseconds{now - r.integer(9)};
    status.running = !is_over(status.phase) && silent < silent_after;
    if (!is_over(status.phase) && still >= stalled_after) status.stalled_ms = still.count() / 1000;
    return status;
}

}  // namespace

std::vector<rebuild_status> load_rebuilds(sql::connection& control) {
    return control.query_all(
        "SELECT name, version, build, phase, position, target, rate, eta_ms, disk_bytes, progressed_us, "
        "updated_us, "
        "error, differences FROM projection_rebuilds ORDER BY name",
        {}, read_status);
}

rebuild_meter::rebuild_meter(std::string name, build_id which) : started_us_(now_us()) {
    status_.name = std::move(name);
    status_.version = which.version;
    status_.build = which.build;
}

void rebuild_meter::enter(rebuild_phase phase, std::int64_t done, std::int64_t target) {
    std::lock_guard const lock{mutex_};
    status_.phase = phase;
    status_.position = started_with_ = done;
    status_.target = target;
    phase_started_ = progressed_ = clock::now();
    status_.error.reset();
}

void rebuild_meter::advance(std::int64_t events) {
    std::lock_guard const lock{mutex_};
    status_.position += events;
    progressed_ = clock::now();
    status_.error.reset();
}

void rebuild_meter::set_done(std::int64_t events) {
    std::lock_guard const lock{mutex_};
    if (events <= status_.position) return;
    status_.position = events;
    progressed_ = clock::now();
    status_.error.reset();
}

void rebuild_meter::set_disk_bytes(std::int64_t bytes) {
    std::lock_guard const lock{mutex_};
    status_.disk_bytes = std::max(status_.disk_bytes, bytes);
}

void rebuild_meter::note_trouble(std::string const& what) {
    std::lock_guard const lock{mutex_};
    status_.error = what;
}

void rebuild_meter::fail(std::string const& what) {
    std::lock_guard const lock{mutex_};
    status_.phase = rebuild_phase::failed;
    status_.error = what;
}

void rebuild_meter::set_differences(std::vector<std::string> differences) {
    std::lock_guard const lock{mutex_};
    status_.differences = std::move(differences);
}

rebuild_status rebuild_meter::now() const {
    std::lock_guard const lock{mutex_};
    rebuild_status status = status_;
    status.running = !is_over(status.phase);
    status.position = std::min(status.position, status.target);
    auto const elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - phase_started_);
    auto const done = status.position - started_with_;
    if (elapsed.count() > 0) status.rate = done * 1000 / elapsed.count();
    if (done > 0 && elapsed >= measured_after)
        status.eta_ms = (status.target - status.position) * elapsed.count() / done;
    auto const still = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - progressed_);
    if (status.running && still >= stalled_after) status.stalled_ms = still.count();
    return status;
}

void rebuild_meter::save(sql::connection& control) const {
    auto const status = now();
    boost::json::array lines;
    for (auto const& each : status.differences) lines.emplace_back(each);
    auto const at = now_us();
    std::int64_t progressed = at;
    {
        std::lock_guard const lock{mutex_};
        progressed -=
            std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - progressed_).count();
    }
    control.execute(
        "INSERT INTO projection_rebuilds (name, version, build, phase, position, target, rate, eta_ms, "
        "disk_bytes, "
        "started_us, progressed_us, updated_us, error, differences) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (name) DO UPDATE "
        "SET "
        "version = excluded.version, build = excluded.build, phase = excluded.phase, position = "
        "excluded.position, "
        "target = excluded.target, rate = excluded.rate, eta_ms = excluded.eta_ms, disk_bytes = "
        "excluded.disk_bytes, "
        "started_us = excluded.started_us, progressed_us = excluded.progressed_us, updated_us = "
        "excluded.updated_us, "
        "error = excluded.error, differences = excluded.differences",
        {status.name, std::int64_t{status.version}, std::int64_t{status.build},
         std::string{boost::describe::enum_to_string(status.phase, "")}, status.position, status.target,
         status.rate, sql::bind(status.eta_ms), status.disk_bytes, started_us_, progressed, at,
         sql::bind(status.error), boost::json::serialize(lines)});
}

}  // namespace linkledger::projections
