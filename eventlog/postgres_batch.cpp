#include "eventlog/postgres_batch.h"

#include "eventlog/leaf_hash.h"
#include "eventlog/sql/binary_array.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <unordered_map>

namespace linkledger::eventlog {
namespace {

using sql::binary_array;
using element = binary_array::element;

template <std::size_t Size>
std::string_view view_of(std::array<std::uint8_t, Size> const& bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

std::string big_endian(std::uint64_t value, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = size; i-- > 0; value >>= 8) bytes[i] = static_cast<char>(value & 0xFF);
    return bytes;
}

/// Distinct texts and their numbers from 1. Refers to the texts it was given.
class numbered_texts {
public:
    int number_of(std::string_view text) {
        auto const [found, is_new] = numbers_.try_emplace(text, static_cast<int>(texts_.size()) + 1);
        if (is_new) texts_.push_back(text);
        return found->second;
    }
    std::size_t size() const { return texts_.size(); }
    std::string take(element type) const {
        binary_array array(type);
        for (auto const& each : texts_) array.add_bytes(each);
        return array.take();
    }

private:
    std::unordered_map<std::string_view, int> numbers_;
    std::vector<std::string_view> texts_;
};

/// Distinct (scope, key) pairs and their numbers from 1.
class numbered_claims {
public:
    int number_of(claim_change const& change) {
        std::pair<std::string_view, std::string_view> const pair{change.scope, change.key};
        auto const [found, is_new] = numbers_.try_emplace(pair, static_cast<int>(numbers_.size()) + 1);
        if (is_new) {
            scopes.add_bytes(change.scope);
            keys.add_bytes(change.key);
        }
        return found->second;
    }
    binary_array scopes{element::text}, keys{element::text};

private:
    std::map<std::pair<std::string_view, std::string_view>, int> numbers_;
};

bool decided_at_once(append_request const& append) {
    return append.streams.size() == 1 && !append.streams[0].events.empty() && append.claims.empty() &&
           !append.idempotency && append.streams[0].expected.what() != expected_version::kind::exactly;
}

int kind_number(expected_version::kind kind) {
    switch (kind) {
        case expected_version::kind::any:
            return 0;
        case expected_version::kind::exactly:
            return 1;
        case expected_version::kind::below:
            return 2;
    }
    return 0;
}

failure bad_answer() {
    return {failure_code::corrupted, "PostgreSQL: the stored outcome is not one of this batch"};
}

}  // namespace

struct postgres_batch::encoder {
    explicit encoder(postgres_batch& owner) : to(owner) {}

    void run();
    void add(append_request const& append);
    void add(stream_append const& part);
    void add(event_body const& event, std::string const& stream, int number);
    void add_claims(std::vector<claim_change> const& changes);
    void limit(int stream, expected_version expected);
    void finish();

    postgres_batch& to;
    bool uniform = true, limited = false;
    numbered_texts names, ids, fingerprints;
    numbered_claims claims;
    std::size_t stream_count = 0;
    std::vector<int> totals;           ///< Events of the batch for each stream.
    std::vector<std::int64_t> limits;  ///< For each stream; the largest number for none.
    std::int32_t events = 0;

