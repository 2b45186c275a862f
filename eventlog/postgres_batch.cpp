#include "eventlog/postgres_batch.h"

#include "eventlog/append_rules.h"
#include "eventlog/bytes.h"
#include "eventlog/leaf_hash.h"
#include "eventlog/sql/binary_array.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace linkledger::eventlog {
namespace {

using sql::binary_array;
using element = binary_array::element;

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
    int size() const { return static_cast<int>(texts_.size()); }
    std::string_view text(std::size_t index) const { return texts_[index]; }
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
    int size() const { return static_cast<int>(numbers_.size()); }
    binary_array scopes{element::text}, keys{element::text};

private:
    std::map<std::pair<std::string_view, std::string_view>, int> numbers_;
};

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
    encoder(postgres_batch& owner, postgres_forecast const& expected) : to(owner), forecast(expected) {}

    void run();
    void add(append_request const& append);
    void add(stream_append const& part);
    void add(event_body const& event, std::string const& stream, int number);
    void bound(std::size_t stream, expected_version expected, std::size_t count);
    void add_idempotency(append_request const& append, bool is_new);
    void add_claims(std::vector<claim_change> const& changes);
    void forecast_leaves();
    void finish();

    postgres_batch& to;
    postgres_forecast const& forecast;
    bool at_once = true, bounded = false;
    numbered_texts names, ids, fingerprints;
    numbered_claims claims;
    int stream_count = 0, append_count = 0;
    std::int64_t expected_recorded = 0;
    std::vector<std::int32_t> totals;       ///< Events of the batch for each stream, so far.
    std::vector<std::int64_t> least, most;  ///< Between which each stream's version must be before the batch.
    std::vector<digest> hashes;             ///< Of events, like the next.
    std::vector<std::pair<int, int>> ranks;  ///< Stream, and rank among the batch's events of it.

    binary_array appends{element::int4}, parts{element::int8}, change_numbers{element::int4},
        claim_owners{element::int4}, id_places{element::int4}, responses{element::bytea},
        expected_versions{element::int8};
    binary_array event_streams{element::int4}, event_numbers{element::int4}, event_ranks{element::int4},
        event_ids{element::uuid}, event_types{element::text}, event_schemas{element::int4},
        event_workspaces{element::uuid}, event_data{element::text}, event_personal_keys{element::uuid},
        event_personal{element::bytea}, event_context_keys{element::uuid}, event_context{element::bytea},
        event_metadata{element::text}, event_occurred{element::int8}, event_salts{element::bytea},
        event_hashes{element::bytea}, event_leaves{element::bytea};
};

postgres_batch::postgres_batch(append_batch const& batch, postgres_forecast const& forecast) : batch_(batch) {
    encoder(*this, forecast).run();
}

void postgres_batch::encoder::run() {
    // Streams are numbered first, so that they are the first of the names.
    for (auto const& append : to.batch_.appends)
        for (auto const& part : append.streams) to.part_streams_.push_back(names.number_of(part.stream));
    stream_count = names.size();
    auto const streams = static_cast<std::size_t>(stream_count);
    totals.assign(streams, 0);
    least.assign(streams, 0);
    most.assign(streams, std::numeric_limits<std::int64_t>::max());
    for (auto const& append : to.batch_.appends) add(append);
    if (at_once && forecast.is_likely()) forecast_leaves();
    finish();
}

void postgres_batch::encoder::add(append_request const& append) {
    ++append_count;
    appends.add_int4(static_cast<std::int32_t>(append.streams.size()));
    appends.add_int4(static_cast<std::int32_t>(append.claims.size()));
    for (auto const& part : append.streams) add(part);
    if (append.idempotency) {
        int const known = ids.size(), id = ids.number_of(view_of(append.idempotency->id));
        appends.add_int4(id);
        appends.add_int4(fingerprints.number_of(view_of(append.idempotency->fingerprint)));
        responses.add_bytes(append.idempotency->response);
        add_idempotency(append, id > known);
    } else {
        appends.add_int4(0);
        appends.add_int4(0);
        responses.add_null();
    }
    add_claims(append.claims);
}

void postgres_batch::encoder::add(stream_append const& part) {
    int const number = names.number_of(part.stream);
    parts.add_int8(number);
    parts.add_int8(kind_number(part.expected.what()));
    parts.add_int8(part.expected.value());
    parts.add_int8(static_cast<std::int64_t>(part.events.size()));
    bound(static_cast<std::size_t>(number - 1), part.expected, part.events.size());
    for (auto const& event : part.events) add(event, part.stream, number);
}

/// What an expectation, all appends before it having succeeded, says of the stream's version before the
/// batch.
void postgres_batch::encoder::bound(std::size_t stream, expected_version expected, std::size_t count) {
    if (expected.what() == expected_version::kind::any) return;
    bounded = true;
    std::int64_t highest = expected.value() - totals[stream];
    if (expected.what() == expected_version::kind::exactly) {
        least[stream] = std::max(least[stream], highest);
    } else {
        highest -= static_cast<std::int64_t>(std::max<std::size_t>(count, 1));
    }
    most[stream] = std::min(most[stream], highest);
}

