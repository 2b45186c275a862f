#pragma once
// PostgreSQL's binary form of one-dimensional arrays, so that a batch goes to the server as a handful of
// parameters without quoting, hexadecimal or parsing.

#include "domain/ids.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace linkledger::sql {

/// An array parameter in the making: add the elements in order, then take the bytes. The element types are
/// those of `array_send` (src/backend/utils/adt/arrayfuncs.c): big-endian header, then length and bytes of
/// each element.
class binary_array {
public:
    enum class element : std::uint32_t {
        boolean = 16,
        bytea = 17,
        int8 = 20,
        int4 = 23,
        text = 25,
        float8 = 701,
        timestamptz = 1184,
        uuid = 2950,
    };

    explicit binary_array(element type, std::size_t expected_bytes = 0) : type_(type) {
        bytes_.reserve(header_bytes + expected_bytes);
        bytes_.assign(header_bytes, '\0');
    }

    void add_null();
    void add_int4(std::int32_t value);
    void add_int8(std::int64_t value);
    void add_bytes(std::string_view value);  ///< text and bytea
    void add_boolean(bool value);
    void add_float8(double value);
    void add_uuid(domain::uuid const& value);
    /// Microseconds since 2000-01-01, as PostgreSQL counts, from microseconds since 1970-01-01.
    void add_timestamptz(std::int64_t unix_us);

    [[nodiscard]] std::size_t size() const { return count_; }
    /// The parameter; the array is spent afterwards.
    [[nodiscard]] std::string take();

private:
    static constexpr std::size_t header_bytes = 20;

    element type_;
    std::string bytes_;
    std::uint32_t count_ = 0;
    bool has_null_ = false;
};

}  // namespace linkledger::sql
