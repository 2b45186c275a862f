#include "domain/time.h"

#include <array>
#include <cstdio>

namespace linkledger::domain {
namespace {

using namespace std::chrono;

struct calendar {
    int year;
    unsigned month, day;
    long hour, minute, second, microsecond;
};

calendar split(timestamp at) {
    auto const midnight = floor<days>(at);
    year_month_day const date{midnight};
    hh_mm_ss<microseconds> const clock{at - midnight};
    return {int(date.year()),          unsigned(date.month()),  unsigned(date.day()),
            clock.hours().count(),     clock.minutes().count(), clock.seconds().count(),
            clock.subseconds().count()};
}

/// Reads fixed-width decimal fields from the front of a text; any mismatch makes it fail for good.
class field_reader {
public:
    explicit field_reader(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') return failed_ = true, 0;
            value = value * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        return value;
    }
    bool accept(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c) { failed_ |= !accept(c); }

    std::int64_t fraction_us() {
        std::int64_t value = 0;
        int count = 0;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            if (count < 6) value = value * 10 + (rest_.front() - '0');
            ++count;
            rest_.remove_prefix(1);
        }
        failed_ |= count == 0 || count > 9;
        for (; count < 6; ++count) value *= 10;
        return value;
    }
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::string_view rest_;
    bool failed_ = false;
};

}  // namespace

std::string to_rfc3339(timestamp at) {
    calendar const c = split(at);
    std::array<char, 64> text{};
    int const length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02ld:%02ld:%02ld.%06ldZ",
                                     c.year, c.month, c.day, c.hour, c.minute, c.second, c.microsecond);
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string to_utc_day(timestamp at) {
    return to_rfc3339(at).substr(0, 10);
}

std::optional<timestamp> parse_timestamp(std::string_view text) {
    field_reader in{text};
    int const y = in.digits(4);
    in.expect('-');
    int const mo = in.digits(2);
    in.expect('-');
    int const d = in.digits(2);
    if (!in.accept('T') && !in.accept('t')) in.expect(' ');
    int const h = in.digits(2);
    in.expect(':');
    int const mi = in.digits(2);
    in.expect(':');
    int const s = in.digits(2);
    std::int64_t const us = in.accept('.') ? in.fraction_us() : 0;

    minutes offset{0};
    if (!in.accept('Z') && !in.accept('z')) {
        int const sign = in.accept('-') ? -1 : 1;
        if (sign == 1) in.expect('+');
        int const offset_hours = in.digits(2);
        int const offset_minutes = in.empty() ? 0 : (in.expect(':'), in.digits(2));
        if (offset_hours > 23 || offset_minutes > 59) return std::nullopt;
        offset = minutes{sign * (offset_hours * 60 + offset_minutes)};
    }
    year_month_day const date{year{y}, month{static_cast<unsigned>(mo)}, day{static_cast<unsigned>(d)}};
    if (in.failed() || !in.empty() || !date.ok() || h > 23 || mi > 59 || s > 59) return std::nullopt;
    auto const at =
        timestamp{sys_days{date}} + hours{h} + minutes{mi} + seconds{s} + microseconds{us} - offset;
    constexpr timestamp first{sys_days{year{1} / 1 / 1}}, beyond{sys_days{year{10'000} / 1 / 1}};
    if (at < first || at >= beyond) return std::nullopt;
    return at;
}

}  // namespace linkledger::domain
