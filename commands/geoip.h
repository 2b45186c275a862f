#pragma once
// Where an address is, by a MaxMind database file (GeoLite2 City or Country, or one of the same form).

#include "eventlog/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

/// Empty: unknown. Names are in English.
struct place {
    std::optional<std::string> country_code;  ///< ISO 3166-1 alpha-2, upper case.
    std::optional<std::string> region;        ///< The first subdivision's name.
    std::optional<std::string> city;

    bool operator==(place const&) const = default;
};

/// Safe to call from any thread; the file is mapped, a lookup takes about a microsecond.
class geoip {
public:
    /// With an empty path every place is unknown. `unavailable`, with the path and the reason, for a file
    /// that cannot be opened or is no MaxMind database.
    static eventlog::result<std::unique_ptr<geoip>> open(std::string const& path);
    ~geoip();

    /// Of an IPv4 or IPv6 address in text form; anything else is nowhere.
    [[nodiscard]] place find(std::string const& address) const;

private:
    struct state;
    explicit geoip(std::unique_ptr<state> from);
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::commands
