#pragma once
// Whose request it is: X-Forwarded-For counts only when it comes from a proxy that is trusted.

#include "api/http.h"
#include "commands/command_bus.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::api {

class trusted_proxies {
public:
    /// Addresses and CIDR ranges, IPv4 or IPv6. Throws std::invalid_argument that names a bad one.
    explicit trusted_proxies(std::vector<std::string> const& ranges);

    [[nodiscard]] bool trusts(std::string_view address) const;
    /// The connection's other end or, behind trusted proxies, the nearest address that is not one of them.
    [[nodiscard]] std::string client_of(request const& from) const;

private:
    struct range {
        std::array<std::uint8_t, 16> network{};  ///< IPv4 as v4-mapped IPv6.
        int bits = 128;
    };
    std::vector<range> ranges_;
};

/// The address as KEEP_IP allows: none, cut to /24 or /48, or full.
[[nodiscard]] std::optional<std::string> kept_address(std::string const& address, commands::keep_ip how);

}  // namespace linkledger::api
