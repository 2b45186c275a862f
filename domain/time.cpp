#include "domain/time.h"

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

/// Every click writes a day and a time: this costs a tenth of what printf does.
void append_digits(std::string& to, long value, std::size_t count) {
    auto const first = to.size();
    to.append(count, '0');
    for (std::size_t i = count; i > 0; --i, value /= 10)
        to[first + i - 1] = static_cast<char>('0' + value % 10);
}

void append_field(std::string& to, char before, long value, std::size_t count) {
    to += before;
    append_digits(to, value, count);
}

void append_day(std::string& to, calendar const& c) {
    append_digits(to, c.year, 4);
    append_field(to, '-', c.month, 2);
    append_field(to, '-', c.day, 2);
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

std::string to_utc_day(timestamp at) {
    std::string text;
    append_day(text, split(at));
    return text;
}

std::string to_rfc3339(timestamp at) {
    calendar const c = split(at);
    std::string text;
    text.reserve(27);
    append_day(text, c);
    append_field(text, 'T', c.hour, 2);
    append_field(text, ':', c.minute, 2);
    append_field(text, ':', c.second, 2);
    append_field(text, '.', c.microsecond, 6);
    text += 'Z';
    return text;
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
