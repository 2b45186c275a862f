#include "eventlog/spool/spool.h"

#include "eventlog/crypto.h"

#include <algorithm>
#include <cassert>

namespace linkledger::eventlog {
namespace {

using access = sql::connection::access;

/// What a click takes in the file beside its texts.
constexpr std::size_t fixed_bytes = 160;
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
    PRIMARY KEY (producer, sequence));
CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, wrapped BLOB NOT NULL);
)";

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

std::size_t bytes_of(append_request const& click) {
    event_body const& event = event_of(click);
    return fixed_bytes + click.streams.front().stream.size() + event.type.size() + event.data.size() +
           event.personal.bytes.size() + event.metadata.size();
}

template <std::size_t N>
std::string text_of(std::array<std::uint8_t, N> const& bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
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

spool::spool(spool_options options, sql::file_lock lock, std::unique_ptr<sql::connection> on)
    : options_(std::move(options)), lock_(std::move(lock)), on_(std::move(on)) {}

result<std::unique_ptr<spool>> spool::open(spool_options const& options) {
    try {
        auto lock = sql::try_lock_file(options.path + ".lock");
        if (!lock) return std::unique_ptr<spool>{};
        sql::sqlite_options how;
        how.vfs = options.vfs;
        auto on = sql::open_sqlite(options.path, how);
        on->execute_script(schema);
        std::unique_ptr<spool> made{new spool{options, std::move(*lock), std::move(on)}};
        made->load();
        return made;
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

/// What is kept in memory of the file. An empty one forgets its keys: nothing is sealed under them any more.
void spool::load() {
    on_->query("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(id), 0) FROM clicks", {},
               [&](sql::row const& r) {
                   clicks_ = static_cast<std::size_t>(r.integer(0));
                   bytes_ = static_cast<std::size_t>(r.integer(1));
                   next_id_ = r.integer(2) + 1;
               });
    bytes_at_most_ = bytes_;
    oldest_ = on_->query_one("SELECT occurred_us FROM clicks ORDER BY id LIMIT 1", {},
                             [](sql::row const& r) { return domain::from_unix_us(r.integer(0)); });
    if (clicks_ == 0) on_->execute("DELETE FROM keys");
    keys_ =
        on_->query_all("SELECT key_id, subject, wrapped FROM keys ORDER BY rowid", {}, [](sql::row const& r) {
            return stored_key{r.id(0), r.text(1), r.bytes(2)};
        });
}

result<void> spool::bind_history(log_head const& head) {
    std::lock_guard const lock{mutex_};
    try {
        auto const known = on_->query_one("SELECT log_id, epoch FROM identity", {}, [](sql::row const& r) {
            return std::pair{r.id(0), r.integer(1)};
        });
        if (known && known->first == head.log_id && known->second == head.epoch)
            return boost::outcome_v2::success();
        if (known && known->first != head.log_id && clicks_ > 0) {
            return failure{
                failure_code::corrupted,
                "the spool " + options_.path + " holds " + std::to_string(clicks_) +
                    " clicks of another log. Start with that log's database, or move the file away"};
        }
        sql::transaction whole{*on_, access::write};
        on_->execute("DELETE FROM identity");
        if (known) on_->execute("DELETE FROM batches");
        on_->execute("INSERT INTO identity (log_id, epoch, producer, sequence) VALUES ($1, $2, $3, 0)",
                     {head.log_id, head.epoch, new_uuid_v7()});
        whole.commit();
        if (known) held_.clear();
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

void spool::insert(append_request const& click) {
    event_body const& event = event_of(click);
    on_->execute(insert_click,
                 {next_id_++, static_cast<std::int64_t>(bytes_of(click)), click.streams.front().stream,
                  event.event_id, event.type, std::int64_t{event.schema_version}, event.workspace_id,
                  event.data, event.personal.key_id, sql::blob{event.personal.bytes}, event.metadata,
                  domain::to_unix_us(event.occurred_at), sql::blob{text_of(event.salt)}});
}

result<void> spool::add(std::vector<append_request> const& clicks,
                        std::optional<unsettled_batch> const& sent) {
    std::lock_guard const lock{mutex_};
    std::size_t bytes = 0;
    std::size_t count = clicks.size() + (sent ? sent->clicks.size() : 0);
    for (auto const& click : clicks) bytes += bytes_of(click);
    if (sent)
        for (auto const& click : sent->clicks) bytes += bytes_of(click);
    if (count == 0) return boost::outcome_v2::success();
    if (bytes_ + bytes > options_.bytes_max) {
        return failure{failure_code::queue_full,
                       "the spool holds " + std::to_string(clicks_) + " clicks and takes no more"};
    }
    auto const first_id = next_id_;
    try {
        sql::transaction whole{*on_, access::write};
        if (sent && !sent->clicks.empty()) {
            for (auto const& click : sent->clicks) insert(click);
            on_->execute(
                "INSERT INTO batches (producer, sequence, first_id, last_id) VALUES ($1, $2, $3, $4)",
                {sent->number.producer, sent->number.sequence, first_id, next_id_ - 1});
        }
        for (auto const& click : clicks) insert(click);
        whole.commit();
    } catch (sql::error const& why) {
        next_id_ = first_id;
        return unusable(why);
    }
    if (sent && !sent->clicks.empty()) held_.insert(sent->number);
    if (clicks_ == 0) {
        auto const& front = sent && !sent->clicks.empty() ? sent->clicks.front() : clicks.front();
        oldest_ = event_of(front).occurred_at;
    }
    clicks_ += count;
    bytes_ += bytes;
    bytes_at_most_ = std::max(bytes_at_most_, bytes_);
    return boost::outcome_v2::success();
}

/// The batch that the click in front belongs to.
std::optional<spool::range> spool::range_in_front() {
    return on_->query_one(
        "SELECT b.producer, b.sequence, b.first_id, b.last_id FROM batches AS b "
        "WHERE b.first_id <= (SELECT min(id) FROM clicks) ORDER BY b.first_id LIMIT 1",
        {}, [](sql::row const& r) {
            return range{{r.id(0), r.integer(1)}, r.integer(2), r.integer(3)};
        });
}

append_batch spool::read(range const& of) {
    append_batch batch{of.number.producer, of.number.sequence, {}};
    batch.appends = on_->query_all(select_clicks, {of.first, of.last}, read_click);
    return batch;
}

/// Gives the clicks in front a number. What they need is decided now and stored with it.
spool::range spool::number_next(preparation const& prepare, std::optional<failure>& refused) {
    auto const first =
        on_->query_one("SELECT min(id) FROM clicks", {}, [](sql::row const& r) { return r.integer(0); });
    auto const before = on_->query_one("SELECT min(first_id) FROM batches WHERE first_id > $1", {*first},
                                       [](sql::row const& r) { return r.integer_or_null(0); });
    auto last = *first + static_cast<std::int64_t>(options_.batch_appends_max) - 1;
    if (before && *before) last = std::min(last, **before - 1);
    last = std::min(last, next_id_ - 1);

    range made{{}, *first, last};
    auto clicks = on_->query_all(select_clicks, {made.first, made.last}, read_click);
    std::vector<event_body> changed;
    for (auto& click : clicks) {
        event_body& event = click.streams.front().events.front();
        sealed const was = event.personal;
        if (auto const ready = prepare(event); !ready) {
            refused = ready.error();
            return made;
        }
        if (!(event.personal == was)) changed.push_back(event);
    }
    sql::transaction whole{*on_, access::write};
    for (auto const& event : changed) {
        on_->execute(
            "UPDATE clicks SET key_id = $1, personal = $2 WHERE id BETWEEN $3 AND $4 AND event_id = $5",
            {event.personal.key_id, sql::blob{event.personal.bytes}, made.first, made.last, event.event_id});
    }
    on_->execute("UPDATE identity SET sequence = sequence + 1");
    auto const number = on_->query_one("SELECT producer, sequence FROM identity", {}, [](sql::row const& r) {
        return batch_number{r.id(0), r.integer(1)};
    });
    if (!number) throw sql::error(sql::error::kind::other, "it is bound to no log");
    made.number = *number;
    on_->execute("INSERT INTO batches (producer, sequence, first_id, last_id) VALUES ($1, $2, $3, $4)",
                 {made.number.producer, made.number.sequence, made.first, made.last});
    whole.commit();
    return made;
}

result<std::optional<append_batch>> spool::next(preparation const& prepare) {
    std::lock_guard const lock{mutex_};
    std::optional<append_batch> nothing;
    if (clicks_ == 0) return nothing;
    try {
        auto front = range_in_front();
        if (front && held_.contains(front->number)) return nothing;
        if (!front) {
            std::optional<failure> refused;
            front = number_next(prepare, refused);
            if (refused) return *refused;
        }
        return std::optional{read(*front)};
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

result<std::size_t> spool::remove(batch_number const& number) {
    std::lock_guard const lock{mutex_};
    std::size_t removed = 0;
    try {
        auto const found =
            on_->query_one("SELECT first_id, last_id FROM batches WHERE producer = $1 AND sequence = $2",
                           {number.producer, number.sequence}, [](sql::row const& r) {
                               return std::pair{r.integer(0), r.integer(1)};
                           });
        if (found) {
            auto const [first, last] = *found;
            sql::transaction whole{*on_, access::write};
            auto const freed =
                on_->query_one("SELECT coalesce(sum(bytes), 0) FROM clicks WHERE id BETWEEN $1 AND $2",
                               {first, last}, [](sql::row const& r) { return r.integer(0); });
            auto const gone = on_->execute("DELETE FROM clicks WHERE id BETWEEN $1 AND $2", {first, last});
            on_->execute("DELETE FROM batches WHERE producer = $1 AND sequence = $2",
                         {number.producer, number.sequence});
            // The store forgets producers that were idle for long: each outage is another one's.
            if (static_cast<std::size_t>(gone) == clicks_)
                on_->execute("UPDATE identity SET producer = $1, sequence = 0", {new_uuid_v7()});
            whole.commit();
            removed = static_cast<std::size_t>(gone);
            clicks_ -= removed;
            bytes_ -= static_cast<std::size_t>(freed.value_or(0));
            oldest_ = on_->query_one("SELECT occurred_us FROM clicks ORDER BY id LIMIT 1", {},
                                     [](sql::row const& r) { return domain::from_unix_us(r.integer(0)); });
            if (clicks_ == 0) give_space_back();
        }
        held_.erase(number);
        return removed;
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

void spool::release(batch_number const& number) {
    std::lock_guard const lock{mutex_};
    held_.erase(number);
}

/// The file is empty: what a long outage made of it goes.
void spool::give_space_back() {
    if (bytes_at_most_ < kept_bytes) return;
    on_->execute_script("VACUUM");
    on_->query("PRAGMA wal_checkpoint(TRUNCATE)", {}, [](sql::row const&) {});
    bytes_at_most_ = 0;
}

result<void> spool::add_key(stored_key const& key) {
    std::lock_guard const lock{mutex_};
    try {
        on_->execute("INSERT INTO keys (key_id, subject, wrapped) VALUES ($1, $2, $3)",
                     {key.key_id, key.subject, sql::blob{key.wrapped}});
        keys_.push_back(key);
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        return unusable(why);
    }
}

std::vector<stored_key> spool::keys_beyond(std::size_t known) const {
    std::lock_guard const lock{mutex_};
    return {keys_.begin() + static_cast<std::ptrdiff_t>(std::min(known, keys_.size())), keys_.end()};
}

spool_stats spool::stats() const {
    std::lock_guard const lock{mutex_};
    return {clicks_, bytes_, options_.bytes_max, oldest_};
}

}  // namespace linkledger::eventlog
