#include "projections/clicks/clicks_rebuild.h"

#include "eventlog/codec.h"
#include "projections/clicks/clicks_rows.h"
#include "projections/rebuild/payload.h"

#include <deque>

namespace linkledger::projections::clicks {
namespace {

using domain::click::clicked;
using domain::click::settled;

enum kind : unsigned char { a_settled_day = 1, a_click = 9 };

constexpr std::size_t rows_at_once = 4'000;

class clicks_fold final : public sorted_fold {
public:
    [[nodiscard]] eventlog::bulk_fields fields() const override {
        return {.workspace = true, .personal = true};
    }

    [[nodiscard]] work_shares shares() const override { return {28, 57}; }

    eventlog::result<void> spread(eventlog::recorded_event const& event, eventlog::keyring& keys,
                                  record_sink const& to) override {
        BOOST_OUTCOME_TRY(auto const decoded, eventlog::decode(event, keys));
        payload_.clear();
        if (auto const* click = std::get_if<clicked>(&decoded)) {
            put_row(payload_, to_row(event, *click));
            to(key_of(event, *click), payload_);
        } else if (auto const* day = std::get_if<settled>(&decoded)) {
            record_key key{day->link_id.value, a_settled_day};
            auto const place = big_endian(event.position);
            key.set_place(place.data(), place.size());
            put(payload_, static_cast<std::int32_t>(event.body.schema_version));
            payload_ += event.body.data;
            to(key, payload_);
        }
        return boost::outcome_v2::success();
    }
    void end_range(eventlog::position /*after*/, record_sink const& /*to*/) override {}

    [[nodiscard]] std::vector<std::string> loaded_tables() const override { return {"clicks_v1"}; }
    [[nodiscard]] unsigned char last_kind() const override { return a_click; }

    std::string combine(std::span<record const> records, sql::connection& to) override {
        std::vector<sql::parameters> rows;
        std::deque<domain::event> days;
        for (auto const& each : records) {
            payload_reader from{each.payload};
            if (each.key.kind() == a_settled_day) {
                days.push_back(decode_day(from));
                continue;
            }
            rows.push_back(read_row(from));
            if (rows.size() < rows_at_once) continue;
            write(rows, to);
            rows.clear();
        }
        write(rows, to);
        std::vector<settled const*> settled_days;
        for (auto const& each : days) settled_days.push_back(&std::get<settled>(each));
        settle(settled_days, earlier_rows::are_left, to);
        return {};
    }
    void finish(std::vector<std::string> const& /*left*/, sql::connection& /*to*/) override {}

private:
    /// By the time of the click, then by what is random of its id.
    static record_key key_of(eventlog::recorded_event const& event, clicked const& click) {
        constexpr std::size_t random_bytes = 8;
        record_key key{click.link_id.value, a_click};
        auto place = big_endian(domain::to_unix_us(event.body.occurred_at));
        auto const& id = event.body.event_id.bytes;
        place.append(reinterpret_cast<char const*>(id.data()) + id.size() - random_bytes, random_bytes);
        key.set_place(place.data(), place.size());
        return key;
    }
    static domain::event decode_day(payload_reader& from) {
        auto const schema_version = from.number<std::int32_t>();
        auto decoded = eventlog::decode(domain::event_traits<settled>::type_name, schema_version, from.rest(),
                                        std::nullopt);
        if (!decoded) throw sql::error{sql::error::kind::other, decoded.error().detail};
        return std::move(decoded).value();
    }

    std::string payload_;
};

}  // namespace

std::unique_ptr<sorted_fold> create_sorted_fold() {
    return std::make_unique<clicks_fold>();
}

}  // namespace linkledger::projections::clicks
