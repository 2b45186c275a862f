// Ranges, then (for a sorted fold) stretches between cuts, then indexes: each piece of work commits with a
// note that it is done.

#include "projections/rebuild/bulk_build.h"

#include "projections/checkpoint.h"
#include "projections/event_feed.h"
#include "projections/rebuild/deferred_indexes.h"
#include "projections/rebuild/notes.h"
#include "projections/rebuild/part.h"
#include "projections/rebuild/pieces.h"
#include "projections/rebuild/sorted_fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>

namespace linkledger::projections {
namespace {

using eventlog::position;
using kind = rebuild_notes::kind;

/// Of this many ranges two in hand are less than a hundredth of the work.
constexpr position ranges_min = 400;
constexpr position range_events_min = 500;
constexpr position range_events_max = 20'000;
constexpr std::size_t apply_at_once = 4'000;
/// Records that are sorted in memory at once.
constexpr std::int64_t stretch_bytes = 3'000'000;
/// The share of an event's work that reading it is, in hundredths; the rest is writing its row, or its index.
constexpr std::int64_t sorted_read_share = 65;
constexpr std::int64_t row_read_share = 85;

/// What a build was begun with.
struct build_plan {
    eventlog::log_head head;
    position range_events = 0;
};

std::string to_text(build_plan const& plan) {
    return fmt::format("{} {} {} {} {}", domain::to_string(plan.head.log_id), plan.head.epoch, plan.head.last,
                       domain::to_unix_us(plan.head.recorded_at), plan.range_events);
}

std::optional<build_plan> parse_plan(std::string const& text) {
    auto const space = text.find(' ');
    auto const id = domain::parse_uuid(std::string_view{text}.substr(0, space));
    if (!id || space == std::string::npos) return std::nullopt;
    std::array<std::int64_t, 4> numbers{};
    char const* at = text.data() + space;
    for (auto& number : numbers) {
        auto const [end, error] = std::from_chars(at + 1, text.data() + text.size(), number);
        if (error != std::errc{}) return std::nullopt;
        at = end;
    }
    build_plan plan;
    plan.head = {*id, numbers[0], numbers[1], domain::from_unix_us(numbers[2])};
    plan.range_events = numbers[3];
    return plan;
}

class bulk_build {
public:
    bulk_build(projection& of, build_id which, bulk_options const& options, bulk_surroundings const& with)
        : of_(of),
          which_(which),
          name_(of.name()),
          options_(options),
          with_(with),
          notes_(of),
          is_sorted_(of.create_sorted_fold() != nullptr),
          pace_(options.rate_max) {}

    void run(eventlog::log_head const& head) {
        prepare(head);
        scan();
        if (is_sorted_) {
            cut();
            combine();
        }
        finish();
    }

    void empty_tables() {
        auto const in = with_.store.open_loader(name_, which_);
        sql::transaction turn{*in, sql::connection::access::write};
        make_indexes(*in);
        notes_.remove(*in);
        start_over(*in, of_, {});
        turn.commit();
    }

private:
    // ---- Begin and end ----------------------------------------------------------------------------------

    void prepare(eventlog::log_head const& head) {
        auto const in = with_.store.open_loader(name_, which_);
        if (notes_.exists(*in)) {
            auto const plans = notes_.values(*in, kind::plan);
            auto const plan = plans.empty() ? std::nullopt : parse_plan(plans.front());
            bool const same_history = plan && plan->head.log_id == head.log_id &&
                                      plan->head.epoch == head.epoch && plan->head.last <= head.last;
            if (same_history) {
                plan_ = *plan;
                return;
            }
            sql::transaction turn{*in, sql::connection::access::write};
            make_indexes(*in);
            notes_.remove(*in);
            turn.commit();
        }
        begin(*in, head);
    }

    void begin(sql::connection& in, eventlog::log_head const& head) {
        plan_.head = head;
        plan_.range_events = options_.range_events > 0
                                 ? options_.range_events
                                 : std::clamp(head.last / ranges_min, range_events_min, range_events_max);
        sql::transaction turn{in, sql::connection::access::write};
        start_over(in, of_, {});
        notes_.create(in, !is_sorted_);
        notes_.put(in, kind::plan, 0, to_text(plan_));
        std::int64_t number = 0;
        // Sorted rows come in the order of their keys, and their notes may be lost.
        if (!is_sorted_) {
            for (auto& statement : drop_indexes(of_, in)) notes_.put(in, kind::index, number++, statement);
        }
        turn.commit();
    }

