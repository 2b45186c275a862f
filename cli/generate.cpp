#include "cli/generate.h"

#include "cli/operator.h"
#include "cli/subcommand.h"
#include "domain/claims.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <random>

namespace linkledger::cli {

namespace {

using domain::timestamp;

constexpr std::size_t batch_events = 2'000;
constexpr std::string_view alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

struct share {
    char const* value;
    int weight;
};
constexpr std::array countries{share{"US", 34}, share{"DE", 18}, share{"GB", 12}, share{"FR", 9},
                               share{"IN", 8},  share{"BR", 7},  share{"JP", 5},  share{"NL", 4},
                               share{"PL", 2},  share{"AU", 1}};
constexpr std::array devices{share{"mobile", 62}, share{"desktop", 33}, share{"tablet", 5}};
constexpr std::array browsers{share{"Chrome", 60}, share{"Safari", 24}, share{"Firefox", 8},
                              share{"Edge", 8}};
constexpr std::array systems{share{"Android", 40}, share{"iOS", 24}, share{"Windows", 26},
                             share{"Mac OS X", 10}};
constexpr std::array referrers{share{"google.com", 40}, share{"facebook.com", 25}, share{"news.example", 20},
                               share{"t.co", 15}};
constexpr int unknown_country = 4;  ///< In a hundred.
constexpr int without_referrer = 40;
constexpr int bots = 3;

/// Draws numbers that are the same everywhere: the standard distributions are not.
class dice {
public:
    explicit dice(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t bits() { return engine_(); }
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    double fraction() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
    bool in_hundred(int chance) { return below(100) < static_cast<std::uint64_t>(chance); }
    template <std::size_t N>
    std::string pick(std::array<share, N> const& from) {
        int total = 0;
        for (auto const& each : from) total += each.weight;
        auto at = static_cast<int>(below(static_cast<std::uint64_t>(total)));
        for (auto const& each : from) {
            at -= each.weight;
            if (at < 0) return each.value;
        }
        return from.back().value;
    }

private:
    std::mt19937_64 engine_;
};

struct made_link {
    domain::link_id id;
    std::string code;
    std::string title;
    bool active = true;
    bool deleted = false;
};

class generator {
public:
    generator(configuration const& from, generate_options const& options, domain::workspace_id workspace,
              domain::user_id user)
        : options_(options),
          log_(open_log(from)),
          dice_(options.seed),
          workspace_(workspace),
          user_(user),
          start_(std::chrono::floor<std::chrono::days>(eventlog::now()) - std::chrono::days{options.days}) {
        eventlog::metadata cause;
        cause.command = "Generate";
        cause.actor.user_id = user_;
        command_metadata_ = eventlog::encode_metadata(cause);
        cause.command = "ClickLink";
        cause.actor = {eventlog::actor_kind::visitor, {}, {}};
        click_metadata_ = eventlog::encode_metadata(cause);
        weigh_links();
    }

