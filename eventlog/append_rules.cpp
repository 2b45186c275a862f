#include "eventlog/append_rules.h"

#include "eventlog/leaf_hash.h"

#include <algorithm>
#include <unordered_map>

namespace linkledger::eventlog {
namespace {

/// Decides the appends of one batch, each on top of the ones before it.
class planner {
public:
    planner(append_batch const& batch, log_head const& head, timestamp now, append_view& view) : view_(view) {
        plan_.last = head.last;
        plan_.recorded_at = std::max(now, head.recorded_at);
        plan_.outcome.first_position = head.last + 1;
        plan_.outcome.outcomes.reserve(batch.appends.size());
        plan_.events.reserve(batch.appends.size());
    }

    void decide(append_request const& request) { plan_.outcome.outcomes.push_back(outcome_of(request)); }

    batch_plan finish() && { return std::move(plan_); }

private:
    using claim_changes = std::vector<std::pair<claim_key, std::optional<std::string>>>;

    append_outcome outcome_of(append_request const& request) {
        if (auto known = known_request(request)) return std::move(*known);
        if (auto conflict = conflict_of(request)) return std::move(*conflict);
        claim_changes changes;
        if (auto taken = claims_of(request, changes)) return std::move(*taken);
        for (auto& [key, owner] : changes) plan_.claims.insert_or_assign(std::move(key), std::move(owner));
        return write(request);
    }

    std::optional<append_outcome> known_request(append_request const& request) {
        if (!request.idempotency) return std::nullopt;
        auto const found = find_response(request.idempotency->id);
        if (!found) return std::nullopt;
        if (found->fingerprint != request.idempotency->fingerprint) return idempotency_mismatch{};
        return found->answer;
    }

    std::optional<stored_response> find_response(digest const& id) {
        auto const own = response_index_.find(id);
        if (own == response_index_.end()) return view_.find_response(id);
        planned_response const& planned = plan_.responses[own->second];
        return stored_response{planned.entry->fingerprint,
                               {planned.last_position, planned.primary_version, planned.entry->response}};
    }

    std::optional<append_outcome> conflict_of(append_request const& request) {
        for (stream_append const& append : request.streams) {
            version const current = current_of(append.stream);
            if (!append.expected.allows(current, append.events.size())) {
                return version_conflict{append.stream, current};
            }
        }
        return std::nullopt;
    }

    /// Where a stream is; asked for once.
    version& current_of(std::string const& stream) {
        auto const found = current_.find(stream);
        if (found != current_.end()) return found->second;
        return current_.emplace(stream, view_.stream_version(stream)).first->second;
    }

    /// Releases first. Changes nothing but `changes`, so that a refused append leaves no trace.
    std::optional<append_outcome> claims_of(append_request const& request, claim_changes& changes) {
        for (claim_change const& claim : request.claims) {
            if (claim.what != claim_change::kind::release) continue;
            if (owner_of(claim, changes) == claim.owner) {
                changes.emplace_back(claim_key{claim.scope, claim.key}, std::nullopt);
            }
        }
        for (claim_change const& claim : request.claims) {
            if (claim.what != claim_change::kind::acquire) continue;
            auto const owner = owner_of(claim, changes);
            if (owner && *owner != claim.owner) return claim_taken{claim.scope, claim.key};
            if (!owner) changes.emplace_back(claim_key{claim.scope, claim.key}, claim.owner);
        }
        return std::nullopt;
    }

    std::optional<std::string> owner_of(claim_change const& claim, claim_changes const& changes) {
        for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
            if (change->first.scope == claim.scope && change->first.key == claim.key) return change->second;
        }
        auto const own = plan_.claims.find(claim_key{claim.scope, claim.key});
        if (own != plan_.claims.end()) return own->second;
        return view_.claim_owner(claim.scope, claim.key);
    }

    append_outcome write(append_request const& request) {
        appended done;
        done.recorded_at = plan_.recorded_at;
        for (stream_append const& append : request.streams) {
            version& current = current_of(append.stream);
            for (event_body const& body : append.events) {
                plan_.events.push_back({++plan_.last, ++current, &append.stream, &body});
            }
            done.versions.push_back(current);
        }
        done.last_position = plan_.last;
        if (request.idempotency) {
            version const primary = done.versions.empty() ? 0 : done.versions.front();
            response_index_.emplace(request.idempotency->id, plan_.responses.size());
            plan_.responses.push_back({&*request.idempotency, done.last_position, primary});
        }
        return done;
    }