void postgres_batch::encoder::add(event_body const& event, std::string const& stream, int number) {
    int const rank = ++totals[static_cast<std::size_t>(number - 1)];
    hashes.push_back(body_hash(stream, event));
    ranks.emplace_back(number, rank);
    event_streams.add_int4(number);
    event_numbers.add_int4(static_cast<std::int32_t>(hashes.size()));
    event_ranks.add_int4(rank);
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
    event_hashes.add_bytes(view_of(hashes.back()));
}

/// After the append's streams, whose events count.
void postgres_batch::encoder::add_idempotency(append_request const& append, bool is_new) {
    // The second of two requests under one id is answered by the first.
    if (!is_new) at_once = false;
    if (!is_new) return;
    int const stream = append.streams.empty() ? 0 : names.number_of(append.streams[0].stream);
    id_places.add_int4(append_count);
    id_places.add_int4(static_cast<std::int32_t>(hashes.size()));
    id_places.add_int4(stream);
    id_places.add_int4(stream == 0 ? 0 : totals[static_cast<std::size_t>(stream - 1)]);
}

void postgres_batch::encoder::add_claims(std::vector<claim_change> const& changes) {
    std::vector<std::size_t> order(changes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_partition(order.begin(), order.end(),
                          [&](std::size_t i) { return changes[i].what == claim_change::kind::release; });
    for (std::size_t const i : order) {
        bool const is_release = changes[i].what == claim_change::kind::release;
        int const known = claims.size(), claim = claims.number_of(changes[i]);
        int const owner = names.number_of(changes[i].owner);
        change_numbers.add_int4(claim);
        change_numbers.add_int4(is_release ? 1 : 0);
        change_numbers.add_int4(owner);
        if (claim > known) claim_owners.add_int4(owner);
        // Whoever else touches a claim may find it taken.
        if (is_release || claim <= known) at_once = false;
    }
    to.order_.push_back(std::move(order));
}

void postgres_batch::encoder::forecast_leaves() {
    std::vector<version> expected;
    expected.reserve(totals.size());
    for (std::size_t i = 0; i < totals.size(); ++i) {
        // An expectation is better than a memory.
        bool const is_exact = bounded && least[i] == most[i];
        expected.push_back(is_exact ? least[i] : forecast.version_of(names.text(i)));
        expected_versions.add_int8(expected.back());
    }
    auto const recorded_at = forecast.recorded_at();
    expected_recorded = domain::to_unix_us(recorded_at);
    position at = forecast.head();
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        auto const [stream, rank] = ranks[i];
        auto const v = expected[static_cast<std::size_t>(stream - 1)] + rank;
        digest const leaf = leaf_hash(commitment(++at, v, recorded_at, hashes[i]));
        event_leaves.add_bytes(view_of(leaf));
    }
}

void postgres_batch::encoder::finish() {
    binary_array stream_totals{element::int4}, stream_least{element::int8}, stream_most{element::int8};
    for (int const each : totals) stream_totals.add_int4(each);
    if (bounded) {
        for (std::int64_t const each : least) stream_least.add_int8(each);
        for (std::int64_t const each : most) stream_most.add_int8(each);
    }
    to.parameters_ = {std::string{view_of(to.batch_.producer.bytes)},
                      big_endian(static_cast<std::uint64_t>(to.batch_.sequence), 8),
                      std::string(1, at_once ? '\1' : '\0'),
                      names.take(element::text),
                      big_endian(static_cast<std::uint64_t>(stream_count), 4),
                      stream_totals.take(),
                      stream_least.take(),
                      stream_most.take(),
                      appends.take(),
                      parts.take(),
                      change_numbers.take(),
                      claims.scopes.take(),
                      claims.keys.take(),
                      claim_owners.take(),
                      ids.take(element::bytea),
                      fingerprints.take(element::bytea),
                      responses.take(),
                      id_places.take(),
                      big_endian(static_cast<std::uint64_t>(forecast.head()), 8),
                      big_endian(static_cast<std::uint64_t>(expected_recorded), 8),
                      expected_versions.take(),
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
                      event_hashes.take(),
                      event_leaves.take()};
}

result<batch_outcome> postgres_batch::read(answer const& from) const {
    if (from.resent && from.numbers.empty() && !part_streams_.empty()) return forgotten_outcome(batch_);
    auto outcome = from.uniform ? read_uniform(from) : read_each(from);
    // What the spool kept of a batch, its clicks, is sent again under the batch's number: the outcome that
    // was stored is the whole batch's, and says that they are there.
    if (!outcome && from.resent) return forgotten_outcome(batch_);
    return outcome;
}

result<batch_outcome> postgres_batch::read_each(answer const& from) const {
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
    all.outcomes.reserve(batch_.appends.size());
    std::vector<std::int64_t> versions = from.numbers;
    position last = from.first_position - 1;
    std::size_t part = 0;
    for (append_request const& append : batch_.appends) {
        appended done{0, {}, from.recorded_at};
        done.versions.reserve(append.streams.size());
        for (stream_append const& each : append.streams) {
            auto const stream = static_cast<std::size_t>(part_streams_[part++] - 1);
            if (stream >= versions.size()) return bad_answer();
            auto const count = static_cast<std::int64_t>(each.events.size());
            last += count;
            versions[stream] += count;
            done.versions.push_back(versions[stream]);
        }
        done.last_position = last;
        all.outcomes.emplace_back(std::move(done));
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
