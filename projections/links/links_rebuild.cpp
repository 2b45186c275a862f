// Records by link: its events, its counts in each range, its visitors.

#include "projections/links/links_rebuild.h"

#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/json_fields.h"
#include "projections/links/link_fold.h"
#include "projections/links/visitor_key.h"
#include "projections/rebuild/payload.h"
#include "projections/sql_text.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace linkledger::projections::links {
namespace {

using domain::click::clicked;
using eventlog::recorded_event;
using eventlog::result;

enum kind : unsigned char { an_event = 1, counts = 2, a_settled_day = 3, a_visitor = 9 };

constexpr std::size_t rows_at_once = 10'000;
constexpr std::size_t visitor_characters = 32;

// ---- Spreading ------------------------------------------------------------------------------------------

/// A visitor's 32 hexadecimal characters as 16 bytes. False for another text, such as that of an old version.
bool parse_hash(std::string_view text, std::array<unsigned char, 16>& into) {
    if (text.size() != visitor_characters) return false;
    auto const digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    for (std::size_t i = 0; i < into.size(); ++i) {
        int const high = digit(text[2 * i]);
        int const low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        into[i] = static_cast<unsigned char>(high << 4 | low);
    }
    return true;
}

/// What counts of a click.
struct click_facts {
    domain::uuid link;
    bool is_bot = false;
    std::string country;
    std::string visitor;
};

/// Fields of the stored text alone, which is what most of the time of a rebuild goes to. None: it is not of
/// the plain form, or of an older schema version; the codec then reads it.
std::optional<click_facts> read_plain(recorded_event const& event,
                                      std::optional<std::string> const& personal) {
    if (event.body.schema_version != domain::event_traits<clicked>::schema_version) return std::nullopt;
    std::array<json::plain_field, 3> data{{{"link_id"}, {"is_bot"}, {"country_code"}}};
    std::array<json::plain_field, 1> sealed{{{"visitor"}}};
    if (!json::read_plain_fields(event.body.data, data)) return std::nullopt;
    if (personal && !json::read_plain_fields(*personal, sealed)) return std::nullopt;
    auto const link = domain::parse_uuid(data[0].text);
    if (!link || data[1].text.empty()) return std::nullopt;
    return click_facts{*link, data[1].text == "true", std::string{data[2].text}, std::string{sealed[0].text}};
}

class links_fold final : public sorted_fold {
public:
    explicit links_fold(int version) : version_(version) {}

    [[nodiscard]] eventlog::bulk_fields fields() const override { return {.personal = true}; }

    result<void> spread(recorded_event const& event, eventlog::keyring& keys,
                        record_sink const& to) override {
        if (event.body.type == domain::event_traits<clicked>::type_name) return count(event, keys, to);
        // The password's hash is all that is sealed in a link's events, and no row shows it: no key is asked
        // for.
        BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                               event.body.data, std::nullopt));
        std::visit(overloaded{[&](domain::link::created const& e) { keep(event, e.link_id, to); },
                              [&](domain::link::updated const& e) { keep(event, e.link_id, to); },
                              [&](domain::link::disabled const& e) { keep(event, e.link_id, to); },
                              [&](domain::link::enabled const& e) { keep(event, e.link_id, to); },
                              [&](domain::link::deleted const& e) { keep(event, e.link_id, to); },
                              [&](domain::link::restored const& e) { keep(event, e.link_id, to); },
                              [&](domain::click::settled const& e) { keep_settled(event, e, to); },
                              [](auto const&) {}},
                   decoded);
        return boost::outcome_v2::success();
    }

    void end_range(eventlog::position after, record_sink const& to) override {
        auto const place = big_endian(after);
        for (auto const& [link, sum] : counted_) {
            record_key key{link, counts};
            key.set_place(place.data(), place.size());
            payload_.clear();
            put(payload_, sum.total);
            for (auto const& [country, clicks] : sum.countries) {
                put(payload_, static_cast<std::uint8_t>(country.size()));
                payload_ += country;
                put(payload_, clicks);
            }
            to(key, payload_);
        }
        counted_.clear();
    }

    [[nodiscard]] std::vector<std::string> loaded_tables() const override {
        return {at_version("links_vN", version_), at_version("link_visitors_vN", version_),
                at_version("link_tags_vN", version_)};
    }
    [[nodiscard]] unsigned char last_kind() const override { return a_visitor; }

    std::string combine(std::span<record const> records, sql::connection& to) override;
    void finish(std::vector<std::string> const& left, sql::connection& to) override;

