#pragma once
// What the clicks of one link and day come to.

#include "domain/click/events.h"
#include "domain/time.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::commands {

/// `<link>` of `clicks-<link>` and `bots-<link>`.
[[nodiscard]] std::string_view link_part_of(std::string_view stream);

class click_totals {
public:
    void add(domain::click::clicked const& click, domain::timestamp at);
    [[nodiscard]] domain::click::settled finish(domain::link_id const& link, std::string const& day,
                                                domain::uuid const& key);

private:
    /// 32 hexadecimal characters, kept as 16 bytes.
    using visitor = std::array<std::uint8_t, 16>;
    using shares = std::map<std::optional<std::string>, std::int64_t>;
    struct hour {
        std::int64_t clicks = 0;
        std::vector<visitor> visitors;  ///< With repetitions, which go when they are many.
        std::size_t tidy_at = 1'024;
    };

    std::int64_t clicks_ = 0;
    std::int64_t bots_ = 0;
    std::array<hour, 24> hours_{};
    shares countries_, devices_, browsers_, systems_, referrers_;
};

}  // namespace linkledger::commands
