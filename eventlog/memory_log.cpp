#include "eventlog/memory_log.h"

#include "eventlog/append_rules.h"
#include "eventlog/crypto.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace linkledger::eventlog {
namespace {

bool contains(std::vector<std::string> const& names, std::string const& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool matches(read_query const& query, recorded_event const& event) {
    if (!query.stream.empty() && event.stream != query.stream) return false;
    bool const any_workspace = !query.workspace_id || query.workspace_id->is_nil();
    if (!any_workspace && event.body.workspace_id != *query.workspace_id) return false;
    if (!query.types.empty() && !contains(query.types, event.body.type)) return false;
    return !contains(query.excluded_types, event.body.type);
}

class memory_log final : public event_log {
public:
    explicit memory_log(std::function<timestamp()> clock) : clock_(std::move(clock)) {
        head_.log_id = new_uuid_v7();
    }

    [[nodiscard]] std::string_view backend() const override { return "memory"; }

    result<log_head> head() override {
        std::shared_lock const lock{mutex_};
        return head_;
    }

    result<batch_outcome> append(append_batch const& batch) override {
        std::unique_lock lock{mutex_};
        producer& from = producers_[batch.producer];
        switch (relation_of(batch.sequence, from.sequence)) {
            case batch_relation::resent:
                return from.outcome;
            case batch_relation::wrong:
                return failure{failure_code::corrupted,
                               "a batch's sequence is neither the last nor the next"};
            case batch_relation::next:
                break;
        }
        view state{*this};
        batch_plan plan = plan_batch(batch, head_, clock_(), state);
        write(plan);
        from.sequence = batch.sequence;
        from.outcome = plan.outcome;
        from.outcome.resent = true;
        lock.unlock();
        if (!plan.events.empty()) grown_.notify_all();
        return std::move(plan.outcome);
    }

    result<read_page> read(read_query const& query) override {
        std::shared_lock const lock{mutex_};
        read_page page;
        position const last = std::min(query.until, head_.last);
        page.scanned_to = std::max(last, query.after);
        if (query.after >= last) return page;
        for (position at = std::max<position>(query.after, 0) + 1; at <= last; ++at) {
            if (page.events.size() == query.limit) {
                page.scanned_to = page.events.empty() ? query.after : page.events.back().position;
                break;
            }
            recorded_event const& event = events_[static_cast<std::size_t>(at - 1)];
            if (matches(query, event)) page.events.push_back(event);
        }
        return page;
    }

    result<std::vector<digest>> read_leaf_hashes(position after, std::size_t limit) override {
        std::shared_lock const lock{mutex_};
        std::vector<digest> hashes;
        if (after >= head_.last) return hashes;
        for (position at = std::max<position>(after, 0) + 1; at <= head_.last && hashes.size() < limit; ++at)
            hashes.push_back(events_[static_cast<std::size_t>(at - 1)].leaf_hash);
        return hashes;
    }

    result<std::vector<recorded_event>> read_stream(std::string const& stream, version after,
                                                    std::size_t limit) override {
        std::shared_lock const lock{mutex_};
        std::vector<recorded_event> found;
        auto const positions = streams_.find(stream);
        if (positions == streams_.end()) return found;
        for (auto v = static_cast<std::size_t>(std::max<version>(after, 0));
             v < positions->second.size() && found.size() < limit; ++v) {
            found.push_back(events_[static_cast<std::size_t>(positions->second[v] - 1)]);
        }
        return found;
    }

    result<version> stream_version(std::string const& stream) override {
        std::shared_lock const lock{mutex_};
        return version_of(stream);
    }

    result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                   std::string const& key) override {
        std::shared_lock const lock{mutex_};
        return owner_of(scope, key);
    }

    result<std::vector<std::optional<stored_response>>> find_responses(
        std::vector<digest> const& ids) override {
        std::shared_lock const lock{mutex_};
        std::vector<std::optional<stored_response>> found;
        found.reserve(ids.size());
        for (digest const& id : ids) found.push_back(response_of(id));
        return found;
    }

    result<std::int64_t> forget_responses(timestamp before) override {
        std::unique_lock const lock{mutex_};
        return static_cast<std::int64_t>(
            std::erase_if(responses_, [&](auto const& entry) { return entry.second.stored_at < before; }));
    }

    result<std::optional<stored_key>> find_key(std::string const& subject) override {
        std::shared_lock const lock{mutex_};
        auto const id = key_of_subject_.find(subject);
        if (id == key_of_subject_.end()) return std::optional<stored_key>{};
        return std::optional{keys_.at(id->second)};
    }

    result<std::optional<stored_key>> find_key(uuid const& key_id) override {
        std::shared_lock const lock{mutex_};
        auto const key = keys_.find(key_id);
        if (key == keys_.end() || key->second.wrapped.empty()) return std::optional<stored_key>{};
        return std::optional{key->second};
    }

    result<std::vector<stored_key>> list_keys(std::string const& prefix, std::string const& after,
                                              std::size_t limit) override {
        std::shared_lock const lock{mutex_};
        std::vector<stored_key> found;
        for (auto const& [subject, key_id] : key_of_subject_)
            if (subject.starts_with(prefix) && subject > after) found.push_back({key_id, subject, ""});
        std::sort(found.begin(), found.end(),
                  [](stored_key const& a, stored_key const& b) { return a.subject < b.subject; });
        if (found.size() > limit) found.resize(limit);
        return found;
    }

    result<stored_key> add_key(stored_key const& key) override {
        std::unique_lock const lock{mutex_};
        auto const [subject, is_new] = key_of_subject_.try_emplace(key.subject, key.key_id);
        if (is_new) keys_.insert_or_assign(key.key_id, key);
        return keys_.at(subject->second);
    }

    result<void> destroy_key(uuid const& key_id) override {
        std::unique_lock const lock{mutex_};
        auto const key = keys_.find(key_id);
        if (key != keys_.end() && !key->second.wrapped.empty()) {
            key_of_subject_.erase(key->second.subject);
            key->second = {key_id, "", ""};
        }
        return boost::outcome_v2::success();
    }

    result<log_head> raise_epoch() override {
        std::unique_lock const lock{mutex_};
        ++head_.epoch;
        return head_;
    }

    bool wait_beyond(position after, std::chrono::milliseconds deadline) override {
        std::shared_lock lock{mutex_};
        return grown_.wait_for(lock, deadline, [&] { return head_.last > after; });
    }

private:
    struct producer {
        std::int64_t sequence = 0;
        batch_outcome outcome;  ///< Of that sequence.
    };
    struct kept_response {
        stored_response response;
        timestamp stored_at{};
    };

    // The rules' view of the log, under the lock that append holds.
    struct view final : append_view {
        explicit view(memory_log const& l) : log(l) {}
        version stream_version(std::string const& stream) override { return log.version_of(stream); }
        std::optional<std::string> claim_owner(std::string const& scope, std::string const& key) override {
            return log.owner_of(scope, key);
        }
        std::optional<stored_response> find_response(digest const& id) override {
            return log.response_of(id);
        }
        memory_log const& log;
    };

    [[nodiscard]] version version_of(std::string const& stream) const {
        auto const found = streams_.find(stream);
        return found == streams_.end() ? 0 : static_cast<version>(found->second.size());
    }
    [[nodiscard]] std::optional<std::string> owner_of(std::string const& scope,
                                                      std::string const& key) const {
        auto const found = claims_.find(claim_key{scope, key});
        return found == claims_.end() ? std::nullopt : std::optional{found->second};
    }
    [[nodiscard]] std::optional<stored_response> response_of(digest const& id) const {
        auto const found = responses_.find(id);
        return found == responses_.end() ? std::nullopt : std::optional{found->second.response};
    }

    void write(batch_plan const& plan) {
        for (planned_event const& event : plan.events) {
            events_.push_back(to_recorded(event, plan.recorded_at));
            streams_[*event.stream].push_back(event.position);
        }
        for (auto const& [key, owner] : plan.claims) {
            if (owner) {
                claims_.insert_or_assign(key, *owner);
            } else {
                claims_.erase(key);
            }
        }
        for (planned_response const& planned : plan.responses) {
            replayed const answer{planned.last_position, planned.primary_version, planned.entry->response};
            responses_[planned.entry->id] = {{planned.entry->fingerprint, answer}, plan.recorded_at};
        }
        if (plan.last > head_.last) head_.recorded_at = plan.recorded_at;
        head_.last = plan.last;
    }

    std::function<timestamp()> const clock_;
    std::shared_mutex mutex_;
    std::condition_variable_any grown_;
    log_head head_;
    std::deque<recorded_event> events_;  ///< By position, less one.
    std::unordered_map<std::string, std::vector<position>> streams_;
    std::map<claim_key, std::string> claims_;
    std::unordered_map<uuid, producer> producers_;
    std::map<digest, kept_response> responses_;
    std::unordered_map<uuid, stored_key> keys_;
    std::unordered_map<std::string, uuid> key_of_subject_;
};

}  // namespace

std::unique_ptr<event_log> create_memory_log(std::function<timestamp()> clock) {
    return std::make_unique<memory_log>(std::move(clock));
}

}  // namespace linkledger::eventlog