private:
    struct link_sum {
        std::int64_t total = 0;
        country_counts countries;
    };

    result<void> count(recorded_event const& event, eventlog::keyring& keys, record_sink const& to) {
        BOOST_OUTCOME_TRY(auto const personal, keys.open(event.body.personal, event.body.event_id,
                                                         eventlog::sealed_part::personal));
        auto facts = read_plain(event, personal);
        if (!facts) {
            BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event.body.type, event.body.schema_version,
                                                                   event.body.data, personal));
            auto const& click = std::get<clicked>(decoded);
            facts = click_facts{click.link_id.value, click.is_bot, click.country_code.value_or(""),
                                click.personal ? click.personal->visitor : std::string{}};
        }
        if (facts->is_bot) return boost::outcome_v2::success();
        auto& sums = counted_[facts->link];
        ++sums.total;
        if (version_ >= countries_since && !facts->country.empty()) ++sums.countries[facts->country];
        // An erased visitor counts as a click and can no longer be told from others.
        if (!facts->visitor.empty())
            add_visitor(facts->link, visitor_key(event.body.occurred_at, facts->visitor), to);
        return boost::outcome_v2::success();
    }

    static void add_visitor(domain::uuid const& link, std::string const& visitor, record_sink const& to) {
        record_key key{link, a_visitor};
        std::array<unsigned char, 16> hash{};
        if (parse_hash(visitor, hash)) {
            key.set_place(hash.data(), hash.size());
            return to(key, {});
        }
        auto const place = eventlog::sha256(visitor);
        key.set_place(place.data(), place.size());
        to(key, visitor);
    }

    void keep(recorded_event const& event, domain::link_id const& link, record_sink const& to) {
        record_key key{link.value, an_event};
        auto const place = big_endian(event.position);
        key.set_place(place.data(), place.size());
        payload_.clear();
        put(payload_, event.position);
        put(payload_, domain::to_unix_us(event.recorded_at));
        put(payload_, static_cast<std::int32_t>(event.body.schema_version));
        put(payload_, static_cast<std::uint8_t>(event.body.type.size()));
        payload_ += event.body.type;
        payload_ += event.body.data;
        to(key, payload_);
    }

    /// Whose visitors lie in other stretches, perhaps; so it is seen to once all rows are there.
    void keep_settled(recorded_event const& event, domain::click::settled const& day, record_sink const& to) {
        auto const begins = domain::parse_timestamp(day.day + "T00:00:00Z");
        if (!begins) return;
        record_key key{day.link_id.value, a_settled_day};
        auto const place = big_endian(event.position);
        key.set_place(place.data(), place.size());
        payload_.clear();
        put(payload_, domain::to_unix_us(*begins));
        put(payload_, day.unique_clicks);
        to(key, payload_);
    }

    int version_;
    std::unordered_map<domain::uuid, link_sum> counted_;
    std::string payload_;
};

// ---- Combining ------------------------------------------------------------------------------------------

/// Rows on their way to one table.
class table_writer {
public:
    table_writer(sql::connection& to, std::string table, std::vector<std::string> columns)
        : to_(to), table_(std::move(table)), columns_(std::move(columns)) {}
    void add(sql::parameters row) {
        rows_.push_back(std::move(row));
        if (rows_.size() >= rows_at_once) flush();
    }
    void flush() {
        to_.copy_rows(table_, columns_, rows_);
        rows_.clear();
    }

private:
    sql::connection& to_;
    std::string table_;
    std::vector<std::string> columns_;
    std::vector<sql::parameters> rows_;
};

