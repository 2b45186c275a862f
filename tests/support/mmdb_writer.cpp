#include "tests/support/mmdb_writer.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace linkledger::test {

namespace {

// Data section: a control byte (type in the upper three bits, size in the lower five), then the bytes.
enum data_type { utf8 = 2, unsigned_16 = 5, unsigned_32 = 6, map = 7, array = 11, unsigned_64 = 9 };

std::string control(data_type type, std::size_t size) {
    if (size >= 29 + 256) throw std::invalid_argument("too long for this writer");
    std::string bytes;
    auto const low = static_cast<std::uint8_t>(size < 29 ? size : 29);
    if (type <= 7) {
        bytes += static_cast<char>((type << 5) | low);
    } else {
        bytes += static_cast<char>(low);
        bytes += static_cast<char>(type - 7);
    }
    if (size >= 29) bytes += static_cast<char>(size - 29);
    return bytes;
}
std::string text(std::string const& value) {
    return control(utf8, value.size()) + value;
}
std::string number(data_type type, std::uint64_t value) {
    std::string bytes;
    for (; value != 0; value >>= 8) bytes.insert(bytes.begin(), static_cast<char>(value & 0xFF));
    return control(type, bytes.size()) + bytes;
}
using pairs = std::vector<std::pair<std::string, std::string>>;  ///< Names, and values in stored form.
std::string object(pairs const& members) {
    std::string bytes = control(map, members.size());
    for (auto const& [name, value] : members) bytes += text(name) + value;
    return bytes;
}
std::string list(std::vector<std::string> const& items) {
    std::string bytes = control(array, items.size());
    for (auto const& item : items) bytes += item;
    return bytes;
}
std::string names(std::string const& english) {
    return object({{"names", object({{"en", text(english)}})}});
}
std::string record_of(mmdb_network const& network) {
    pairs members{{"country", object({{"iso_code", text(network.country_code)}})}};
    if (!network.region.empty()) members.emplace_back("subdivisions", list({names(network.region)}));
    if (!network.city.empty()) members.emplace_back("city", names(network.city));
    return object(members);
}

/// A binary tree over address bits. An edge is a node, nothing, or a place in the data section.
class search_tree {
public:
    search_tree() { nodes_.emplace_back(); }

    void add(std::array<std::uint8_t, 16> const& address, int prefix_bits, std::size_t data_offset) {
        std::size_t at = 0;
        for (int bit = 0;; ++bit) {
            auto const byte = address[static_cast<std::size_t>(bit / 8)];
            auto const side = static_cast<std::size_t>((byte >> (7 - bit % 8)) & 1);
            if (bit + 1 == prefix_bits) {
                nodes_[at][side] = {edge::data, data_offset};
                return;
            }
            if (nodes_[at][side].what != edge::node) {
                nodes_[at][side] = {edge::node, nodes_.size()};
                nodes_.emplace_back();
            }
            at = nodes_[at][side].to;
        }
    }

    /// Records of 24 bits; beyond the node count lie "nothing" and, 16 further on, the data section.
    [[nodiscard]] std::string bytes() const {
        std::string out;
        for (auto const& node : nodes_) {
            for (auto const& [what, to] : node) {
                std::size_t value = nodes_.size();
                if (what == edge::node) value = to;
                if (what == edge::data) value = nodes_.size() + 16 + to;
                for (int shift = 16; shift >= 0; shift -= 8)
                    out += static_cast<char>((value >> shift) & 0xFF);
            }
        }
        return out;
    }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }

private:
    struct edge {
        enum kind { nothing, node, data } what = nothing;
        std::size_t to = 0;
    };
    std::vector<std::array<edge, 2>> nodes_;
};

}  // namespace

void write_mmdb(std::string const& path, std::vector<mmdb_network> const& networks) {
    search_tree tree;
    std::string data;
    for (auto const& network : networks) {
        auto const slash = network.network.find('/');
        std::array<std::uint8_t, 16> address{};
        if (inet_pton(AF_INET, network.network.substr(0, slash).c_str(), address.data() + 12) != 1) {
            throw std::invalid_argument(network.network);
        }
        tree.add(address, 96 + std::stoi(network.network.substr(slash + 1)), data.size());
        data += record_of(network);
    }
    std::string const metadata = object({{"node_count", number(unsigned_32, tree.size())},
                                         {"record_size", number(unsigned_16, 24)},
                                         {"ip_version", number(unsigned_16, 6)},
                                         {"database_type", text("Test-City")},
                                         {"languages", list({text("en")})},
                                         {"binary_format_major_version", number(unsigned_16, 2)},
                                         {"binary_format_minor_version", number(unsigned_16, 0)},
                                         {"build_epoch", number(unsigned_64, 1'700'000'000)},
                                         {"description", object({{"en", text("Made by a test")}})}});
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << tree.bytes() << std::string(16, '\0') << data << "\xAB\xCD\xEFMaxMind.com" << metadata;
}

}  // namespace linkledger::test
