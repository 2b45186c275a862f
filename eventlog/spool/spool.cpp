#include "eventlog/spool/spool.h"

#include "eventlog/bytes.h"
#include "eventlog/crypto.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace linkledger::eventlog {
namespace {

using access = sql::connection::access;

/// What a click takes in the file beside its texts.
constexpr std::size_t click_bytes = 160;
/// What a batch of clicks may take, for a guess whether it would be taken.
constexpr std::size_t room_bytes = 64u << 10;
/// A file that was larger than this is made small again once it is empty.
constexpr std::size_t kept_bytes = 16u << 20;

constexpr auto schema = R"(
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS identity (
    log_id TEXT NOT NULL, epoch INTEGER NOT NULL, producer TEXT NOT NULL, sequence INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clicks (
    id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, stream TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL,
    schema_version INTEGER NOT NULL, workspace_id TEXT NOT NULL, data TEXT NOT NULL, key_id TEXT NOT NULL,
    personal BLOB NOT NULL, metadata TEXT NOT NULL, occurred_us INTEGER NOT NULL, salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    producer TEXT NOT NULL, sequence INTEGER NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL, PRIMARY KEY (producer, sequence));
CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, wrapped BLOB NOT NULL);
)";

constexpr auto insert_batch =
    "INSERT INTO batches (producer, sequence, first_id, last_id, epoch) "
    "VALUES ($1, $2, $3, $4, coalesce((SELECT epoch FROM identity), 0))";
constexpr auto insert_click =
    "INSERT INTO clicks (id, bytes, stream, event_id, type, schema_version, workspace_id, data, key_id, "
    "personal, "
    "metadata, occurred_us, salt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
constexpr auto select_clicks =
    "SELECT stream, event_id, type, schema_version, workspace_id, data, key_id, personal, metadata, "
    "occurred_us, salt "
    "FROM clicks WHERE id BETWEEN $1 AND $2 ORDER BY id";

event_body const& event_of(append_request const& click) {
    assert(click.streams.size() == 1 && click.streams.front().events.size() == 1);
    assert(click.claims.empty() && !click.idempotency);
    return click.streams.front().events.front();
}

std::size_t stored_bytes_of(append_request const& click) {
    event_body const& event = event_of(click);
    return click_bytes + click.streams.front().stream.size() + event.type.size() + event.data.size() +
           event.personal.bytes.size() + event.metadata.size();
}

append_request read_click(sql::row const& r) {
    event_body event;
    event.event_id = r.id(1);
    event.type = r.text(2);
    event.schema_version = static_cast<int>(r.integer(3));
    event.workspace_id = r.id(4);
    event.data = r.text(5);
    event.personal = {r.id(6), r.bytes(7)};
    event.metadata = r.text(8);
    event.occurred_at = domain::from_unix_us(r.integer(9));
    auto const salt = r.bytes(10);
    std::copy_n(salt.begin(), std::min(salt.size(), event.salt.size()), event.salt.begin());
    append_request click;
    click.streams.push_back({r.text(0), expected_version::any(), {std::move(event)}});
    return click;
}

failure unusable(sql::error const& why) {
    return {failure_code::unavailable, std::string{"the spool: "} + why.what()};
}

}  // namespace

spool::spool(spool_options options, sql::file_lock lock)
    : options_(std::move(options)), lock_(std::move(lock)) {}