    append_view& view_;
    batch_plan plan_;
    std::unordered_map<std::string_view, version>
        current_;  ///< Of streams of the batch, which has their names.
    std::map<digest, std::size_t> response_index_;
};

// ---- The bytes of an outcome
// --------------------------------------------------------------------------------

constexpr char outcome_format = 1;

class byte_writer {
public:
    void integer(std::int64_t value) {
        auto const bits = static_cast<std::uint64_t>(value);
        for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift);
    }
    void text(std::string_view value) {
        integer(static_cast<std::int64_t>(value.size()));
        out_ += value;
    }
    void byte(char value) { out_ += value; }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

/// Reads from the front; what does not fit makes it fail for good.
class byte_reader {
public:
    explicit byte_reader(std::string_view bytes) : rest_(bytes) {}

    std::int64_t integer() {
        std::uint64_t bits = 0;
        for (char const c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
        return static_cast<std::int64_t>(bits);
    }
    /// A count of things that take at least `each` bytes.
    std::size_t count(std::size_t each) {
        auto const value = static_cast<std::uint64_t>(integer());
        if (value > rest_.size() / each) failed_ = true;
        return failed_ ? 0 : static_cast<std::size_t>(value);
    }
    std::string text() { return std::string{take(count(1))}; }
    char byte() {
        auto const one = take(1);
        return one.empty() ? '\0' : one.front();
    }
    void fail() { failed_ = true; }
    [[nodiscard]] bool finished() const { return !failed_ && rest_.empty(); }

private:
    std::string_view take(std::size_t size) {
        if (failed_ || rest_.size() < size) return failed_ = true, std::string_view{};
        auto const front = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return front;
    }

    std::string_view rest_;
    bool failed_ = false;
};

struct outcome_writer {
    byte_writer& out;

    void operator()(appended const& done) const {
        out.integer(done.last_position);
        out.integer(domain::to_unix_us(done.recorded_at));
        out.integer(static_cast<std::int64_t>(done.versions.size()));
        for (version const v : done.versions) out.integer(v);
    }
    void operator()(version_conflict const& conflict) const {
        out.text(conflict.stream);
        out.integer(conflict.actual);
    }
    void operator()(claim_taken const& taken) const {
        out.text(taken.scope);
        out.text(taken.key);
    }
    void operator()(replayed const& answer) const {
        out.integer(answer.last_position);
        out.integer(answer.primary_version);
        out.text(answer.response);
    }
    void operator()(idempotency_mismatch const&) const {}
};

append_outcome read_outcome(byte_reader& in) {
    switch (in.byte()) {
        case 0: {
            appended done;
            done.last_position = in.integer();
            done.recorded_at = domain::from_unix_us(in.integer());
            done.versions.resize(in.count(8));
            for (version& v : done.versions) v = in.integer();
            return done;
        }
        case 1: {
            version_conflict conflict;
            conflict.stream = in.text();
            conflict.actual = in.integer();
            return conflict;
        }
        case 2: {
            claim_taken taken;
            taken.scope = in.text();
            taken.key = in.text();
            return taken;
        }
        case 3: {
            replayed answer;
            answer.last_position = in.integer();
            answer.primary_version = in.integer();
            answer.response = in.text();
            return answer;
        }
        case 4:
            return idempotency_mismatch{};
        default:
            in.fail();
            return idempotency_mismatch{};
    }
}

}  // namespace

batch_plan plan_batch(append_batch const& batch, log_head const& head, timestamp now, append_view& view) {
    planner planning{batch, head, now, view};
    for (append_request const& request : batch.appends) planning.decide(request);
    return std::move(planning).finish();
}

recorded_event to_recorded(planned_event const& event, timestamp recorded_at) {
    recorded_event recorded;
    recorded.position = event.position;
    recorded.stream = *event.stream;
    recorded.version = event.version;
    recorded.recorded_at = recorded_at;
    recorded.body = *event.body;
    recorded.leaf_hash = leaf_hash_of(recorded);
    return recorded;
}

batch_outcome forgotten_outcome(append_batch const& batch) {
    batch_outcome outcome;
    outcome.resent = true;
    for (append_request const& one : batch.appends)
        outcome.outcomes.emplace_back(appended{0, std::vector<version>(one.streams.size(), 0), {}});
    return outcome;
}

std::string encode_outcome(batch_outcome const& outcome) {
    byte_writer out;
    out.byte(outcome_format);
    out.integer(outcome.first_position);
    out.integer(static_cast<std::int64_t>(outcome.outcomes.size()));
    for (append_outcome const& one : outcome.outcomes) {
        out.byte(static_cast<char>(one.index()));
        std::visit(outcome_writer{out}, one);
    }
    return out.take();
}

std::optional<batch_outcome> decode_outcome(std::string_view bytes) {
    byte_reader in{bytes};
    if (in.byte() != outcome_format) return std::nullopt;
    batch_outcome outcome;
    outcome.resent = true;
    outcome.first_position = in.integer();
    std::size_t const count = in.count(1);
    for (std::size_t i = 0; i < count; ++i) outcome.outcomes.push_back(read_outcome(in));
    if (!in.finished()) return std::nullopt;
    return outcome;
}

}  // namespace linkledger::eventlog
