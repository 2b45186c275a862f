#include "tests/support/faulty_log.h"

namespace linkledger::test {

using namespace eventlog;

namespace {

failure store_is_away() {
    return {failure_code::unavailable, "the store is away, as the test asked"};
}
failure nobody_knows() {
    return {failure_code::unknown_outcome, "the acknowledgement was lost, as the test asked"};
}

}  // namespace

void faulty_log::next(std::vector<fault> faults) {
    std::lock_guard const lock{mutex_};
    next_.assign(faults.begin(), faults.end());
}

void faulty_log::from_now_on(fault always) {
    std::lock_guard const lock{mutex_};
    always_ = always;
}

void faulty_log::close_gate() {
    std::lock_guard const lock{mutex_};
    closed_ = true;
}

void faulty_log::open_gate() {
    std::lock_guard const lock{mutex_};
    closed_ = false;
    changed_.notify_all();
}

void faulty_log::wait_for_appends(std::size_t count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return batches_.size() >= count; });
}

std::vector<std::size_t> faulty_log::batches() const {
    std::lock_guard const lock{mutex_};
    return batches_;
}

std::vector<domain::uuid> faulty_log::producers() const {
    std::lock_guard const lock{mutex_};
    return producers_;
}

fault faulty_log::begin_append(append_batch const& batch) {
    std::unique_lock lock{mutex_};
    batches_.push_back(batch.appends.size());
    producers_.push_back(batch.producer);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !closed_; });
    if (next_.empty()) return always_;
    fault const now = next_.front();
    next_.pop_front();
    return now;
}

bool faulty_log::is_away() const {
    std::lock_guard const lock{mutex_};
    return always_ == fault::away;
}

result<batch_outcome> faulty_log::append(append_batch const& batch) {
    fault const now = begin_append(batch);
    if (now == fault::away) return store_is_away();
    if (now == fault::lost_request) return nobody_knows();
    if (now == fault::damaged) {
        return failure{failure_code::corrupted, "the store is damaged, as the test asked"};
    }
    auto outcome = inner_.append(batch);
    if (now == fault::lost_acknowledgement) return nobody_knows();
    if (now == fault::written_yet_away) return store_is_away();
    return outcome;
}

result<log_head> faulty_log::head() {
    if (is_away()) return store_is_away();
    return inner_.head();
}

result<read_page> faulty_log::read(read_query const& query) {
    if (is_away()) return store_is_away();
    return inner_.read(query);
}

result<std::vector<digest>> faulty_log::read_leaf_hashes(position after, std::size_t limit) {
    if (is_away()) return store_is_away();
    return inner_.read_leaf_hashes(after, limit);
}

result<std::vector<recorded_event>> faulty_log::read_stream(std::string const& stream, version after,
                                                            std::size_t limit) {
    if (is_away()) return store_is_away();
    return inner_.read_stream(stream, after, limit);
}

result<version> faulty_log::stream_version(std::string const& stream) {
    if (is_away()) return store_is_away();
    return inner_.stream_version(stream);
}

result<std::optional<std::string>> faulty_log::claim_owner(std::string const& scope, std::string const& key) {
    if (is_away()) return store_is_away();
    return inner_.claim_owner(scope, key);
}

result<std::vector<std::optional<stored_response>>> faulty_log::find_responses(
    std::vector<digest> const& ids) {
    if (is_away()) return store_is_away();
    return inner_.find_responses(ids);
}

result<std::int64_t> faulty_log::forget_responses(timestamp before) {
    if (is_away()) return store_is_away();
    return inner_.forget_responses(before);
}

result<std::optional<stored_key>> faulty_log::find_key(std::string const& subject) {
    if (is_away()) return store_is_away();
    return inner_.find_key(subject);
}

result<std::optional<stored_key>> faulty_log::find_key(domain::uuid const& key_id) {
    if (is_away()) return store_is_away();
    return inner_.find_key(key_id);
}

result<std::vector<stored_key>> faulty_log::list_keys(std::string const& prefix, std::string const& after,
                                                      std::size_t limit) {
    if (is_away()) return store_is_away();
    return inner_.list_keys(prefix, after, limit);
}

result<stored_key> faulty_log::add_key(stored_key const& key) {
    if (is_away()) return store_is_away();
    return inner_.add_key(key);
}

result<void> faulty_log::destroy_key(domain::uuid const& key_id) {
    if (is_away()) return store_is_away();
    return inner_.destroy_key(key_id);
}

bool faulty_log::wait_beyond(position after, std::chrono::milliseconds deadline) {
    return inner_.wait_beyond(after, deadline);
}

}  // namespace linkledger::test