result<std::unique_ptr<spool>> spool::open(spool_options const& options) {
    try {
        auto lock = sql::try_lock_file(options.path + ".lock");
        if (!lock) return std::unique_ptr<spool>{};
        std::unique_ptr<spool> made{new spool{options, std::move(*lock)}};
        made->connect();
        made->load();
        return made;
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

void spool::connect() {
    sql::sqlite_options how;
    how.owner_only = true;
    how.vfs = options_.vfs;
    on_ = sql::open_sqlite(options_.path, how);
    on_->execute_script(schema);
}

/// A connection that broke, on a full disk for instance, is replaced.
void spool::use_open_file() {
    if (!on_->usable()) connect();
}

/// What is kept in memory of the file.
void spool::load() {
    on_->query("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(id), 0) FROM clicks", {},
               [&](sql::row const& r) {
                   clicks_ = static_cast<std::size_t>(r.integer(0));
                   bytes_ = static_cast<std::size_t>(r.integer(1));
                   next_id_ = r.integer(2) + 1;
               });
    bytes_at_most_ = bytes_;
    keys_ =
        on_->query_all("SELECT key_id, subject, wrapped FROM keys ORDER BY rowid", {}, [](sql::row const& r) {
            return stored_key{r.id(0), r.text(1), r.bytes(2)};
        });
    // Nothing is sealed any more under those of an empty one.
    if (clicks_ == 0 && !keys_.empty()) {
        on_->execute("DELETE FROM keys");
        empty_wal();
        keys_.clear();
    }
    for (auto const& each : keys_) key_ids_.insert(each.key_id);
    publish();
}

/// What others see, without a wait for the disk.
void spool::publish() {
    auto const oldest = on_->query_one("SELECT occurred_us FROM clicks ORDER BY id LIMIT 1", {},
                                       [](sql::row const& r) { return domain::from_unix_us(r.integer(0)); });
    std::lock_guard const lock{stats_mutex_};
    stats_ = {clicks_, bytes_, options_.bytes_max, oldest};
}

result<void> spool::bind_history(log_head const& head) {
    std::lock_guard const lock{mutex_};
    try {
        use_open_file();
        auto const known = on_->query_one("SELECT log_id, epoch FROM identity", {}, [](sql::row const& r) {
            return std::pair{r.id(0), r.integer(1)};
        });
        if (known && known->first == head.log_id && known->second == head.epoch) {
            // The store may have forgotten the producer of an outage that was long ago.
            if (!has_new_producer_) use_new_producer();
            return boost::outcome_v2::success();
        }
        if (known && known->first != head.log_id && clicks_ > 0) {
            return failure{
                failure_code::corrupted,
                "the spool " + options_.path + " holds " + std::to_string(clicks_) +
                    " clicks of another log. Start with that log's database, or move the file away"};
        }
        sql::transaction whole{*on_, access::write};
        on_->execute("DELETE FROM identity");
        on_->execute("INSERT INTO identity (log_id, epoch, producer, sequence) VALUES ($1, $2, $3, 0)",
                     {head.log_id, head.epoch, new_uuid_v7()});
        whole.commit();
        has_new_producer_ = true;
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

/// For batches that have no number yet.
void spool::use_new_producer() {
    on_->execute("UPDATE identity SET producer = $1, sequence = 0", {new_uuid_v7()});
    has_new_producer_ = true;
}

void spool::insert(append_request const& click) {
    event_body const& event = event_of(click);
    on_->execute(insert_click,
                 {next_id_++, static_cast<std::int64_t>(stored_bytes_of(click)), click.streams.front().stream,
                  event.event_id, event.type, std::int64_t{event.schema_version}, event.workspace_id,
                  event.data, event.personal.key_id, sql::blob{event.personal.bytes}, event.metadata,
                  domain::to_unix_us(event.occurred_at), sql::blob{std::string{view_of(event.salt)}}});
}

result<void> spool::add(std::vector<append_request> const& clicks, append_batch const& sent) {
    std::lock_guard const lock{mutex_};
    std::size_t const count = clicks.size() + sent.appends.size();
    if (count == 0) return boost::outcome_v2::success();
    std::size_t bytes = 0;
    for (auto const& click : clicks) bytes += stored_bytes_of(click);
    for (auto const& click : sent.appends) bytes += stored_bytes_of(click);
    if (bytes_ + bytes > options_.bytes_max) {
        return failure{failure_code::queue_full,
                       "the spool holds " + std::to_string(clicks_) + " clicks and takes no more"};
    }
    auto const first_id = next_id_;
    try {
        use_open_file();
        sql::transaction whole{*on_, access::write};
        for (auto const& click : sent.appends) insert(click);
        if (!sent.appends.empty())
            on_->execute(insert_batch, {sent.producer, sent.sequence, first_id, next_id_ - 1});
        for (auto const& click : clicks) insert(click);
        whole.commit();
    } catch (sql::error const& why) {
        next_id_ = first_id;
        std::lock_guard const quick{stats_mutex_};
        unusable_until_ = std::chrono::steady_clock::now() + std::chrono::seconds{1};
        return unusable(why);
    }
    if (!sent.appends.empty()) held_.insert(number_of(sent));
    auto const front_time =
        event_of(sent.appends.empty() ? clicks.front() : sent.appends.front()).occurred_at;
    bool const was_empty = clicks_ == 0;
    clicks_ += count;
    bytes_ += bytes;
    bytes_at_most_ = std::max(bytes_at_most_, bytes_);
    std::lock_guard const quick{stats_mutex_};
    stats_.clicks = clicks_;
    stats_.bytes = bytes_;
    if (was_empty) stats_.oldest = front_time;
    return boost::outcome_v2::success();
}

append_batch spool::read(range const& of) {
    append_batch batch{of.number.producer, of.number.sequence, {}};
    batch.appends = on_->query_all(select_clicks, {of.first, of.last}, read_click);
    return batch;
}

/// The batch in front that may be given out, or (with a nil producer) the clicks in front that are in none.
std::optional<spool::range> spool::front() {
    auto const batches =
        on_->query_all("SELECT producer, sequence, first_id, last_id FROM batches ORDER BY first_id", {},
                       [](sql::row const& r) {
                           return range{{r.id(0), r.integer(1)}, r.integer(2), r.integer(3)};
                       });
    std::erase_if(passed_over_,
                  [now = std::chrono::steady_clock::now()](auto const& each) { return each.second <= now; });
    std::int64_t from = 0;
    auto next_batch = batches.begin();
    for (;; ++next_batch) {
        auto const first = on_->query_one("SELECT min(id) FROM clicks WHERE id > $1", {from},
                                          [](sql::row const& r) { return r.integer_or_null(0); });
        if (!first || !*first) return std::nullopt;
        if (next_batch == batches.end() || **first < next_batch->first) {
            auto last =
                std::min(**first + static_cast<std::int64_t>(options_.batch_appends_max), next_id_) - 1;
            if (next_batch != batches.end()) last = std::min(last, next_batch->first - 1);
            return range{{}, **first, last};
        }
        if (!passed_over_.contains(next_batch->number)) return *next_batch;
        from = next_batch->last;
    }
}

/// Gives clicks a number. What they need is decided now and stored with it.
bool spool::number(range& clicks, preparation const& prepare, std::optional<failure>& refused) {
    auto const all = on_->query_all(select_clicks, {clicks.first, clicks.last}, read_click);
    std::vector<event_body> changed;
    for (auto const& click : all) {
        event_body event = event_of(click);
        if (auto const ready = prepare(event, key_ids_.contains(event.personal.key_id)); !ready) {
            refused = ready.error();
            return false;
        }
        if (!(event.personal == event_of(click).personal)) changed.push_back(std::move(event));
    }
    sql::transaction whole{*on_, access::write};
    for (auto const& event : changed) {
        on_->execute(
            "UPDATE clicks SET key_id = $1, personal = $2 WHERE id BETWEEN $3 AND $4 AND event_id = $5",
            {event.personal.key_id, sql::blob{event.personal.bytes}, clicks.first, clicks.last,
             event.event_id});
    }
    on_->execute("UPDATE identity SET sequence = sequence + 1");
    auto const given = on_->query_one("SELECT producer, sequence FROM identity", {}, [](sql::row const& r) {
        return batch_number{r.id(0), r.integer(1)};
    });
    if (!given) throw sql::error(sql::error::kind::other, "it is bound to no log");
    clicks.number = *given;
    on_->execute(insert_batch, {given->producer, given->sequence, clicks.first, clicks.last});
    whole.commit();
    return true;
}

result<std::optional<append_batch>> spool::next(preparation const& prepare) {
    std::lock_guard const lock{mutex_};
    std::optional<append_batch> nothing;
    if (clicks_ == 0) return nothing;
    try {
        use_open_file();
        auto found = front();
        if (!found || held_.contains(found->number)) return nothing;
        if (found->number.producer.is_nil()) {
            std::optional<failure> refused;
            if (!number(*found, prepare, refused)) return *refused;
        }
        return std::optional{read(*found)};
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

result<std::size_t> spool::remove(batch_number const& number) {
    std::lock_guard const lock{mutex_};
    std::size_t removed = 0;
    std::size_t freed = 0;
    try {
        use_open_file();
        auto const found =
            on_->query_one("SELECT first_id, last_id FROM batches WHERE producer = $1 AND sequence = $2",
                           {number.producer, number.sequence}, [](sql::row const& r) {
                               return std::pair{r.integer(0), r.integer(1)};
                           });
        if (found) {
            auto const [first, last] = *found;
            sql::transaction whole{*on_, access::write};
            freed = static_cast<std::size_t>(
                on_->query_one("SELECT coalesce(sum(bytes), 0) FROM clicks WHERE id BETWEEN $1 AND $2",
                               {first, last}, [](sql::row const& r) { return r.integer(0); })
                    .value_or(0));
            removed = static_cast<std::size_t>(
                on_->execute("DELETE FROM clicks WHERE id BETWEEN $1 AND $2", {first, last}));
            on_->execute("DELETE FROM batches WHERE producer = $1 AND sequence = $2",
                         {number.producer, number.sequence});
            // The store forgets producers that were idle for long: each outage is another one's.
            if (removed == clicks_) use_new_producer();
            whole.commit();
        }
    } catch (sql::error const& why) {
        return unusable(why);
    }
    held_.erase(number);
    passed_over_.erase(number);
    tidy(removed, freed);
    return removed;
}

/// After clicks have gone. What fails here is done with the next batch.
void spool::tidy(std::size_t clicks, std::size_t bytes) {
    clicks_ -= clicks;
    bytes_ -= bytes;
    try {
        publish();
        if (clicks_ > 0 || bytes_at_most_ < kept_bytes) return;
        // What a long outage made of the file goes.
        on_->execute_script("VACUUM");
        empty_wal();
        bytes_at_most_ = 0;
    } catch (sql::error const&) {
        return;
    }
}

void spool::release(batch_number const& number) {
    std::lock_guard const lock{mutex_};
    held_.erase(number);
}

result<bool> spool::refuse(batch_number const& number) {
    std::lock_guard const lock{mutex_};
    try {
        use_open_file();
        sql::transaction whole{*on_, access::write};
        auto const gone = on_->execute(
            "DELETE FROM batches WHERE producer = $1 AND sequence = $2 AND epoch <> (SELECT epoch FROM "
            "identity)",
            {number.producer, number.sequence});
        if (gone == 0) use_new_producer();
        whole.commit();
        if (gone == 0) passed_over_[number] = std::chrono::steady_clock::now() + options_.refused_pause;
        return gone > 0;
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

result<void> spool::add_key(stored_key const& key) {
    std::lock_guard const lock{mutex_};
    try {
        use_open_file();
        on_->execute("INSERT INTO keys (key_id, subject, wrapped) VALUES ($1, $2, $3)",
                     {key.key_id, key.subject, sql::blob{key.wrapped}});
        keys_.push_back(key);
        key_ids_.insert(key.key_id);
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

std::vector<stored_key> spool::keys_beyond(std::size_t known) const {
    std::lock_guard const lock{mutex_};
    return {keys_.begin() + static_cast<std::ptrdiff_t>(std::min(known, keys_.size())), keys_.end()};
}

/// What the log destroys some day shall not be here then, nor in the write-ahead log.
void spool::empty_wal() {
    on_->query("PRAGMA wal_checkpoint(TRUNCATE)", {}, [](sql::row const&) {});
}

/// In memory they stay: a click may be on its way that was sealed under one.
result<void> spool::forget_keys(std::size_t known) {
    std::lock_guard const lock{mutex_};
    if (clicks_ > 0) return boost::outcome_v2::success();
    try {
        use_open_file();
        std::int64_t gone = 0;
        for (std::size_t i = 0; i < std::min(known, keys_.size()); ++i)
            gone += on_->execute("DELETE FROM keys WHERE key_id = $1", {keys_[i].key_id});
        if (gone > 0) empty_wal();
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

spool_stats spool::stats() const {
    std::lock_guard const lock{stats_mutex_};
    return stats_;
}

bool spool::holds_any() const {
    std::lock_guard const lock{mutex_};
    return !held_.empty();
}

bool spool::has_room() const {
    std::lock_guard const lock{stats_mutex_};
    return std::chrono::steady_clock::now() >= unusable_until_ &&
           stats_.bytes + std::min(room_bytes, stats_.bytes_max / 16) <= stats_.bytes_max;
}

}  // namespace linkledger::eventlog
