#include "commands/visits.h"

#include "commands/async.h"
#include "commands/click_facts.h"
#include "commands/geoip.h"
#include "commands/link_loader.h"
#include "commands/single_flight.h"
#include "commands/user_agent.h"
#include "domain/click/events.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"

#include <atomic>
#include <chrono>
#include <utility>

namespace linkledger::commands {

namespace {

using domain::refusal;
using domain::refusal_code;
using eventlog::failure;
using eventlog::failure_code;

constexpr std::chrono::hours reported_past_max{7 * 24};
constexpr std::chrono::minutes reported_ahead_max{5};
constexpr std::size_t visitor_bytes_max = 255;

refusal no_such_link() {
    return {refusal_code::not_found, "There is no such link."};
}
refusal gone(char const* why) {
    return {refusal_code::link_gone, why};
}
refusal gone_deleted() {
    return gone("This link was deleted.");
}
refusal gone_full() {
    return gone("This link has reached its max_clicks.");
}
failure too_busy(char const* with) {
    return {failure_code::queue_full, std::string("too many ") + with + " at once"};
}

/// Whether the link leads nowhere at `at`, its cap apart (unless that is known to be reached).
std::optional<refusal> refuse_gone(link_record const& link, domain::timestamp at) {
    if (link.deleted()) return gone_deleted();
    if (link.disabled()) return gone("This link is disabled.");
    if (auto const expires_at = link.expires_at(); expires_at && *expires_at <= at) {
        return gone("This link has expired.");
    }
    if (link.full()) return gone_full();
    return std::nullopt;
}

/// What a click's event says, its link apart.
struct click_source {
    std::string const& ip;
    std::string_view user_agent;
    std::string_view referer;
    std::string_view query;
    std::optional<std::string> visitor;  ///< As reported, in place of address and user agent.
    domain::timestamp at;
};

std::optional<std::string> text_or_none(std::string text) {
    if (text.empty()) return std::nullopt;
    return text;
}

std::optional<std::string> first_of(std::optional<std::string> asked,
                                    std::optional<std::string_view> of_link) {
    if (asked) return asked;
    if (of_link) return std::string(*of_link);
    return std::nullopt;
}

class visits_service final : public visits {
public:
    visits_service(eventlog::event_log& log, eventlog::committer& committer, eventlog::keyring& keys,
                   boost::asio::thread_pool& blocking, visits_options const& options,
                   std::unique_ptr<geoip> places)
        : log_(log),
          committer_(committer),
          keys_(keys),
          blocking_(blocking),
          options_(options),
          table_(options.link_cache_max),
          loader_(log, table_, options.follow_tail, options.edge),
          user_agents_(options.user_agents, options.user_agents_max),
          places_(std::move(places)),
          link_loads_(blocking, options.loads_max),
          key_loads_(blocking, options.loads_max),
          cap_checks_(blocking, options.loads_max) {}

    awaitable<visit_outcome> follow(visit const& request) override;
    awaitable<std::variant<domain::workspace_id, refusal, failure>> workspace_of(
        click_report const& report) override;
    awaitable<std::variant<prepared_click, refusal, failure>> prepare(
        click_report const& report, eventlog::metadata const& cause) override;
    refusal at_cap(domain::link_id const&) override { return gone_full(); }
    link_table& links() override { return table_; }
    [[nodiscard]] counters stats() const override { return {hits_, misses_, *lost_when_queued_}; }

private:
    using key_ref = std::shared_ptr<eventlog::data_key const>;
    using found_or_failure = eventlog::result<found_link>;
    enum class password_check { right, wrong, too_many };

