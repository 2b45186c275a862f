#pragma once
// A fold that a rebuild takes apart: events of a range contribute records, records are sorted outside of
// memory, and each stretch of sorted records makes rows that are written once. Several threads do each half.

#include "eventlog/bulk_reader.h"
#include "eventlog/keyring.h"
#include "eventlog/sql/connection.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::projections {

/// What a record is about (16 bytes, such as a link's id), of which kind, and its place among those.
struct record_key {
    std::array<unsigned char, 33> bytes{};

    record_key() = default;
    record_key(domain::uuid const& subject, unsigned char kind) {
        std::memcpy(bytes.data(), subject.bytes.data(), subject.bytes.size());
        bytes[16] = kind;
    }
    void set_place(void const* data, std::size_t size) {
        std::memcpy(bytes.data() + 17, data, std::min<std::size_t>(size, 16));
    }
    [[nodiscard]] domain::uuid subject() const {
        domain::uuid id;
        std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
        return id;
    }
    [[nodiscard]] unsigned char kind() const { return bytes[16]; }
    bool operator==(record_key const&) const = default;
    bool operator<(record_key const& other) const { return is_before(bytes.data(), other.bytes.data()); }

    /// Byte by byte, eight at once where they seldom are the same: most of what sorting is.
    static bool is_before(unsigned char const* a, unsigned char const* b) {
        for (std::size_t at = 0; at < 16; at += 8) {
            std::uint64_t x = 0;
            std::uint64_t y = 0;
            std::memcpy(&x, a + at, sizeof x);
            std::memcpy(&y, b + at, sizeof y);
            if (x == y) continue;
            if constexpr (std::endian::native == std::endian::little)
                return __builtin_bswap64(x) < __builtin_bswap64(y);
            return x < y;
        }
        return std::memcmp(a + 16, b + 16, sizeof(bytes) - 16) < 0;
    }
};

struct record {
    record_key key;
    std::string_view payload;
};

/// Takes a record; the payload is copied.
using record_sink = std::function<void(record_key const&, std::string_view)>;

/// The share of an event's work that reading it is, and combining, in hundredths; the rest is making indexes.
/// For the time left, that is: as it was measured.
struct work_shares {
    std::int64_t reading = 60;
    std::int64_t combining = 30;
};

/// Used by one thread; each has its own.
class sorted_fold {
public:
    virtual ~sorted_fold() = default;
    [[nodiscard]] virtual eventlog::bulk_fields fields() const = 0;
    [[nodiscard]] virtual work_shares shares() const { return {}; }

    /// What an event contributes. `corrupted`: it does not decode; then the projection is rebuilt in order,
    /// with the event parked.
    virtual eventlog::result<void> spread(eventlog::recorded_event const& event, eventlog::keyring& keys,
                                          record_sink const& to) = 0;
    /// What was summed up over the range that began behind `after`.
    virtual void end_range(eventlog::position after, record_sink const& to) = 0;

    /// Tables whose indexes are not needed until all rows are there; they are made then.
    [[nodiscard]] virtual std::vector<std::string> loaded_tables() const = 0;
    /// Records of this kind may be parted from the others of their subject.
    [[nodiscard]] virtual unsigned char last_kind() const = 0;
    /// Writes the rows of sorted records, equal ones left out. They begin with a subject, or with records of
    /// `last_kind` of one that began before them; what is to be done about that subject once all rows are
    /// there is returned (empty: nothing). Throws sql::error.
    virtual std::string combine(std::span<record const> records, sql::connection& to) = 0;
    /// Does it, in the order of the records. Throws sql::error.
    virtual void finish(std::vector<std::string> const& left, sql::connection& to) = 0;
};

}  // namespace linkledger::projections
