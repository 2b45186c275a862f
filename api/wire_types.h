#pragma once
// Answers that are no read model's rows, described for the reference. Handlers write them as text, since
// parts of them are JSON text already; a test holds both together.

#include "domain/ids.h"
#include "domain/time.h"
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

struct projection_list {
    std::vector<projections::projection_status> items;
};
BOOST_DESCRIBE_STRUCT(projection_list, (), (items))

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
