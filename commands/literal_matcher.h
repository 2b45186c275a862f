#pragma once
// Finds which of many literals occur in a text, in one pass (Aho and Corasick, 1975): the prefilter of the
// user-agent regexes.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::commands {

/// Literals are lower case; texts are folded (ASCII) on the way. Immutable once built, so safe to share.
class literal_matcher {
public:
    explicit literal_matcher(std::vector<std::string> const& literals);

    /// Indices of the literals that occur, each once, in no particular order.
    void find(std::string_view text, std::vector<int>& found) const;

private:
    using node = std::uint16_t;

    [[nodiscard]] node& next(node from, std::uint8_t letter) { return next_[from * letters_ + letter]; }
    [[nodiscard]] node next(node from, std::uint8_t letter) const { return next_[from * letters_ + letter]; }
    node add_node();
    void insert(std::string_view literal, int index);
    void link_suffixes();

    std::array<std::uint8_t, 256> letter_of_{};  ///< Bytes that no literal has share letter 0.
    std::size_t letters_ = 1;
    std::vector<node> next_;                ///< Per node and letter; complete after link_suffixes.
    std::vector<std::int32_t> literal_at_;  ///< The literal that ends at a node, or -1.
    std::vector<node> shorter_;  ///< The next node on the suffix chain where a literal ends; 0: none.
    std::size_t literal_count_ = 0;
};

}  // namespace linkledger::commands
