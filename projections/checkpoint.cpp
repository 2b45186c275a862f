// The SQL of checkpoints and parked events.

#include "projections/checkpoint.h"

#include "eventlog/crypto.h"

namespace linkledger::projections {
namespace {

constexpr std::size_t uuid_characters = 36;

sql::parameters key_of(std::string_view name, int version) {
    return {std::string{name}, std::int64_t{version}};
}

}  // namespace

std::string subject_of(std::string_view stream) {
    if (stream.size() <= uuid_characters) return std::string{stream};
    return std::string{stream.substr(stream.size() - uuid_characters)};
}

checkpoint load_checkpoint(sql::connection& from, std::string_view name, int version) {
    auto const found = from.query_one(
        "SELECT log_id, epoch, position, recorded_at FROM projection_checkpoints WHERE name = $1 AND version "
        "= $2",
        key_of(name, version), [](sql::row const& r) {
            return checkpoint{r.id_or_null(0).value_or(domain::uuid{}), r.integer(1), r.integer(2),
                              r.time_or_null(3)};
        });
    return found.value_or(checkpoint{});
}

void move_checkpoint(sql::connection& in, std::string_view name, int version, checkpoint const& from,
                     checkpoint const& to) {
    auto const moved = in.execute(
        "UPDATE projection_checkpoints SET position = $1, recorded_at = $2, updated_at = $3 "
        "WHERE name = $4 AND version = $5 AND log_id = $6 AND epoch = $7 AND position = $8",
        {to.position, sql::bind(to.recorded_at), eventlog::now(), std::string{name}, std::int64_t{version},
         from.log_id, from.epoch, from.position});
    if (moved != 1)
        throw sql::error{sql::error::kind::unavailable, "the checkpoint of " + std::string{name} +
                                                            " is not at " + std::to_string(from.position) +
                                                            " any more; starting again from where it is"};
}

void set_checkpoint(sql::connection& in, std::string_view name, int version, checkpoint const& to) {
    in.execute(
        "UPDATE projection_checkpoints SET log_id = $1, epoch = $2, position = $3, recorded_at = $4, "
        "updated_at = $5 WHERE name = $6 AND version = $7",
        {to.log_id, to.epoch, to.position, sql::bind(to.recorded_at), eventlog::now(), std::string{name},
         std::int64_t{version}});
}

void start_over(sql::connection& in, projection const& of, eventlog::log_head const& head) {
    std::string const wipe = in.dialect() == sql::dialect::postgresql ? "TRUNCATE " : "DELETE FROM ";
    for (auto const table : of.tables()) in.execute(wipe + std::string{table});
    in.execute("DELETE FROM parked_events WHERE name = $1 AND version = $2", key_of(of.name(), of.version()));
    auto const changed = in.execute(
        "UPDATE projection_checkpoints SET log_id = $1, epoch = $2, position = 0, recorded_at = NULL, "
        "updated_at = $3 WHERE name = $4 AND version = $5",
        {head.log_id, head.epoch, eventlog::now(), std::string{of.name()}, std::int64_t{of.version()}});
    if (changed != 1)
        throw sql::error{sql::error::kind::other,
                         "no checkpoint row of projection " + std::string{of.name()}};
}

std::vector<parked_event> load_parked(sql::connection& from, std::string_view name, int version) {
    return from.query_all(
        "SELECT position, subject, type, error, attempts FROM parked_events "
        "WHERE name = $1 AND version = $2 ORDER BY position",
        key_of(name, version), [](sql::row const& r) {
            return parked_event{r.integer(0), r.text(1), r.text(2), r.text(3), r.integer(4)};
        });
}

void park(sql::connection& in, std::string_view name, int version, parked_event const& event) {
    in.execute(
        "INSERT INTO parked_events (name, version, position, subject, type, error, attempts, parked_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        {std::string{name}, std::int64_t{version}, event.position, event.subject, event.type, event.error,
         event.attempts, eventlog::now()});
}

bool unpark(sql::connection& in, std::string_view name, int version, eventlog::position at) {
    return in.execute("DELETE FROM parked_events WHERE name = $1 AND version = $2 AND position = $3",
                      {std::string{name}, std::int64_t{version}, at}) == 1;
}

void park_again(sql::connection& in, std::string_view name, int version, parked_event const& event) {
    in.execute(
        "UPDATE parked_events SET attempts = attempts + 1, error = $1 "
        "WHERE name = $2 AND version = $3 AND position = $4",
        {event.error, std::string{name}, std::int64_t{version}, event.position});
}

std::int64_t change_parked(sql::connection& in, std::string_view name, int version, eventlog::position at,
                           parked_change what) {
    std::string text =
        what == parked_change::skip ? "DELETE FROM parked_events" : "UPDATE parked_events SET attempts = 0";
    text += " WHERE name = $1 AND version = $2";
    auto values = key_of(name, version);
    if (at != 0) {
        text += " AND position = $3";
        values.emplace_back(at);
    }
    sql::transaction transaction{in, sql::connection::access::write};
    auto const changed = in.execute(text, values);
    transaction.commit();
    return changed;
}

}  // namespace linkledger::projections
