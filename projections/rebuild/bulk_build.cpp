// Ranges, then (for a sorted fold) stretches between cuts, then indexes: each piece of work commits with a
// note that it is done.

#include "projections/rebuild/bulk_build.h"

#include "eventlog/crypto.h"
#include "projections/checkpoint.h"
#include "projections/event_feed.h"
#include "projections/rebuild/deferred_indexes.h"
#include "projections/rebuild/notes.h"
#include "projections/rebuild/part.h"
#include "projections/rebuild/part_store.h"
#include "projections/rebuild/pieces.h"
#include "projections/rebuild/plan.h"
#include "projections/rebuild/sorted_fold.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>

namespace linkledger::projections {
namespace {

using eventlog::position;
using kind = rebuild_notes::kind;

/// Of this many ranges two in hand are less than a hundredth of the work. What a range holds in memory does
/// not grow with the log.
constexpr position ranges_min = 400;
constexpr position range_events_min = 500;
constexpr position range_events_max = 4'000;
constexpr position sorted_range_events_max = 10'000;
constexpr std::size_t apply_at_once = 4'000;

/// What of a row is left to do until it stands in the indexes, in hundredths of reading an event and writing
/// it.
constexpr std::int64_t row_index_share = 35;

class bulk_build {
public:
    bulk_build(projection& of, build_id which, bulk_options const& options, bulk_surroundings const& with)
        : of_(of),
          which_(which),
          name_(of.name()),
          options_(options),
          with_(with),
          notes_(of),
          fold_(of.create_sorted_fold(with.store.dialect())),
          shares_(fold_ ? fold_->shares() : work_shares{}),
          pace_(options.rate_max) {}

    void run(eventlog::log_head const& head) {
        prepare(head);
        timed("read", [&] { scan(); });
        if (fold_) {
            cut();
            timed("combined", [&] { combine(); });
        }
        finish();
    }

    void empty_tables() {
        auto const in = with_.store.open_loader(name_, which_);
        sql::transaction turn{*in, sql::connection::access::write};
        forget(*in);
        turn.commit();
        parts_.remove();
    }

private:
    // ---- Begin and end ----------------------------------------------------------------------------------

    void prepare(eventlog::log_head const& head) {
        auto const in = with_.store.open_loader(name_, which_);
        auto const plan = kept_plan(*in);
        if (plan) parts_ = {with_.store, of_, which_, plan->id};
        bool const same_history = plan && plan->head.log_id == head.log_id &&
                                  plan->head.epoch == head.epoch && plan->head.last <= head.last;
        if (!same_history) {
            parts_.remove();
            return begin(*in, head);
        }
        plan_ = *plan;
        if (fold_) parts_.create();
    }

    std::optional<build_plan> kept_plan(sql::connection& in) const {
        if (!notes_.exists(in)) return std::nullopt;
        auto const plans = notes_.values(in, kind::plan);
        return plans.empty() ? std::nullopt : parse_plan(plans.front());
    }

    void begin(sql::connection& in, eventlog::log_head const& head) {
        plan_.id = eventlog::new_uuid_v7();
        plan_.head = head;
        plan_.range_events = options_.range_events > 0
                                 ? options_.range_events
                                 : std::clamp(head.last / ranges_min, range_events_min,
                                              fold_ ? sorted_range_events_max : range_events_max);
        parts_ = {with_.store, of_, which_, plan_.id};
        if (fold_) parts_.create();
        sql::transaction turn{in, sql::connection::access::write};
        forget(in);
        notes_.create(in);
        notes_.put(in, kind::plan, 0, to_text(plan_));
        std::int64_t number = 0;
        for (auto const& statement : drop_indexes(loaded_tables(), in))
            notes_.put(in, kind::index, number++, statement);
        turn.commit();
    }

    [[nodiscard]] std::vector<std::string> loaded_tables() const {
        if (fold_) return fold_->loaded_tables();
        return {of_.tables().begin(), of_.tables().end()};
    }

    /// As if nothing had been begun.
    void forget(sql::connection& in) {
        start_over(in, of_, {});
        if (notes_.exists(in)) {
            for (auto const& statement : notes_.values(in, kind::index)) in.execute_script(statement);
        }
        notes_.remove(in);
    }

    void finish() {
        auto const in = with_.store.open_loader(name_, which_);
        timed("indexed", [&] { make_indexes(*in); });
        if (in->dialect() == sql::dialect::postgresql) {
            for (auto const table : of_.tables()) in->execute_script("ANALYZE " + std::string{table});
        }
        sql::transaction turn{*in, sql::connection::access::write};
        if (fold_) fold_->finish(notes_.values(*in, kind::combined), *in);
        checkpoint to;
        to.log_id = plan_.head.log_id;
        to.epoch = plan_.head.epoch;
        to.position = plan_.head.last;
        if (plan_.head.last > 0) to.recorded_at = plan_.head.recorded_at;
        set_checkpoint(*in, name_, which_.version, to);
        notes_.remove(*in);
        turn.commit();
        parts_.remove();
        with_.meter.set_done(plan_.head.last);
    }

