#include "commands/facts.h"

#include "domain/claims.h"

namespace linkledger::commands {
namespace {

template <typename Id>
stream_id parse_as(std::string_view text) {
    auto const id = domain::parse_uuid(text);
    if (!id) return std::monostate{};
    return Id{*id};
}

}  // namespace

stream_id parse_stream(std::string_view stream) {
    auto const dash = stream.find('-');
    if (dash == std::string_view::npos) return std::monostate{};
    std::string_view const kind = stream.substr(0, dash);
    std::string_view const id = stream.substr(dash + 1);
    if (kind == "link") return parse_as<domain::link_id>(id);
    if (kind == "workspace") return parse_as<domain::workspace_id>(id);
    if (kind == "user") return parse_as<domain::user_id>(id);
    if (kind == "api_key") return parse_as<domain::api_key_id>(id);
    return std::monostate{};
}

facts::facts(eventlog::event_log& log, eventlog::keyring& keys, boost::asio::thread_pool& pool,
             std::size_t streams_max)
    : log_(log),
      keys_(keys),
      pool_(pool),
      workspaces_(streams_max),
      users_(streams_max),
      links_(streams_max),
      api_keys_(streams_max),
      prefixes_max_(streams_max) {}

template <typename Id>
auto& facts::cache_of(Id const&) const {
    if constexpr (std::is_same_v<Id, domain::workspace_id>) {
        return workspaces_;
    } else if constexpr (std::is_same_v<Id, domain::user_id>) {
        return users_;
    } else if constexpr (std::is_same_v<Id, domain::link_id>) {
        return links_;
    } else {
        static_assert(std::is_same_v<Id, domain::api_key_id>);
        return api_keys_;
    }
}

template <typename State, typename Id>
awaitable<eventlog::result<loaded<State>>> facts::load_any(Id id) {
    auto& cache = cache_of(id);
    if (auto found = cache.find(id)) co_return *found;
    auto work = [&cache, id, this] { return cache.load(id, log_, keys_); };
    co_return co_await run_blocking(pool_, std::move(work));
}

awaitable<eventlog::result<loaded<domain::workspace::state>>> facts::load(domain::workspace_id id) {
    return load_any<domain::workspace::state>(id);
}
awaitable<eventlog::result<loaded<domain::user::state>>> facts::load(domain::user_id id) {
    return load_any<domain::user::state>(id);
}
awaitable<eventlog::result<loaded<domain::link::state>>> facts::load(domain::link_id id) {
    return load_any<domain::link::state>(id);
}
awaitable<eventlog::result<loaded<domain::api_key::state>>> facts::load(domain::api_key_id id) {
    return load_any<domain::api_key::state>(id);
}

awaitable<eventlog::result<loaded<domain::api_key::state>>> facts::key_by_prefix(std::string prefix) {
    std::optional<domain::api_key_id> known;
    {
        std::lock_guard const lock{prefixes_mutex_};
        auto const found = prefixes_.find(prefix);
        if (found != prefixes_.end()) known = found->second;
    }
    if (known) co_return co_await load(*known);

    auto owner = co_await claim_owner(std::string{domain::claim_scope::api_key}, prefix);
    if (!owner) co_return owner.assume_error();
    stream_id const id = owner.assume_value() ? parse_stream(*owner.assume_value()) : stream_id{};
    auto const* key = std::get_if<domain::api_key_id>(&id);
    if (!key)
        co_return loaded<domain::api_key::state>{std::make_shared<domain::api_key::state const>(), 0, false};
    {
        std::lock_guard const lock{prefixes_mutex_};
        if (prefixes_.size() >= prefixes_max_) prefixes_.clear();
        prefixes_.emplace(std::move(prefix), *key);
    }
    co_return co_await load(*key);
}

awaitable<eventlog::result<std::optional<std::string>>> facts::claim_owner(std::string scope,
                                                                           std::string key) {
    auto work = [this, scope = std::move(scope), key = std::move(key)] {
        return log_.claim_owner(scope, key);
    };
    co_return co_await run_blocking(pool_, std::move(work));
}

awaitable<eventlog::result<eventlog::version>> facts::stream_version(std::string stream) {
    auto work = [this, stream = std::move(stream)] { return log_.stream_version(stream); };
    co_return co_await run_blocking(pool_, std::move(work));
}

void facts::apply(std::string_view stream, eventlog::version version, domain::event const& happened,
                  bool is_own) {
    auto const to_cache = [&](auto const& id) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
            cache_of(id).apply(id, version, happened, is_own);
        }
    };
    std::visit(to_cache, parse_stream(stream));
}

bool facts::has(std::string_view stream, eventlog::version version) const {
    auto const in_cache = [&](auto const& id) {
        if constexpr (std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
            return false;
        } else {
            return cache_of(id).has(id, version);
        }
    };
    return std::visit(in_cache, parse_stream(stream));
}

void facts::forget(std::string_view stream) {
    auto const in_cache = [&](auto const& id) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) cache_of(id).forget(id);
    };
    std::visit(in_cache, parse_stream(stream));
}

void facts::clear() {
    workspaces_.clear();
    users_.clear();
    links_.clear();
    api_keys_.clear();
    std::lock_guard const lock{prefixes_mutex_};
    prefixes_.clear();
}

}  // namespace linkledger::commands
