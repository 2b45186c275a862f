// One reader at a time, one waiter at the tail, a few pages kept.

#include "projections/event_feed.h"

#include "eventlog/codec.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace linkledger::projections {
namespace {

using eventlog::failure_code;
using eventlog::position;

constexpr std::size_t pages_kept = 4;
constexpr std::chrono::seconds pace_max{1};
constexpr std::chrono::milliseconds tail_wait_max{200};
constexpr std::chrono::milliseconds tail_wait_min{10};

std::size_t count_known_types() {
    std::size_t count = 0;
#define LINKLEDGER_COUNT(TYPE, NAME, VERSION) ++count;
    LINKLEDGER_EVENTS(LINKLEDGER_COUNT)
#undef LINKLEDGER_COUNT
    return count;
}

}  // namespace

eventlog::result<void> decode_stored(decoded_event& into, eventlog::keyring& keys, bool with_cause) {
    BOOST_OUTCOME_TRY(into.event, eventlog::decode(into.stored, keys));
    if (!with_cause) return boost::outcome_v2::success();
    auto const& body = into.stored.body;
    BOOST_OUTCOME_TRY(into.metadata, eventlog::decode_metadata(body.metadata));
    BOOST_OUTCOME_TRY(auto context, keys.open(body.context, body.event_id, eventlog::sealed_part::context));
    if (context) {
        BOOST_OUTCOME_TRY(into.context, eventlog::decode_context(*context));
    }
    return boost::outcome_v2::success();
}

void feed_options::read_for(projection const& one) {
    for (auto const type : one.event_types()) {
        types.emplace(type);
        if (one.reads_cause()) cause_types.emplace(type);
    }
}

event_feed::event_feed(event_source& source, eventlog::keyring& keys, feed_options options)
    : source_(source),
      keys_(keys),
      options_(std::move(options)),
      every_type_(options_.types.size() == count_known_types()) {}

eventlog::result<std::shared_ptr<feed_page const>> event_feed::next(std::size_t consumer, position after,
                                                                    std::chrono::milliseconds patience) {
    auto const deadline = clock::now() + patience;
    std::unique_lock lock{mutex_};
    consumers_[consumer] = after;
    // Where one consumer is, the log is, too. After `clear` nothing else would say so, and one that starts
    // over would wait with those at the end for an event to come.
    known_until_ = std::max(known_until_, after);
    changed_.notify_all();
    clock::time_point const pace_until = clock::now() + pace_max;
    while (!stopped_) {
        if (auto page = find(after)) return page;
        if (after >= known_until_ && tailing_) {
            if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return page_pointer{};
            continue;
        }
        if (after >= known_until_ && !wait_for_more(lock, after, deadline)) return page_pointer{};
        if (find(after)) continue;
        if (!reading_ && (!ahead_of_others(consumer) || clock::now() >= pace_until)) return read(lock, after);
        if (patience.count() == 0) return page_pointer{};
        changed_.wait_for(lock, tail_wait_min);
    }
    return page_pointer{};
}

void event_feed::leave(std::size_t consumer) {
    std::lock_guard const lock{mutex_};
    consumers_.erase(consumer);
    changed_.notify_all();
}

void event_feed::nudge() {
    std::lock_guard const lock{mutex_};
    changed_.notify_all();
}

void event_feed::clear() {
    std::lock_guard const lock{mutex_};
    pages_.clear();
    known_until_ = 0;
    ++clearings_;
}

void event_feed::stop() {
    std::lock_guard const lock{mutex_};
    stopped_ = true;
    changed_.notify_all();
}

event_feed::page_pointer event_feed::find(position after) const {
    for (auto const& page : pages_) {
        if (page->after <= after && after < page->until) return page;
    }
    return nullptr;
}

/// Another page would push out the oldest one while someone still needs it.
bool event_feed::ahead_of_others(std::size_t consumer) const {
    if (pages_.size() < pages_kept) return false;
    auto const& oldest = *pages_.front();
    return std::any_of(consumers_.begin(), consumers_.end(), [&](auto const& other) {
        return other.first != consumer && oldest.after <= other.second && other.second < oldest.until;
    });
}

/// Waits at the end of the log, without the lock, then lingers so that events come in batches.
bool event_feed::wait_for_more(std::unique_lock<std::mutex>& lock, position after,
                               clock::time_point deadline) {
    tailing_ = true;
    lock.unlock();
    auto const started = clock::now();
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - started);
    bool const more = source_.wait_beyond(after, std::clamp(left, tail_wait_min, tail_wait_max));
    // A source that cannot be reached may answer at once.
    if (!more && clock::now() - started < tail_wait_min) std::this_thread::sleep_for(tail_wait_min);
    lock.lock();
    if (more)
        changed_.wait_until(lock, last_read_ + options_.linger,
                            [&] { return stopped_ || (options_.urgent && options_.urgent()); });
    // Whoever has to wait for others before it reads does not ask the log again meanwhile.
    if (more) known_until_ = std::max(known_until_, after + 1);
    tailing_ = false;
    changed_.notify_all();
    return more;
}

eventlog::result<event_feed::page_pointer> event_feed::read(std::unique_lock<std::mutex>& lock,
                                                            position after) {
    reading_ = true;
    auto const before = clearings_;
    lock.unlock();
    auto fetched = fetch(after);
    lock.lock();
    reading_ = false;
    changed_.notify_all();
    if (!fetched) return fetched;
    if (clearings_ != before) return page_pointer{};  // It may be of the history before.
    last_read_ = clock::now();
    auto const& page = fetched.value();
    if (page->until <= after) {
        known_until_ = after;
        return page_pointer{};
    }
    known_until_ = std::max(known_until_, page->until);
    pages_.push_back(page);
    if (pages_.size() > pages_kept) pages_.pop_front();
    return page;
}

/// Keys that an erasure names are destroyed, or are about to be: what this process still holds of them goes.
void event_feed::forget_erased(eventlog::recorded_event const& stored) {
    if (stored.body.type != "person.erased" && stored.body.type != "click_details.erased") return;
    auto const happened =
        eventlog::decode(stored.body.type, stored.body.schema_version, stored.body.data, std::nullopt);
    if (!happened) return;
    if (auto const* person = std::get_if<domain::erasure::person_erased>(&happened.value()))
        for (auto const& id : person->key_ids) keys_.forget(id);
    if (auto const* details = std::get_if<domain::erasure::details_erased>(&happened.value()))
        for (auto const& day : details->days) keys_.forget(day.key_id);
}

eventlog::result<event_feed::page_pointer> event_feed::fetch(position after) {
    eventlog::read_query query;
    query.after = after;
    query.limit = options_.page_events_max;
    if (!every_type_) query.types.assign(options_.types.begin(), options_.types.end());
    BOOST_OUTCOME_TRY(auto found, source_.read(query));
    auto page = std::make_shared<feed_page>();
    page->after = after;
    page->until = found.scanned_to;
    page->events.reserve(found.events.size());
    for (auto& stored : found.events) {
        if (!options_.types.contains(stored.body.type)) continue;
        auto& event = page->events.emplace_back();
        event.stored = std::move(stored);
        forget_erased(event.stored);
        bool const with_cause = options_.cause_types.contains(event.stored.body.type);
        auto const decoded = decode_stored(event, keys_, with_cause);
        if (decoded) continue;
        if (decoded.error().code != failure_code::corrupted) return decoded.error();
        page->defects.emplace(event.stored.position, decoded.error().detail);
    }
    return page_pointer{std::move(page)};
}

}  // namespace linkledger::projections
