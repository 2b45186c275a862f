#include "commands/user_agent.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <mutex>
#include <vector>

namespace linkledger::commands {

namespace {

struct entry {
    std::string user_agent;
    std::shared_ptr<client_facts const> facts;
    bool used = false;  ///< Again, since it came or the hand passed.
};

}  // namespace

struct user_agent_cache::shard {
    std::mutex mutex;
    boost::unordered_flat_map<std::string_view, std::size_t>
        index;  ///< Keys are views of the entries' texts.
    std::vector<std::unique_ptr<entry>> entries;
    std::size_t hand = 0;

    void add(std::string_view user_agent, std::shared_ptr<client_facts const> const& facts, std::size_t max) {
        if (index.contains(user_agent)) return;
        auto made = std::make_unique<entry>(entry{std::string(user_agent), facts, false});
        std::size_t const place = entries.size() < max ? entries.size() : make_room();
        index.emplace(made->user_agent, place);
        if (place == entries.size()) {
            entries.push_back(std::move(made));
        } else {
            entries[place] = std::move(made);
        }
    }

    /// The place of the first entry that was not used since the hand came by.
    std::size_t make_room() {
        while (std::exchange(entries[hand]->used, false)) hand = (hand + 1) % entries.size();
        std::size_t const place = hand;
        hand = (hand + 1) % entries.size();
        index.erase(entries[place]->user_agent);
        return place;
    }
};

user_agent_cache::user_agent_cache(std::shared_ptr<user_agent_parser const> parser, std::size_t entries_max)
    : parser_(std::move(parser)),
      shard_entries_max_(std::max<std::size_t>(1, entries_max / shard_count)),
      unknown_(std::make_shared<client_facts const>()),
      shards_(std::make_unique<shard[]>(shard_count)) {}

user_agent_cache::~user_agent_cache() = default;

std::shared_ptr<client_facts const> user_agent_cache::find_or_parse(std::string_view user_agent) {
    if (user_agent.empty()) return unknown_;
    user_agent = user_agent.substr(0, user_agent_parser::bytes_max);
    auto& in = shards_[std::hash<std::string_view>{}(user_agent) % shard_count];
    {
        std::lock_guard const lock(in.mutex);
        if (auto const found = in.index.find(user_agent); found != in.index.end()) {
            auto& known = *in.entries[found->second];
            known.used = true;
            return known.facts;
        }
    }
    auto facts = std::make_shared<client_facts const>(parser_->facts_of(user_agent));
    std::lock_guard const lock(in.mutex);
    in.add(user_agent, facts, shard_entries_max_);
    return facts;
}

std::size_t user_agent_cache::size() const {
    std::size_t total = 0;
    for (std::size_t i = 0; i < shard_count; ++i) {
        std::lock_guard const lock(shards_[i].mutex);
        total += shards_[i].entries.size();
    }
    return total;
}

}  // namespace linkledger::commands
