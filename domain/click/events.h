#pragma once
// A click. People's clicks make the stream `clicks-<link>`, whose version is their exact number; those of
// bots make `bots-<link>`. Stored for good: fields are only added.

#include "domain/ids.h"

#include <boost/describe/class.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::domain::click {

/// Sealed under the key of the workspace and the UTC day.
struct clicked_personal {
    std::string visitor;  ///< 32 hexadecimal characters, keyed by workspace and UTC day.
    std::optional<std::string> ip;
    std::optional<std::string> user_agent;
    std::optional<std::string> referer;

    bool operator==(clicked_personal const&) const = default;
};

/// Facts are resolved before the event is written, so that a replay needs no outside data.
struct clicked {
    domain::link_id link_id;
    std::string short_code;
    std::optional<std::string> country_code;  ///< ISO 3166-1 alpha-2.
    std::optional<std::string> region;
    std::optional<std::string> city;
    std::optional<std::string> device_type;  ///< desktop, mobile or tablet.
    std::optional<std::string> browser;
    std::optional<std::string> browser_version;
    std::optional<std::string> os;
    std::optional<std::string> os_version;
    bool is_bot = false;
    std::optional<std::string> referer_domain;
    std::optional<std::string> utm_source;
    std::optional<std::string> utm_medium;
    std::optional<std::string> utm_campaign;
    std::optional<clicked_personal> personal;

    bool operator==(clicked const&) const = default;
};

/// Clicks that have one value in common; none: an unknown one.
struct settled_share {
    std::optional<std::string> value;
    std::int64_t clicks = 0;

    bool operator==(settled_share const&) const = default;
};
struct settled_hour {
    int hour = 0;  ///< 0 to 23, UTC.
    std::int64_t clicks = 0;
    std::int64_t unique_clicks = 0;

    bool operator==(settled_hour const&) const = default;
};
/// What a link's clicks of one UTC day come to, by what is published of them; written before their details
/// are erased, so that counts stay. Bots' clicks are a number alone. In the stream `days-<link>`.
struct settled {
    domain::link_id link_id;
    std::string day;  ///< Of occurred_at: `2026-11-21`.
    uuid key_id{};    ///< The clicks are those sealed under this key.
    std::int64_t clicks = 0;
    std::int64_t unique_clicks = 0;
    std::int64_t bots = 0;
    std::vector<settled_hour> hours;       ///< Those with clicks.
    std::vector<settled_share> countries;  ///< These five: most clicks first, 50 at most.
    std::vector<settled_share> devices;
    std::vector<settled_share> browsers;
    std::vector<settled_share> operating_systems;
    std::vector<settled_share> referrers;

    bool operator==(settled const&) const = default;
};

BOOST_DESCRIBE_STRUCT(settled_share, (), (value, clicks))
BOOST_DESCRIBE_STRUCT(settled_hour, (), (hour, clicks, unique_clicks))
BOOST_DESCRIBE_STRUCT(settled, (),
                      (link_id, day, key_id, clicks, unique_clicks, bots, hours, countries, devices, browsers,
                       operating_systems, referrers))
BOOST_DESCRIBE_STRUCT(clicked_personal, (), (visitor, ip, user_agent, referer))
BOOST_DESCRIBE_STRUCT(clicked, (),
                      (link_id, short_code, country_code, region, city, device_type, browser, browser_version,
                       os, os_version, is_bot, referer_domain, utm_source, utm_medium, utm_campaign,
                       personal))

}  // namespace linkledger::domain::click
