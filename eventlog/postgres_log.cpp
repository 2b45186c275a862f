#include "eventlog/postgres_log.h"

#include "eventlog/postgres_batch.h"
#include "eventlog/postgres_forecast.h"
#include "eventlog/postgres_listener.h"
#include "eventlog/postgres_pool.h"
#include "eventlog/postgres_rows.h"

#include <fmt/format.h>

#include <mutex>

namespace linkledger::eventlog {
namespace {

using sql::error;

/// What a failed read, or a write that is harmless to repeat, means to its caller.
failure to_failure(error const& caught) {
    switch (caught.what_kind()) {
        case error::kind::unavailable:
            return {failure_code::unavailable, caught.what()};
        case error::kind::unknown_outcome:
        case error::kind::timeout:
            return {failure_code::timeout, caught.what()};
        case error::kind::constraint:
        case error::kind::other:
            break;
    }
    return {failure_code::corrupted, caught.what()};
}

/// What a failed append means: an error that the server answered has rolled the call back.
failure to_append_failure(error const& caught) {
    switch (caught.what_kind()) {
        case error::kind::unavailable:
        case error::kind::timeout:
            return {failure_code::unavailable, caught.what()};
        case error::kind::unknown_outcome:
            return {failure_code::unknown_outcome, caught.what()};
        case error::kind::constraint:
        case error::kind::other:
            break;
    }
    return {failure_code::corrupted, caught.what()};
}

sql::postgres_options session(postgres_log_options const& options) {
    sql::postgres_options all;
    all.url = options.url;
    all.connect_timeout = options.connect_timeout;
    all.lock_timeout = options.lock_timeout;
    all.statement_timeout = options.statement_timeout;
    all.idle_in_transaction_timeout = options.statement_timeout;
    all.call_timeout = options.call_timeout;
    return all;
}

/// Throws `unavailable` where the server would lose acknowledged events in a crash.
void refuse_unsafe(sql::connection& connection) {
    for (char const* const setting : {"fsync", "full_page_writes", "synchronous_commit"}) {
        auto const value = connection.query_one("SELECT current_setting($1)", {std::string{setting}},
                                                [](sql::row const& r) { return r.text(0); });
        if (value == "off")
            throw error(
                error::kind::unavailable,
                fmt::format("PostgreSQL runs with {0} = off: acknowledged events would be lost in a crash. "
                            "Turn {0} on, or accept the loss with ALLOW_UNSAFE_DATABASE=1",
                            setting));
    }
}

std::string const& append_sql() {
    static std::string const sql = [] {
        std::string text = "SELECT resent, uniform, first_position, recorded, outcome FROM log_append(";
        for (int i = 1; i <= postgres_batch_parameters; ++i)
            text += fmt::format("{}${}", i == 1 ? "" : ", ", i);
        return text + ")";
    }();
    return sql;
}

class postgres_log : public event_log {
public:
    explicit postgres_log(postgres_log_options const& options)
        : options_(options), readers_(session(options), options.readers_max) {}

    /// The first connection: everything that an operator must hear of at the start.
    result<void> open();

    std::string_view backend() const override { return "postgresql"; }
    result<log_head> head() override;
    result<batch_outcome> append(append_batch const& batch) override;
    result<read_page> read(read_query const& query) override;
    result<std::vector<digest>> read_leaf_hashes(position after, std::size_t limit) override;
    result<std::vector<recorded_event>> read_stream(std::string const& stream, version after,
                                                    std::size_t limit) override;
    result<version> stream_version(std::string const& stream) override;
    result<std::optional<std::string>> claim_owner(std::string const& scope, std::string const& key) override;
    result<std::vector<std::optional<stored_response>>> find_responses(
        std::vector<digest> const& ids) override;
    result<std::int64_t> forget_responses(timestamp before) override;
    result<std::optional<stored_key>> find_key(std::string const& subject) override;
    result<std::optional<stored_key>> find_key(uuid const& key_id) override;
    result<std::vector<stored_key>> list_keys(std::string const& prefix, std::string const& after,
                                              std::size_t limit) override;
    result<stored_key> add_key(stored_key const& key) override;
    result<void> destroy_key(uuid const& key_id) override;
    result<log_head> raise_epoch() override;
    bool wait_beyond(position after, std::chrono::milliseconds deadline) override;

private:
    /// Runs work that is harmless to repeat; what it throws becomes a failure.
    template <typename Work>
    auto with_reader(Work const& work) -> result<decltype(work(std::declval<sql::postgres_connection&>()))> {
        try {
            return readers_.run(work);
        } catch (error const& caught) {
            return to_failure(caught);
        }
    }

    result<batch_outcome> append_next(append_batch const& batch);
    postgres_batch::answer call(postgres_batch const& batch);
    sql::postgres_connection& writer();
    result<void> add_responses(append_batch const& batch, batch_outcome& to);

