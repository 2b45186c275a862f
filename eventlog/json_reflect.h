#pragma once
// The templates behind json.h: one walk over a described struct for each of writing a document, writing text
// and reading. Include it in .cpp files only.

#include "eventlog/json.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>

namespace linkledger::json {
namespace detail {

namespace bd = boost::describe;

template <typename T>
struct optional_of : std::false_type {};
template <typename T>
struct optional_of<std::optional<T>> : std::true_type {};
template <typename T>
struct vector_of : std::false_type {};
template <typename T>
struct vector_of<std::vector<T>> : std::true_type {};
template <typename T>
struct strong_id_of : std::false_type {};
template <typename Tag>
struct strong_id_of<domain::strong_id<Tag>> : std::true_type {};

template <typename T>
concept an_optional = optional_of<T>::value;
template <typename T>
concept a_vector = vector_of<T>::value;
template <typename T>
concept a_strong_id = strong_id_of<T>::value;
template <typename T>
concept an_integer = std::integral<T> && !std::same_as<T, bool>;
template <typename T>
concept a_described_enum = bd::has_describe_enumerators<T>::value;
template <typename T>
concept a_described_struct = bd::has_describe_members<T>::value;

template <typename T>
using members_of = bd::describe_members<T, bd::mod_public | bd::mod_inherited>;
template <typename T>
inline constexpr bool unsupported = false;

/// Calls `visit(name, reference)` for each member of a described struct but the one named `Skipped::name`.
struct nothing {
    static constexpr std::string_view name{};
};
template <typename Skipped, typename Struct, typename Visit>
void for_each_member(Struct& object, Visit&& visit) {
    boost::mp11::mp_for_each<members_of<std::remove_const_t<Struct>>>([&](auto member) {
        using member_type = decltype(member);
        constexpr std::string_view name{member_type::name};
        if constexpr (name != Skipped::name) visit(name, object.*member_type::pointer);
    });
}

template <a_described_enum Enum>
std::string_view enum_name(Enum value) {
    return bd::enum_to_string(value, "");
}
template <a_described_enum Enum>
bool enum_from_name(std::string_view name, Enum& into) {
    bool found = false;
    boost::mp11::mp_for_each<bd::describe_enumerators<Enum>>([&](auto enumerator) {
        if (!found && name == enumerator.name) {
            into = enumerator.value;
            found = true;
        }
    });
    return found;
}
template <a_described_enum Enum>
std::string enum_choices() {
    std::string text = "must be one of ";
    bool first = true;
    boost::mp11::mp_for_each<bd::describe_enumerators<Enum>>([&](auto enumerator) {
        if (!std::exchange(first, false)) text += ", ";
        text += enumerator.name;
    });
    return text;
}

// ---- Writing a document
// -------------------------------------------------------------------------------------

template <typename T>
bj::value make_value(T const& value, empty_fields empty);

template <typename Struct>
bj::object make_object(Struct const& value, empty_fields empty) {
    bj::object object;
    for_each_member<nothing>(value, [&](std::string_view name, auto const& field) {
        using field_type = std::decay_t<decltype(field)>;
        if constexpr (an_optional<field_type>) {
            bool const clearable = an_optional<typename field_type::value_type>;
            if (!field && (clearable || empty == empty_fields::leave_out)) return;
        }
        object.emplace(name, make_value(field, empty));
    });
    return object;
}

template <typename T>
bj::value make_value(T const& value, empty_fields empty) {
    if constexpr (std::same_as<T, bj::value> || std::same_as<T, bool> || std::same_as<T, double>) {
        return bj::value(value);
    } else if constexpr (an_integer<T>) {
        if constexpr (std::is_signed_v<T>) return bj::value(static_cast<std::int64_t>(value));
        return bj::value(static_cast<std::uint64_t>(value));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
        return bj::value(bj::string_view{value.data(), value.size()});
    } else if constexpr (std::same_as<T, domain::uuid> || a_strong_id<T>) {
        return bj::value(domain::to_string(value));
    } else if constexpr (std::same_as<T, domain::timestamp>) {
        return bj::value(domain::to_rfc3339(value));
    } else if constexpr (a_described_enum<T>) {
        return bj::value(bj::string_view{enum_name(value)});
    } else if constexpr (an_optional<T>) {
        return value ? make_value(*value, empty) : bj::value(nullptr);
    } else if constexpr (a_vector<T>) {
        bj::array array;
        array.reserve(value.size());
        for (typename T::value_type const& item : value) array.push_back(make_value(item, empty));
        return array;
    } else if constexpr (a_described_struct<T>) {
        return make_object(value, empty);
    } else {
        static_assert(unsupported<T>, "a type that json.h does not list");
    }
}

// ---- Writing text
// -------------------------------------------------------------------------------------------

void append_string(std::string& out, std::string_view text);  // In json.cpp.

template <typename T>
void write_text(std::string& out, T const& value);

template <typename Skipped, typename Struct>
void write_object(std::string& out, Struct const& value) {
    char separator = '{';
    for_each_member<Skipped>(value, [&](std::string_view name, auto const& field) {
        if constexpr (an_optional<std::decay_t<decltype(field)>>) {
            if (!field) return;
        }
        out += std::exchange(separator, ',');
        out += '"';
        out += name;  // A C++ identifier needs no escapes.
        out += "\":";
        if constexpr (an_optional<std::decay_t<decltype(field)>>) {
            write_text(out, *field);
        } else {
            write_text(out, field);
        }
    });
    if (separator == '{') out += '{';
    out += '}';
}

template <typename T>
void write_text(std::string& out, T const& value) {
    if constexpr (std::same_as<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (an_integer<T>) {
        char digits[24];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    } else if constexpr (std::same_as<T, double> || std::same_as<T, bj::value>) {
        out += bj::serialize(bj::value(value));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
        append_string(out, value);
    } else if constexpr (std::same_as<T, domain::uuid> || a_strong_id<T>) {
        out += '"';
        out += domain::to_string(value);
        out += '"';
    } else if constexpr (std::same_as<T, domain::timestamp>) {
        out += '"';
        out += domain::to_rfc3339(value);
        out += '"';
    } else if constexpr (a_described_enum<T>) {
        out += '"';
        out += enum_name(value);
        out += '"';
    } else if constexpr (an_optional<T>) {
        if (value) {
            write_text(out, *value);
        } else {
            out += "null";
        }
    } else if constexpr (a_vector<T>) {
        out += '[';
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (i != 0) out += ',';
            typename T::value_type const& item = value[i];
            write_text(out, item);
        }
        out += ']';
    } else if constexpr (a_described_struct<T>) {
        write_object<nothing>(out, value);
    } else {
        static_assert(unsupported<T>, "a type that json.h does not list");
    }
}

// ---- Reading
// ------------------------------------------------------------------------------------------------

/// Where the reader is; spelled out only when there is an error to report.
struct place {
    place const* parent = nullptr;
    std::string_view name{};
    std::size_t index = 0;
    bool is_element = false;

