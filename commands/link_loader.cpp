#include "commands/link_loader.h"

#include "commands/edge_cache.h"
#include "domain/claims.h"
#include "domain/link/link.h"
#include "domain/streams.h"
#include "eventlog/codec.h"

#include <utility>

namespace linkledger::commands {

namespace {

constexpr std::size_t stream_page_events = 1'000;
/// A code that changes hands between two reads is looked up again, so many times.
constexpr int lookups_max = 5;

std::optional<domain::link_id> link_of_stream(std::string_view stream) {
    constexpr std::string_view prefix = "link-";
    if (!stream.starts_with(prefix)) return std::nullopt;
    auto const id = domain::parse_uuid(stream.substr(prefix.size()));
    if (!id) return std::nullopt;
    return domain::link_id{*id};
}

/// Calls `use(stored)`, which gives a result<void>, for each event of a stream.
template <typename Use>
eventlog::result<void> for_each_stream_event(eventlog::event_log& log, std::string const& stream,
                                             Use const& use) {
    for (eventlog::version after = 0;;) {
        BOOST_OUTCOME_TRY(auto const events, log.read_stream(stream, after, stream_page_events));
        for (auto const& stored : events) {
            BOOST_OUTCOME_TRY(use(stored));
            after = stored.version;
        }
        if (events.size() < stream_page_events) return boost::outcome_v2::success();
    }
}

}  // namespace

link_loader::link_loader(eventlog::event_log& log, link_table& table, bool remember, edge_cache* edge)
    : log_(log), table_(table), remember_(remember), edge_(remember ? edge : nullptr) {}

std::optional<found_link> link_loader::load_from_edge(std::string const& short_code) {
    auto const before = table_.begin_load(short_code);
    auto const entry = edge_->find(short_code);
    if (!entry) return std::nullopt;
    if (entry->deleted) {
        table_.put_absent(short_code, absence::deleted, before);
        return found_link{{}, absence::deleted};
    }
    auto const link = link_record::make(*entry->link);
    auto const of_link = table_.begin_load(link->link_id());
    if (!edge_->is_believed(short_code, *entry)) return std::nullopt;
    table_.put(link, of_link);
    return found_link{link, absence::no};
}

eventlog::result<found_link> link_loader::load(std::string const& short_code) {
    if (edge_ != nullptr) {
        if (auto found = load_from_edge(short_code)) return *std::move(found);
    }
    auto const key = domain::short_code_key(std::nullopt, short_code);
    for (int lookups = 0; lookups < lookups_max; ++lookups) {
        auto const before = table_.begin_load(short_code);
        BOOST_OUTCOME_TRY(auto const owner,
                          log_.claim_owner(std::string(domain::claim_scope::short_code), key));
        if (!owner) return load_absent(short_code, before);
        auto const id = link_of_stream(*owner);
        if (!id) {
            return eventlog::failure{eventlog::failure_code::corrupted,
                                     "a short code is claimed by " + *owner};
        }
        BOOST_OUTCOME_TRY(auto loaded, load(*id));
        if (loaded.link && loaded.link->short_code() == short_code) return loaded;
    }
    return eventlog::failure{eventlog::failure_code::timeout, "a short code changes hands too often"};
}

eventlog::result<found_link> link_loader::load_absent(std::string const& short_code,
                                                      link_table::ticket const& before) {
    auto const key = domain::short_code_key(std::nullopt, short_code);
    auto const as_of = edge_ != nullptr ? edge_->as_of() : 0;
    BOOST_OUTCOME_TRY(auto const former,
                      log_.claim_owner(std::string(domain::claim_scope::deleted_code), key));
    auto const why = former ? absence::deleted : absence::unknown;
    if (remember_) table_.put_absent(short_code, why, before);
    if (edge_ != nullptr && former) edge_->put_deleted(short_code, as_of);
    return found_link{{}, why};
}

eventlog::result<link_settings> link_loader::read_settings(domain::link_id const& id) {
    link_settings settings;
    auto const fold = [&](eventlog::recorded_event const& stored) -> eventlog::result<void> {
        BOOST_OUTCOME_TRY(auto const event, eventlog::decode(stored.body.type, stored.body.schema_version,
                                                             stored.body.data, std::nullopt));
        evolve(settings, event);
        settings.version = stored.version;
        return boost::outcome_v2::success();
    };
    BOOST_OUTCOME_TRY(for_each_stream_event(log_, stream_of(id), fold));
    return settings;
}

eventlog::result<found_link> link_loader::load(domain::link_id const& id) {
    auto const before = table_.begin_load(id);
    auto const as_of = edge_ != nullptr ? edge_->as_of() : 0;
    BOOST_OUTCOME_TRY(auto const settings, read_settings(id));
    if (settings.version == 0) return found_link{{}, absence::unknown};
    auto const link = link_record::make(settings);
    if (settings.max_clicks) {
        BOOST_OUTCOME_TRY(auto const clicks, log_.stream_version(clicks_stream_of(id)));
        if (clicks >= *settings.max_clicks) link->mark_full();
    }
    if (remember_) table_.put(link, before);
    if (edge_ != nullptr && !settings.deleted) edge_->put(settings, as_of);
    return found_link{link, absence::no};
}

eventlog::result<std::optional<std::string>> link_loader::password_hash(domain::link_id const& id,
                                                                        eventlog::keyring& keys) {
    domain::link::state state;
    auto const fold = [&](eventlog::recorded_event const& stored) -> eventlog::result<void> {
        BOOST_OUTCOME_TRY(auto const event, eventlog::decode(stored, keys));
        state = domain::link::evolve(std::move(state), event);
        return boost::outcome_v2::success();
    };
    BOOST_OUTCOME_TRY(for_each_stream_event(log_, stream_of(id), fold));
    return state.password_hash;
}

}  // namespace linkledger::commands