    /// In PostgreSQL several at once.
    void make_indexes(sql::connection& in) {
        auto const statements = notes_.values(in, kind::index);
        auto const numbers = notes_.numbers(in, kind::index);
        std::vector<std::int64_t> const places{numbers.begin(), numbers.end()};
        bool const alone = in.dialect() == sql::dialect::sqlite;
        std::atomic<std::int64_t> done = 0;
        with_.meter.note_trouble("making indexes");
        do_pieces(statements.size(), alone ? 1 : options_.jobs, with_.stop, [&](pieces& mine) {
            std::unique_ptr<sql::connection> to;
            for (auto at = mine.next(); at; at = mine.next()) {
                with_retries([&] {
                    if (!to || !to->usable()) to = with_.store.open_loader(name_, which_);
                    make_index(*to, statements[*at], places[*at]);
                });
                auto const before = fold_ ? combined_position() : read_position();
                with_.meter.set_done(before + (plan_.head.last - before) * ++done /
                                                  static_cast<std::int64_t>(statements.size()));
            }
        });
    }

    /// In PostgreSQL one script, which is carried through though this process be killed; who goes on waits
    /// for it.
    void make_index(sql::connection& to, std::string const& statement, std::int64_t number) {
        try {
            if (to.dialect() == sql::dialect::postgresql)
                return to.execute_script("SET LOCAL maintenance_work_mem = '64MB'; " +
                                         notes_.script_once(kind::index, number, statement));
            sql::transaction turn{to, sql::connection::access::write};
            if (!notes_.has(to, kind::index, number)) return;
            to.execute_script(statement);
            notes_.drop(to, kind::index, number);
            turn.commit();
        } catch (sql::error const& refused) {
            if (refused.what_kind() == sql::error::kind::constraint) throw must_fold_in_order{refused.what()};
            throw;
        }
    }

    // ---- Reading ----------------------------------------------------------------------------------------

    void scan() {
        auto const in = with_.store.open_loader(name_, which_);
        auto const combined = fold_ ? notes_.numbers(*in, kind::combined).size() : 0;
        auto const done = fold_ ? parts_.ranges() : notes_.numbers(*in, kind::range);
        std::vector<position> todo;
        position done_events = 0;
        for (position after = 0; after < plan_.head.last; after += plan_.range_events) {
            if (done.contains(after))
                done_events += range_end(after) - after;
            else
                todo.push_back(after);
        }
        scanned_ = done_events;
        if (!fold_) {
            for (auto const& rows : notes_.values(*in, kind::range)) rows_ += std::stoll(rows);
        }
        if (combined == 0) with_.meter.enter(rebuild_phase::building, read_position(), plan_.head.last);
        do_pieces(todo.size(), options_.jobs, with_.stop, [&](pieces& mine) { scan_ranges(mine, todo); });
    }

    /// In events, as far as they are done with.
    [[nodiscard]] position read_position() const {
        return fold_ ? scanned_ * shares_.reading / 100 : scanned_ - rows_ * row_index_share / 100;
    }

    [[nodiscard]] position range_end(position after) const {
        return std::min(plan_.head.last, after + plan_.range_events);
    }

    /// One thread's ranges.
    void scan_ranges(pieces& mine, std::vector<position> const& todo) {
        auto const reader = with_.readers();
        std::unique_ptr<sql::connection> to;
        for (auto at = mine.next(); at; at = mine.next()) {
            auto const after = todo[*at];
            with_retries([&] {
                if (fold_) return scan_sorted(*reader, after);
                if (!to || !to->usable()) to = with_.store.open_loader(name_, which_);
                scan_rows(*reader, *to, after);
            });
            auto const events = range_end(after) - after;
            scanned_ += events;
            with_.meter.set_done(read_position());
            pace_.spend(events, with_.stop);
        }
    }

    void scan_sorted(eventlog::bulk_reader& reader, position after) {
        auto const fold = of_.create_sorted_fold(with_.store.dialect());
        part_builder part;
        record_sink const sink = [&](record_key const& key, std::string_view payload) {
            part.add(key, payload);
        };
        std::optional<eventlog::failure> failed;
        value_or_throw(reader.read(query_of(after, fold->fields()), [&](eventlog::recorded_event& event) {
            if (failed) return;
            auto const spread = fold->spread(event, with_.keys, sink);
            if (!spread) failed = spread.error();
        }));
        if (failed) throw_failure(*failed);
        fold->end_range(after, sink);
        parts_.put(after, part.take());
    }

