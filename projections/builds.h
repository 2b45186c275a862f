#pragma once
// Which versions of the projections there are: rows of `projection_versions`, in the control database. A
// version is switched in by a row, never by DDL.

#include "projections/projection.h"
#include "projections/read_store.h"

#include <boost/describe/enum.hpp>

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace linkledger::projections {

enum class build_state {
    building,  ///< A rebuild fills it; nothing else touches it.
    ready,     ///< Filled, and fed by the runner. Not read.
    live,      ///< Reads are answered from it. One of each projection.
    kept,      ///< Was live, and is fed further: to be switched back to.
    dropping,  ///< Nobody feeds it any more; its tables go.
};
BOOST_DESCRIBE_ENUM(build_state, building, ready, live, kept, dropping)

struct build_row {
    std::string name;
    build_id build;
    build_state state = build_state::building;
    std::string fingerprint;
};

/// The tables or event types of a version are not those that it was filled with: someone changed a projection
/// and did not raise its version.
class forgotten_version : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Of the columns of its tables, as they are in the database, and its event types. 16 hexadecimal characters.
[[nodiscard]] std::string fingerprint_of(projection const& of, sql::connection& tables);

// All throw sql::error.

/// By name, the live one of each first.
[[nodiscard]] std::vector<build_row> load_builds(sql::connection& control);
void add_build(sql::connection& control, build_row const& row);
void set_build_state(sql::connection& control, std::string const& name, build_id which, build_state to);
void remove_build(sql::connection& control, std::string const& name, build_id which);
/// In one transaction: what was live is kept.
void make_live(sql::connection& control, std::string const& name, build_id which);

/// Gives each projection that has no version yet its live one: the newest that was filled before there were
/// rows for versions, or the newest there is. Then makes sure that every version that is fed is what this
/// executable takes it for: throws forgotten_version.
void adopt_builds(read_store& store, std::span<std::unique_ptr<projection> const> projections);

}  // namespace linkledger::projections
