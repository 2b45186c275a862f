#pragma once
// Folded streams of one kind, held in memory: loaded from the log on first use, kept current by the tail and
// by this process's own commits.

#include "domain/event.h"
#include "domain/ids.h"
#include "domain/streams.h"
#include "eventlog/codec.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <algorithm>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace linkledger::commands {

/// An aggregate as its stream has it at `version`; version 0 and an empty state when there is no such stream.
template <typename State>
struct loaded {
    std::shared_ptr<State const> state;
    eventlog::version version = 0;
    bool is_from_cache = false;
};

/// Safe to call from any thread. The least recently used go beyond `streams_max`.
///
/// An event is applied when it is the one after the kept version; what was applied already is ignored, and a
/// gap makes the stream be loaded again. A load that the tail overtakes is repeated, so nothing stale stays.
template <typename Id, typename State>
class stream_cache {
public:
    explicit stream_cache(std::size_t streams_max) : streams_max_(std::max<std::size_t>(streams_max, 1)) {}

    [[nodiscard]] std::optional<loaded<State>> find(Id const& id) {
        std::lock_guard const lock{mutex_};
        auto const found = entries_.find(id);
        if (found == entries_.end()) return std::nullopt;
        by_use_.splice(by_use_.begin(), by_use_, found->second.use);
        return loaded<State>{found->second.state, found->second.version, true};
    }

    /// Folds the stream from the log and keeps it. Blocks.
    [[nodiscard]] eventlog::result<loaded<State>> load(Id const& id, eventlog::event_log& log,
                                                       eventlog::keyring& keys) {
        while (true) {
            begin_load(id);
            auto folded = fold(id, log, keys);
            if (!folded) {
                end_load(id, nullptr);
                return folded.assume_error();
            }
            if (end_load(id, &folded.assume_value())) return folded;
        }
    }

    /// One event of the stream. `insert_new`: keep a stream that begins with it.
    void apply(Id const& id, eventlog::version version, domain::event const& happened, bool insert_new) {
        std::lock_guard const lock{mutex_};
        auto const loading = loading_.find(id);
        if (loading != loading_.end()) loading->second.seen = std::max(loading->second.seen, version);
        auto const found = entries_.find(id);
        if (found == entries_.end()) {
            if (insert_new && version == 1)
                keep(id, {std::make_shared<State const>(evolve(State{}, happened)), 1});
            return;
        }
        if (version <= found->second.version) return;
        if (version > found->second.version + 1) {
            remove(found);
            return;
        }
        found->second.state = std::make_shared<State const>(evolve(State{*found->second.state}, happened));
        found->second.version = version;
    }

    /// Whether the kept state has this version already, so that the event need not even be decoded.
    [[nodiscard]] bool has(Id const& id, eventlog::version version) const {
        std::lock_guard const lock{mutex_};
        auto const found = entries_.find(id);
        return found != entries_.end() && version <= found->second.version;
    }

    /// A load under way is repeated.
    void forget(Id const& id) {
        std::lock_guard const lock{mutex_};
        auto const loading = loading_.find(id);
        if (loading != loading_.end()) loading->second.was_cleared = true;
        auto const found = entries_.find(id);
        if (found != entries_.end()) remove(found);
    }

    /// Forgets everything, loads under way included: another log id or epoch.
    void clear() {
        std::lock_guard const lock{mutex_};
        entries_.clear();
        by_use_.clear();
        for (auto& [id, load] : loading_) load.was_cleared = true;
    }

private:
    struct entry {
        std::shared_ptr<State const> state;
        eventlog::version version = 0;
        typename std::list<Id>::iterator use{};
    };
    struct load_under_way {
        int count = 0;
        eventlog::version seen = 0;  ///< The newest version that passed meanwhile.
        bool was_cleared = false;
    };
    using entry_map = std::unordered_map<Id, entry>;

    void begin_load(Id const& id) {
        std::lock_guard const lock{mutex_};
        ++loading_[id].count;
    }

    /// False: the tail was faster; load again.
    bool end_load(Id const& id, loaded<State> const* result) {
        std::lock_guard const lock{mutex_};
        auto const loading = loading_.find(id);
        bool const is_current =
            result && !loading->second.was_cleared && loading->second.seen <= result->version;
        if (--loading->second.count == 0) loading_.erase(loading);
        if (is_current && result->version > 0) keep(id, {result->state, result->version});
        return is_current;
    }

    void keep(Id const& id, entry fresh) {
        auto const found = entries_.find(id);
        if (found != entries_.end()) {
            if (found->second.version >= fresh.version) return;
            remove(found);
        }
        while (entries_.size() >= streams_max_) remove(entries_.find(by_use_.back()));
        by_use_.push_front(id);
        fresh.use = by_use_.begin();
        entries_.emplace(id, std::move(fresh));
    }

    void remove(typename entry_map::iterator which) {
        by_use_.erase(which->second.use);
        entries_.erase(which);
    }

    [[nodiscard]] static eventlog::result<loaded<State>> fold(Id const& id, eventlog::event_log& log,
                                                              eventlog::keyring& keys) {
        constexpr std::size_t page_events = 500;
        std::string const stream = domain::stream_of(id);
        State state{};
        eventlog::version version = 0;
        while (true) {
            auto page = log.read_stream(stream, version, page_events);
            if (!page) return page.assume_error();
            for (auto const& stored : page.assume_value()) {
                auto happened = eventlog::decode(stored, keys);
                if (!happened) return happened.assume_error();
                state = evolve(std::move(state), happened.assume_value());
                version = stored.version;
            }
            if (page.assume_value().size() < page_events) break;
        }
        return loaded<State>{std::make_shared<State const>(std::move(state)), version, false};
    }

    std::size_t const streams_max_;
    mutable std::mutex mutex_;
    entry_map entries_;
    std::list<Id> by_use_;  ///< The most recently used first.
    std::unordered_map<Id, load_under_way> loading_;
};

}  // namespace linkledger::commands
