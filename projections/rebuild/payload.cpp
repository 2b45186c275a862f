#include "projections/rebuild/payload.h"

namespace linkledger::projections {
namespace {

/// The alternative's number, then its value.
struct value_writer {
    std::string& to;
    void operator()(std::nullptr_t) const {}
    void operator()(bool value) const { put(to, value); }
    void operator()(std::int64_t value) const { put(to, value); }
    void operator()(double value) const { put(to, value); }
    void operator()(std::string const& value) const { put_text(value); }
    void operator()(sql::blob const& value) const { put_text(value.bytes); }
    void operator()(domain::uuid const& value) const { put(to, value.bytes); }
    void operator()(domain::timestamp value) const { put(to, domain::to_unix_us(value)); }
    void put_text(std::string const& text) const {
        put(to, static_cast<std::uint32_t>(text.size()));
        to += text;
    }
};

std::string read_text(payload_reader& from) {
    auto const size = from.number<std::uint32_t>();
    return std::string{from.text(size)};
}

sql::parameter read_value(payload_reader& from) {
    switch (from.number<std::uint8_t>()) {
        case 0:
            return nullptr;
        case 1:
            return from.number<bool>();
        case 2:
            return from.number<std::int64_t>();
        case 3:
            return from.number<double>();
        case 4:
            return read_text(from);
        case 5:
            return sql::blob{read_text(from)};
        case 6:
            return domain::uuid{from.number<decltype(domain::uuid::bytes)>()};
        case 7:
            return domain::from_unix_us(from.number<std::int64_t>());
        default:
            throw sql::error{sql::error::kind::other, "a record of a rebuild has a value of another kind"};
    }
}

}  // namespace

std::string big_endian(std::int64_t number) {
    std::string bytes(8, '\0');
    for (int i = 7; i >= 0; --i, number >>= 8)
        bytes[static_cast<std::size_t>(i)] = static_cast<char>(number & 0xFF);
    return bytes;
}

void put_row(std::string& to, sql::parameters const& row) {
    put(to, static_cast<std::uint16_t>(row.size()));
    for (auto const& each : row) {
        put(to, static_cast<std::uint8_t>(each.index()));
        std::visit(value_writer{to}, each);
    }
}

sql::parameters read_row(payload_reader& from) {
    sql::parameters row(from.number<std::uint16_t>());
    for (auto& each : row) each = read_value(from);
    return row;
}

}  // namespace linkledger::projections
