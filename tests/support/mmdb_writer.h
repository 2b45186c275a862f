#pragma once
// Writes tiny MaxMind databases for tests, so that none has to be downloaded:
// https://maxmind.github.io/MaxMind-DB/

#include <string>
#include <vector>

namespace linkledger::test {

struct mmdb_network {
    std::string network;  ///< IPv4 with prefix length: `81.2.69.0/24`.
    std::string country_code;
    std::string region;  ///< Empty: none.
    std::string city;    ///< Empty: none.
};

/// Replaces the file. Networks must not overlap. IPv4 lies at ::/96 of an IPv6 tree, as in MaxMind's files.
void write_mmdb(std::string const& path, std::vector<mmdb_network> const& networks);

}  // namespace linkledger::test