    awaitable<found_or_failure> find(std::string const& short_code);
    awaitable<found_or_failure> find(domain::link_id const& id);
    awaitable<found_or_failure> find(click_report const& report);
    awaitable<eventlog::result<key_ref>> click_key(domain::workspace_id const& workspace,
                                                   domain::timestamp at);
    awaitable<eventlog::result<bool>> is_full(link_record const& link);
    awaitable<eventlog::result<password_check>> check_password(domain::link_id const& id, std::string given);
    awaitable<visit_outcome> record(link_ref const& link, visit const& request, client_facts const& client,
                                    domain::timestamp now);
    awaitable<visit_outcome> commit(link_ref const& link, eventlog::append_request append, bool counted);
    visit_outcome commit_later(link_record const& link, eventlog::append_request append);

    [[nodiscard]] domain::click::clicked event_of(link_record const& link, client_facts const& client,
                                                  click_source const& source,
                                                  eventlog::data_key const& key) const;
    [[nodiscard]] eventlog::append_request append_of(link_record const& link, domain::click::clicked event,
                                                     domain::timestamp at, eventlog::data_key const& key,
                                                     std::string metadata) const;

    eventlog::event_log& log_;
    eventlog::committer& committer_;
    eventlog::keyring& keys_;
    boost::asio::thread_pool& blocking_;
    visits_options const options_;
    link_table table_;
    link_loader loader_;
    user_agent_cache user_agents_;
    std::unique_ptr<geoip> places_;
    single_flight<found_or_failure> link_loads_;
    single_flight<eventlog::result<key_ref>> key_loads_;
    single_flight<eventlog::result<eventlog::version>> cap_checks_;
    std::atomic<std::size_t> password_checks_{0};
    std::atomic<std::uint64_t> hits_{0}, misses_{0};
    std::shared_ptr<std::atomic<std::uint64_t>> const lost_when_queued_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
};

// ---- Following ------------------------------------------------------------------------------------------

awaitable<visit_outcome> visits_service::follow(visit const& request) {
    if (!is_short_code(request.short_code)) co_return no_such_link();
    auto const found = co_await find(request.short_code);
    if (!found) co_return found.assume_error();
    link_ref const& link = found.assume_value().link;
    if (!link) co_return found.assume_value().absent == absence::deleted ? gone_deleted() : no_such_link();

    auto const now = eventlog::now();
    if (auto no = refuse_gone(*link, now)) co_return std::move(*no);
    auto const client = user_agents_.find_or_parse(request.user_agent);
    bool const lacks_password = link->has_password() && !request.password;
    // The append itself holds the cap against those who count; the others are told by the stream's version.
    if (link->max_clicks() && (!request.counts || client->is_bot || lacks_password)) {
        auto const full = co_await is_full(*link);
        if (!full) co_return full.assume_error();
        if (full.assume_value()) co_return gone_full();
    }
    if (lacks_password) co_return password_wanted{};
    if (link->has_password()) {
        auto const checked = co_await check_password(link->link_id(), *request.password);
        if (!checked) co_return checked.assume_error();
        if (checked.assume_value() == password_check::too_many) co_return too_busy("password checks");
        if (checked.assume_value() == password_check::wrong) co_return password_wanted{.was_wrong = true};
    }
    if (!request.counts) co_return redirect_to{std::string(link->url()), 0};
    co_return co_await record(link, request, *client, now);
}

awaitable<visit_outcome> visits_service::record(link_ref const& link, visit const& request,
                                                client_facts const& client, domain::timestamp now) {
    auto const key = co_await click_key(link->workspace_id(), now);
    if (!key) co_return key.assume_error();

    eventlog::metadata cause;
    cause.command = "ClickLink";
    cause.command_id = eventlog::new_uuid_v7();
    cause.correlation_id = request.correlation_id;
    cause.actor.kind = eventlog::actor_kind::visitor;
    click_source const source{request.ip,    request.user_agent, request.referer,
                              request.query, std::nullopt,       now};
    auto event = event_of(*link, client, source, *key.assume_value());
    auto append =
        append_of(*link, std::move(event), now, *key.assume_value(), eventlog::encode_metadata(cause));
    bool const is_capped = link->max_clicks().has_value();
    if (options_.click_queued && !is_capped) co_return commit_later(*link, std::move(append));
    co_return co_await commit(link, std::move(append), !client.is_bot);
}

awaitable<visit_outcome> visits_service::commit(link_ref const& link, eventlog::append_request append,
                                                bool counted) {
    auto const outcome = co_await submit(committer_, std::move(append));
    if (!outcome) co_return outcome.assume_error();
    if (std::holds_alternative<eventlog::version_conflict>(outcome.assume_value())) {
        link->mark_full();
        co_return gone_full();
    }
    auto const& done = std::get<eventlog::appended>(outcome.assume_value());
    auto const cap = link->max_clicks();
    if (counted && cap && done.versions.front() >= *cap) link->mark_full();
    co_return redirect_to{std::string(link->url()), done.last_position};
}

/// Redirects before the commit, but not past a queue that takes no more.
visit_outcome visits_service::commit_later(link_record const& link, eventlog::append_request append) {
    using outcome = eventlog::result<eventlog::append_outcome>;
    enum class fate { open, failed, answered };
    auto const click = std::make_shared<std::atomic<fate>>(fate::open);
    // The committer may outlive this object.
    committer_.submit(std::move(append), [lost = lost_when_queued_, click](outcome const& committed) {
        if (committed) return;
        if (click->exchange(fate::failed) == fate::answered) lost->fetch_add(1, std::memory_order_relaxed);
    });
    if (click->exchange(fate::answered) == fate::failed) return too_busy("clicks");
    return redirect_to{std::string(link.url()), 0};
}

// ---- What has to be found first -------------------------------------------------------------------------

awaitable<visits_service::found_or_failure> visits_service::find(std::string const& short_code) {
    if (options_.follow_tail) {
        found_link known{table_.find(short_code), absence::no};
        if (!known.link) known.absent = table_.known_absent(short_code);
        if (known.link || known.absent != absence::no) {
            hits_.fetch_add(1, std::memory_order_relaxed);
            co_return known;
        }
    }
    misses_.fetch_add(1, std::memory_order_relaxed);
    auto work = [this, short_code] { return loader_.load(short_code); };
    auto key = "/" + short_code;
    auto loaded = co_await link_loads_.run(std::move(key), std::move(work));
    if (!loaded) co_return too_busy("unknown links");
    co_return std::move(*loaded);
}

awaitable<visits_service::found_or_failure> visits_service::find(domain::link_id const& id) {
    if (options_.follow_tail) {
        if (auto known = table_.find(id)) {
            hits_.fetch_add(1, std::memory_order_relaxed);
            co_return found_link{std::move(known), absence::no};
        }
    }
    misses_.fetch_add(1, std::memory_order_relaxed);
    auto work = [this, id] { return loader_.load(id); };
    auto key = to_string(id);
    auto loaded = co_await link_loads_.run(std::move(key), std::move(work));
    if (!loaded) co_return too_busy("unknown links");
    co_return std::move(*loaded);
}

awaitable<eventlog::result<visits_service::key_ref>> visits_service::click_key(
    domain::workspace_id const& workspace, domain::timestamp at) {
    auto subject = eventlog::click_subject(workspace, at);
    if (auto known = keys_.cached(subject)) co_return known;
    auto work = [this, subject] { return keys_.get_or_create(subject); };
    auto made = co_await key_loads_.run(std::move(subject), std::move(work));
    if (!made) co_return too_busy("click keys");
    co_return std::move(*made);
}

awaitable<eventlog::result<bool>> visits_service::is_full(link_record const& link) {
    auto stream = clicks_stream_of(link.link_id());
    auto work = [this, stream] { return log_.stream_version(stream); };
    auto const clicks = co_await cap_checks_.run(std::move(stream), std::move(work));
    if (!clicks) co_return too_busy("capped links");
    if (!*clicks) co_return clicks->assume_error();
    bool const full = clicks->assume_value() >= *link.max_clicks();
    if (full) link.mark_full();
    co_return full;
}

awaitable<eventlog::result<visits_service::password_check>> visits_service::check_password(
    domain::link_id const& id, std::string given) {
    struct turn {
        std::atomic<std::size_t>& taken;
        ~turn() { --taken; }
    };
    std::size_t const before = password_checks_.fetch_add(1);
    turn const mine{password_checks_};
    if (before >= options_.password_checks_max) co_return password_check::too_many;
    auto work = [this, id, given = std::move(given)]() -> eventlog::result<password_check> {
        BOOST_OUTCOME_TRY(auto const hash, loader_.password_hash(id, keys_));
        bool const right = hash && eventlog::verify_password(*hash, given);
        return right ? password_check::right : password_check::wrong;
    };
    co_return co_await run_blocking(blocking_, std::move(work));
}

// ---- The event ------------------------------------------------------------------------------------------

domain::click::clicked visits_service::event_of(link_record const& link, client_facts const& client,
                                                click_source const& source,
                                                eventlog::data_key const& key) const {
    auto const user_agent = source.user_agent.substr(0, user_agent_parser::bytes_max);
    auto referer = clean_text(source.referer, referer_bytes_max);
    auto asked = utm_of_query(source.query);
    auto where = places_->find(source.ip);

    domain::click::clicked e;
    e.link_id = link.link_id();
    e.short_code = link.short_code();
    e.country_code = std::move(where.country_code);
    e.region = std::move(where.region);
    e.city = std::move(where.city);
    e.device_type = client.device_type;
    e.browser = client.browser;
    e.browser_version = client.browser_version;
    e.os = client.os;
    e.os_version = client.os_version;
    e.is_bot = client.is_bot;
    e.referer_domain = referer_domain(referer);
    e.utm_source = first_of(std::move(asked.source), link.utm_source());
    e.utm_medium = first_of(std::move(asked.medium), link.utm_medium());
    e.utm_campaign = first_of(std::move(asked.campaign), link.utm_campaign());

    auto& personal = e.personal.emplace();
    // A reported visitor is told apart from an address by the word in front.
    personal.visitor = source.visitor ? eventlog::keyring::visitor_hash(key, "visitor " + *source.visitor, {})
                                      : eventlog::keyring::visitor_hash(key, source.ip, user_agent);
    if (options_.keep_ip != keep_ip::none) personal.ip = kept_ip(canonical_ip(source.ip), options_.keep_ip);
    personal.user_agent = text_or_none(clean_text(user_agent, user_agent_parser::bytes_max));
    personal.referer = text_or_none(std::move(referer));
    return e;
}

eventlog::append_request visits_service::append_of(link_record const& link, domain::click::clicked event,
                                                   domain::timestamp at, eventlog::data_key const& key,
                                                   std::string metadata) const {
    bool const is_bot = event.is_bot;
    domain::event const happened(std::move(event));
    auto encoded = eventlog::encode(happened);

    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = std::move(encoded.type);
    body.schema_version = encoded.schema_version;
    body.workspace_id = link.workspace_id().value;
    body.data = std::move(encoded.data);
    body.personal =
        eventlog::keyring::seal(key, *encoded.personal, body.event_id, eventlog::sealed_part::personal);
    body.metadata = std::move(metadata);
    body.occurred_at = at;
    body.salt = eventlog::new_salt();

    eventlog::stream_append to;
    to.stream = is_bot ? bots_stream_of(link.link_id()) : clicks_stream_of(link.link_id());
    if (auto const cap = link.max_clicks(); cap && !is_bot)
        to.expected = eventlog::expected_version::below(*cap);
    to.events.push_back(std::move(body));
    eventlog::append_request append;
    append.streams.push_back(std::move(to));
    return append;
}

// ---- Reported clicks ------------------------------------------------------------------------------------

std::optional<refusal> refuse_address(click_report const& report) {
    if (report.short_code.has_value() != report.link_id.has_value()) return std::nullopt;
    return domain::invalid_field("short_code", "give either short_code or link_id");
}

std::optional<refusal> refuse_report(click_report const& report, domain::timestamp now) {
    refusal no{refusal_code::invalid_input, "", {}};
    auto const note = [&](char const* field, char const* message) { no.fields.push_back({field, message}); };
    if (report.ip && !canonical_ip(*report.ip)) note("ip", "must be an IPv4 or IPv6 address");
    if (report.visitor && (report.visitor->empty() || report.visitor->size() > visitor_bytes_max)) {
        note("visitor", "must be 1 to 255 bytes long");
    }
    bool const is_in_time = !report.occurred_at || (*report.occurred_at >= now - reported_past_max &&
                                                    *report.occurred_at <= now + reported_ahead_max);
    if (!is_in_time) note("occurred_at", "must lie within the past 7 days and at most 5 minutes ahead");
    if (no.fields.empty()) return std::nullopt;
    no.detail = no.fields.front().field + ": " + no.fields.front().message;
    return no;
}

awaitable<visits_service::found_or_failure> visits_service::find(click_report const& report) {
    if (report.link_id) co_return co_await find(*report.link_id);
    if (!is_short_code(*report.short_code)) co_return found_link{{}, absence::unknown};
    co_return co_await find(*report.short_code);
}

awaitable<std::variant<domain::workspace_id, refusal, failure>> visits_service::workspace_of(
    click_report const& report) {
    if (auto no = refuse_address(report)) co_return std::move(*no);
    auto const found = co_await find(report);
    if (!found) co_return found.assume_error();
    // Of a deleted code it is not known whose it was, so nobody may learn more of it.
    if (!found.assume_value().link) co_return no_such_link();
    co_return found.assume_value().link->workspace_id();
}

awaitable<std::variant<prepared_click, refusal, failure>> visits_service::prepare(
    click_report const& report, eventlog::metadata const& cause) {
    if (auto no = refuse_address(report)) co_return std::move(*no);
    auto const now = eventlog::now();
    if (auto no = refuse_report(report, now)) co_return std::move(*no);
    auto const found = co_await find(report);
    if (!found) co_return found.assume_error();
    link_ref const& link = found.assume_value().link;
    if (!link) co_return no_such_link();
    auto const at = report.occurred_at.value_or(now);
    if (auto no = refuse_gone(*link, at)) co_return std::move(*no);

    auto const user_agent = report.user_agent.value_or("");
    auto const client = user_agents_.find_or_parse(user_agent);
    if (link->max_clicks() && client->is_bot) {
        auto const full = co_await is_full(*link);
        if (!full) co_return full.assume_error();
        if (full.assume_value()) co_return gone_full();
    }
    auto const key = co_await click_key(link->workspace_id(), at);
    if (!key) co_return key.assume_error();

    auto const ip = report.ip ? *canonical_ip(*report.ip) : std::string();
    auto const referer = report.referer.value_or("");
    click_source const source{ip, user_agent, referer, {}, report.visitor, at};
    auto event = event_of(*link, *client, source, *key.assume_value());
    prepared_click made;
    made.link_id = link->link_id();
    made.workspace_id = link->workspace_id();
    made.is_bot = client->is_bot;
    made.append =
        append_of(*link, std::move(event), at, *key.assume_value(), eventlog::encode_metadata(cause));
    co_return made;
}

}  // namespace

eventlog::result<std::unique_ptr<visits>> create_visits(eventlog::event_log& log,
                                                        eventlog::committer& committer,
                                                        eventlog::keyring& keys,
                                                        boost::asio::thread_pool& blocking,
                                                        visits_options const& options) {
    BOOST_OUTCOME_TRY(auto places, geoip::open(options.geoip_db));
    visits_options ready = options;
    if (!ready.user_agents) {
        BOOST_OUTCOME_TRY(ready.user_agents, user_agent_parser::load(options.uap_regexes));
    }
    std::unique_ptr<visits> made =
        std::make_unique<visits_service>(log, committer, keys, blocking, ready, std::move(places));
    return made;
}

}  // namespace linkledger::commands
