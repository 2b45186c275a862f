#include "commands/literal_matcher.h"

#include <cassert>
#include <limits>

namespace linkledger::commands {

namespace {

constexpr std::uint8_t fold_case(char c) {
    auto const byte = static_cast<std::uint8_t>(c);
    return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte + 32) : byte;
}

}  // namespace

literal_matcher::literal_matcher(std::vector<std::string> const& literals) : literal_count_(literals.size()) {
    for (auto const& literal : literals) {
        for (char const c : literal) {
            auto& letter = letter_of_[static_cast<std::uint8_t>(c)];
            if (letter == 0) letter = static_cast<std::uint8_t>(letters_++);
        }
    }
    for (std::size_t byte = 'A'; byte <= 'Z'; ++byte) letter_of_[byte] = letter_of_[byte + 32];
    add_node();
    for (std::size_t i = 0; i < literals.size(); ++i) insert(literals[i], static_cast<int>(i));
    link_suffixes();
}

literal_matcher::node literal_matcher::add_node() {
    assert(literal_at_.size() < std::numeric_limits<node>::max());
    next_.resize(next_.size() + letters_, 0);
    literal_at_.push_back(-1);
    shorter_.push_back(0);
    return static_cast<node>(literal_at_.size() - 1);
}

void literal_matcher::insert(std::string_view literal, int index) {
    node at = 0;
    for (char const c : literal) {
        auto const letter = letter_of_[fold_case(c)];
        node to = next(at, letter);
        if (to == 0) {
            to = add_node();
            next(at, letter) = to;
        }
        at = to;
    }
    literal_at_[at] = index;
}

/// Breadth first: a node's missing edges become those of its longest proper suffix.
void literal_matcher::link_suffixes() {
    std::vector<node> suffix(literal_at_.size(), 0);
    std::vector<node> queue;
    for (std::size_t letter = 0; letter < letters_; ++letter) {
        if (node const child = next_[letter]; child != 0) queue.push_back(child);
    }
    for (std::size_t head = 0; head < queue.size(); ++head) {
        node const at = queue[head];
        for (std::size_t i = 0; i < letters_; ++i) {
            auto const letter = static_cast<std::uint8_t>(i);
            node const along_suffix = next(suffix[at], letter);
            node& child = next(at, letter);
            if (child == 0) {
                child = along_suffix;
                continue;
            }
            suffix[child] = along_suffix;
            shorter_[child] = literal_at_[along_suffix] >= 0 ? along_suffix : shorter_[along_suffix];
            queue.push_back(child);
        }
    }
}

void literal_matcher::find(std::string_view text, std::vector<int>& found) const {
    thread_local std::vector<std::uint32_t> seen_in;
    thread_local std::uint32_t pass = 0;
    if (seen_in.size() < literal_count_) seen_in.resize(literal_count_, 0);
    if (++pass == 0) {
        seen_in.assign(seen_in.size(), 0);
        pass = 1;
    }
    found.clear();
    node at = 0;
    for (char const c : text) {
        at = next(at, letter_of_[static_cast<std::uint8_t>(c)]);
        for (node end = literal_at_[at] >= 0 ? at : shorter_[at]; end != 0; end = shorter_[end]) {
            auto const literal = static_cast<std::size_t>(literal_at_[end]);
            if (seen_in[literal] == pass) continue;
            seen_in[literal] = pass;
            found.push_back(static_cast<int>(literal));
        }
    }
}

}  // namespace linkledger::commands
