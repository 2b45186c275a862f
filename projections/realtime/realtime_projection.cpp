// Loads the windows that a batch touches, counts in memory, and writes them back as a set. A replay counts
// the whole log so.

#include "projections/realtime/realtime_projection.h"

#include "eventlog/codec.h"
#include "eventlog/json_fields.h"
#include "projections/memory_fold.h"
#include "projections/realtime/window.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace linkledger::projections::realtime {
namespace {

using domain::click::clicked;
using eventlog::recorded_event;

constexpr std::array<std::string_view, 1> types{"link.clicked"};
constexpr std::array<std::string_view, 1> table_names{"realtime_v1"};
constexpr std::size_t rows_at_once = 10'000;

struct counter {
    bool is_link = false;
    click_window window{};
    domain::timestamp created_at{};  ///< Of the batch's first click; a row that is there keeps its own.
    domain::timestamp updated_at{};

    void add(recorded_event const& click) {
        window.add(click.recorded_at, click.position);
        if (updated_at == domain::timestamp{}) created_at = click.recorded_at;
        updated_at = std::max(updated_at, click.recorded_at);
    }
};
using counters = std::unordered_map<domain::uuid, counter>;

/// The link and the workspace of a click that counts.
template <typename Each>
void for_each_counter(recorded_event const& stored, domain::uuid const& link, Each const& each) {
    each(link, true);
    if (!stored.body.workspace_id.is_nil()) each(stored.body.workspace_id, false);
}

template <typename Each>
void for_each_counter(decoded_event const& event, Each const& each) {
    auto const* const click = std::get_if<clicked>(&event.event);
    if (click == nullptr || click->is_bot) return;
    for_each_counter(event.stored, click->link_id.value, each);
}

counters load_touched(event_batch batch, sql::connection& from) {
    counters found;
    for (auto const* event : batch)
        for_each_counter(*event, [&](domain::uuid const& id, bool is_link) { found[id].is_link = is_link; });
    if (found.empty()) return found;
    std::vector<domain::uuid> wanted;
    wanted.reserve(found.size());
    for (auto const& [id, unused] : found) wanted.push_back(id);
    from.query("SELECT id, window_opened_at, count, position FROM realtime_v1 WHERE " +
                   is_one_of(from.dialect(), "id", "$1"),
               {json_array(wanted)}, [&](sql::row const& r) {
                   found[r.id(0)].window = {r.time(1), r.integer(2), r.integer(3)};
               });
    return found;
}

void write_rows(std::vector<sql::parameters> const& rows, sql::connection& to) {
    to.execute_values(
        "INSERT INTO realtime_v1 (id, kind, window_opened_at, count, position, created_at, updated_at) "
        "SELECT column1, column2, column3, column4, column5, column6, column7 FROM {values} AS v WHERE true "
        "ON CONFLICT (id) DO UPDATE SET window_opened_at = excluded.window_opened_at, "
        "count = excluded.count, position = excluded.position, updated_at = excluded.updated_at",
        {"uuid", "text", "timestamptz", "bigint", "bigint", "timestamptz", "timestamptz"}, rows);
}

/// In the order of their ids, which is that of the table.
void write(counters const& changed, sql::connection& to) {
    std::vector<domain::uuid> ids;
    ids.reserve(changed.size());
    for (auto const& [id, unused] : changed) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    std::vector<sql::parameters> rows;
    for (auto const& id : ids) {
        auto const& each = changed.at(id);
        rows.push_back({id, std::string{each.is_link ? "link" : "workspace"}, each.window.opened_at,
                        each.window.count, each.window.position, each.created_at, each.updated_at});
        if (rows.size() < rows_at_once && id != ids.back()) continue;
        write_rows(rows, to);
        rows.clear();
    }
}

class counting final : public memory_fold {
public:
    [[nodiscard]] eventlog::bulk_fields fields() const override { return {.workspace = true}; }

    eventlog::result<void> add(recorded_event const& event) override {
        std::array<json::plain_field, 2> fields{{{"link_id"}, {"is_bot"}}};
        bool const is_plain = event.body.schema_version == domain::event_traits<clicked>::schema_version &&
                              json::read_plain_fields(event.body.data, fields) && !fields[1].text.empty();
        auto const link = is_plain ? domain::parse_uuid(fields[0].text) : std::nullopt;
        if (link) {
            count(event, *link, fields[1].text == "true");
            return boost::outcome_v2::success();
        }
        // Of another form, or an older version: the codec reads it. What is sealed does not count.
        BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                               event.body.data, std::nullopt));
        auto const& click = std::get<clicked>(decoded);
        count(event, click.link_id.value, click.is_bot);
        return boost::outcome_v2::success();
    }
    void write(sql::connection& to) const override { realtime::write(counted_, to); }

private:
    void count(recorded_event const& event, domain::uuid const& link, bool is_bot) {
        if (is_bot) return;
        for_each_counter(event, link, [&](domain::uuid const& id, bool is_link) {
            auto& counter = counted_[id];
            counter.is_link = is_link;
            counter.add(event);
        });
    }

    counters counted_;
};

}  // namespace

std::span<std::string_view const> realtime_projection::event_types() const {
    return types;
}

std::span<std::string_view const> realtime_projection::tables() const {
    return table_names;
}

void realtime_projection::apply(event_batch batch, sql::connection& transaction) {
    auto touched = load_touched(batch, transaction);
    for (auto const* event : batch)
        for_each_counter(*event, [&](domain::uuid const& id, bool) { touched[id].add(event->stored); });
    write(touched, transaction);
}

std::unique_ptr<memory_fold> realtime_projection::create_memory_fold() const {
    return std::make_unique<counting>();
}

}  // namespace linkledger::projections::realtime
