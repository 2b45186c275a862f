#include "eventlog/sqlite_writer.h"

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"

#include <algorithm>
#include <utility>

namespace linkledger::eventlog {

namespace {

using sql::sqlite::copy_bytes;
using sql::sqlite::reset_guard;
using sql::sqlite::statement;

/// How long a producer may take to ask again what came of its last batch.
constexpr std::chrono::hours outcome_kept{24};
/// How long a producer that says nothing is known. A forgotten one is refused by its number, so those that
/// sent a single batch stay: sent again, it would look like a new producer's first.
constexpr std::chrono::hours producer_kept{30 * 24};
constexpr int forgotten_at_once = 500;

/// The bits of streams.holds.
constexpr std::int64_t holds_clicks = 1, holds_others = 2;
/// Of others' events so many are read at once before what is known is given up instead.
constexpr position learned_max = 4'096;

void bind_uuid(statement& to, int parameter, uuid const& id) {
    to.bind_bytes(parameter, id.bytes.data(), id.bytes.size());
}

/// The nil UUID is stored as NULL: most events have no second key, and some no workspace.
void bind_uuid_or_null(statement& to, int parameter, uuid const& id) {
    if (id.is_nil())
        to.bind_null(parameter);
    else
        bind_uuid(to, parameter, id);
}

void bind_digest(statement& to, int parameter, digest const& bytes) {
    to.bind_bytes(parameter, bytes.data(), bytes.size());
}

sql::sqlite_options connection_options(sqlite_log_options const& options) {
    sql::sqlite_options made;
    made.synchronous = sql::sqlite_options::sync::full;
    made.busy_timeout = options.call_timeout;
    made.vfs = options.vfs;
    return made;
}

int tell_wal_pages(void* to, sqlite3*, char const*, int pages) {
    (*static_cast<std::function<void(std::size_t)>*>(to))(static_cast<std::size_t>(pages));
    return SQLITE_OK;
}

}  // namespace

std::vector<digest> body_hashes(append_batch const& batch) {
    std::vector<digest> hashes;
    for (auto const& append : batch.appends)
        for (auto const& to : append.streams)
            for (auto const& event : to.events) hashes.push_back(body_hash(to.stream, event));
    return hashes;
}

struct sqlite_writer::statements {
    explicit statements(sqlite3* on)
        : begin{on, "BEGIN IMMEDIATE"},
          commit{on, "COMMIT"},
          read_head{on, "SELECT log_id, epoch, last, recorded_at, streams, filed FROM log_head"},
          write_head{on,
                     "UPDATE log_head SET last = ?1, recorded_at = ?2, streams = ?3, filed = ?4 "
                     "WHERE id = 1"},
          find_producer{on, "SELECT sequence, outcome FROM producers WHERE producer = ?1"},
          write_producer{
              on,
              "INSERT INTO producers (producer, sequence, recorded_at, outcome) VALUES (?1, ?2, ?3, ?4) "
              "ON CONFLICT (producer) DO UPDATE SET sequence = ?2, recorded_at = ?3, outcome = ?4"},
          forget_producers{on, "DELETE FROM producers WHERE recorded_at < ?1 AND sequence > 1"},
          forget_outcomes{on, "UPDATE producers SET outcome = x'' WHERE recorded_at < ?1 AND outcome <> x''"},
          find_stream{on, "SELECT number, holds FROM streams WHERE stream = ?1"},
          newest_but_clicks{on,
                            "SELECT max(version) FROM events INDEXED BY events_stream "
                            "WHERE stream_number = ?1 AND type <> 'link.clicked'"},
          add_stream{on, "INSERT INTO streams (stream, number, holds) VALUES (?1, ?2, ?3)"},
          widen_stream{on, "UPDATE streams SET holds = ?2 WHERE stream = ?1"},
          learn{on,
                "SELECT position, stream_number, version, workspace_id, type, stream FROM events "
                "NOT INDEXED WHERE position > ?1 AND position <= ?2 ORDER BY position"},
          add_event{
              on,
              "INSERT INTO events (position, stream_number, version, recorded_at, occurred_at, "
              "schema_version, event_id, workspace_id, type, stream, salt, leaf_hash, personal_key_id, "
              "context_key_id, data, metadata, personal, context) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"},
          find_claim{on, "SELECT owner FROM claims WHERE scope = ?1 AND key = ?2"},
          acquire_claim{on,
                        "INSERT INTO claims (scope, key, owner) VALUES (?1, ?2, ?3) ON CONFLICT (scope, key) "
                        "DO UPDATE SET owner = ?3"},
          release_claim{on, "DELETE FROM claims WHERE scope = ?1 AND key = ?2"},
          find_response{on,
                        "SELECT fingerprint, last_position, primary_version, response FROM idempotency "
                        "WHERE id = ?1"},
          add_response{on,
                       "INSERT INTO idempotency (id, fingerprint, last_position, primary_version, stored_at, "
                       "response) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
          forget_responses{on,
                           "DELETE FROM idempotency WHERE entry IN (SELECT entry FROM idempotency "
                           "WHERE stored_at < ?1 ORDER BY entry LIMIT ?2)"},
          find_key{on, "SELECT key_id, wrapped FROM keys WHERE subject = ?1"},
          add_key{on, "INSERT INTO keys (key_id, subject, wrapped) VALUES (?1, ?2, ?3)"},
          destroy_key{on, "UPDATE keys SET subject = NULL, wrapped = x'' WHERE key_id = ?1"},
          raise_epoch{on, "UPDATE log_head SET epoch = epoch + 1"} {}

    statement begin, commit, read_head, write_head;
    statement find_producer, write_producer, forget_producers, forget_outcomes;
    statement find_stream, newest_but_clicks, add_stream, widen_stream, learn, add_event;
    statement find_claim, acquire_claim, release_claim;
    statement find_response, add_response, forget_responses;
    statement find_key, add_key, destroy_key;
    statement raise_epoch;
};

/// Rolls back unless committed, and then nothing that was learned since is believed any more.
class sqlite_writer::transaction {
public:
    explicit transaction(sqlite_writer& of) : of_(of) { of_.sql_->begin.run(); }
    ~transaction() {
        if (committed_) return;
        if (sqlite3_get_autocommit(of_.handle_.get()) == 0)
            sqlite3_exec(of_.handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        of_.forget_what_was_read();
    }
    transaction(transaction const&) = delete;
    transaction& operator=(transaction const&) = delete;

    void commit() {
        try {
            of_.sql_->commit.run();
        } catch (sql::error const& failed) {
            // When the WAL was written but could not be synced, a crash may leave the commit in it or not.
            if (!sql::sqlite::breaks_connection(sqlite3_errcode(of_.handle_.get()))) throw;
            throw sql::error{sql::error::kind::unknown_outcome, failed.what()};
        }
        committed_ = true;
    }

private:
    sqlite_writer& of_;
    bool committed_ = false;
};

sqlite_writer::sqlite_writer(sqlite_log_options const& options, std::function<void(std::size_t)> wal_pages)
    : wal_pages_(std::move(wal_pages)),
      handle_(sql::sqlite::open(options.path, connection_options(options))),
      sql_(nullptr, [](statements* owned) { delete owned; }),
      clicks_(handle_.get()),
      file_clicks_each_(options.file_clicks_each) {
    // The hook takes the place of SQLite's own checkpoints, which would run within some unlucky commit.
    sqlite3_wal_hook(handle_.get(), tell_wal_pages, &wal_pages_);
    sql::sqlite::run(handle_.get(), "PRAGMA cache_size=-16384; PRAGMA secure_delete=ON;");
    sql_.reset(new statements{handle_.get()});
    make_head_row();
}

void sqlite_writer::make_head_row() {
    auto const has_row = [this] {
        reset_guard const guard{sql_->read_head};
        return sql_->read_head.step();
    };
    if (has_row()) return;
    transaction own{*this};
    auto const id = random_bytes(16);
    statement insert{handle_.get(),
                     "INSERT OR IGNORE INTO log_head (id, log_id, epoch, last, recorded_at, streams, filed) "
                     "VALUES (1, ?1, 1, 0, 0, 0, 0)"};
    insert.bind_bytes(1, id);
    insert.run();
    own.commit();
}

result<batch_outcome> sqlite_writer::append(append_batch const& batch, std::vector<digest> const& hashes) {
    transaction own{*this};
    auto const head = read_head();
    auto known = find_outcome(batch);
    if (!known) return known.error();
    if (known.value()) return std::move(*known.value());

    auto plan = plan_batch(batch, head, now(), *this);
    write(batch, plan, hashes);
    own.commit();
    last_ = plan.last;
    return std::move(plan.outcome);
}

log_head sqlite_writer::read_head() {
    auto& row = sql_->read_head;
    reset_guard const guard{row};
    if (!row.step()) throw sql::error{sql::error::kind::other, "log_head has no row"};
    log_head head;
    copy_bytes(row.bytes(0), head.log_id.bytes);
    head.epoch = row.integer(1);
    head.last = row.integer(2);
    head.recorded_at = domain::from_unix_us(row.integer(3));
    if (head.last != last_ || head.epoch != epoch_) {
        streams_count_ = row.integer(4);
        learn(head, row.integer(5));
    }
    return head;
}

void sqlite_writer::forget_what_was_read() {
    last_ = -1;
    streams_.clear();
}

/// Others wrote, or this writer is new: reads what they wrote when it is little, and forgets what it knew
/// when it is much. In either case every click that is not filed becomes known.
void sqlite_writer::learn(log_head const& head, position filed) {
    bool const little =
        last_ >= 0 && head.epoch == epoch_ && head.last > last_ && head.last - last_ <= learned_max;
    if (little) {
        position const after = std::exchange(last_, -1);
        learn_events(after, head.last);
        if (filed != clicks_.filed()) clicks_.others_filed(filed);
    } else {
        forget_what_was_read();
        clicks_.start_over(filed);
        learn_events(filed, head.last);
    }
    epoch_ = head.epoch;
    last_ = head.last;
}

void sqlite_writer::learn_events(position after, position until) {
    auto& rows = sql_->learn;
    reset_guard const guard{rows};
    rows.bind(1, after);
    rows.bind(2, until);
    while (rows.step()) {
        filed_click event{rows.integer(0), rows.integer(1), rows.integer(2), {}};
        if (!rows.is_null(3)) copy_bytes(rows.bytes(3), event.workspace_id.bytes);
        bool const is_click = rows.text(4) == click_type;
        if (is_click) clicks_.add(event);
        // Streams that are not known are looked up when they are written to.
        std::string const stream{rows.text(5)};
        if (auto* known = streams_.find(stream)) {
            known->holds |= is_click ? holds_clicks : holds_others;
            known->current = event.version;
        }
    }
}

/// What is stored when the batch was written before; nothing when its turn is now.
result<std::optional<batch_outcome>> sqlite_writer::find_outcome(append_batch const& batch) {
    auto& find = sql_->find_producer;
    reset_guard const guard{find};
    bind_uuid(find, 1, batch.producer);
    std::int64_t const last = find.step() ? find.integer(0) : 0;
    auto const relation = relation_of(batch.sequence, last);
    if (relation == batch_relation::next) return std::optional<batch_outcome>{};
    if (relation == batch_relation::wrong)
        return failure{failure_code::corrupted, "batch " + std::to_string(batch.sequence) +
                                                    " of a producer whose last one is " +
                                                    std::to_string(last)};
    if (find.bytes(1).empty()) return forgotten_outcome(batch);
    auto stored = decode_outcome(find.bytes(1));
    if (!stored)
        return failure{failure_code::corrupted, "the outcome of a resent batch was not kept so long"};
    return stored;
}

version sqlite_writer::stream_version(std::string const& stream) {
    return find_stream(stream).current;
}

std::optional<std::string> sqlite_writer::claim_owner(std::string const& scope, std::string const& key) {
    auto& find = sql_->find_claim;
    reset_guard const guard{find};
    find.bind_text(1, scope);
    find.bind_text(2, key);
    if (!find.step()) return std::nullopt;
    return std::string{find.text(0)};
}

std::optional<stored_response> sqlite_writer::find_response(digest const& id) {
    auto& find = sql_->find_response;
    reset_guard const guard{find};
    bind_digest(find, 1, id);
    if (!find.step()) return std::nullopt;
    stored_response found;
    copy_bytes(find.bytes(0), found.fingerprint);
    found.answer = {find.integer(1), find.integer(2), std::string{find.bytes(3)}};
    return found;
}

stream_state sqlite_writer::find_stream(std::string const& stream) {
    if (auto const* known = streams_.find(stream)) return *known;
    auto& find = sql_->find_stream;
    reset_guard const guard{find};
    find.bind_text(1, stream);
    if (!find.step()) return {};
    stream_state state{find.integer(0), find.integer(1), 0};
    if ((state.holds & holds_clicks) != 0) state.current = clicks_.newest(state.number);
    if ((state.holds & holds_others) != 0)
        state.current = std::max(state.current, newest_but_clicks(state.number));
    return streams_.put(stream, state);
}

version sqlite_writer::newest_but_clicks(std::int64_t number) {
    auto& find = sql_->newest_but_clicks;
    reset_guard const guard{find};
    find.bind(1, number);
    return find.step() ? find.integer(0) : 0;  // NULL reads as 0.
}

/// Makes the stream's row say that it holds events of this kind too.
void sqlite_writer::make_room(std::string const& stream, stream_state& state, std::int64_t kind) {
    if ((state.holds & kind) != 0) return;
    bool const is_new = state.number == 0;
    state.holds |= kind;
    auto& change = is_new ? sql_->add_stream : sql_->widen_stream;
    reset_guard const guard{change};
    change.bind_text(1, stream);
    if (is_new) {
        state.number = ++streams_count_;
        change.bind(2, state.number);
        change.bind(3, state.holds);
    } else {
        change.bind(2, state.holds);
    }
    change.run();
}

void sqlite_writer::write(append_batch const& batch, batch_plan const& plan,
                          std::vector<digest> const& hashes) {
    // Accepted events stand in the plan in the order of the batch, which is that of the hashes.
    auto next = plan.events.begin();
    std::size_t hash = 0;
    for (auto const& request : batch.appends)
        for (auto const& to : request.streams)
            for (auto const& body : to.events) {
                if (next != plan.events.end() && next->body == &body)
                    write_event(*next++, plan.recorded_at, hashes[hash]);
                ++hash;
            }
    write_claims(plan);
    write_responses(plan);
    write_head(plan);
    write_producer(batch, plan);
}

void sqlite_writer::write_event(planned_event const& event, timestamp recorded_at, digest const& body_hash) {
    auto const& body = *event.body;
    bool const is_click = body.type == click_type;
    auto* known = streams_.find(*event.stream);
    auto& stream = known != nullptr ? *known : streams_.put(*event.stream, find_stream(*event.stream));
    make_room(*event.stream, stream, is_click ? holds_clicks : holds_others);
    stream.current = event.version;
    if (is_click) clicks_.add({event.position, stream.number, event.version, body.workspace_id});

    digest const leaf = leaf_hash(commitment(event.position, event.version, recorded_at, body_hash));
    auto& add = sql_->add_event;
    add.bind(1, event.position);
    add.bind(2, stream.number);
    add.bind(3, event.version);
    add.bind(4, domain::to_unix_us(recorded_at));
    add.bind(5, domain::to_unix_us(body.occurred_at));
    add.bind(6, std::int64_t{body.schema_version});
    bind_uuid(add, 7, body.event_id);
    bind_uuid_or_null(add, 8, body.workspace_id);
    add.bind_text(9, body.type);
    add.bind_text(10, *event.stream);
    add.bind_bytes(11, body.salt.data(), body.salt.size());
    bind_digest(add, 12, leaf);
    bind_uuid_or_null(add, 13, body.personal.key_id);
    bind_uuid_or_null(add, 14, body.context.key_id);
    add.bind_text(15, body.data);
    add.bind_text(16, body.metadata);
    add.bind_bytes(17, body.personal.bytes);
    add.bind_bytes(18, body.context.bytes);
    add.run();
}

void sqlite_writer::write_claims(batch_plan const& plan) {
    for (auto const& [claim, owner] : plan.claims) {
        auto& change = owner ? sql_->acquire_claim : sql_->release_claim;
        reset_guard const guard{change};
        change.bind_text(1, claim.scope);
        change.bind_text(2, claim.key);
        if (owner) change.bind_text(3, *owner);
        change.run();
    }
}

void sqlite_writer::write_responses(batch_plan const& plan) {
    auto& add = sql_->add_response;
    for (auto const& planned : plan.responses) {
        reset_guard const guard{add};
        bind_digest(add, 1, planned.entry->id);
        bind_digest(add, 2, planned.entry->fingerprint);
        add.bind(3, planned.last_position);
        add.bind(4, planned.primary_version);
        add.bind(5, domain::to_unix_us(plan.recorded_at));
        add.bind_bytes(6, planned.entry->response);
        add.run();
    }
}

void sqlite_writer::write_head(batch_plan const& plan) {
    if (plan.events.empty()) return;
    // Never without the row that says so.
    if (static_cast<std::size_t>(plan.last - clicks_.filed()) >= file_clicks_each_) clicks_.file(plan.last);
    sql_->write_head.bind(1, plan.last);
    sql_->write_head.bind(2, domain::to_unix_us(plan.recorded_at));
    sql_->write_head.bind(3, streams_count_);
    sql_->write_head.bind(4, clicks_.filed());
    sql_->write_head.run();
}

void sqlite_writer::write_producer(append_batch const& batch, batch_plan const& plan) {
    auto const bytes = encode_outcome(plan.outcome);
    auto& write = sql_->write_producer;
    reset_guard const guard{write};
    bind_uuid(write, 1, batch.producer);
    write.bind(2, batch.sequence);
    write.bind(3, domain::to_unix_us(plan.recorded_at));
    write.bind_bytes(4, bytes);
    write.run();
    if (batch.sequence > 1) return;
    // A new process: a good moment to drop what processes of long ago will not ask for any more.
    sql_->forget_outcomes.bind(1, domain::to_unix_us(plan.recorded_at - outcome_kept));
    sql_->forget_outcomes.run();
    sql_->forget_producers.bind(1, domain::to_unix_us(plan.recorded_at - producer_kept));
    sql_->forget_producers.run();
}

stored_key sqlite_writer::add_key(stored_key const& key) {
    transaction own{*this};
    {
        auto& find = sql_->find_key;
        reset_guard const guard{find};
        find.bind_text(1, key.subject);
        if (find.step()) {
            stored_key kept{{}, key.subject, std::string{find.bytes(1)}};
            copy_bytes(find.bytes(0), kept.key_id.bytes);
            return kept;
        }
    }
    auto& add = sql_->add_key;
    reset_guard const guard{add};
    bind_uuid(add, 1, key.key_id);
    add.bind_text(2, key.subject);
    add.bind_bytes(3, key.wrapped);
    add.run();
    own.commit();
    return key;
}

void sqlite_writer::destroy_key(uuid const& key_id) {
    transaction own{*this};
    auto& destroy = sql_->destroy_key;
    reset_guard const guard{destroy};
    bind_uuid(destroy, 1, key_id);
    destroy.run();
    own.commit();
}

void sqlite_writer::raise_epoch() {
    transaction own{*this};
    auto& raise = sql_->raise_epoch;
    reset_guard const guard{raise};
    raise.run();
    own.commit();
}

std::int64_t sqlite_writer::forget_some_responses(timestamp before) {
    transaction own{*this};
    auto& forget = sql_->forget_responses;
    reset_guard const guard{forget};
    forget.bind(1, domain::to_unix_us(before));
    forget.bind(2, std::int64_t{forgotten_at_once});
    forget.run();
    auto const count = sqlite3_changes64(handle_.get());
    own.commit();
    return count;
}

}  // namespace linkledger::eventlog
