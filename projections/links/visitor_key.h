#pragma once
// How a link's visitors stand in link_visitors: each with its day in front, so that a day can be forgotten.

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/sql/connection.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace linkledger::projections::links {

/// Four hexadecimal characters: the day since 1970, UTC.
[[nodiscard]] std::string visitor_day(domain::timestamp at);
/// The day's characters and the first 28 of the visitor's hash: as long as the hash, and as good, because a
/// hash is keyed by the day.
[[nodiscard]] std::string visitor_key(domain::timestamp clicked_at, std::string_view visitor);

/// Uniques of days whose visitors are told apart for the last time, by link and day.
using settled_uniques = std::map<std::pair<domain::link_id, domain::timestamp>, std::int64_t>;
/// A settled number takes the place of the visitors that it was counted from: the same one for who saw them,
/// and the only one for a rebuild after their erasure.
void settle_visitors(settled_uniques const& days, sql::connection& in, int version);

}  // namespace linkledger::projections::links
