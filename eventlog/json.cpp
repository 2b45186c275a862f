#include "eventlog/json.h"

#include "eventlog/json_reflect.h"

#include <boost/json/basic_parser_impl.hpp>

#include <cmath>

namespace linkledger::json {
namespace {

constexpr std::size_t depth_max = 32;
constexpr std::size_t errors_max = 100;
constexpr std::size_t key_bytes_shown_max = 100;
constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// The length of the well-formed UTF-8 sequence (RFC 3629, section 4) that starts at `at`; 0 when there is
/// none.
std::size_t utf8_sequence(std::string_view text, std::size_t at) {
    auto const byte = [&](std::size_t offset) -> unsigned {
        return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0u;
    };
    auto const within = [&](std::size_t offset, unsigned low, unsigned high) {
        return byte(offset) >= low && byte(offset) <= high;
    };
    auto const tail = [&](std::size_t offset) { return within(offset, 0x80, 0xBF); };
    unsigned const lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        bool const second = within(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
        return second && tail(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        bool const second = within(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
        return second && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            constexpr char digits[] = "0123456789abcdef";
            out += "\\u00";
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[c & 15];
    }
}

/// Builds the value as the parser goes, and refuses what Boost.JSON lets pass.
struct strict_handler {
    static constexpr std::size_t max_object_size = bj::object::max_size();
    static constexpr std::size_t max_array_size = bj::array::max_size();
    static constexpr std::size_t max_key_size = bj::string::max_size();
    static constexpr std::size_t max_string_size = bj::string::max_size();

    using error_code = boost::system::error_code;

    explicit strict_handler(bj::storage_ptr storage) { stack.reset(std::move(storage)); }

    bj::value_stack stack;
    std::vector<std::string> keys;            ///< Of all open objects, one after the other.
    std::vector<std::size_t> open_objects{};  ///< Where each one's keys start.
    std::string key_start;                    ///< Parts of a key or a number that came before its end.
    std::string problem;                      ///< What this handler refused.

    bool refuse(std::string what, error_code& ec) {
        problem = std::move(what);
        ec = bj::error::exception;
        return false;
    }
    bool without_nul(bj::string_view text, error_code& ec) {
        if (text.find('\0') == bj::string_view::npos) return true;
        return refuse("the character U+0000 is not allowed", ec);
    }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        open_objects.push_back(keys.size());
        return true;
    }
    bool on_object_end(std::size_t count, error_code& ec) {
        auto const first = keys.begin() + static_cast<std::ptrdiff_t>(open_objects.back());
        std::sort(first, keys.end());
        auto const twice = std::adjacent_find(first, keys.end());
        if (twice != keys.end())
            return refuse("duplicate key \"" + storable_text(twice->substr(0, key_bytes_shown_max)) + "\"",
                          ec);
        keys.erase(first, keys.end());
        open_objects.pop_back();
        stack.push_object(count);
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t count, error_code&) {
        stack.push_array(count);
        return true;
    }
    bool on_key_part(bj::string_view text, std::size_t, error_code& ec) {
        key_start.append(text.data(), text.size());
        stack.push_chars(text);
        return without_nul(text, ec);
    }
    bool on_key(bj::string_view text, std::size_t, error_code& ec) {
        key_start.append(text.data(), text.size());
        keys.push_back(std::exchange(key_start, {}));
        stack.push_key(text);
        return without_nul(text, ec);
    }
    bool on_string_part(bj::string_view text, std::size_t, error_code& ec) {
        stack.push_chars(text);
        return without_nul(text, ec);
    }
    bool on_string(bj::string_view text, std::size_t, error_code& ec) {
        stack.push_string(text);
        return without_nul(text, ec);
    }
    bool on_number_part(bj::string_view text, error_code&) {
        key_start.append(text.data(), text.size());
        return true;
    }
    bool on_int64(std::int64_t number, bj::string_view, error_code&) {
        key_start.clear();
        stack.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, bj::string_view, error_code&) {
        key_start.clear();
        stack.push_uint64(number);
        return true;
    }
    bool on_double(double, bj::string_view text, error_code& ec) {
        // Boost 1.81 rounds some numbers to the neighbour of the nearest double; the standard library does
        // not.
        key_start.append(text.data(), text.size());
        double number = 0;
        auto const read = std::from_chars(key_start.data(), key_start.data() + key_start.size(), number);
        if (read.ec != std::errc{} || !std::isfinite(number)) return refuse("a number is out of range", ec);
        key_start.clear();
        stack.push_double(number);
        return true;
    }
    bool on_bool(bool flag, error_code&) {
        stack.push_bool(flag);
        return true;
    }
    bool on_null(error_code&) {
        stack.push_null();
        return true;
    }
    bool on_comment_part(bj::string_view, error_code&) { return true; }
    bool on_comment(bj::string_view, error_code&) { return true; }
};

}  // namespace

std::optional<bj::value> parse(std::string_view text, std::string& error, bj::storage_ptr storage) {
    bj::parse_options options;
    options.max_depth = depth_max;
    bj::basic_parser<strict_handler> parser{options, std::move(storage)};
    boost::system::error_code ec;
    std::size_t const used = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && used < text.size()) ec = bj::error::extra_data;
    if (!ec) return parser.handler().stack.release();
    std::string const& problem = parser.handler().problem;
    error = (problem.empty() ? ec.message() : problem) + " at byte " + std::to_string(used);
    return std::nullopt;
}

bool is_storable_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        std::size_t const length = text[i] == '\0' ? 0 : utf8_sequence(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

std::string storable_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        std::size_t const length = text[i] == '\0' ? 0 : utf8_sequence(text, i);
        out.append(length == 0 ? replacement_character : text.substr(i, length));
        i += std::max<std::size_t>(length, 1);
    }
    return out;
}

namespace detail {

void append_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t written = 0;
    for (std::size_t i = 0; i < text.size();) {
        auto const c = static_cast<unsigned char>(text[i]);
        bool const plain = c >= 0x20 && c != '"' && c != '\\';
        std::size_t const length = c < 0x80 ? 1 : utf8_sequence(text, i);
        if (plain && length != 0) {
            i += length;
            continue;
        }
        out.append(text.substr(written, i - written));
        if (length == 0 || c == 0) {
            out += replacement_character;
        } else {
            append_escape(out, text[i]);
        }
        written = ++i;
    }
    out.append(text.substr(written));
    out += '"';
}

std::string path_text(place const& at) {
    std::string path = at.parent != nullptr ? path_text(*at.parent) : std::string{};
    if (at.is_element) return path + '[' + std::to_string(at.index) + ']';
    if (!path.empty() && !at.name.empty()) path += '.';
    return path.append(at.name);
}

bool reader::refuse(place const& at, std::string message) const {
    if (errors.size() < errors_max) errors.push_back({path_text(at), std::move(message)});
    return false;
}

}  // namespace detail
}  // namespace linkledger::json