    binary_array append_streams{element::int4}, append_claims{element::int4}, append_ids{element::int4},
        append_fingerprints{element::int4}, responses{element::bytea};
    binary_array part_streams{element::int4}, part_kinds{element::int4}, part_values{element::int8},
        part_events{element::int4};
    binary_array change_claims{element::int4}, change_kinds{element::int4}, change_owners{element::int4};
    binary_array event_streams{element::int4}, event_numbers{element::int4}, event_ranks{element::int4},
        event_ids{element::uuid}, event_types{element::text}, event_schemas{element::int4},
        event_workspaces{element::uuid}, event_data{element::text}, event_personal_keys{element::uuid},
        event_personal{element::bytea}, event_context_keys{element::uuid}, event_context{element::bytea},
        event_metadata{element::text}, event_occurred{element::int8}, event_salts{element::bytea},
        event_hashes{element::bytea};
};

postgres_batch::postgres_batch(append_batch const& batch) : batch_(batch) {
    encoder(*this).run();
}

void postgres_batch::encoder::run() {
    auto const& appends = to.batch_.appends;
    // Streams are numbered first, so that they are the first of the names.
    for (auto const& append : appends)
        for (auto const& part : append.streams) names.number_of(part.stream);
    stream_count = names.size();
    totals.assign(stream_count, 0);
    limits.assign(stream_count, 0);
    uniform = std::all_of(appends.begin(), appends.end(), decided_at_once);
    for (auto const& append : appends) add(append);
    finish();
}

void postgres_batch::encoder::add(append_request const& append) {
    append_streams.add_int4(static_cast<std::int32_t>(append.streams.size()));
    append_claims.add_int4(static_cast<std::int32_t>(append.claims.size()));
    if (append.idempotency) {
        append_ids.add_int4(ids.number_of(view_of(append.idempotency->id)));
        append_fingerprints.add_int4(fingerprints.number_of(view_of(append.idempotency->fingerprint)));
        responses.add_bytes(append.idempotency->response);
    } else {
        append_ids.add_int4(0);
        append_fingerprints.add_int4(0);
        responses.add_null();
    }
    if (uniform) to.stream_of_append_.push_back(names.number_of(append.streams[0].stream));
    for (auto const& part : append.streams) add(part);
    add_claims(append.claims);
}

void postgres_batch::encoder::add(stream_append const& part) {
    int const number = names.number_of(part.stream);
    part_streams.add_int4(number);
    part_kinds.add_int4(kind_number(part.expected.what()));
    part_values.add_int8(part.expected.value());
    part_events.add_int4(static_cast<std::int32_t>(part.events.size()));
    limit(number, part.expected);
    for (auto const& event : part.events) add(event, part.stream, number);
}

/// A stream's expectations must all be the same for a batch to be decided at once: with `below` the appends
/// beyond the limit would otherwise have to be found one by one.
void postgres_batch::encoder::limit(int stream, expected_version expected) {
    constexpr auto none = std::numeric_limits<std::int64_t>::max();
    bool const below = expected.what() == expected_version::kind::below;
    std::int64_t const wanted = below ? expected.value() : none;
    auto& known = limits[static_cast<std::size_t>(stream - 1)];
    bool const first = totals[static_cast<std::size_t>(stream - 1)] == 0;
    if (!first && known != wanted) uniform = false;
    known = wanted;
    limited |= below;
}

void postgres_batch::encoder::add(event_body const& event, std::string const& stream, int number) {
    event_streams.add_int4(number);
    event_numbers.add_int4(++events);
    event_ranks.add_int4(++totals[static_cast<std::size_t>(number - 1)]);
    event_ids.add_uuid(event.event_id);
    event_types.add_bytes(event.type);
    event_schemas.add_int4(event.schema_version);
    event_workspaces.add_uuid(event.workspace_id);
    event_data.add_bytes(event.data);
    event_personal_keys.add_uuid(event.personal.key_id);
    event_personal.add_bytes(event.personal.bytes);
    event_context_keys.add_uuid(event.context.key_id);
    event_context.add_bytes(event.context.bytes);
    event_metadata.add_bytes(event.metadata);
    event_occurred.add_int8(domain::to_unix_us(event.occurred_at));
    event_salts.add_bytes(view_of(event.salt));
    digest const hash = body_hash(stream, event);
    event_hashes.add_bytes(view_of(hash));
}

void postgres_batch::encoder::add_claims(std::vector<claim_change> const& changes) {
    std::vector<std::size_t> order(changes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_partition(order.begin(), order.end(),
                          [&](std::size_t i) { return changes[i].what == claim_change::kind::release; });
    for (std::size_t const i : order) {
        change_claims.add_int4(claims.number_of(changes[i]));
        change_kinds.add_int4(changes[i].what == claim_change::kind::release ? 1 : 0);
        change_owners.add_int4(names.number_of(changes[i].owner));
    }
    to.order_.push_back(std::move(order));
}

void postgres_batch::encoder::finish() {
    binary_array stream_totals{element::int4}, stream_limits{element::int8};
    for (int const each : totals) stream_totals.add_int4(each);
    if (limited)
        for (std::int64_t const each : limits) stream_limits.add_int8(each);
    to.parameters_ = {std::string{view_of(to.batch_.producer.bytes)},
                      big_endian(static_cast<std::uint64_t>(to.batch_.sequence), 8),
                      std::string(1, uniform ? '\1' : '\0'),
                      names.take(element::text),
                      big_endian(stream_count, 4),
                      stream_totals.take(),
                      stream_limits.take(),
                      append_streams.take(),
                      append_claims.take(),
                      append_ids.take(),
                      append_fingerprints.take(),
                      part_streams.take(),
                      part_kinds.take(),
                      part_values.take(),
                      part_events.take(),
                      change_claims.take(),
                      change_kinds.take(),
                      change_owners.take(),
                      claims.scopes.take(),
                      claims.keys.take(),
                      ids.take(element::bytea),
                      fingerprints.take(element::bytea),
                      responses.take(),
                      event_streams.take(),
                      event_numbers.take(),
                      event_ranks.take(),
                      event_ids.take(),
                      event_types.take(),
                      event_schemas.take(),
                      event_workspaces.take(),
                      event_data.take(),
                      event_personal_keys.take(),
                      event_personal.take(),
                      event_context_keys.take(),
                      event_context.take(),
                      event_metadata.take(),
                      event_occurred.take(),
                      event_salts.take(),
                      event_hashes.take()};
}

result<batch_outcome> postgres_batch::read(answer const& from) const {
    if (from.uniform) return read_uniform(from);
    batch_outcome all{{}, from.first_position, from.resent};
    auto const& numbers = from.numbers;
    std::size_t at = 0;
    auto const left = [&] { return numbers.size() - at; };
    for (std::size_t i = 0; i < batch_.appends.size(); ++i) {
        append_request const& append = batch_.appends[i];
        if (left() < 1) return bad_answer();
        std::int64_t const what = numbers[at++];
        if (what == 0 && left() >= 1 + append.streams.size()) {
            std::span const versions(numbers.data() + at + 1, append.streams.size());
            all.outcomes.push_back(
                appended{numbers[at], {versions.begin(), versions.end()}, from.recorded_at});
            at += 1 + append.streams.size();
        } else if (what == 1 && left() >= 2 && numbers[at] >= 1 &&
                   std::size_t(numbers[at]) <= append.streams.size()) {
            all.outcomes.push_back(
                version_conflict{append.streams[std::size_t(numbers[at] - 1)].stream, numbers[at + 1]});
            at += 2;
        } else if (what == 2 && left() >= 1 && numbers[at] >= 1 &&
                   std::size_t(numbers[at]) <= append.claims.size()) {
            claim_change const& change = append.claims[order_[i][std::size_t(numbers[at] - 1)]];
            all.outcomes.push_back(claim_taken{change.scope, change.key});
            at += 1;
        } else if (what == 3 && left() >= 2) {
            all.outcomes.emplace_back(replayed{numbers[at], numbers[at + 1], {}});
            at += 2;
        } else if (what == 4) {
            all.outcomes.emplace_back(std::in_place_type<idempotency_mismatch>);
        } else {
            return bad_answer();
        }
    }
    if (left() != 0) return bad_answer();
    return all;
}

/// Everything was appended: the rest follows from the batch and the versions before it.
result<batch_outcome> postgres_batch::read_uniform(answer const& from) const {
    batch_outcome all{{}, from.first_position, from.resent};
    if (stream_of_append_.size() != batch_.appends.size()) return bad_answer();
    std::vector<std::int64_t> versions = from.numbers;
    position last = from.first_position - 1;
    for (std::size_t i = 0; i < batch_.appends.size(); ++i) {
        auto const stream = static_cast<std::size_t>(stream_of_append_[i] - 1);
        if (stream >= versions.size()) return bad_answer();
        auto const count = static_cast<std::int64_t>(batch_.appends[i].streams[0].events.size());
        last += count;
        versions[stream] += count;
        all.outcomes.push_back(appended{last, {versions[stream]}, from.recorded_at});
    }
    return all;
}

std::optional<std::vector<std::int64_t>> parse_number_array(std::string_view text) {
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
    std::vector<std::int64_t> numbers;
    char const* at = text.data() + 1;
    char const* const end = text.data() + text.size() - 1;
    while (at < end) {
        std::int64_t value = 0;
        auto const [next, problem] = std::from_chars(at, end, value);
        if (problem != std::errc{} || (next != end && *next != ',')) return std::nullopt;
        numbers.push_back(value);
        at = next == end ? end : next + 1;
    }
    return numbers;
}

}  // namespace linkledger::eventlog