std::vector<std::string> columns_of_links(int version) {
    std::vector<std::string> columns{link_columns.begin(), link_columns.end()};
    columns.insert(columns.end(), {"total_clicks", "unique_clicks"});
    if (version >= countries_since) columns.emplace_back("clicks_by_country");
    return columns;
}

/// Makes the rows of one stretch of records, subject by subject.
class combiner {
public:
    combiner(int version, sql::connection& to)
        : version_(version),
          to_(to),
          links_(to, at_version("links_vN", version), columns_of_links(version)),
          visitors_(to, at_version("link_visitors_vN", version), {"link_id", "visitor_id"}),
          link_tags_(to, at_version("link_tags_vN", version), {"link_id", "tag_id", "place", "created_at"}) {}

    /// The number of visitors.
    std::int64_t add(std::span<record const> subject) {
        auto const id = subject.front().key.subject();
        batch_effects effects;
        std::int64_t total = 0;
        std::int64_t unique = 0;
        country_counts countries;
        for (auto const& each : subject) {
            switch (each.key.kind()) {
                case an_event:
                    fold_event(effects, each.payload);
                    break;
                case counts:
                    total += add_counts(each.payload, countries);
                    break;
                case a_settled_day:
                    note_settled(domain::link_id{id}, each.payload);
                    break;
                default:
                    ++unique;
                    visitors_.add(
                        {id, each.payload.empty() ? hash_text(each.key) : std::string{each.payload}});
            }
        }
        for (auto& [tag, row] : effects.tags) {
            auto const [known, is_new] = tags_.try_emplace(tag, row);
            if (!is_new &&
                std::get<domain::timestamp>(row.back()) < std::get<domain::timestamp>(known->second.back()))
                known->second = row;
        }
        for (auto const& [link_id, link] : effects.links) add_link(link_id, link, total, unique, countries);
        return unique;
    }
    /// `s<link> <day> <uniques>` for each settled day, with a semicolon behind.
    [[nodiscard]] std::string const& settled() const { return settled_; }
    void flush() {
        links_.flush();
        visitors_.flush();
        link_tags_.flush();
        write_tags();
    }

private:
    static void fold_event(batch_effects& into, std::string_view payload) {
        payload_reader from{payload};
        decoded_event event;
        event.stored.position = from.number<std::int64_t>();
        event.stored.recorded_at = domain::from_unix_us(from.number<std::int64_t>());
        auto const schema_version = from.number<std::int32_t>();
        event.stored.body.type = from.text(from.number<std::uint8_t>());
        auto decoded = eventlog::decode(event.stored.body.type, schema_version, from.rest(), std::nullopt);
        if (!decoded) throw sql::error{sql::error::kind::other, decoded.error().detail};
        event.event = std::move(decoded).value();
        fold(into, event);
    }

    void note_settled(domain::link_id const& link, std::string_view payload) {
        payload_reader from{payload};
        auto const begins = from.number<std::int64_t>();
        auto const uniques = from.number<std::int64_t>();
        settled_ +=
            's' + to_string(link) + ' ' + std::to_string(begins) + ' ' + std::to_string(uniques) + ';';
    }

    static std::int64_t add_counts(std::string_view payload, country_counts& countries) {
        payload_reader from{payload};
        auto const total = from.number<std::int64_t>();
        while (!from.done()) {
            std::string const country{from.text(from.number<std::uint8_t>())};
            countries[country] += from.number<std::int64_t>();
        }
        return total;
    }