    [[nodiscard]] place member(std::string_view field) const { return {this, field, 0, false}; }
    [[nodiscard]] place element(std::size_t i) const { return {this, {}, i, true}; }
};
[[nodiscard]] std::string path_text(place const& at);  // In json.cpp.

/// What a walk carries along.
struct reader {
    unknown_fields unknown;
    std::vector<read_error>& errors;

    bool refuse(place const& at, std::string message) const;  // In json.cpp. Always false.
};

template <typename T>
bool read_value(bj::value const& from, T& into, place const& at, reader const& in);

template <an_integer T>
bool read_integer(bj::value const& from, T& into, place const& at, reader const& in) {
    bool fits = false;
    if (auto const* small = from.if_int64()) {
        fits = std::in_range<T>(*small);
        if (fits) into = static_cast<T>(*small);
    } else if (auto const* large = from.if_uint64()) {
        fits = std::in_range<T>(*large);
        if (fits) into = static_cast<T>(*large);
    } else {
        auto const* real = from.if_double();
        bool const too_large = real != nullptr && (*real >= 9.2e18 || *real <= -9.2e18);
        if (!too_large) return in.refuse(at, "must be an integer");
    }
    if (fits) return true;
    return in.refuse(at, "must be between " + std::to_string(std::numeric_limits<T>::min()) + " and " +
                             std::to_string(std::numeric_limits<T>::max()));
}

/// Reads what is written as a string, by `convert(text) -> optional<T>`.
template <typename T, typename Convert>
bool read_from_text(bj::value const& from, T& into, place const& at, reader const& in, char const* wanted,
                    Convert const& convert) {
    if (auto const* text = from.if_string()) {
        if (auto found = convert(std::string_view{text->data(), text->size()})) {
            into = *found;
            return true;
        }
    }
    return in.refuse(at, wanted);
}

template <typename Enum>
bool read_enum(bj::value const& from, Enum& into, place const& at, reader const& in) {
    auto const* text = from.if_string();
    if (text != nullptr && enum_from_name(std::string_view{text->data(), text->size()}, into)) return true;
    return in.refuse(at, enum_choices<Enum>());
}

template <typename T>
bool read_vector(bj::value const& from, std::vector<T>& into, place const& at, reader const& in) {
    auto const* array = from.if_array();
    if (array == nullptr) return in.refuse(at, "must be an array");
    into.clear();
    into.reserve(array->size());
    bool good = true;
    for (std::size_t i = 0; i < array->size(); ++i) {
        T item{};
        good &= read_value((*array)[i], item, at.element(i), in);
        into.push_back(std::move(item));
    }
    return good;
}

template <typename Struct>
bool is_member(std::string_view key) {
    bool found = false;
    boost::mp11::mp_for_each<members_of<Struct>>([&](auto member) { found |= key == member.name; });
    return found;
}

template <typename Skipped, typename Struct>
bool read_object(bj::value const& from, Struct& into, place const& at, reader const& in) {
    auto const* object = from.if_object();
    if (object == nullptr) return in.refuse(at, "must be an object");
    bool good = true;
    for_each_member<Skipped>(into, [&](std::string_view name, auto& field) {
        bj::value const* value = object->if_contains(bj::string_view{name});
        if (value != nullptr) {
            good &= read_value(*value, field, at.member(name), in);
        } else if constexpr (an_optional<std::decay_t<decltype(field)>>) {
            field.reset();
        } else {
            good = in.refuse(at.member(name), "is required");
        }
    });
    if (in.unknown == unknown_fields::ignore) return good;
    for (auto const& item : *object) {
        std::string_view const key{item.key().data(), item.key().size()};
        if (!is_member<Struct>(key)) good = in.refuse(at.member(key), "is not a known field");
    }
    return good;
}

template <typename T>
bool read_value(bj::value const& from, T& into, place const& at, reader const& in) {
    if constexpr (std::same_as<T, bj::value>) {
        into = from;
        return true;
    } else if constexpr (std::same_as<T, bool>) {
        if (auto const* flag = from.if_bool()) return into = *flag, true;
        return in.refuse(at, "must be true or false");
    } else if constexpr (an_integer<T>) {
        return read_integer(from, into, at, in);
    } else if constexpr (std::same_as<T, double>) {
        if (!from.is_number()) return in.refuse(at, "must be a number");
        into = from.to_number<double>();
        return true;
    } else if constexpr (std::same_as<T, std::string>) {
        auto const* text = from.if_string();
        if (text == nullptr) return in.refuse(at, "must be a string");
        into.assign(text->data(), text->size());
        return true;
    } else if constexpr (std::same_as<T, domain::uuid>) {
        return read_from_text(from, into, at, in, "must be a UUID", domain::parse_uuid);
    } else if constexpr (a_strong_id<T>) {
        return read_value(from, into.value, at, in);
    } else if constexpr (std::same_as<T, domain::timestamp>) {
        return read_from_text(from, into, at, in, "must be an RFC 3339 time, like 2026-11-21T03:08:19Z",
                              domain::parse_timestamp);
    } else if constexpr (a_described_enum<T>) {
        return read_enum(from, into, at, in);
    } else if constexpr (an_optional<T>) {
        using inner_type = typename T::value_type;
        if constexpr (an_optional<inner_type>) {
            return read_value(from, into.emplace(), at, in);
        } else {
            if (from.is_null()) return into.reset(), true;
            return read_value(from, into.emplace(), at, in);
        }
    } else if constexpr (a_vector<T>) {
        return read_vector(from, into, at, in);
    } else if constexpr (a_described_struct<T>) {
        return read_object<nothing>(from, into, at, in);
    } else {
        static_assert(unsupported<T>, "a type that json.h does not list");
    }
}

}  // namespace detail

template <typename T>
bj::value to_value(T const& value, empty_fields empty) {
    return detail::make_value(value, empty);
}

template <typename T>
void append_text(std::string& out, T const& value) {
    detail::write_text(out, value);
}

template <typename T>
std::string to_text(T const& value) {
    std::string out;
    detail::write_text(out, value);
    return out;
}

template <typename T>
bool read(bj::value const& from, T& into, std::string const& path, unknown_fields unknown,
          std::vector<read_error>& errors) {
    return detail::read_value(from, into, detail::place{nullptr, path}, detail::reader{unknown, errors});
}

}  // namespace linkledger::json
