#pragma once
// What an unfinished rebuild notes beside the tables that it fills, so that it goes on after a kill where it
// was: which ranges and stretches are done, the definitions of indexes that are made at the end. One table,
// gone with the rebuild's end.

#include "eventlog/sql/connection.h"
#include "projections/projection.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

class rebuild_notes {
public:
    enum class kind : std::int64_t {
        plan = 1,      ///< Number 0: what the rebuild was begun with.
        range = 2,     ///< By where the range begins: its rows are written.
        cut = 3,       ///< Keys by which sorted records are parted, by number.
        combined = 4,  ///< By number of the stretch between two cuts: what is left to do.
        index = 5,     ///< Definitions to be carried out at the end.
    };

    explicit rebuild_notes(projection const& of);

    void create(sql::connection& in) const;
    [[nodiscard]] bool exists(sql::connection& in) const;
    void remove(sql::connection& in) const;

    void put(sql::connection& in, kind what, std::int64_t number, std::string value) const;
    [[nodiscard]] std::set<std::int64_t> numbers(sql::connection& in, kind what) const;
    /// By number.
    [[nodiscard]] std::vector<std::string> values(sql::connection& in, kind what) const;
    void forget(sql::connection& in, kind what) const;
    void drop(sql::connection& in, kind what, std::int64_t number) const;
    [[nodiscard]] bool has(sql::connection& in, kind what, std::int64_t number) const;
    /// A script for PostgreSQL that carries a statement out and drops its note, in one transaction. Where
    /// another session is at the same, it waits for that one, and does nothing when the note is gone then.
    [[nodiscard]] std::string script_once(kind what, std::int64_t number, std::string const& statement) const;

private:
    std::string table_;
};

}  // namespace linkledger::projections
