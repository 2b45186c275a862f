#pragma once
// The records of one range of the log, sorted, as bytes that are stored; and stretches of them put together
// again.

#include "projections/rebuild/sorted_fold.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace linkledger::projections {

/// Collects records of a range.
class part_builder {
public:
    void add(record_key const& key, std::string_view payload);
    [[nodiscard]] bool empty() const { return places_.empty(); }

    struct part {
        std::string bytes;
        std::string marks;
    };
    /// Sorted, records with equal keys once; starts over.
    [[nodiscard]] part take();

private:
    std::string bytes_;
    std::vector<std::size_t> places_;
};

/// Some hundred times in a part: which key stands where.
struct part_mark {
    record_key key;
    std::int64_t offset = 0;
};
/// The first mark is that of the first record; the last one ends the part, with a key behind all.
[[nodiscard]] std::vector<part_mark> read_marks(std::string_view bytes);

/// By number of the range.
using marks_of_parts = std::map<std::int64_t, std::vector<part_mark>>;

/// Keys between which there are stretches of about the same size, small enough for memory, and so many that
/// one is less than a hundredth of the work. The first one is before all records, so that there is always
/// one. Records of `last_kind` are parted from others of their subject, which stay together.
[[nodiscard]] std::set<record_key> choose_cuts(marks_of_parts const& parts, unsigned char last_kind);

/// Which bytes of a part have all records from `from` to before `to` (none: to its end), and some more.
struct part_slice {
    std::int64_t offset = 0;
    std::int64_t size = 0;
};
[[nodiscard]] part_slice find_slice(std::vector<part_mark> const& marks,
                                    std::optional<record_key> const& from,
                                    std::optional<record_key> const& to);

/// Records out of slices of several parts.
class record_set {
public:
    /// Takes those from `from` to before `to`. The slice begins with a record.
    void add(std::string slice, std::optional<record_key> const& from, std::optional<record_key> const& to);
    /// Sorted, records with equal keys once.
    [[nodiscard]] std::vector<record> const& sorted();

private:
    std::deque<std::string> slices_;  ///< What records point into.
    std::vector<record> records_;
};

}  // namespace linkledger::projections
