#include "eventlog/json_fields.h"

#include <cstddef>

namespace linkledger::json {
namespace {

/// A walk over the text, which is over once something unexpected came.
class walk {
public:
    explicit walk(std::string_view text) : text_(text) {}

    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    /// Between quotes; `escaped` tells whether it has escapes.
    bool string(std::string_view& into, bool& escaped) {
        if (!take('"')) return false;
        std::size_t const start = at_;
        escaped = false;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '"') {
                into = text_.substr(start, at_ - start);
                ++at_;
                return true;
            }
            if (text_[at_] == '\\') {
                escaped = true;
                ++at_;
            }
        }
        return false;
    }
    /// A number or a word.
    bool word(std::string_view& into) {
        std::size_t const start = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != ']') ++at_;
        into = text_.substr(start, at_ - start);
        return !into.empty() && into.find_first_of(" \t\r\n\"") == std::string_view::npos;
    }
    /// An object or an array, as a whole.
    bool skip_nested() {
        int depth = 0;
        std::string_view ignored;
        bool escaped = false;
        do {
            if (at_ >= text_.size()) return false;
            char const c = text_[at_];
            if (c == '"') {
                if (!string(ignored, escaped)) return false;
                continue;
            }
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            ++at_;
        } while (depth > 0);
        return true;
    }
    [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

bool read_plain_fields(std::string_view object, std::span<plain_field> fields) {
    for (auto& each : fields) each.text = {};
    walk over{object};
    if (!over.take('{')) return false;
    if (over.take('}')) return over.at_end();
    do {
        std::string_view name;
        bool escaped = false;
        if (!over.string(name, escaped) || !over.take(':')) return false;
        plain_field* wanted = nullptr;
        for (auto& each : fields) {
            if (each.name == name) wanted = &each;
        }
        std::string_view value;
        bool value_escaped = false;
        if (over.next() == '"') {
            if (!over.string(value, value_escaped)) return false;
        } else if (over.next() == '{' || over.next() == '[') {
            if (wanted != nullptr || !over.skip_nested()) return false;
        } else {
            if (!over.word(value)) return false;
            if (value == "null") value = {};
        }
        if (wanted == nullptr) continue;
        if (value_escaped) return false;
        wanted->text = value;
    } while (over.take(','));
    return over.take('}') && over.at_end();
}

}  // namespace linkledger::json
