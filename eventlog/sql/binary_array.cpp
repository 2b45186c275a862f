#include "eventlog/sql/binary_array.h"

#include <bit>
#include <utility>

namespace linkledger::sql {
namespace {

constexpr std::int64_t postgres_epoch_unix_us = 946'684'800'000'000;

template <typename Unsigned>
void append_big_endian(std::string& to, Unsigned value) {
    char bytes[sizeof(Unsigned)];
    for (std::size_t i = sizeof(Unsigned); i-- > 0;) {
        bytes[i] = static_cast<char>(value & 0xFF);
        value = static_cast<Unsigned>(value >> 8);
    }
    to.append(bytes, sizeof bytes);
}

void write_big_endian(std::string& to, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 4; i-- > 0; value >>= 8) to[at + i] = static_cast<char>(value & 0xFF);
}

}  // namespace

void binary_values::add_null() {
    append_big_endian(bytes_, std::uint32_t{0xFFFFFFFF});
    has_null_ = true;
    ++count_;
}

void binary_values::add_int4(std::int32_t value) {
    append_big_endian(bytes_, std::uint32_t{4});
    append_big_endian(bytes_, static_cast<std::uint32_t>(value));
    ++count_;
}

void binary_values::add_int8(std::int64_t value) {
    append_big_endian(bytes_, std::uint32_t{8});
    append_big_endian(bytes_, static_cast<std::uint64_t>(value));
    ++count_;
}

void binary_values::add_bytes(std::string_view value) {
    append_big_endian(bytes_, static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
    ++count_;
}

void binary_values::add_boolean(bool value) {
    append_big_endian(bytes_, std::uint32_t{1});
    bytes_.push_back(value ? '\1' : '\0');
    ++count_;
}

void binary_values::add_float8(double value) {
    append_big_endian(bytes_, std::uint32_t{8});
    append_big_endian(bytes_, std::bit_cast<std::uint64_t>(value));
    ++count_;
}

void binary_values::add_uuid(domain::uuid const& value) {
    add_bytes({reinterpret_cast<char const*>(value.bytes.data()), value.bytes.size()});
}

void binary_values::add_timestamptz(std::int64_t unix_us) {
    add_int8(unix_us - postgres_epoch_unix_us);
}

void binary_values::add_jsonb(std::string_view text) {
    append_big_endian(bytes_, static_cast<std::uint32_t>(text.size() + 1));
    bytes_.push_back('\1');  // The version of the form.
    bytes_.append(text);
    ++count_;
}

binary_rows::binary_rows() {
    bytes_.append("PGCOPY\n\377\r\n\0", 11);
    append_big_endian(bytes_, std::uint32_t{0});  // Flags.
    append_big_endian(bytes_, std::uint32_t{0});  // The length of a header's extension.
}

void binary_rows::begin_row(std::size_t cells) {
    append_big_endian(bytes_, static_cast<std::uint16_t>(cells));
}

void binary_rows::end() {
    append_big_endian(bytes_, std::uint16_t{0xFFFF});
}

std::string binary_array::take() {
    // Dimensions, has-null flag, element type, then the one dimension's length and lower bound.
    write_big_endian(bytes_, 0, 1);
    write_big_endian(bytes_, 4, has_null_ ? 1 : 0);
    write_big_endian(bytes_, 8, static_cast<std::uint32_t>(type_));
    write_big_endian(bytes_, 12, count_);
    write_big_endian(bytes_, 16, 1);
    if (count_ == 0) {  // An empty array has no dimensions and ends after the element type.
        write_big_endian(bytes_, 0, 0);
        bytes_.resize(12);
    }
    return std::move(bytes_);
}

}  // namespace linkledger::sql
