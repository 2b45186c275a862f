#pragma once
// The port of the event log: what every backend (memory, SQLite, PostgreSQL) does, proven by
// tests/conformance.

#include "domain/ids.h"
#include "domain/time.h"
#include "eventlog/result.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace linkledger::eventlog {

using domain::timestamp;
using domain::uuid;

/// A place in the log: 1 for the first event, gapless, in commit order. 0 means "before everything".
using position = std::int64_t;
/// The number of events in a stream; the first event has version 1. 0 means "no such stream".
using version = std::int64_t;
using digest = std::array<std::uint8_t, 32>;
using salt = std::array<std::uint8_t, 16>;

// ---- What is stored -------------------------------------------------------------------------------------

/// Personal data under a key that can be destroyed. Empty bytes: there are none.
struct sealed {
    uuid key_id{};
    std::string bytes;

    bool operator==(sealed const&) const = default;
};

/// What a writer knows of an event; the log adds position, version, recorded_at and leaf hash.
struct event_body {
    uuid event_id{};  ///< Version 7; ids of derived rows come from it.
    std::string type;
    int schema_version = 1;
    uuid workspace_id{};   ///< Nil: the event belongs to no workspace.
    std::string data;      ///< JSON text, kept byte for byte.
    sealed personal;       ///< The event's personal part.
    sealed context;        ///< The sender's address and user agent, sealed under the sender's key.
    std::string metadata;  ///< JSON text (eventlog/metadata.h), kept byte for byte.
    timestamp occurred_at{};
    eventlog::salt salt{};  ///< Random; makes the leaf a hiding commitment.

    bool operator==(event_body const&) const = default;
};

/// An event as stored. Its bytes never change.
struct recorded_event {
    eventlog::position position = 0;
    std::string stream;
    eventlog::version version = 0;
    timestamp recorded_at{};  ///< Set under the log's lock; never decreases from one position to the next.
    digest leaf_hash{};       ///< eventlog/leaf_hash.h
    event_body body;

    bool operator==(recorded_event const&) const = default;
};

// ---- What is written ------------------------------------------------------------------------------------

/// What must be true of a stream's version for an append to happen.
class expected_version {
public:
    enum class kind { any, exactly, below };

    static expected_version any() { return {kind::any, 0}; }
    static expected_version none() { return {kind::exactly, 0}; }
    static expected_version exactly(version v) { return {kind::exactly, v}; }
    /// The stream has fewer than `limit` events; an append that would bring it above `limit` is refused.
    static expected_version below(version limit) { return {kind::below, limit}; }

    [[nodiscard]] kind what() const { return kind_; }
    [[nodiscard]] version value() const { return value_; }
    /// Whether `count` events (0 for a mere assertion) may follow a stream at `current`.
    [[nodiscard]] bool allows(version current, std::size_t count) const {
        switch (kind_) {
            case kind::any:
                return true;
            case kind::exactly:
                return current == value_;
            case kind::below:
                return current + static_cast<version>(count == 0 ? 1 : count) <= value_;
        }
        return false;
    }

private:
    expected_version(kind k, version v) : kind_(k), value_(v) {}

    kind kind_;
    version value_;
};

/// Events for one stream, or (without events) an assertion about its version. A stream appears once at most
/// in an append.
struct stream_append {
    std::string stream;
    expected_version expected = expected_version::any();
    std::vector<event_body> events;
};

/// Uniqueness across streams: a (scope, key) pair has one owner at a time. Keys that are personal are keyed
/// hashes. Releases are carried out before acquisitions; releasing what another owner holds changes nothing.
/// Acquiring what the same owner holds already succeeds.
struct claim_change {
    enum class kind { acquire, release };
    kind what = kind::acquire;
    std::string scope;  ///< `short_code`, `email`, `slug`, `api_key`, `invitation`, …
    std::string key;
    std::string owner;  ///< The stream that holds it.

    bool operator==(claim_change const&) const = default;
};

/// Makes a retry return what the first try stored. All three are derived from the caller's credential and
/// idempotency key (commands/idempotency.h), so the store holds nothing readable.
struct idempotency_entry {
    digest id{};           ///< Which request, of which caller.
    digest fingerprint{};  ///< Of the request's content; another content under the same id is refused.
    std::string response;  ///< Sealed.
};

/// One command's outcome: happens as a whole or not at all. May hold no stream at all (a command that changed
/// nothing, whose idempotency entry is kept).
struct append_request {
    std::vector<stream_append> streams;
    std::vector<claim_change> claims;
    std::optional<idempotency_entry> idempotency;
};

/// Appends that share a transaction. `(producer, sequence)` makes a resent batch harmless: sequences of a
/// producer start at 1 and rise by 1.
struct append_batch {
    uuid producer{};
    std::int64_t sequence = 0;
    std::vector<append_request> appends;
};

/// Names a batch for good: a log that has it takes it no second time.
struct batch_number {
    uuid producer{};
    std::int64_t sequence = 0;

    auto operator<=>(batch_number const&) const = default;
};
[[nodiscard]] inline batch_number number_of(append_batch const& batch) {
    return {batch.producer, batch.sequence};
}

// ---- What comes back ------------------------------------------------------------------------------------

/// Done and durable.
struct appended {
    position last_position = 0;     ///< Of the append's last event; the log's head when it had none.
    std::vector<version> versions;  ///< Of each `stream_append`, in order, after the append.
    timestamp recorded_at{};        ///< Of the batch.

    bool operator==(appended const&) const = default;
};

/// A stream's version was not as expected; nothing of this append was written.
struct version_conflict {
    std::string stream;
    version actual = 0;