    void make_indexes(sql::connection& in) {
        if (!notes_.exists(in)) return;
        for (auto const& statement : notes_.values(in, kind::index)) in.execute_script(statement);
        notes_.forget(in, kind::index);
    }

    void finish() {
        auto const in = with_.store.open_loader(name_, which_);
        make_indexes_one_by_one(*in);
        if (in->dialect() == sql::dialect::postgresql) {
            for (auto const table : of_.tables()) in->execute_script("ANALYZE " + std::string{table});
        }
        sql::transaction turn{*in, sql::connection::access::write};
        if (is_sorted_) of_.create_sorted_fold()->finish(notes_.values(*in, kind::combined), *in);
        in->execute(
            "UPDATE projection_checkpoints SET log_id = $1, epoch = $2 WHERE name = $3 AND version = $4",
            {plan_.head.log_id, plan_.head.epoch, name_, std::int64_t{which_.version}});
        checkpoint to;
        to.position = plan_.head.last;
        if (plan_.head.last > 0) to.recorded_at = plan_.head.recorded_at;
        move_checkpoint(*in, name_, which_.version, to);
        notes_.remove(*in);
        turn.commit();
    }

    void make_indexes_one_by_one(sql::connection& in) {
        auto const statements = notes_.values(in, kind::index);
        auto const numbers = notes_.numbers(in, kind::index);
        auto number = numbers.begin();
        for (auto const& statement : statements) {
            check_stop();
            with_.meter.note_trouble("making an index");
            sql::transaction turn{in, sql::connection::access::write};
            if (in.dialect() == sql::dialect::postgresql)
                in.execute("SET LOCAL maintenance_work_mem = '64MB'");
            in.execute_script(statement);
            notes_.drop(in, kind::index, *number++);
            turn.commit();
            with_.meter.advance(0);
        }
        with_.meter.set_done(plan_.head.last);
    }

    // ---- Reading ----------------------------------------------------------------------------------------

    void scan() {
        auto const in = with_.store.open_loader(name_, which_);
        auto const done = notes_.numbers(*in, kind::range);
        std::vector<position> todo;
        position done_events = 0;
        for (position after = 0; after < plan_.head.last; after += plan_.range_events) {
            if (done.contains(after))
                done_events += range_end(after) - after;
            else
                todo.push_back(after);
        }
        auto const share = is_sorted_ ? sorted_read_share : row_read_share;
        auto const combined = is_sorted_ ? notes_.numbers(*in, kind::combined).size() : 0;
        scanned_ = done_events;
        if (combined == 0)
            with_.meter.enter(rebuild_phase::building, done_events * share / 100, plan_.head.last);
        do_pieces(todo.size(), options_.jobs, with_.stop,
                  [&](pieces& mine) { scan_ranges(mine, todo, share); });
    }

    [[nodiscard]] position range_end(position after) const {
        return std::min(plan_.head.last, after + plan_.range_events);
    }

    /// One thread's ranges.
    void scan_ranges(pieces& mine, std::vector<position> const& todo, std::int64_t share) {
        auto const reader = with_.readers();
        std::unique_ptr<sql::connection> to;
        for (auto at = mine.next(); at; at = mine.next()) {
            auto const after = todo[*at];
            with_retries([&] {
                if (!to || !to->usable()) to = with_.store.open_loader(name_, which_);
                if (is_sorted_)
                    scan_sorted(*reader, *to, after);
                else
                    scan_rows(*reader, *to, after);
            });
            auto const events = range_end(after) - after;
            with_.meter.set_done((scanned_ += events) * share / 100);
            pace_.spend(events, with_.stop);
        }
    }

    void scan_sorted(eventlog::bulk_reader& reader, sql::connection& to, position after) {
        auto const fold = of_.create_sorted_fold();
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
        auto made = part.take();
        auto const turn = write_turn(to);
        sql::transaction transaction{to, sql::connection::access::write};
        notes_.put(to, kind::range, after, std::move(made.bytes), std::move(made.marks));
        transaction.commit();
    }

