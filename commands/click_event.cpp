#include "commands/click_event.h"

#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/crypto.h"
#include "eventlog/keyring.h"

#include <utility>

namespace linkledger::commands {

namespace {

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

}  // namespace

domain::click::clicked click_event(link_record const& link, client_facts const& client,
                                   click_source const& source, eventlog::data_key const& key,
                                   geoip const& places, keep_ip kept) {
    auto const user_agent = source.user_agent.substr(0, user_agent_parser::bytes_max);
    auto referer = clean_text(source.referer, referer_bytes_max);
    auto asked = utm_of_query(source.query);
    auto where = places.find(source.ip);

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
    if (kept != keep_ip::none) personal.ip = kept_ip(canonical_ip(source.ip), kept);
    personal.user_agent = text_or_none(clean_text(user_agent, user_agent_parser::bytes_max));
    personal.referer = text_or_none(std::move(referer));
    return e;
}

eventlog::append_request click_append(link_record const& link, domain::click::clicked event,
                                      domain::timestamp at, eventlog::data_key const& key,
                                      std::string metadata) {
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

}  // namespace linkledger::commands
