#pragma once
// Reads the text that json_reflect.h writes, member by member, without a document in between: most of what a
// projection or a rebuild spends on an event would go to that. Include it in .cpp files only.

#include "eventlog/json_reflect.h"

#include <utility>

namespace linkledger::json::detail {

/// A walk over the text. It knows our own form alone: members in their order, no spaces, no escapes, ASCII.
/// Everything else is left to the parser.
class text_walk {
public:
    explicit text_walk(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    bool take(char c) {
        if (at_ == end_ || *at_ != c) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view what) {
        if (!text_left().starts_with(what)) return false;
        at_ += what.size();
        return true;
    }
    /// `"name":`
    bool take_name(std::string_view name) {
        auto const left = text_left();
        if (left.size() < name.size() + 3 || left[0] != '"' || left.compare(1, name.size(), name) != 0 ||
            left[name.size() + 1] != '"' || left[name.size() + 2] != ':')
            return false;
        at_ += name.size() + 3;
        return true;
    }
    bool string(std::string_view& into) {
        if (!take('"')) return false;
        char const* const start = at_;
        for (; at_ != end_; ++at_) {
            auto const c = static_cast<unsigned char>(*at_);
            if (c == '"') {
                into = {start, static_cast<std::size_t>(at_ - start)};
                ++at_;
                return true;
            }
            if (c == '\\' || c < 0x20 || c >= 0x80) return false;
        }
        return false;
    }
    template <an_integer T>
    bool integer(T& into) {
        auto const [after, error] = std::from_chars(at_, end_, into);
        bool const good =
            error == std::errc{} && after != end_ && (*after == ',' || *after == '}' || *after == ']');
        bool const plain = good && (*at_ != '0' || after - at_ == 1) && (*at_ != '-' || at_[1] != '0');
        if (plain) at_ = after;
        return plain;
    }
    [[nodiscard]] bool at_end() const { return at_ == end_; }
    [[nodiscard]] bool is_next(char c) const { return at_ != end_ && *at_ == c; }

private:
    [[nodiscard]] std::string_view text_left() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

    char const* at_;
    char const* end_;
};

template <typename T>
bool read_text(text_walk& from, T& into);

/// False: it is not in our own form; `into` is then of no use.
template <typename Skipped, typename Struct>
bool read_text_object(text_walk& from, Struct& into) {
    if (!from.take('{')) return false;
    bool good = true;
    bool first = true;
    for_each_member<Skipped>(into, [&](std::string_view name, auto& field) {
        if (!good) return;
        using field_type = std::decay_t<decltype(field)>;
        auto before = from;
        bool const named = (first || from.take(',')) && from.take_name(name);
        if (!named) {
            from = before;
            good = an_optional<field_type>;
            return;
        }
        first = false;
        if constexpr (an_optional<field_type>) {
            if constexpr (!an_optional<typename field_type::value_type>) {
                if (from.take("null")) return;
            }
            good = read_text(from, field.emplace());
        } else {
            good = read_text(from, field);
        }
    });
    return good && from.take('}');
}

template <typename T, typename Convert>
bool read_text_as(text_walk& from, T& into, Convert const& convert) {
    std::string_view text;
    if (!from.string(text)) return false;
    auto const found = convert(text);
    if (found) into = *found;
    return found.has_value();
}

template <typename T>
bool read_text_vector(text_walk& from, std::vector<T>& into) {
    if (!from.take('[')) return false;
    if (from.take(']')) return true;
    do {
        T item{};
        if (!read_text(from, item)) return false;
        into.push_back(std::move(item));
    } while (from.take(','));
    return from.take(']');
}

template <typename T>
bool read_text(text_walk& from, T& into) {
    if constexpr (std::same_as<T, bool>) {
        into = from.take("true");
        return into || from.take("false");
    } else if constexpr (an_integer<T>) {
        return from.integer(into);
    } else if constexpr (std::same_as<T, std::string>) {
        std::string_view text;
        if (!from.string(text)) return false;
        into.assign(text);
        return true;
    } else if constexpr (std::same_as<T, domain::uuid>) {
        return read_text_as(from, into, domain::parse_uuid);
    } else if constexpr (a_strong_id<T>) {
        return read_text(from, into.value);
    } else if constexpr (std::same_as<T, domain::timestamp>) {
        return read_text_as(from, into, domain::parse_timestamp);
    } else if constexpr (a_described_enum<T>) {
        std::string_view text;
        return from.string(text) && enum_from_name(text, into);
    } else if constexpr (an_optional<T>) {
        if (from.take("null")) return into.reset(), true;
        return read_text(from, into.emplace());
    } else if constexpr (a_vector<T>) {
        return read_text_vector(from, into);
    } else if constexpr (a_described_struct<T>) {
        return read_text_object<nothing>(from, into);
    } else {
        return false;  // Documents and fractions.
    }
}

/// The whole text, into a fresh struct.
template <typename Skipped, typename Struct>
bool read_own_text(std::string_view text, Struct& into) {
    text_walk walk{text};
    return read_text_object<Skipped>(walk, into) && walk.at_end();
}

}  // namespace linkledger::json::detail
