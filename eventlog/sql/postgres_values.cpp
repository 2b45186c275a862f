#include "eventlog/sql/postgres_values.h"

#include "eventlog/sql/binary_array.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>

namespace linkledger::sql {
namespace {

using element = binary_values::element;

constexpr char hex_digits[] = "0123456789abcdef";
constexpr std::size_t copied_at_once = 65'536;

std::string to_bytea_text(std::string_view bytes) {
    std::string text;
    text.reserve(2 + 2 * bytes.size());
    text = "\\x";
    for (char const c : bytes) {
        auto const byte = static_cast<std::uint8_t>(c);
        text += hex_digits[byte >> 4];
        text += hex_digits[byte & 15];
    }
    return text;
}

std::string checked_text(std::string const& text) {
    if (text.find('\0') != std::string::npos)
        throw error(error::kind::other, "PostgreSQL: text with a zero byte cannot be stored");
    return text;
}

struct text_form {
    std::optional<std::string> operator()(std::nullptr_t) const { return std::nullopt; }
    std::optional<std::string> operator()(bool value) const { return value ? "true" : "false"; }
    std::optional<std::string> operator()(std::int64_t value) const { return std::to_string(value); }
    std::optional<std::string> operator()(double value) const { return fmt::format("{}", value); }
    std::optional<std::string> operator()(std::string const& value) const { return checked_text(value); }
    std::optional<std::string> operator()(blob const& value) const { return to_bytea_text(value.bytes); }
    std::optional<std::string> operator()(domain::uuid const& value) const { return to_string(value); }
    std::optional<std::string> operator()(domain::timestamp value) const { return domain::to_rfc3339(value); }
};

std::optional<element> element_of(std::string const& type) {
    if (type == "uuid") return element::uuid;
    if (type == "bigint") return element::int8;
    if (type == "integer") return element::int4;
    if (type == "text") return element::text;
    if (type == "boolean") return element::boolean;
    if (type == "timestamptz" || type == "timestamp with time zone") return element::timestamptz;
    if (type == "bytea") return element::bytea;
    if (type == "double precision") return element::float8;
    if (type == "jsonb") return element::jsonb;
    return std::nullopt;
}

/// Whether a value can be added to an array of this type as it is.
bool fits(element type, parameter const& value) {
    if (std::holds_alternative<std::nullptr_t>(value)) return true;
    switch (type) {
        case element::uuid:
            return std::holds_alternative<domain::uuid>(value);
        case element::int8:
            return std::holds_alternative<std::int64_t>(value);
        case element::int4: {
            auto const* const number = std::get_if<std::int64_t>(&value);
            return number != nullptr && *number >= std::numeric_limits<std::int32_t>::min() &&
                   *number <= std::numeric_limits<std::int32_t>::max();
        }
        case element::text:
        case element::jsonb:
            return std::holds_alternative<std::string>(value);
        case element::boolean:
            return std::holds_alternative<bool>(value);
        case element::timestamptz:
            return std::holds_alternative<domain::timestamp>(value);
        case element::bytea:
            return std::holds_alternative<blob>(value);
        case element::float8:
            return std::holds_alternative<double>(value);
    }
    return false;
}

void add(binary_values& to, element type, parameter const& value) {
    if (std::holds_alternative<std::nullptr_t>(value)) return to.add_null();
    switch (type) {
        case element::uuid:
            return to.add_uuid(std::get<domain::uuid>(value));
        case element::int8:
            return to.add_int8(std::get<std::int64_t>(value));
        case element::int4:
            return to.add_int4(static_cast<std::int32_t>(std::get<std::int64_t>(value)));
        case element::text:
            return to.add_bytes(std::get<std::string>(value));
        case element::boolean:
            return to.add_boolean(std::get<bool>(value));
        case element::timestamptz:
            return to.add_timestamptz(domain::to_unix_us(std::get<domain::timestamp>(value)));
        case element::bytea:
            return to.add_bytes(std::get<blob>(value).bytes);
        case element::float8:
            return to.add_float8(std::get<double>(value));
        case element::jsonb:
            return to.add_jsonb(std::get<std::string>(value));
    }
}

void add_as_text(binary_array& to, parameter const& value) {
    auto const text = std::visit(text_form{}, value);
    if (text)
        to.add_bytes(*text);
    else
        to.add_null();
}

[[noreturn]] void throw_bad_cell(char const* wanted) {
    throw error(error::kind::other, fmt::format("a column does not hold {}", wanted));
}

constexpr std::array<std::int8_t, 256> hex_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (int i = 0; i < 10; ++i) values[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
    for (int i = 0; i < 6; ++i) {
        values[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
        values[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
    }
    return values;
}();

}  // namespace

std::vector<std::optional<std::string>> to_texts(parameters const& values) {
    std::vector<std::optional<std::string>> texts;
    texts.reserve(values.size());
    for (auto const& each : values) texts.push_back(std::visit(text_form{}, each));
    return texts;
}

std::vector<char const*> to_pointers(std::vector<std::optional<std::string>> const& texts) {
    std::vector<char const*> pointers;
    pointers.reserve(texts.size());
    for (auto const& each : texts) pointers.push_back(each ? each->c_str() : nullptr);
    return pointers;
}

value_table to_value_table(std::vector<std::string> const& types, std::vector<parameters> const& rows,
                           std::size_t first, std::size_t last) {
    value_table table;
    for (std::size_t column = 0; column < types.size(); ++column) {
        auto const wanted = element_of(types[column]);
        element const type = wanted.value_or(element::text);
        bool native = wanted.has_value();
        for (std::size_t i = first; native && i < last; ++i) native = fits(type, rows[i].at(column));
        std::string const cast = native ? fmt::format("unnest(${}::{}[])", column + 1, types[column])
                                        : fmt::format("unnest(${}::text[])::{}", column + 1, types[column]);
        table.derived_table += fmt::format("{}{} AS column{}", column == 0 ? "" : ", ", cast, column + 1);

        binary_array array(native ? type : element::text);
        for (std::size_t i = first; i < last; ++i) {
            if (native)
                add(array, type, rows[i].at(column));
            else
                add_as_text(array, rows[i].at(column));
        }
        table.arrays.push_back(array.take());
    }
    table.derived_table = "(SELECT " + table.derived_table + ")";
    return table;
}

std::optional<copied_rows> copied_rows::of(std::vector<std::string> const& types,
                                           std::vector<parameters> const& rows) {
    std::vector<element> elements;
    for (auto const& each : types) {
        auto const found = element_of(each);
        if (!found) return std::nullopt;
        elements.push_back(*found);
    }
    for (auto const& row : rows) {
        for (std::size_t i = 0; i < elements.size(); ++i) {
            if (!fits(elements[i], row.at(i))) return std::nullopt;
        }
    }
    copied_rows made;
    made.rows_ = &rows;
    for (auto const each : elements) made.elements_.push_back(static_cast<std::uint32_t>(each));
    return made;
}

void copied_rows::send(std::function<void(std::string_view)> const& to) const {
    binary_rows out;
    for (auto const& row : *rows_) {
        out.begin_row(elements_.size());
        for (std::size_t i = 0; i < elements_.size(); ++i)
            add(out, static_cast<element>(elements_[i]), row[i]);
        if (out.bytes().size() < copied_at_once) continue;
        to(out.bytes());
        out.clear();
    }
    out.end();
    to(out.bytes());
}

std::string with_values(std::string const& sql, std::string const& derived_table) {
    constexpr std::string_view mark = "{values}";
    auto const at = sql.find(mark);
    if (at == std::string::npos) throw error(error::kind::other, "the statement has no {values}");
    return sql.substr(0, at) + derived_table + sql.substr(at + mark.size());
}

std::int64_t parse_integer(std::string_view cell) {
    std::int64_t value = 0;
    auto const [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (problem != std::errc{} || end != cell.data() + cell.size()) throw_bad_cell("an integer");
    return value;
}

bool parse_boolean(std::string_view cell) {
    if (cell == "t") return true;
    if (cell == "f") return false;
    throw_bad_cell("a boolean");
}

double parse_real(std::string_view cell) {
    double value = 0;
    auto const [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (problem != std::errc{} || end != cell.data() + cell.size()) throw_bad_cell("a number");
    return value;
}

std::string parse_bytea(std::string_view cell) {
    std::string bytes(cell.size() < 2 ? 0 : (cell.size() - 2) / 2, '\0');
    if (!parse_bytea_into(cell, reinterpret_cast<std::uint8_t*>(bytes.data()))) throw_bad_cell("bytes");
    return bytes;
}

bool parse_bytea_into(std::string_view cell, std::uint8_t* out) {
    if (cell.size() < 2 || cell.size() % 2 != 0 || cell[0] != '\\' || cell[1] != 'x') return false;
    int bad = 0;
    for (std::size_t i = 2; i < cell.size(); i += 2) {
        int const high = hex_values[static_cast<std::uint8_t>(cell[i])];
        int const low = hex_values[static_cast<std::uint8_t>(cell[i + 1])];
        bad |= high | low;
        *out++ = static_cast<std::uint8_t>((static_cast<unsigned>(high) << 4) | static_cast<unsigned>(low));
    }
    return bad >= 0;
}

domain::uuid parse_id(std::string_view cell) {
    auto const id = domain::parse_uuid(cell);
    if (!id) throw_bad_cell("a UUID");
    return *id;
}

domain::timestamp parse_time(std::string_view cell) {
    auto const at = domain::parse_timestamp(cell);
    if (!at) throw_bad_cell("a time");
    return *at;
}

}  // namespace linkledger::sql
