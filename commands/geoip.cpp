#include "commands/geoip.h"

#include <maxminddb.h>

#include <initializer_list>
#include <utility>
#include <vector>

namespace linkledger::commands {

namespace {

std::optional<std::string> text_at(MMDB_entry_s entry, std::initializer_list<char const*> path) {
    std::vector<char const*> keys(path);
    keys.push_back(nullptr);
    MMDB_entry_data_s found;
    if (MMDB_aget_value(&entry, &found, keys.data()) != MMDB_SUCCESS) return std::nullopt;
    if (!found.has_data || found.type != MMDB_DATA_TYPE_UTF8_STRING || found.data_size == 0)
        return std::nullopt;
    return std::string(found.utf8_string, found.data_size);
}

}  // namespace

struct geoip::state {
    MMDB_s database{};
    bool is_open = false;

    ~state() {
        if (is_open) MMDB_close(&database);
    }
};

geoip::geoip(std::unique_ptr<state> from) : state_(std::move(from)) {}
geoip::~geoip() = default;

eventlog::result<std::unique_ptr<geoip>> geoip::open(std::string const& path) {
    auto made = std::make_unique<state>();
    if (!path.empty()) {
        int const status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &made->database);
        if (status != MMDB_SUCCESS) {
            return eventlog::failure{
                eventlog::failure_code::unavailable,
                "the GeoIP database " + path + " cannot be used: " + MMDB_strerror(status)};
        }
        made->is_open = true;
    }
    return std::unique_ptr<geoip>(new geoip(std::move(made)));
}

place geoip::find(std::string const& address) const {
    place found;
    if (!state_->is_open || address.empty()) return found;
    int not_an_address = 0;
    int status = MMDB_SUCCESS;
    auto const result = MMDB_lookup_string(&state_->database, address.c_str(), &not_an_address, &status);
    if (not_an_address != 0 || status != MMDB_SUCCESS || !result.found_entry) return found;
    found.country_code = text_at(result.entry, {"country", "iso_code"});
    if (!found.country_code) found.country_code = text_at(result.entry, {"registered_country", "iso_code"});
    found.region = text_at(result.entry, {"subdivisions", "0", "names", "en"});
    found.city = text_at(result.entry, {"city", "names", "en"});
    return found;
}

}  // namespace linkledger::commands
