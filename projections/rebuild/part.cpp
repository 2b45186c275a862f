#include "projections/rebuild/part.h"

#include <algorithm>

namespace linkledger::projections {
namespace {

constexpr std::size_t key_bytes = sizeof(record_key::bytes);
constexpr std::size_t header_bytes = key_bytes + sizeof(std::uint32_t);
/// Of a part, so that a stretch's slice of it is not much longer than what is wanted; what they take in
/// memory depends on the number of parts alone.
constexpr std::size_t marks_wanted = 512;
constexpr std::size_t mark_every_min = 1'024;

constexpr std::int64_t stretches_wanted = 90;
constexpr std::int64_t stretch_bytes_min = 500'000;
constexpr std::int64_t stretch_bytes_max = 2'000'000;

record read_record(std::string_view bytes, std::size_t at, std::size_t& next) {
    record made;
    std::uint32_t size = 0;
    if (at + header_bytes > bytes.size())
        throw sql::error{sql::error::kind::other, "a part of a rebuild is cut off"};
    std::memcpy(made.key.bytes.data(), bytes.data() + at, key_bytes);
    std::memcpy(&size, bytes.data() + at + key_bytes, sizeof size);
    next = at + header_bytes + size;
    if (next > bytes.size()) throw sql::error{sql::error::kind::other, "a part of a rebuild is cut off"};
    made.payload = bytes.substr(at + header_bytes, size);
    return made;
}

void append_mark(std::string& to, record_key const& key, std::size_t offset) {
    auto const place = static_cast<std::int64_t>(offset);
    to.append(reinterpret_cast<char const*>(key.bytes.data()), key_bytes);
    to.append(reinterpret_cast<char const*>(&place), sizeof place);
}

}  // namespace

void part_builder::add(record_key const& key, std::string_view payload) {
    places_.push_back(bytes_.size());
    auto const size = static_cast<std::uint32_t>(payload.size());
    bytes_.append(reinterpret_cast<char const*>(key.bytes.data()), key_bytes);
    bytes_.append(reinterpret_cast<char const*>(&size), sizeof size);
    bytes_ += payload;
}

part_builder::part part_builder::take() {
    auto const* const base = bytes_.data();
    auto const* const keys = reinterpret_cast<unsigned char const*>(base);
    std::sort(places_.begin(), places_.end(),
              [keys](std::size_t a, std::size_t b) { return record_key::is_before(keys + a, keys + b); });
    part made;
    made.bytes.reserve(bytes_.size());
    std::size_t const mark_every = std::max(bytes_.size() / marks_wanted, mark_every_min);
    std::size_t next_mark = 0;
    char const* last = nullptr;
    for (auto const place : places_) {
        if (last != nullptr && std::memcmp(last, base + place, key_bytes) == 0) continue;
        last = base + place;
        std::size_t end = 0;
        auto const each = read_record(bytes_, place, end);
        if (made.bytes.size() >= next_mark) {
            append_mark(made.marks, each.key, made.bytes.size());
            next_mark = made.bytes.size() + mark_every;
        }
        made.bytes.append(base + place, end - place);
    }
    record_key behind;
    behind.bytes.fill(0xFF);
    append_mark(made.marks, behind, made.bytes.size());
    bytes_.clear();
    places_.clear();
    return made;
}

std::vector<part_mark> read_marks(std::string_view bytes) {
    std::vector<part_mark> marks;
    constexpr std::size_t each = key_bytes + sizeof(std::int64_t);
    for (std::size_t at = 0; at + each <= bytes.size(); at += each) {
        auto& mark = marks.emplace_back();
        std::memcpy(mark.key.bytes.data(), bytes.data() + at, key_bytes);
        std::memcpy(&mark.offset, bytes.data() + at + key_bytes, sizeof mark.offset);
    }
    return marks;
}

std::set<record_key> choose_cuts(marks_of_parts const& parts, unsigned char last_kind) {
    std::vector<record_key> keys;
    std::int64_t bytes = 0;
    for (auto const& [range, marks] : parts) {
        if (marks.empty()) continue;
        for (auto const& mark : marks) keys.push_back(mark.key);
        keys.pop_back();
        bytes += marks.back().offset;
    }
    std::sort(keys.begin(), keys.end());
    auto const stretch_bytes = std::clamp(bytes / stretches_wanted, stretch_bytes_min, stretch_bytes_max);
    auto const stretches = static_cast<std::size_t>(std::max<std::int64_t>(bytes / stretch_bytes, 1));
    std::set<record_key> chosen{record_key{}};
    for (std::size_t i = 1; i < stretches && !keys.empty(); ++i) {
        auto const key = keys[i * keys.size() / stretches];
        chosen.insert(key.kind() == last_kind ? key : record_key{key.subject(), 0});
    }
    return chosen;
}

part_slice find_slice(std::vector<part_mark> const& marks, std::optional<record_key> const& from,
                      std::optional<record_key> const& to) {
    if (marks.size() < 2) return {};
    auto const by_key = [](part_mark const& mark, record_key const& key) { return mark.key < key; };
    std::size_t first = 0;
    std::size_t last = marks.size() - 1;
    if (from) {
        auto const above =
            std::upper_bound(marks.begin(), marks.end(), *from,
                             [](record_key const& key, part_mark const& mark) { return key < mark.key; });
        first = above == marks.begin() ? 0 : static_cast<std::size_t>(above - marks.begin()) - 1;
    }
    if (to)
        last = std::min<std::size_t>(
            last, static_cast<std::size_t>(std::lower_bound(marks.begin(), marks.end(), *to, by_key) -
                                           marks.begin()));
    if (first >= last) return {};
    return {marks[first].offset, marks[last].offset - marks[first].offset};
}

void record_set::add(std::string slice, std::optional<record_key> const& from,
                     std::optional<record_key> const& to) {
    auto const& kept = slices_.emplace_back(std::move(slice));
    for (std::size_t at = 0; at < kept.size();) {
        auto const each = read_record(kept, at, at);
        if (from && each.key < *from) continue;
        if (to && !(each.key < *to)) return;
        records_.push_back(each);
    }
}

std::vector<record> const& record_set::sorted() {
    std::sort(records_.begin(), records_.end(),
              [](record const& a, record const& b) { return a.key < b.key; });
    records_.erase(std::unique(records_.begin(), records_.end(),
                               [](record const& a, record const& b) { return a.key == b.key; }),
                   records_.end());
    return records_;
}

}  // namespace linkledger::projections