    /// Last, and in the order of their ids: links of other stretches have the same tags, and their
    /// transactions wait for each other. A tag is as old as the first event that names it.
    void write_tags() {
        if (tags_.empty()) return;
        std::vector<sql::parameters> rows;
        for (auto const& [id, row] : tags_) rows.push_back(row);
        auto const earlier = to_.dialect() == sql::dialect::sqlite ? "min" : "least";
        to_.execute_values(
            at_version("INSERT INTO tags_vN (id, workspace_id, name, created_at) "
                       "SELECT column1, column2, column3, column4 FROM {values} AS v WHERE true "
                       "ON CONFLICT (id) DO UPDATE SET created_at = " +
                           std::string{earlier} + "(tags_vN.created_at, excluded.created_at)",
                       version_),
            {"uuid", "uuid", "text", "timestamptz"}, rows);
    }

    void add_link(domain::link_id const& id, link_state const& link, std::int64_t total, std::int64_t unique,
                  country_counts const& countries) {
        auto row = to_row(id, link);
        row.insert(row.end(), {total, unique});
        if (version_ >= countries_since) row.emplace_back(to_json_text(countries));
        links_.add(std::move(row));
        if (!link.tags) return;
        std::int64_t place = 0;
        std::set<domain::uuid> seen;
        for (auto const& name : *link.tags) {
            auto const tag = tag_id(link.workspace_id, name);
            if (seen.insert(tag).second) link_tags_.add({id.value, tag, place, link.tagged_at});
            ++place;
        }
    }

    static std::string hash_text(record_key const& key) {
        return eventlog::to_hex({reinterpret_cast<char const*>(key.bytes.data()) + 17, 16});
    }

    int version_;
    sql::connection& to_;
    table_writer links_;
    table_writer visitors_;
    table_writer link_tags_;
    std::map<domain::uuid, sql::parameters> tags_;
    std::string settled_;
};

std::string links_fold::combine(std::span<record const> records, sql::connection& to) {
    combiner rows{version_, to};
    std::string left;
    for (std::size_t first = 0; first < records.size();) {
        auto const id = records[first].key.subject();
        std::size_t last = first;
        while (last < records.size() && records[last].key.subject() == id) ++last;
        auto const visitors = rows.add(records.subspan(first, last - first));
        if (first == 0 && records[0].key.kind() == a_visitor)
            left = 'v' + domain::to_string(id) + ' ' + std::to_string(visitors) + ';';
        first = last;
    }
    rows.flush();
    return left + rows.settled();
}

/// One part of what combine left: a letter, a link and one or two numbers.
struct left_over {
    char what = ' ';
    domain::uuid link{};
    std::int64_t first = 0;
    std::int64_t second = 0;
};

std::vector<left_over> parse_left(std::string_view text) {
    constexpr std::size_t id_characters = 36;
    std::vector<left_over> parts;
    while (!text.empty()) {
        auto const end = std::min(text.find(';'), text.size());
        auto const part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part.size() < id_characters + 3) continue;
        auto const id = domain::parse_uuid(part.substr(1, id_characters));
        if (!id) continue;
        left_over one{part.front(), *id, 0, 0};
        auto const numbers = part.substr(id_characters + 2);
        auto const* const last = numbers.data() + numbers.size();
        auto const [after, error] = std::from_chars(numbers.data(), last, one.first);
        if (error == std::errc{} && after < last) std::from_chars(after + 1, last, one.second);
        parts.push_back(one);
    }
    return parts;
}

void links_fold::finish(std::vector<std::string> const& left, sql::connection& to) {
    std::map<domain::uuid, std::int64_t> missing;
    settled_uniques settled;
    for (auto const& each : left) {
        for (auto const& part : parse_left(each)) {
            if (part.what == 'v')
                missing[part.link] += part.first;
            else
                settled[{domain::link_id{part.link}, domain::from_unix_us(part.first)}] += part.second;
        }
    }
    for (auto const& [id, visitors] : missing)
        to.execute(
            at_version("UPDATE links_vN SET unique_clicks = unique_clicks + $1 WHERE id = $2", version_),
            {visitors, id});
    settle_visitors(settled, to, version_);
}

}  // namespace

std::unique_ptr<sorted_fold> create_sorted_fold(int version) {
    return std::make_unique<links_fold>(version);
}

}  // namespace linkledger::projections::links
