#include "commands/visits.h"

#include "commands/async.h"
#include "commands/click_event.h"
#include "commands/link_loader.h"
#include "commands/single_flight.h"
#include "commands/user_agent.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"
#include "eventlog/spool/spooler.h"

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
/// Said at once instead of after a long wait: the log would be asked in vain.
failure not_without_log(char const* what) {
    return {failure_code::unavailable, std::string("the log cannot be reached, and ") + what};
}

/// Once clicks have been spooled for so long, the log is not asked any more while somebody waits. A shorter
/// pause is waited for.
constexpr std::chrono::seconds spooling_max{1};

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
    [[nodiscard]] counters stats() const override {
        return {hits_, misses_, *lost_when_queued_, beyond_caps_};
    }

private:
    using key_ref = std::shared_ptr<eventlog::data_key const>;
    using found_or_failure = eventlog::result<found_link>;
    /// A click's key, and whether the log does not have it yet: then its clicks have to go through the spool.
    struct sealing_key {
        key_ref key;
        bool is_local = false;
    };
    enum class password_check { right, wrong, too_many };

    awaitable<found_or_failure> find(std::string const& short_code);
    awaitable<found_or_failure> find(domain::link_id const& id);
    awaitable<found_or_failure> find(click_report const& report);
    [[nodiscard]] bool is_log_away() const;
    [[nodiscard]] std::optional<failure> refuse_in_outage(link_record const& link,
                                                          visit const& request) const;
    awaitable<eventlog::result<sealing_key>> click_key(domain::workspace_id const& workspace,
                                                       domain::timestamp at);
    awaitable<eventlog::result<sealing_key>> local_key(std::string subject);
    awaitable<eventlog::result<bool>> is_full(link_record const& link);
    awaitable<eventlog::result<password_check>> check_password(domain::link_id const& id, std::string given);
    awaitable<visit_outcome> record(link_ref const& link, visit const& request, client_facts const& client,
                                    domain::timestamp now);
    awaitable<visit_outcome> commit(link_ref const& link, eventlog::append_request append, bool counted);
    awaitable<visit_outcome> spool(link_ref const& link, eventlog::append_request append);
    visit_outcome commit_later(link_record const& link, eventlog::append_request append);

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
    std::atomic<std::uint64_t> hits_{0}, misses_{0}, beyond_caps_{0};
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
    bool const is_away = is_log_away();
    if (is_away) {
        if (auto no = refuse_in_outage(*link, request)) co_return std::move(*no);
    }
    auto const client = user_agents_.find_or_parse(request.user_agent);
    bool const lacks_password = link->has_password() && !request.password;
    // The append itself holds the cap against those who count; the others are told by the stream's version.
    if (link->max_clicks() && !is_away && (!request.counts || client->is_bot || lacks_password)) {
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
    auto const found = co_await click_key(link->workspace_id(), now);
    if (!found) co_return found.assume_error();
    eventlog::data_key const& key = *found.assume_value().key;

    eventlog::metadata cause;
    cause.command = "ClickLink";
    cause.command_id = eventlog::new_uuid_v7();
    cause.correlation_id = request.correlation_id;
    cause.actor.kind = eventlog::actor_kind::visitor;
    click_source const source{request.ip,    request.user_agent, request.referer,
                              request.query, std::nullopt,       now};
    auto event = click_event(*link, client, source, key, *places_, options_.keep_ip);
    auto append = click_append(*link, std::move(event), now, key, eventlog::encode_metadata(cause));
    bool const is_capped = link->max_clicks().has_value();
    if (found.assume_value().is_local && is_capped && !options_.outage.let_capped_through)
        co_return not_without_log("this link's clicks are limited");
    if (found.assume_value().is_local || (is_capped && options_.outage.let_capped_through && is_log_away())) {
        co_return co_await spool(link, std::move(append));
    }
    if (options_.click_queued && !is_capped) co_return commit_later(*link, std::move(append));
    co_return co_await commit(link, std::move(append), !client.is_bot);
}

