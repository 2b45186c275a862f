#pragma once
// Writers for the PostgreSQL log's tests with several processes and failing servers.

#include "eventlog/crypto.h"
#include "eventlog/postgres_log.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace linkledger::test {

inline std::unique_ptr<eventlog::event_log> open_log(eventlog::postgres_log_options const& options) {
    auto opened = eventlog::open_postgres_log(options);
    if (!opened) throw std::runtime_error(opened.error().detail);
    return std::move(opened).value();
}
inline std::unique_ptr<eventlog::event_log> open_log(std::string const& url) {
    eventlog::postgres_log_options options;
    options.url = url;
    return open_log(options);
}

inline eventlog::append_request one_event(std::string stream) {
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = "link.clicked";
    body.data = R"({"country_code":"DE"})";
    body.metadata = "{}";
    body.occurred_at = eventlog::now();
    body.salt = eventlog::new_salt();
    eventlog::append_request request;
    request.streams.push_back({std::move(stream), eventlog::expected_version::any(), {std::move(body)}});
    return request;
}

/// A producer that sends a batch again until its fate is known, as the committer does.
class stubborn_writer {
public:
    explicit stubborn_writer(eventlog::event_log& log) : log_(log) {
        batch_.producer = eventlog::new_uuid_v7();
    }

    /// Appends one event to each stream.
    eventlog::batch_outcome write(std::vector<std::string> const& streams) {
        ++batch_.sequence;
        batch_.appends.clear();
        for (auto const& each : streams) batch_.appends.push_back(one_event(each));
        for (;;) {
            auto outcome = log_.append(batch_);
            if (outcome) return std::move(outcome).value();
            if (outcome.error().code == eventlog::failure_code::corrupted)
                throw std::runtime_error(outcome.error().detail);
            std::this_thread::sleep_for(std::chrono::milliseconds{20});
        }
    }
    eventlog::append_batch const& last() const { return batch_; }

private:
    eventlog::event_log& log_;
    eventlog::append_batch batch_;
};

/// Follows a log and holds it to its promises: no gap, no duplicate, no disorder.
class strict_reader {
public:
    explicit strict_reader(eventlog::event_log& log) : log_(log) {}

    /// Reads what there is; false when reading failed.
    bool catch_up() {
        for (;;) {
            auto const page = log_.read({.after = after_, .limit = 500});
            if (!page) return false;
            for (auto const& each : page.value().events) check(each);
            if (page.value().events.empty()) return true;
            after_ = page.value().scanned_to;
        }
    }
    eventlog::position position() const { return after_; }
    bool has(domain::uuid const& event_id) const { return ids_.contains(event_id); }

private:
    void check(eventlog::recorded_event const& event) {
        EXPECT_EQ(event.position, ++expected_);
        EXPECT_EQ(event.version, ++versions_[event.stream]);
        EXPECT_GE(event.recorded_at, recorded_at_);
        EXPECT_TRUE(ids_.insert(event.body.event_id).second)
            << "twice in the log: position " << event.position;
        recorded_at_ = event.recorded_at;
    }

    eventlog::event_log& log_;
    eventlog::position after_ = 0, expected_ = 0;
    domain::timestamp recorded_at_{};
    std::map<std::string, eventlog::version> versions_;
    std::set<domain::uuid> ids_;
};

}  // namespace linkledger::test
