#pragma once
// What a record of a rebuild carries, as bytes that the same kind of machine reads again.

#include "eventlog/sql/connection.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace linkledger::projections {

template <typename Number>
void put(std::string& to, Number value) {
    to.append(reinterpret_cast<char const*>(&value), sizeof value);
}

/// Reads what `put` wrote. Throws sql::error (`other`) when it ends too early.
class payload_reader {
public:
    explicit payload_reader(std::string_view from) : left_(from) {}
    template <typename Number>
    Number number() {
        Number value{};
        auto const bytes = text(sizeof value);
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    std::string_view text(std::size_t size) {
        if (size > left_.size())
            throw sql::error{sql::error::kind::other, "a record of a rebuild is cut off"};
        auto const taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }
    std::string_view rest() { return text(left_.size()); }
    [[nodiscard]] bool done() const { return left_.empty(); }

private:
    std::string_view left_;
};

/// For the places of keys, which are compared byte by byte.
[[nodiscard]] std::string big_endian(std::int64_t number);

/// A row, to be read again as it was.
void put_row(std::string& to, sql::parameters const& row);
[[nodiscard]] sql::parameters read_row(payload_reader& from);

}  // namespace linkledger::projections