awaitable<visit_outcome> visits_service::commit(link_ref const& link, eventlog::append_request append,
                                                bool counted) {
    bool const is_capped = link->max_clicks().has_value();
    auto const outcome = co_await submit(committer_, std::move(append), !is_capped);
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

/// To the spool whatever the log does. Nobody can ask for a cap there, so it is not held.
awaitable<visit_outcome> visits_service::spool(link_ref const& link, eventlog::append_request append) {
    using outcome = eventlog::result<eventlog::append_outcome>;
    auto& expected = append.streams.front().expected;
    if (expected.what() != eventlog::expected_version::kind::any) ++beyond_caps_;
    expected = eventlog::expected_version::any();
    auto keep = [this, append = std::move(append)](resumption<outcome> const& done) mutable {
        options_.outage.spool->keep(std::move(append), done);
    };
    auto const kept = co_await await_call<outcome>(std::move(keep));
    if (!kept) co_return kept.assume_error();
    co_return redirect_to{std::string(link->url()), 0};
}

/// Redirects before the commit, but not past a queue that takes no more.
visit_outcome visits_service::commit_later(link_record const& link, eventlog::append_request append) {
    using outcome = eventlog::result<eventlog::append_outcome>;
    enum class fate { open, failed, answered };
    auto const click = std::make_shared<std::atomic<fate>>(fate::open);
    // The committer may outlive this object.
    committer_.submit(
        std::move(append),
        [lost = lost_when_queued_, click](outcome const& committed) {
            if (committed) return;
            if (click->exchange(fate::failed) == fate::answered)
                lost->fetch_add(1, std::memory_order_relaxed);
        },
        true);
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
    if (is_log_away()) co_return not_without_log("this link is not known here");
    // Work waits for others; meanwhile it may have turned out that the log does not answer.
    auto work = [this, short_code]() -> found_or_failure {
        if (is_log_away()) return not_without_log("this link is not known here");
        return loader_.load(short_code);
    };
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
    auto work = [this, id]() -> found_or_failure {
        if (is_log_away()) return not_without_log("this link is not known here");
        return loader_.load(id);
    };
    auto key = to_string(id);
    auto loaded = co_await link_loads_.run(std::move(key), std::move(work));
    if (!loaded) co_return too_busy("unknown links");
    co_return std::move(*loaded);
}

awaitable<eventlog::result<visits_service::sealing_key>> visits_service::click_key(
    domain::workspace_id const& workspace, domain::timestamp at) {
    auto subject = eventlog::click_subject(workspace, at);
    auto const known = keys_.at_hand(subject);
    bool const is_away = is_log_away();
    bool const is_slow = options_.outage.spool != nullptr && options_.outage.spool->is_active();
    if (known.key && (known.is_trusted || is_slow)) {
        if (known.wants_refresh && !is_slow)
            boost::asio::post(blocking_, [this, subject] { keys_.refresh(subject); });
        co_return sealing_key{known.key, false};
    }
    if (is_away) co_return co_await local_key(std::move(subject));
    auto work = [this, subject]() -> eventlog::result<key_ref> {
        if (is_log_away()) return not_without_log("the day's key is not at hand");
        return keys_.get_or_create(subject);
    };
    auto name = subject;
    auto made = co_await key_loads_.run(std::move(name), std::move(work));
    if (!made) co_return too_busy("click keys");
    if (*made) co_return sealing_key{made->assume_value(), false};
    bool const may_spool =
        options_.outage.spool != nullptr && made->assume_error().code != failure_code::corrupted;
    if (may_spool) co_return co_await local_key(std::move(subject));
    co_return made->assume_error();
}

awaitable<eventlog::result<visits_service::sealing_key>> visits_service::local_key(std::string subject) {
    if (auto known = options_.outage.spool->known_local_key(subject)) co_return sealing_key{known, true};
    using outcome = eventlog::result<key_ref>;
    auto make = [this, subject = std::move(subject)](resumption<outcome> const& done) mutable {
        options_.outage.spool->make_local_key(std::move(subject), done);
    };
    auto const made = co_await await_call<outcome>(std::move(make));
    if (!made) co_return made.assume_error();
    co_return sealing_key{made.assume_value(), true};
}

// ---- Without the log --------------------------------------------------------------------------------------

bool visits_service::is_log_away() const {
    auto const* const spool = options_.outage.spool;
    if (spool == nullptr) return false;
    return spool->active_for() > spooling_max ||
           (options_.since_contact && options_.since_contact() > log_silence_max);
}

/// What cannot be answered from what this process knows.
std::optional<failure> visits_service::refuse_in_outage(link_record const& link, visit const& request) const {
    if (options_.outage.refuse_stale && options_.since_contact &&
        options_.since_contact() > options_.outage.stale_max) {
        return not_without_log("what is known of this link is too old");
    }
    if (link.max_clicks() && !options_.outage.let_capped_through)
        return not_without_log("this link's clicks are limited");
    if (link.has_password() && request.password) return not_without_log("this link needs a password");
    return std::nullopt;
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
    auto const found_key = co_await click_key(link->workspace_id(), at);
    if (!found_key) co_return found_key.assume_error();
    if (found_key.assume_value().is_local) co_return not_without_log("reports are appended at once");
    eventlog::data_key const& key = *found_key.assume_value().key;

    auto const ip = report.ip ? *canonical_ip(*report.ip) : std::string();
    auto const referer = report.referer.value_or("");
    click_source const source{ip, user_agent, referer, {}, report.visitor, at};
    auto event = click_event(*link, *client, source, key, *places_, options_.keep_ip);
    prepared_click made;
    made.link_id = link->link_id();
    made.workspace_id = link->workspace_id();
    made.is_bot = client->is_bot;
    made.append = click_append(*link, std::move(event), at, key, eventlog::encode_metadata(cause));
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
