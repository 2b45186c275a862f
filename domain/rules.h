#pragma once
// The rules that single values keep, whichever command brings them, with messages that say what would be
// accepted.

#include "domain/refusal.h"
#include "domain/time.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace linkledger::domain::rules {

inline constexpr std::size_t short_code_characters_min = 3;
inline constexpr std::size_t short_code_characters_max = 50;
inline constexpr std::size_t url_bytes_max = 8'192;
inline constexpr std::size_t email_bytes_max = 254;  ///< RFC 5321, section 4.5.3.1.3, without the brackets.
inline constexpr std::size_t slug_characters_min = 2;
inline constexpr std::size_t slug_characters_max = 63;
inline constexpr std::size_t name_characters_max = 255;
inline constexpr std::size_t title_characters_max = 500;
inline constexpr std::size_t description_characters_max = 5'000;
inline constexpr std::size_t tag_characters_max = 50;
inline constexpr std::size_t tags_max = 50;
inline constexpr std::size_t utm_characters_max = 255;
inline constexpr std::size_t password_bytes_max = 256;

/// A rule that a value breaks: one sentence fragment that fits behind the field's name.
struct broken {
    std::string message;

    bool operator==(broken const&) const = default;
};

/// The value as it is kept (trimmed, encoded, lower-cased), or why it is not accepted.
template <typename T>
using checked = std::variant<T, broken>;

/// 3 to 50 of A-Z a-z 0-9 _ -, and no reserved word in any case.
[[nodiscard]] checked<std::string> short_code(std::string_view text);
/// The words that the service keeps for itself: paths of today and those that it may want tomorrow.
[[nodiscard]] bool is_reserved_word(std::string_view short_code);

/// An absolute http or https URL with a host and without user information, 8,192 bytes at most. What RFC 3986
/// does not allow in a URL but browsers send (`|`, `"`, non-ASCII) is percent-encoded, so that the result is
/// safe ASCII in a header. A URL on `own_host` (of the service, without port; empty: none) would redirect in
/// a circle and is refused.
[[nodiscard]] checked<std::string> url(std::string_view text, std::string_view own_host = {});
/// The host of a URL in lower case, without port and without a trailing dot; empty when there is none.
[[nodiscard]] std::string host_of(std::string_view url);

/// Kept in lower case: nobody tells two mailboxes apart by case.
[[nodiscard]] checked<std::string> email(std::string_view text);
/// 2 to 63 of a-z 0-9 and -, without - at either end.
[[nodiscard]] checked<std::string> slug(std::string_view text);
/// 1 to 255 characters on one line, trimmed.
[[nodiscard]] checked<std::string> name(std::string_view text);
/// Trimmed; at most 500 characters on one line.
[[nodiscard]] checked<std::string> title(std::string_view text);
/// Trimmed; at most 5,000 characters; lines and tabs are allowed.
[[nodiscard]] checked<std::string> description(std::string_view text);
/// 255 characters at most, on one line.
[[nodiscard]] checked<std::string> utm(std::string_view text);
/// 1 to 50 characters on one line, trimmed.
[[nodiscard]] checked<std::string> tag(std::string_view text);
/// 1 to 256 bytes; never trimmed.
[[nodiscard]] checked<std::string> password(std::string_view text);
[[nodiscard]] checked<std::int64_t> max_clicks(std::int64_t count);
[[nodiscard]] checked<timestamp> expires_at(timestamp at, timestamp now);

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);
/// The number of code points in well-formed UTF-8.
[[nodiscard]] std::size_t count_characters(std::string_view utf8);

/// Gathers every rule that a command's values break, so that the client hears of all of them at once.
class findings {
public:
    void add(std::string field, std::string message) {
        errors_.push_back({std::move(field), std::move(message)});
    }

    /// The accepted value; after a broken rule, which is noted, a value to go on with.
    template <typename T>
    [[nodiscard]] T keep(std::string field, checked<T> value) {
        if (auto* no = std::get_if<broken>(&value)) {
            add(std::move(field), std::move(no->message));
            return T{};
        }
        return std::get<T>(std::move(value));
    }

    /// For an optional text: absent and empty are the same, and follow no further rule.
    template <typename Rule>
    [[nodiscard]] std::optional<std::string> keep_text(std::string field,
                                                       std::optional<std::string> const& text,
                                                       Rule const& rule) {
        if (!text || text->empty()) return std::nullopt;
        std::string kept = keep(std::move(field), rule(*text));
        if (kept.empty()) return std::nullopt;
        return kept;
    }

    /// Each tag by its rule, without repetitions, in the order given.
    [[nodiscard]] std::vector<std::string> keep_tags(std::vector<std::string> const& tags);

    [[nodiscard]] bool any() const { return !errors_.empty(); }
    [[nodiscard]] refusal to_refusal() const;

private:
    std::vector<field_error> errors_;
};

}  // namespace linkledger::domain::rules