    void run(std::function<void(std::uint64_t)> const& told) {
        auto const total = options_.events;
        auto const links = std::min(options_.links, total);
        for (std::int64_t i = 0; i < total; ++i) {
            now_ = start_ + std::chrono::microseconds{static_cast<std::int64_t>(
                                static_cast<double>(options_.days) * 86'400e6 * static_cast<double>(i) /
                                static_cast<double>(total))};
            if (i < links) {
                create();
            } else {
                auto const what = dice_.fraction();
                auto const share_left = static_cast<double>(total) / static_cast<double>(total - links);
                if (what < options_.edits * share_left)
                    edit();
                else if (what < (options_.edits + options_.other_commands) * share_left)
                    change_state();
                else
                    click();
            }
            if (pending_.appends.size() >= batch_events) send();
            if (i % 1'000 == 0) told(static_cast<std::uint64_t>(i));
        }
        send();
        settle();
        told(static_cast<std::uint64_t>(total));
    }

private:
    void weigh_links() {
        double sum = 0;
        for (std::int64_t rank = 1; rank <= options_.links; ++rank) {
            sum += 1.0 / std::pow(static_cast<double>(rank), options_.skew);
            weights_.push_back(sum);
        }
    }

    made_link& popular_link() {
        auto const at =
            std::lower_bound(weights_.begin(), weights_.end(), dice_.fraction() * weights_.back());
        return links_[std::min(static_cast<std::size_t>(at - weights_.begin()), links_.size() - 1)];
    }
    made_link& any_link() { return links_[dice_.below(links_.size())]; }

    domain::uuid id() {
        std::array<std::uint8_t, 10> random{};
        auto const a = dice_.bits();
        auto const b = dice_.bits();
        for (std::size_t i = 0; i < random.size(); ++i)
            random[i] = static_cast<std::uint8_t>((i < 8 ? a >> (8 * i) : b >> (8 * (i - 8))) & 0xFF);
        return domain::make_uuid_v7(domain::to_unix_us(now_) / 1'000, random);
    }

    void create() {
        domain::link::created e;
        e.link_id = {id()};
        e.workspace_id = workspace_;
        e.user_id = user_;
        made_link made{e.link_id, code(), fmt::format("Item {} of the spring catalogue", links_.size() + 1)};
        e.short_code = made.code;
        e.url = fmt::format("https://shop.example/catalogue/item-{}?colour=blue", links_.size() + 1);
        e.title = made.title;
        e.tags = {fmt::format("campaign-{}", links_.size() % 50)};
        e.utm_source = "newsletter";
        e.utm_campaign = fmt::format("week-{}", links_.size() % 4);
        links_.push_back(std::move(made));
        add(domain::stream_of(e.link_id), e, command_metadata_);
    }

    /// Unique, as the number of links is part of it.
    std::string code() {
        std::string text;
        for (auto number = links_.size() + 1; number > 0; number /= alphabet.size())
            text += alphabet[number % alphabet.size()];
        while (text.size() < 6) text += '0';  // No letter of the alphabet: no two numbers meet.
        return text;
    }

    void edit() {
        auto& link = any_link();
        if (link.deleted) return restore(link);
        domain::link::updated e;
        e.link_id = link.id;
        e.before.title.emplace(link.title);
        link.title = fmt::format("Item renamed {} times over", dice_.below(1'000));
        e.after.title.emplace(link.title);
        if (dice_.in_hundred(20)) {
            e.before.tags.emplace();
            e.after.tags = std::vector<std::string>{fmt::format("season-{}", dice_.below(20)), "sale"};
        }
        add(domain::stream_of(link.id), e, command_metadata_);
    }

    void change_state() {
        auto& link = any_link();
        if (link.deleted) return restore(link);
        if (dice_.in_hundred(30)) {
            link.deleted = true;
            return add(domain::stream_of(link.id), domain::link::deleted{link.id, {}, link.code},
                       command_metadata_);
        }
        link.active = !link.active;
        if (link.active)
            add(domain::stream_of(link.id), domain::link::enabled{link.id}, command_metadata_);
        else
            add(domain::stream_of(link.id), domain::link::disabled{link.id}, command_metadata_);
    }

    void restore(made_link& link) {
        link.deleted = false;
        add(domain::stream_of(link.id), domain::link::restored{link.id, {}, link.code}, command_metadata_);
    }

    void click() {
        auto const& link = popular_link();
        auto const visitor = dice_.below(static_cast<std::uint64_t>(options_.visitors));
        domain::click::clicked e;
        e.link_id = link.id;
        e.short_code = link.code;
        e.is_bot = dice_.in_hundred(bots);
        if (!dice_.in_hundred(unknown_country)) e.country_code = dice_.pick(countries);
        e.device_type = dice_.pick(devices);
        e.browser = dice_.pick(browsers);
        e.browser_version = fmt::format("{}.0", 90 + dice_.below(40));
        e.os = dice_.pick(systems);
        e.os_version = std::to_string(8 + dice_.below(9));
        if (!dice_.in_hundred(without_referrer)) e.referer_domain = dice_.pick(referrers);
        auto const key = day_key();
        domain::click::clicked_personal personal;
        auto const address = fmt::format("2001:db8::{:x}:{:x}", visitor >> 16, visitor & 0xFFFF);
        personal.user_agent =
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/" + *e.browser_version;
        personal.visitor = eventlog::keyring::visitor_hash(*key, address, *personal.user_agent);
        if (e.referer_domain) personal.referer = "https://" + *e.referer_domain + "/";
        e.personal = std::move(personal);
        auto const stream = e.is_bot ? domain::bots_stream_of(link.id) : domain::clicks_stream_of(link.id);
        add(stream, e, click_metadata_, key.get());
    }

    std::shared_ptr<eventlog::data_key const> day_key() {
        auto const subject = eventlog::click_subject(workspace_, now_);
        if (subject != key_subject_) {
            key_ = value_or_fail(log_.keys->get_or_create(subject), "the key of a day cannot be made");
            key_subject_ = subject;
        }
        return key_;
    }

    void add(std::string stream, domain::event const& happened, std::string const& metadata,
             eventlog::data_key const* key = nullptr) {
        auto encoded = eventlog::encode(happened);
        eventlog::event_body body;
        body.event_id = id();
        if (key != nullptr && encoded.personal)
            body.personal = eventlog::keyring::seal(*key, *encoded.personal, body.event_id,
                                                    eventlog::sealed_part::personal);
        body.type = std::move(encoded.type);
        body.schema_version = encoded.schema_version;
        body.workspace_id = workspace_.value;
        body.data = std::move(encoded.data);
        body.metadata = metadata;
        body.occurred_at = now_;
        body.salt = eventlog::new_salt();
        eventlog::append_request request;
        request.streams.push_back({std::move(stream), eventlog::expected_version::any(), {}});
        request.streams.front().events.push_back(std::move(body));
        if (key == nullptr) {
            for (auto const& claim : domain::claims_of(happened, {}, {})) {
                auto const what = claim.what == domain::claim::kind::acquire
                                      ? eventlog::claim_change::kind::acquire
                                      : eventlog::claim_change::kind::release;
                request.claims.push_back({what, claim.scope, claim.key, claim.owner});
            }
        }
        pending_.appends.push_back(std::move(request));
    }

    /// The store writes a batch while the next one is made.
    void send() {
        settle();
        if (pending_.appends.empty()) return;
        pending_.producer = producer_;
        pending_.sequence = ++sequence_;
        under_way_ = std::async(std::launch::async, [batch = std::move(pending_), log = log_.log.get()] {
            auto const outcome = value_or_fail(log->append(batch), "a batch cannot be written");
            for (auto const& each : outcome.outcomes) {
                if (!std::holds_alternative<eventlog::appended>(each))
                    throw command_failed{"the log refused an event; is it one of an earlier run?"};
            }
        });
        pending_ = {};
    }
    void settle() {
        if (under_way_.valid()) under_way_.get();
    }

    generate_options const& options_;
    log_side log_;
    dice dice_;
    domain::workspace_id workspace_;
    domain::user_id user_;
    timestamp start_;
    timestamp now_{};
    std::string command_metadata_;
    std::string click_metadata_;
    std::vector<double> weights_;
    std::vector<made_link> links_;
    std::string key_subject_;
    std::shared_ptr<eventlog::data_key const> key_;
    eventlog::append_batch pending_;
    domain::uuid producer_ = eventlog::new_uuid_v7();
    std::int64_t sequence_ = 0;
    std::future<void> under_way_;
};

struct owner {
    domain::workspace_id workspace;
    domain::user_id user;
};

owner make_workspace(configuration const& from, std::string const& slug) {
    operator_session session{from};
    auto found = session.find_workspace(slug);
    if (!found) {
        (void)session.execute("CreateWorkspace",
                              boost::json::serialize(boost::json::object{{"name", slug}, {"slug", slug}}));
        found = session.find_workspace(slug);
    }
    auto const events = value_or_fail(session.log().read_stream(domain::stream_of(*found), 0, 1),
                                      "the workspace cannot be read");
    auto const made = value_or_fail(eventlog::decode(events.at(0).body.type, events.at(0).body.schema_version,
                                                     events.at(0).body.data, std::nullopt),
                                    "the workspace cannot be read");
    return {*found, std::get<domain::workspace::created>(made).owner_id};
}

}  // namespace

void generate_events(configuration const& from, generate_options const& options,
                     std::function<void(std::uint64_t)> const& told) {
    auto const whose = make_workspace(from, options.workspace);
    generator made{from, options, whose.workspace, whose.user};
    made.run(told);
}

}  // namespace linkledger::cli