    /// Rows of a range commit together, a few thousand in memory at once.
    void scan_rows(eventlog::bulk_reader& reader, sql::connection& to, position after) {
        std::deque<decoded_event> decoded;
        std::optional<eventlog::failure> failed;
        value_or_throw(reader.read(query_of(after, fields_of_rows()), [&](eventlog::recorded_event& stored) {
            if (failed) return;
            auto& event = decoded.emplace_back();
            event.stored = std::move(stored);
            auto const readable = decode_stored(event, with_.keys, of_.reads_cause());
            if (!readable) failed = readable.error();
            event.stored.body.data = {};
            event.stored.body.personal.bytes = {};
        }));
        if (failed) throw_failure(*failed);
        std::vector<decoded_event const*> batch;
        for (auto const& event : decoded) batch.push_back(&event);
        auto const turn = write_turn(to);
        try {
            sql::transaction transaction{to, sql::connection::access::write};
            if (notes_.has(to, kind::range, after)) return;  // The acknowledgement was lost, no more.
            for (std::size_t first = 0; first < batch.size(); first += apply_at_once)
                of_.apply_in_any_order(
                    event_batch{batch}.subspan(first, std::min(apply_at_once, batch.size() - first)), to);
            notes_.put(to, kind::range, after, std::to_string(batch.size()));
            transaction.commit();
            rows_ += static_cast<std::int64_t>(batch.size());
        } catch (sql::error const& refused) {
            if (refused.what_kind() == sql::error::kind::constraint) throw must_fold_in_order{refused.what()};
            throw;
        }
    }

    [[nodiscard]] eventlog::bulk_fields fields_of_rows() const {
        return {.workspace = true, .personal = true, .cause = of_.reads_cause()};
    }

    [[nodiscard]] eventlog::bulk_query query_of(position after, eventlog::bulk_fields fields) const {
        eventlog::bulk_query query;
        query.after = after;
        query.until = range_end(after);
        for (auto const type : of_.event_types()) query.types.emplace_back(type);
        query.fields = fields;
        return query;
    }

    // ---- Combining --------------------------------------------------------------------------------------

    /// Chooses the keys by which records are parted, from the marks of all parts.
    void cut() {
        auto const in = with_.store.open_loader(name_, which_);
        for (position after = 0; after < plan_.head.last; after += plan_.range_events)
            marks_.emplace(after, read_marks(parts_.marks(after)));
        auto stored = notes_.values(*in, kind::cut);
        if (stored.empty()) {
            for (auto const& key : choose_cuts(marks_, fold_->last_kind()))
                stored.emplace_back(reinterpret_cast<char const*>(key.bytes.data()), key.bytes.size());
            sql::transaction turn{*in, sql::connection::access::write};
            std::int64_t number = 0;
            for (auto const& each : stored) notes_.put(*in, kind::cut, number++, each);
            turn.commit();
        }
        for (auto const& each : stored) {
            record_key key;
            std::memcpy(key.bytes.data(), each.data(), std::min(each.size(), key.bytes.size()));
            cuts_.push_back(key);
        }
    }

    void combine() {
        auto const in = with_.store.open_loader(name_, which_);
        auto const done = notes_.numbers(*in, kind::combined);
        std::vector<std::int64_t> todo;
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(cuts_.size()); ++i) {
            if (!done.contains(i)) todo.push_back(i);
        }
        combined_ = static_cast<std::int64_t>(done.size());
        if (combined_ > 0) with_.meter.enter(rebuild_phase::building, combined_position(), plan_.head.last);
        do_pieces(todo.size(), options_.jobs, with_.stop, [&](pieces& mine) {
            std::unique_ptr<sql::connection> to;
            for (auto at = mine.next(); at; at = mine.next()) {
                with_retries([&] {
                    if (!to || !to->usable()) to = with_.store.open_loader(name_, which_);
                    combine_stretch(*to, todo[*at]);
                });
                ++combined_;
                with_.meter.set_done(combined_position());
                pace_.spend(plan_.head.last * shares_.combining / 100 / static_cast<position>(cuts_.size()),
                            with_.stop);
            }
        });
    }

    [[nodiscard]] std::int64_t combined_position() const {
        auto const done =
            shares_.reading * static_cast<std::int64_t>(cuts_.size()) + shares_.combining * combined_;
        return plan_.head.last * done / 100 / static_cast<std::int64_t>(cuts_.size());
    }