    bool operator==(version_conflict const&) const = default;
};

/// Someone else owns a claim; nothing of this append was written.
struct claim_taken {
    std::string scope;
    std::string key;

    bool operator==(claim_taken const&) const = default;
};

/// This request was carried out before: its stored response, with the positions it had then.
struct replayed {
    position last_position = 0;
    version primary_version = 0;  ///< Of the append's first stream; 0 when it had none.
    std::string response;         ///< Sealed, as given then.

    bool operator==(replayed const&) const = default;
};

/// The idempotency id is known, with another fingerprint; nothing was written.
struct idempotency_mismatch {
    bool operator==(idempotency_mismatch const&) const = default;
};

using append_outcome = std::variant<appended, version_conflict, claim_taken, replayed, idempotency_mismatch>;

/// One outcome per append, in order.
struct batch_outcome {
    std::vector<append_outcome> outcomes;
    position first_position = 0;  ///< Of the batch's first event; head + 1 when it wrote none.
    /// The sequence was taken: this is what was stored then. After a day the log keeps only that it was: then
    /// every append is `appended` at position 0.
    bool resent = false;
};

/// The history that positions belong to. A reader that meets another id or epoch starts over.
struct log_head {
    uuid log_id{};
    std::int64_t epoch = 1;
    position last = 0;
    timestamp recorded_at{};  ///< Of the last event; the epoch of Unix time for an empty log.
};

/// What to read. Types, workspace and stream narrow it (empty or nil: no narrowing).
struct read_query {
    position after = 0;
    position until = std::numeric_limits<position>::max();  ///< Inclusive.
    std::size_t limit = 1000;
    std::vector<std::string> types{};
    std::vector<std::string> excluded_types{};
    std::optional<uuid> workspace_id{};
    std::string stream{};
};

/// Events in order of position, and up to where the log was searched: when fewer than `limit` events came
/// back, `scanned_to` is the head (or `until`, if that is less) at the time of the read, or how far a long
/// search for rare types came in its time; otherwise the last event's position. A follower continues from
/// `scanned_to`.
struct read_page {
    std::vector<recorded_event> events;
    position scanned_to = 0;
};

struct stored_response {
    digest fingerprint{};
    replayed answer;
};

/// A wrapped data key. `subject` says whose it is while it lives; destroying it forgets both.
struct stored_key {
    uuid key_id{};
    std::string subject;
    std::string wrapped;  ///< Empty: destroyed.
};

// ---- The port -------------------------------------------------------------------------------------------

/// Safe to call from any thread. Calls block, each for a bounded time (`call_timeout` of the backend's
/// options); run them off the request threads. Nothing throws for reasons of the environment: failures are
/// values.
class event_log {
public:
    virtual ~event_log() = default;

    /// `sqlite`, `postgresql` or `memory`.
    [[nodiscard]] virtual std::string_view backend() const = 0;

    virtual result<log_head> head() = 0;

    /// Writes a batch in one transaction that takes the next positions, and returns once it is durable. Each
    /// append of the batch sees the ones before it and succeeds or fails alone. `unavailable` means that
    /// nothing was written; after `unknown_outcome` send the very same batch again. A sequence that is
    /// neither the producer's last nor the one after it is a bug and fails as `corrupted`.
    virtual result<batch_outcome> append(append_batch const& batch) = 0;

    virtual result<read_page> read(read_query const& query) = 0;

    /// The leaf hashes of positions after + 1, after + 2, …, `limit` at most; fewer at the head. Nothing else
    /// is read, so following the whole log costs little. `corrupted`: a position is missing.
    virtual result<std::vector<digest>> read_leaf_hashes(position after, std::size_t limit) = 0;

    /// Events of one stream with `version > after`, oldest first.
    virtual result<std::vector<recorded_event>> read_stream(std::string const& stream, version after,
                                                            std::size_t limit) = 0;

    /// 0 when there is no such stream.
    virtual result<version> stream_version(std::string const& stream) = 0;

    virtual result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                           std::string const& key) = 0;

    /// Stored responses of those ids that are known, in the order asked.
    virtual result<std::vector<std::optional<stored_response>>> find_responses(
        std::vector<digest> const& ids) = 0;
    /// Forgets responses stored before `before`; returns how many.
    virtual result<std::int64_t> forget_responses(timestamp before) = 0;

    /// The key of a subject, if there is one that was not destroyed.
    virtual result<std::optional<stored_key>> find_key(std::string const& subject) = 0;
    virtual result<std::optional<stored_key>> find_key(uuid const& key_id) = 0;
    /// Living keys whose subject begins with `prefix` and comes after `after`, in order of subject; their
    /// wrapped bytes are left out.
    virtual result<std::vector<stored_key>> list_keys(std::string const& prefix, std::string const& after,
                                                      std::size_t limit) = 0;
    /// Keeps `key` unless the subject has one by now; returns the one that is kept. Durable on return.
    virtual result<stored_key> add_key(stored_key const& key) = 0;
    /// Forgets the wrapped bytes and the subject. Durable on return; a second call changes nothing.
    virtual result<void> destroy_key(uuid const& key_id) = 0;

    /// Begins another history from what is there: for an operator, after a restore or a failover that lost
    /// events. Whoever keeps a position starts over. Returns the head, with the new epoch; durable on return.
    virtual result<log_head> raise_epoch() = 0;

    /// Returns once the log has an event beyond `after`, or at the deadline, whichever is first: true in the
    /// first case. Woken by appends of this process at once, by those of others within 50 ms.
    virtual bool wait_beyond(position after, std::chrono::milliseconds deadline) = 0;
};

}  // namespace linkledger::eventlog
