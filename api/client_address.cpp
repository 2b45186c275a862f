// Addresses and CIDR ranges as 128 bits.

#include "api/client_address.h"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <stdexcept>

namespace linkledger::api {

namespace {

namespace ip = boost::asio::ip;
using bytes = std::array<std::uint8_t, 16>;

[[nodiscard]] std::optional<ip::address_v6> parse_address(std::string_view text) {
    boost::system::error_code ec;
    auto const address = ip::make_address(std::string{text}, ec);
    if (ec) return std::nullopt;
    return address.is_v6() ? address.to_v6() : ip::make_address_v6(ip::v4_mapped, address.to_v4());
}

[[nodiscard]] std::string to_text(ip::address_v6 const& address) {
    return address.is_v4_mapped() ? ip::make_address_v4(ip::v4_mapped, address).to_string()
                                  : address.to_string();
}

void keep_bits(bytes& address, int bits) {
    for (int i = 0; i < 16; ++i) {
        int const kept = std::clamp(bits - i * 8, 0, 8);
        address[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xFF00u >> kept);
    }
}

[[nodiscard]] std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Every address of every X-Forwarded-For, the one nearest to us last.
[[nodiscard]] std::vector<std::string_view> forwarded_for(request const& from) {
    std::vector<std::string_view> hops;
    for (auto const& [name, value] : from.headers) {
        if (!equal_ignoring_case(name, "X-Forwarded-For")) continue;
        for (std::string_view rest = value; !rest.empty();) {
            auto const end = std::min(rest.find(','), rest.size());
            hops.push_back(trim(rest.substr(0, end)));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return hops;
}

}  // namespace

trusted_proxies::trusted_proxies(std::vector<std::string> const& ranges) {
    for (std::string_view const text : ranges) {
        auto const slash = text.find('/');
        auto const address = parse_address(text.substr(0, slash));
        range one;
        int const width = address && address->is_v4_mapped() ? 32 : 128;
        int bits = width;
        if (slash != std::string_view::npos) {
            auto const digits = text.substr(slash + 1);
            auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
            if (ec != std::errc{} || end != digits.data() + digits.size()) bits = -1;
        }
        if (!address || bits < 0 || bits > width)
            throw std::invalid_argument("not an address or CIDR range: " + std::string{text});
        one.bits = bits + 128 - width;
        one.network = address->to_bytes();
        keep_bits(one.network, one.bits);
        ranges_.push_back(one);
    }
}

bool trusted_proxies::trusts(std::string_view address) const {
    if (ranges_.empty()) return false;
    auto const parsed = parse_address(address);
    if (!parsed) return false;
    return std::any_of(ranges_.begin(), ranges_.end(), [&](range const& one) {
        bytes cut = parsed->to_bytes();
        keep_bits(cut, one.bits);
        return cut == one.network;
    });
}

std::string trusted_proxies::client_of(request const& from) const {
    std::string client{from.remote_address};
    if (!trusts(client)) return client;
    auto const hops = forwarded_for(from);
    for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
        auto const address = parse_address(*hop);
        if (!address) break;  // What a trusted proxy could not have written ends the chain.
        client = to_text(*address);
        if (!trusts(client)) break;
    }
    return client;
}

std::optional<std::string> kept_address(std::string const& address, commands::keep_ip how) {
    auto const parsed = parse_address(address);
    if (how == commands::keep_ip::none || !parsed) return std::nullopt;
    if (how == commands::keep_ip::full) return to_text(*parsed);
    bytes cut = parsed->to_bytes();
    keep_bits(cut, parsed->is_v4_mapped() ? 96 + 24 : 48);
    return to_text(ip::address_v6{cut});
}

}  // namespace linkledger::api