    void combine_stretch(sql::connection& to, std::int64_t number) {
        auto const index = static_cast<std::size_t>(number);
        std::optional<record_key> const from = cuts_[index];
        std::optional<record_key> until;
        if (index + 1 < cuts_.size()) until = cuts_[index + 1];
        record_set records;
        for (auto const& [after, marks] : marks_) {
            auto const slice = find_slice(marks, from, until);
            if (slice.size == 0) continue;
            records.add(parts_.slice(after, slice), from, until);
        }
        auto const& sorted = records.sorted();
        auto const turn = write_turn(to);
        try {
            sql::transaction transaction{to, sql::connection::access::write};
            if (notes_.has(to, kind::combined, number)) return;  // The acknowledgement was lost, no more.
            auto left = sorted.empty() ? std::string{}
                                       : of_.create_sorted_fold(with_.store.dialect())->combine(sorted, to);
            notes_.put(to, kind::combined, number, std::move(left));
            transaction.commit();
        } catch (sql::error const& refused) {
            auto const what = refused.what_kind();
            if (what == sql::error::kind::constraint || what == sql::error::kind::other)
                throw must_fold_in_order{refused.what()};
            throw;
        }
    }

    // ---- Failures ---------------------------------------------------------------------------------------

    /// In SQLite one writes at a time, which is better waited for here than there.
    [[nodiscard]] std::unique_lock<std::mutex> write_turn(sql::connection const& to) {
        std::unique_lock<std::mutex> turn{write_mutex_, std::defer_lock};
        if (to.dialect() == sql::dialect::sqlite) turn.lock();
        return turn;
    }

    [[noreturn]] static void throw_failure(eventlog::failure const& why) {
        if (why.code == eventlog::failure_code::corrupted) throw must_fold_in_order{why.detail};
        throw sql::error{sql::error::kind::unavailable, "the log: " + why.detail};
    }
    static void value_or_throw(eventlog::result<void> const& outcome) {
        if (!outcome) throw_failure(outcome.error());
    }

    /// A piece that fails because a store is away is done again; it left nothing behind.
    template <typename Work>
    void with_retries(Work const& work) {
        for (auto pause = std::chrono::milliseconds{50};;
             pause = std::min(pause * 2, std::chrono::milliseconds{2'000})) {
            check_stop();
            try {
                return work();
            } catch (sql::error const& failed) {
                auto const what = failed.what_kind();
                if (what == sql::error::kind::constraint || what == sql::error::kind::other) throw;
                with_.meter.note_trouble(failed.what());
            }
            sleep_unless(with_.stop, pause);
        }
    }

    void check_stop() const {
        if (with_.stop) throw rebuild_interrupted{};
    }

    template <typename Work>
    void timed(char const* what, Work const& work) const {
        auto const started = std::chrono::steady_clock::now();
        work();
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - started;
        spdlog::debug("rebuild of {} v{}: {} in {:.2f} s", name_, to_string(which_), what, took.count());
    }

    projection& of_;
    build_id which_;
    std::string name_;
    bulk_options const& options_;
    bulk_surroundings const& with_;
    rebuild_notes notes_;
    std::unique_ptr<sorted_fold> fold_;  ///< Null: a row for each event.
    work_shares shares_;
    part_store parts_;
    pace pace_;
    build_plan plan_;
    std::atomic<position> scanned_ = 0;
    std::atomic<std::int64_t> rows_ = 0;
    std::atomic<std::int64_t> combined_ = 0;
    marks_of_parts marks_;
    std::vector<record_key> cuts_;
    std::mutex write_mutex_;
};

}  // namespace

bool is_bulk_built(projection const& of, sql::dialect in) {
    return of.has_row_per_event() || of.create_sorted_fold(in) != nullptr;
}

void abandon_bulk(projection const& of, build_id which, read_store& store) {
    rebuild_notes const notes{of};
    auto const in = store.open_loader(std::string{of.name()}, which);
    if (!notes.exists(*in)) return;
    auto const plans = notes.values(*in, kind::plan);
    auto const plan = plans.empty() ? std::nullopt : parse_plan(plans.front());
    if (plan) part_store{store, of, which, plan->id}.remove();
    if (!which.is_first()) return;
    sql::transaction turn{*in, sql::connection::access::write};
    for (auto const table : of.tables()) in->execute("DELETE FROM " + std::string{table});
    for (auto const& statement : notes.values(*in, kind::index)) in->execute_script(statement);
    notes.remove(*in);
    turn.commit();
}

void build_in_bulk(projection& of, build_id which, eventlog::log_head const& head,
                   bulk_options const& options, bulk_surroundings const& with) {
    bulk_build build{of, which, options, with};
    try {
        build.run(head);
    } catch (must_fold_in_order const&) {
        build.empty_tables();
        throw;
    }
}

}  // namespace linkledger::projections