    postgres_log_options options_;
    postgres_pool readers_;
    std::mutex writer_mutex_;
    std::unique_ptr<sql::postgres_connection> writer_;
    postgres_forecast forecast_;
    std::unique_ptr<postgres_listener> listener_;
};

result<void> postgres_log::open() {
    try {
        std::lock_guard const lock(writer_mutex_);
        auto const last = writer().query_one("SELECT last_position FROM log_head", {},
                                             [](sql::row const& r) { return r.integer(0); });
        if (!last) return failure{failure_code::corrupted, "PostgreSQL: the event log has no head"};
    } catch (error const& caught) {
        if (caught.what_kind() == error::kind::other)
            return failure{
                failure_code::unavailable,
                std::string{"the database has no event log (run `linkledger migrate up`): "} + caught.what()};
        return failure{failure_code::unavailable, caught.what()};
    }
    listener_ = std::make_unique<postgres_listener>(session(options_), options_.partition_events);
    return boost::outcome_v2::success();
}

result<log_head> postgres_log::head() {
    return with_reader([](sql::connection& c) {
        auto const found = c.query_one(
            "SELECT log_id, epoch, last_position, recorded_us FROM log_head", {}, [](sql::row const& r) {
                return log_head{r.id(0), r.integer(1), r.integer(2), domain::from_unix_us(r.integer(3))};
            });
        if (!found) throw error(error::kind::other, "PostgreSQL: the event log has no head");
        return *found;
    });
}

result<batch_outcome> postgres_log::append(append_batch const& batch) {
    BOOST_OUTCOME_TRY(auto outcome, append_next(batch));
    position last = outcome.first_position - 1;
    for (auto const& each : outcome.outcomes)
        if (auto const* const done = std::get_if<appended>(&each)) last = std::max(last, done->last_position);
    listener_->saw(last);
    BOOST_OUTCOME_TRY(add_responses(batch, outcome));
    return outcome;
}

/// One at a time: each batch is encoded with what the one before it taught.
result<batch_outcome> postgres_log::append_next(append_batch const& batch) {
    std::lock_guard const lock(writer_mutex_);
    postgres_batch const encoded(batch, forecast_);
    try {
        auto outcome = encoded.read(call(encoded));
        if (outcome) forecast_.learn(batch, outcome.value());
        return outcome;
    } catch (error const& caught) {
        return to_append_failure(caught);
    }
}

/// Calls the function on the writer. A connection that turns out to be dead before anything was sent is
/// replaced once.
postgres_batch::answer postgres_log::call(postgres_batch const& batch) {
    for (bool again = true;; again = false) {
        sql::postgres_connection& connection = writer();
        try {
            postgres_batch::answer answer;
            connection.query_binary(append_sql(), batch.parameters(), [&](sql::row const& r) {
                auto numbers = parse_number_array(r.text(4));
                if (!numbers) throw error(error::kind::other, "PostgreSQL: an outcome that cannot be read");
                answer = {r.boolean(0), r.boolean(1), r.integer(2), domain::from_unix_us(r.integer(3)),
                          std::move(*numbers)};
            });
            return answer;
        } catch (error const& caught) {
            bool const unsent = caught.what_kind() == error::kind::unavailable && !connection.usable();
            if (!connection.usable()) writer_.reset();
            if (!unsent || !again) throw;
        }
    }
}

sql::postgres_connection& postgres_log::writer() {
    if (!writer_) {
        auto fresh = open_log_connection(session(options_));
        if (!options_.allow_unsafe) refuse_unsafe(*fresh);
        // Nothing that this connection does has bounds to plan for. Left to itself the server would plan the
        // function's statements anew for each batch, for the sake of its arrays' lengths: a seventh of the
        // time.
        fresh->execute_script("SET plan_cache_mode = force_generic_plan");
        writer_ = std::move(fresh);
    }
    return *writer_;
}

/// Replayed outcomes carry the response that was stored then.
result<void> postgres_log::add_responses(append_batch const& batch, batch_outcome& to) {
    std::vector<digest> ids;
    for (std::size_t i = 0; i < to.outcomes.size(); ++i)
        if (std::holds_alternative<replayed>(to.outcomes[i])) ids.push_back(batch.appends[i].idempotency->id);
    if (ids.empty()) return boost::outcome_v2::success();
    auto const found = find_responses(ids);
    // The batch is written; sent again, it gets its outcome.
    if (!found) return failure{failure_code::unknown_outcome, found.error().detail};
    auto next = found.value().begin();
    for (auto& each : to.outcomes)
        if (auto* const answer = std::get_if<replayed>(&each)) {
            if (*next) answer->response = (*next)->answer.response;
            ++next;
        }
    return boost::outcome_v2::success();
}

result<read_page> postgres_log::read(read_query const& query) {
    return with_reader([&](sql::connection& c) {
        // The head is read first: what it counts is committed and never changes. What is known of it may be
        // of a server whose last events were lost in a failover. That does not matter to a whole page of all
        // events, which ends where it ends; one of some events says how far it has looked.
        position bound = listener_->known_head();
        if (!is_of_all(query) || bound - query.after < static_cast<position>(query.limit))
            bound = c.query_one("SELECT last_position FROM log_head", {}, [](sql::row const& r) {
                         return r.integer(0);
                     }).value_or(0);
        return read_page_up_to(c, query, std::min(bound, query.until),
                               std::chrono::steady_clock::now() + options_.statement_timeout / 4);
    });
}

result<std::vector<digest>> postgres_log::read_leaf_hashes(position after, std::size_t limit) {
    return with_reader([&](sql::connection& c) { return read_leaf_hash_page(c, after, limit); });
}

result<std::vector<recorded_event>> postgres_log::read_stream(std::string const& stream, version after,
                                                              std::size_t limit) {
    return with_reader([&](sql::connection& c) { return read_stream_events(c, stream, after, limit); });
}

result<version> postgres_log::stream_version(std::string const& stream) {
    return with_reader([&](sql::connection& c) {
        return c
            .query_one("SELECT version FROM streams WHERE stream = $1", {stream},
                       [](sql::row const& r) { return r.integer(0); })
            .value_or(0);
    });
}

result<std::optional<std::string>> postgres_log::claim_owner(std::string const& scope,
                                                             std::string const& key) {
    return with_reader([&](sql::connection& c) {
        return c.query_one("SELECT owner FROM claims WHERE scope = $1 AND key = $2", {scope, key},
                           [](sql::row const& r) { return r.text(0); });
    });
}

result<std::vector<std::optional<stored_response>>> postgres_log::find_responses(
    std::vector<digest> const& ids) {
    return with_reader([&](sql::postgres_connection& c) { return read_responses(c, ids); });
}

result<std::int64_t> postgres_log::forget_responses(timestamp before) {
    return with_reader([&](sql::connection& c) {
        return c.execute("DELETE FROM idempotency WHERE stored_us < $1", {domain::to_unix_us(before)});
    });
}

result<std::optional<stored_key>> postgres_log::find_key(std::string const& subject) {
    return with_reader([&](sql::connection& c) {
        return c.query_one("SELECT key_id, subject, wrapped FROM keys WHERE subject = $1", {subject},
                           read_key);
    });
}

result<std::optional<stored_key>> postgres_log::find_key(uuid const& key_id) {
    return with_reader([&](sql::connection& c) {
        return c.query_one(
            "SELECT key_id, subject, wrapped FROM keys WHERE key_id = $1 AND subject IS NOT NULL", {key_id},
            read_key);
    });
}

result<std::vector<stored_key>> postgres_log::list_keys(std::string const& prefix, std::string const& after,
                                                        std::size_t limit) {
    return with_reader([&](sql::connection& c) {
        return c.query_all(
            "SELECT key_id, subject FROM keys WHERE subject >= $1 AND subject < $1 || chr(1114111) "
            "AND subject > $2 ORDER BY subject LIMIT $3",
            {prefix, after, static_cast<std::int64_t>(limit)}, [](sql::row const& r) {
                return stored_key{r.id(0), r.text(1), ""};
            });
    });
}

result<stored_key> postgres_log::add_key(stored_key const& key) {
    return with_reader([&](sql::connection& c) {
        // Destroyed between the two statements, the subject has no key: then this one is added after all.
        for (int attempt = 0; attempt < 10; ++attempt) {
            c.execute(
                "INSERT INTO keys (key_id, subject, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                {key.key_id, key.subject, sql::blob{key.wrapped}});
            auto kept = c.query_one("SELECT key_id, subject, wrapped FROM keys WHERE subject = $1",
                                    {key.subject}, read_key);
            if (kept) return std::move(*kept);
        }
        throw error(error::kind::other, "PostgreSQL: a key's id is taken by another subject");
    });
}

result<void> postgres_log::destroy_key(uuid const& key_id) {
    auto const done = with_reader([&](sql::connection& c) {
        return c.execute("UPDATE keys SET subject = NULL, wrapped = '' WHERE key_id = $1", {key_id});
    });
    if (!done) return done.error();
    return boost::outcome_v2::success();
}

result<log_head> postgres_log::raise_epoch() {
    auto const done =
        with_reader([&](sql::connection& c) { return c.execute("UPDATE log_head SET epoch = epoch + 1"); });
    if (!done) return done.error();
    return head();
}

bool postgres_log::wait_beyond(position after, std::chrono::milliseconds deadline) {
    return listener_->wait_beyond(after, deadline);
}

}  // namespace

result<std::unique_ptr<event_log>> open_postgres_log(postgres_log_options const& options) {
    auto log = std::make_unique<postgres_log>(options);
    BOOST_OUTCOME_TRY(log->open());
    return std::unique_ptr<event_log>(std::move(log));
}

}  // namespace linkledger::eventlog