    /// Rows of a range commit together, a few thousand in memory at once.
    void scan_rows(eventlog::bulk_reader& reader, sql::connection& to, position after) {
        std::vector<eventlog::recorded_event> events;
        value_or_throw(reader.read(query_of(after, {.personal = true, .cause = of_.reads_cause()}),
                                   [&](eventlog::recorded_event& event) { events.push_back(event); }));
        std::deque<decoded_event> decoded;
        for (auto& stored : events) {
            auto& event = decoded.emplace_back();
            event.stored = std::move(stored);
            auto const readable = decode_stored(event, with_.keys, of_.reads_cause());
            if (!readable) throw_failure(readable.error());
        }
        std::vector<decoded_event const*> batch;
        for (auto const& event : decoded) batch.push_back(&event);
        auto const turn = write_turn(to);
        try {
            sql::transaction transaction{to, sql::connection::access::write};
            for (std::size_t first = 0; first < batch.size(); first += apply_at_once)
                of_.apply_in_any_order(
                    event_batch{batch}.subspan(first, std::min(apply_at_once, batch.size() - first)), to);
            notes_.put(to, kind::range, after, "");
            transaction.commit();
        } catch (sql::error const& refused) {
            if (refused.what_kind() == sql::error::kind::constraint) throw must_fold_in_order{refused.what()};
            throw;
        }
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
        for (auto const after : notes_.numbers(*in, kind::range))
            marks_.emplace(after, read_marks(notes_.marks(*in, kind::range, after)));
        auto stored = notes_.values(*in, kind::cut);
        if (stored.empty()) {
            stored = choose_cuts();
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

    /// The first one is before all records, so that there is always one.
    [[nodiscard]] std::vector<std::string> choose_cuts() const {
        std::vector<record_key> keys;
        std::int64_t bytes = 0;
        for (auto const& [after, marks] : marks_) {
            for (auto const& mark : marks) keys.push_back(mark.key);
            keys.pop_back();
            bytes += marks.back().offset;
        }
        std::sort(keys.begin(), keys.end());
        auto const last_kind = of_.create_sorted_fold()->last_kind();
        std::set<record_key> chosen{record_key{}};
        auto const stretches = static_cast<std::size_t>(std::max<std::int64_t>(bytes / stretch_bytes, 1));
        for (std::size_t i = 1; i < stretches && !keys.empty(); ++i) {
            auto const key = keys[i * keys.size() / stretches];
            // What a subject begins with stays together.
            chosen.insert(key.kind() == last_kind ? key : record_key{key.subject(), 0});
        }
        std::vector<std::string> cuts;
        for (auto const& key : chosen)
            cuts.emplace_back(reinterpret_cast<char const*>(key.bytes.data()), key.bytes.size());
        return cuts;
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
                pace_.spend(
                    plan_.head.last * (100 - sorted_read_share) / 100 / static_cast<position>(cuts_.size()),
                    with_.stop);
            }
        });
    }

    [[nodiscard]] std::int64_t combined_position() const {
        auto const read = plan_.head.last * sorted_read_share / 100;
        return read + (plan_.head.last - read) * combined_ / static_cast<std::int64_t>(cuts_.size());
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
            records.add(notes_.slice(to, kind::range, after, slice.offset, slice.size), from, until);
        }
        auto const& sorted = records.sorted();
        auto const turn = write_turn(to);
        try {
            sql::transaction transaction{to, sql::connection::access::write};
            auto left = sorted.empty() ? std::string{} : of_.create_sorted_fold()->combine(sorted, to);
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

    projection& of_;
    build_id which_;
    std::string name_;
    bulk_options const& options_;
    bulk_surroundings const& with_;
    rebuild_notes notes_;
    bool is_sorted_;
    pace pace_;
    build_plan plan_;
    std::atomic<position> scanned_ = 0;
    std::atomic<std::int64_t> combined_ = 0;
    std::map<position, std::vector<part_mark>> marks_;
    std::vector<record_key> cuts_;
    std::mutex write_mutex_;
};

}  // namespace

bool is_bulk_built(projection const& of) {
    return of.has_row_per_event() || of.create_sorted_fold() != nullptr;
}

void abandon_bulk(projection const& of, build_id which, read_store& store) {
    rebuild_notes const notes{of};
    auto const in = store.open_loader(std::string{of.name()}, which);
    if (!notes.exists(*in)) return;
    sql::transaction turn{*in, sql::connection::access::write};
    for (auto const table : of.tables()) in->execute("DELETE FROM " + std::string{table});
    for (auto const& statement : notes.values(*in, rebuild_notes::kind::index)) in->execute_script(statement);
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
