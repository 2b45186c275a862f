#pragma once
// Where the parts of a sorted rebuild are kept until its end: files, since databases give pieces of a large
// value at ten times the cost.

#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/rebuild/part.h"

#include <cstdint>
#include <set>
#include <string>

namespace linkledger::projections {

/// A folder with a file for each part: its bytes, its marks, how long those are, and a hash of it all. A part
/// stands whole or not at all, also after a kill. One that is lost with a machine's power, or that lies on
/// another machine, is read from the log again; so nothing waits for the disk. Calls throw sql::error. Safe
/// to call from several threads.
class part_store {
public:
    part_store() = default;
    /// In the folder of this machine that the store names; `id` is the build plan's.
    part_store(read_store const& store, projection const& of, build_id which, domain::uuid const& id);

    void create() const;
    /// With all parts. Nothing happens where there are none.
    void remove() const;

    /// Where the ranges begin whose parts are there. Reads all of them: what is not whole goes.
    [[nodiscard]] std::set<std::int64_t> ranges() const;
    void put(std::int64_t range, part_builder::part made) const;
    [[nodiscard]] std::string marks(std::int64_t range) const;
    [[nodiscard]] std::string slice(std::int64_t range, part_slice const& which) const;

private:
    void remove_others() const;
    [[nodiscard]] std::string path_of(std::int64_t range) const;

    std::string folder_;
    /// What this build's folders begin with where they are all of one database; else empty: in PostgreSQL
    /// rebuilds of several may share a folder.
    std::string own_prefix_;
};

/// Removes what unfinished rebuilds sorted on this machine, since people's data are in it. One that is at it
/// ends, and reads the log again when it is started once more.
void forget_parts(read_store const& store);

/// Bytes of the parts of a build that lie on this machine.
[[nodiscard]] std::int64_t part_bytes(read_store const& store, projection const& of, build_id which);

}  // namespace linkledger::projections
