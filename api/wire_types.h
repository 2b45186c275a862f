#pragma once
// Answers that are no read model's rows, described for the reference. Handlers write them as text, since
// parts of them are JSON text already; a test holds both together.

#include "domain/ids.h"
#include "domain/time.h"
#include "projections/links/links_queries.h"
#include "projections/runner.h"

#include <boost/describe/class.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::api {

struct command_answer {
    std::int64_t position = 0;
    std::string stream;
    std::int64_t version = 0;
    std::vector<std::string> events;
    boost::json::value result;
};
BOOST_DESCRIBE_STRUCT(command_answer, (), (position, stream, version, events, result))

struct event {
    std::int64_t position = 0;
    domain::uuid event_id;
    std::string stream;
    std::int64_t version = 0;
    std::optional<domain::workspace_id> workspace_id;
    std::string type;
    std::int64_t schema_version = 1;
    domain::timestamp occurred_at;
    domain::timestamp recorded_at;
    boost::json::value data;
    boost::json::value personal;
    boost::json::value metadata;
};
BOOST_DESCRIBE_STRUCT(event, (),
                      (position, event_id, stream, version, workspace_id, type, schema_version, occurred_at,
                       recorded_at, data, personal, metadata))

/// `after` is the cursor to go on from; `head` the last position of the log.
struct event_page {
    std::vector<event> items;
    std::int64_t after = 0;
    std::int64_t head = 0;
};
BOOST_DESCRIBE_STRUCT(event_page, (), (items, after, head))

/// What is hashed into a leaf (eventlog/merkle/opening.h): integers are microseconds where they end in _us,
/// `salt` is hexadecimal, `personal`, `context` (sealed) and `leaf_hash` are base 64.
struct event_opening {
    std::int64_t position = 0;
    std::string stream;
    std::int64_t version = 0;
    std::int64_t recorded_at_us = 0;
    domain::uuid event_id{};
    std::string type;
    std::int64_t schema_version = 0;
    domain::uuid workspace_id{};
    std::int64_t occurred_at_us = 0;
    std::string salt;
    std::string data;
    std::string metadata;
    domain::uuid personal_key_id{};
    std::string personal;
    domain::uuid context_key_id{};
    std::string context;
    std::string leaf_hash;
};
BOOST_DESCRIBE_STRUCT(event_opening, (),
                      (position, stream, version, recorded_at_us, event_id, type, schema_version,
                       workspace_id, occurred_at_us, salt, data, metadata, personal_key_id, personal,
                       context_key_id, context, leaf_hash))

/// `proof` is a C2SP tlog-proof; `entry` what the log's entry bundle holds for the event.
struct event_proof_answer {
    std::int64_t position = 0;
    std::string leaf_hash;
    std::string entry;
    std::string proof;
    event_opening opening;
};
BOOST_DESCRIBE_STRUCT(event_proof_answer, (), (position, leaf_hash, entry, proof, opening))

/// `receipt` is a signed note (C2SP signed-note), once the keys are destroyed and the read models reflect it.
struct erasure_answer {
    std::int64_t position = 0;
    std::string subject;  ///< `person` or `click_details`.
    bool is_done = false;
    bool keys_destroyed = false;
    bool read_models_follow = false;
    std::optional<std::string> receipt;
};
BOOST_DESCRIBE_STRUCT(erasure_answer, (),
                      (position, subject, is_done, keys_destroyed, read_models_follow, receipt))

/// A link at one of two moments; none: it did not exist. `version` is the number of its changes until then.
struct link_moment {
    std::int64_t version = 0;
    std::optional<projections::links::link_row> link;
};
BOOST_DESCRIBE_STRUCT(link_moment, (), (version, link))
struct field_change {
    std::string field;
    boost::json::value from;
    boost::json::value to;
};
BOOST_DESCRIBE_STRUCT(field_change, (), (field, from, to))
struct link_diff {
    domain::link_id link_id;
    link_moment from;
    link_moment to;
    std::vector<field_change> changes;
};
BOOST_DESCRIBE_STRUCT(link_diff, (), (link_id, from, to, changes))

struct projection_list {
    std::vector<projections::projection_status> items;
    std::vector<projections::rebuild_status> rebuilds;  ///< The latest of each.
};
BOOST_DESCRIBE_STRUCT(projection_list, (), (items, rebuilds))

struct health {
    std::string status;
};
BOOST_DESCRIBE_STRUCT(health, (), (status))

struct dependency {
    std::string name;
    std::string status;
    std::string detail;
    std::optional<std::int64_t> lag_events;
    std::optional<std::int64_t> parked;
};
BOOST_DESCRIBE_STRUCT(dependency, (), (name, status, detail, lag_events, parked))
struct readiness {
    std::string status;
    std::vector<dependency> dependencies;
};
BOOST_DESCRIBE_STRUCT(readiness, (), (status, dependencies))

struct field_problem {
    std::string field;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(field_problem, (), (field, message))
struct problem_details {
    std::string type;
    std::string title;
    std::int64_t status = 0;
    std::string code;
    std::string detail;
    std::optional<std::vector<field_problem>> errors;
};
BOOST_DESCRIBE_STRUCT(problem_details, (), (type, title, status, code, detail, errors))

}  // namespace linkledger::api
