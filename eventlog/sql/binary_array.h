#pragma once
// PostgreSQL's binary form of values, of one-dimensional arrays and of rows to be copied, so that a batch
// goes to the server without quoting, hexadecimal or parsing.

#include "domain/ids.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace linkledger::sql {

/// Values one after the other, each its length and its bytes.
class binary_values {
public:
    /// By PostgreSQL's numbers of types.
    enum class element : std::uint32_t {
        boolean = 16,
        bytea = 17,
        int8 = 20,
        int4 = 23,
        text = 25,
        float8 = 701,
        timestamptz = 1184,
        uuid = 2950,
        jsonb = 3802,
    };

    void add_null();
    void add_int4(std::int32_t value);
    void add_int8(std::int64_t value);
    void add_bytes(std::string_view value);  ///< text and bytea
    void add_boolean(bool value);
    void add_float8(double value);
    void add_uuid(domain::uuid const& value);
    /// Microseconds since 2000-01-01, as PostgreSQL counts, from microseconds since 1970-01-01.
    void add_timestamptz(std::int64_t unix_us);
    void add_jsonb(std::string_view text);

protected:
    std::string bytes_;
    std::uint32_t count_ = 0;
    bool has_null_ = false;
};

/// An array parameter in the making: add the elements in order, then take the bytes. The element types are
/// those of `array_send` (src/backend/utils/adt/arrayfuncs.c): a big-endian header, then the elements.
class binary_array : public binary_values {
public:
    explicit binary_array(element type, std::size_t expected_bytes = 0) : type_(type) {
        bytes_.reserve(header_bytes + expected_bytes);
        bytes_.assign(header_bytes, '\0');
    }

    [[nodiscard]] std::size_t size() const { return count_; }
    /// The parameter; the array is spent afterwards.
    [[nodiscard]] std::string take();

private:
    static constexpr std::size_t header_bytes = 20;

    element type_;
};

/// Rows for `COPY … FROM STDIN (FORMAT binary)` in pieces: begin a row, add its cells, send what there is
/// whenever it is much, and send the end last.
class binary_rows : public binary_values {
public:
    binary_rows();
    void begin_row(std::size_t cells);
    void end();
    [[nodiscard]] std::string const& bytes() const { return bytes_; }
    void clear() { bytes_.clear(); }
};

}  // namespace linkledger::sql
