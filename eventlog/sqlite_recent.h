#pragma once
// What was lately used, by key, in bounded memory.

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace linkledger::eventlog {

/// Two generations: when the young one is full it becomes the old one, so what is in use stays and nothing is
/// counted or sorted.
template <typename Key, typename Value>
class recent {
public:
    /// What is found may be changed; it stays where it is until the next call.
    [[nodiscard]] Value* find(Key const& key) {
        if (auto const found = young_.find(key); found != young_.end()) return &found->second;
        auto const found = old_.find(key);
        if (found == old_.end()) return nullptr;
        return &put(key, Value{found->second});
    }

    Value& put(Key const& key, Value value) {
        if (young_.size() >= generation_max) {
            old_ = std::move(young_);
            young_ = {};
        }
        return young_.insert_or_assign(key, std::move(value)).first->second;
    }

    void clear() {
        young_.clear();
        old_.clear();
    }

private:
    static constexpr std::size_t generation_max = 32'768;
    using generation = std::unordered_map<Key, Value>;
    generation young_, old_;
};

}  // namespace linkledger::eventlog
