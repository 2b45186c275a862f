#include "tests/support/numbered_batches.h"

#include "eventlog/crypto.h"
#include "eventlog/leaf_hash.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace linkledger::test {

using namespace eventlog;

namespace {

constexpr std::size_t complaints_max = 20;

uuid numbered_id(char kind, int writer, std::int64_t sequence, std::size_t index) {
    auto const hash = sha256(std::string{kind} + std::to_string(writer) + "/" + std::to_string(sequence) +
                             "/" + std::to_string(index));
    uuid id;
    std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
    return id;
}

event_body numbered_event(int writer, std::int64_t sequence, std::size_t index, int appends) {
    event_body event;
    event.event_id = numbered_id('e', writer, sequence, index);
    event.type = "link.clicked";
    event.data = "{\"writer\":" + std::to_string(writer) + ",\"sequence\":" + std::to_string(sequence) +
                 ",\"index\":" + std::to_string(index) + ",\"appends\":" + std::to_string(appends) + "}";
    event.metadata = "{}";
    event.personal = {numbered_id('k', writer, 0, 0), std::string(40 + index % 100, '\x81')};
    event.occurred_at = domain::from_unix_us(1'700'000'000'000'000 + sequence);
    event.salt = numbered_id('s', writer, sequence, index).bytes;
    return event;
}

}  // namespace

append_batch numbered_batch(int writer, std::int64_t sequence, int appends) {
    append_batch batch;
    batch.producer = numbered_id('p', writer, 0, 0);
    batch.sequence = sequence;
    std::size_t index = 0;
    for (int i = 0; i < appends; ++i) {
        std::string const own = "own-" + std::to_string(writer);
        std::string const shared = "shared-" + std::to_string((sequence + i) % 8);
        append_request request;
        request.streams.push_back({i % 2 == 0 ? own : shared, expected_version::any(), {}});
        request.streams.back().events.push_back(numbered_event(writer, sequence, index++, appends));
        if (i % 5 == 0) {
            request.streams.push_back({i % 2 == 0 ? shared : own, expected_version::any(), {}});
            request.streams.back().events.push_back(numbered_event(writer, sequence, index++, appends));
        }
        batch.appends.push_back(std::move(request));
    }
    return batch;
}

std::size_t events_of(append_batch const& batch) {
    std::size_t count = 0;
    for (auto const& request : batch.appends)
        for (auto const& to : request.streams) count += to.events.size();
    return count;
}

log_check::log_check(event_log& log, std::size_t read_at_once) {
    read_query query;
    query.limit = read_at_once;
    for (;;) {
        auto const page = log.read(query);
        if (!page) throw std::runtime_error{"reading the log: " + page.error().detail};
        for (auto const& event : page.value().events) look_at(event);
        if (page.value().events.size() < query.limit) return;
        query.after = page.value().scanned_to;
    }
}

log_check::log_check(std::vector<recorded_event> const& events) {
    for (auto const& event : events) look_at(event);
}

void log_check::look_at(recorded_event const& event) {
    ++events_;
    if (event.position != static_cast<position>(events_)) complain(event, "is not the next position");
    if (event.version != ++versions_[event.stream]) complain(event, "is not its stream's next version");
    if (event.recorded_at < last_time_) complain(event, "was recorded before the one before it");
    last_time_ = event.recorded_at;
    if (event.leaf_hash != leaf_hash_of(event)) complain(event, "does not fit its leaf hash");

    int writer = 0, appends = 0;
    long long sequence = 0, index = 0;
    if (std::sscanf(event.body.data.c_str(),
                    "{\"writer\":%d,\"sequence\":%lld,\"index\":%lld,\"appends\":%d}", &writer, &sequence,
                    &index, &appends) != 4)
        return complain(event, "is not a numbered one");
    auto& batch = batches_[{writer, sequence}];
    if (batch.events == 0) {
        batch.first = event.position;
        batch_sizes_[{writer, sequence}] = events_of(numbered_batch(writer, sequence, appends));
    }
    // Also says that the events of a batch stand one behind the other, and each is there once.
    if (event.position != batch.first + index || static_cast<long long>(batch.events) != index)
        complain(event, "is not in its place in its batch");
    ++batch.events;
}

void log_check::complain(recorded_event const& event, std::string const& what) {
    if (violations_.size() < complaints_max)
        violations_.push_back("event " + std::to_string(event.position) + " (" + event.body.data + ") " +
                              what);
}

std::vector<std::string> log_check::violations() const {
    auto all = violations_;
    for (auto const& [number, batch] : batches_)
        if (batch.events != batch_sizes_.at(number) && all.size() < complaints_max)
            all.push_back("writer " + std::to_string(number.first) + "'s batch " +
                          std::to_string(number.second) + " is there in part");
    return all;
}

std::vector<std::string> log_check::missing(std::vector<acknowledged_batch> const& acknowledged) const {
    std::vector<std::string> lines;
    for (auto const& told : acknowledged) {
        auto const found = batches_.find({told.writer, told.sequence});
        if (found != batches_.end() && found->second.first == told.first_position) continue;
        if (lines.size() < complaints_max)
            lines.push_back("writer " + std::to_string(told.writer) + "'s batch " +
                            std::to_string(told.sequence) + " is not at position " +
                            std::to_string(told.first_position));
    }
    return lines;
}

std::int64_t log_check::last_sequence(int writer) const {
    std::int64_t last = 0;
    for (auto const& [number, batch] : batches_)
        if (number.first == writer) last = std::max(last, number.second);
    return last;
}

}  // namespace linkledger::test
