// One call at a time, and the canaries of the write side.

#include "tests/simulation/committer_gate.h"

#include "eventlog/crypto.h"

namespace linkledger::simulation {

using eventlog::append_batch;
using eventlog::batch_outcome;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::result;

namespace {

failure of_the_dead() {
    return {failure_code::corrupted, "this process is dead"};
}

/// An answer as if the batch had been written at the end of the log.
batch_outcome pretend(append_batch const& batch, eventlog::position head) {
    batch_outcome made;
    made.first_position = head + 1;
    for (auto const& append : batch.appends) {
        eventlog::appended one;
        for (auto const& stream : append.streams) {
            head += static_cast<eventlog::position>(stream.events.size());
            one.versions.push_back(static_cast<eventlog::version>(stream.events.size()));
        }
        one.last_position = head;
        made.outcomes.emplace_back(one);
    }
    return made;
}

append_batch with_higher_caps(append_batch batch) {
    for (auto& append : batch.appends)
        for (auto& stream : append.streams)
            if (stream.expected.what() == eventlog::expected_version::kind::below)
                stream.expected = eventlog::expected_version::below(stream.expected.value() + 1);
    return batch;
}

}  // namespace

std::string_view name_of(canary which) {
    switch (which) {
        case canary::none:
            return "none";
        case canary::lost_write:
            return "lost_write";
        case canary::written_twice:
            return "written_twice";
        case canary::cap_off_by_one:
            return "cap_off_by_one";
        case canary::early_effects:
            return "early_effects";
        case canary::forgotten_event:
            return "forgotten_event";
        case canary::batches_that_show:
            return "batches_that_show";
        case canary::mirrored_anyway:
            return "mirrored_anyway";
        case canary::copied_without_guard:
            return "copied_without_guard";
    }
    return "";
}

std::optional<std::size_t> committer_gate::standing() {
    std::lock_guard const lock{mutex_};
    return standing_;
}

bool committer_gate::has_answered() {
    std::lock_guard const lock{mutex_};
    return has_answered_;
}

void committer_gate::go_on() {
    std::lock_guard const lock{mutex_};
    has_answered_ = false;
    changed_.notify_all();
}

void committer_gate::wait_after_answers() {
    std::unique_lock lock{mutex_};
    if (dead_) return;
    has_answered_ = true;
    changed_.wait(lock, [&] { return dead_ || !has_answered_; });
}

void committer_gate::release(fate how) {
    std::lock_guard const lock{mutex_};
    released_ = how;
    standing_.reset();
    changed_.notify_all();
}

void committer_gate::die(bool written) {
    std::lock_guard const lock{mutex_};
    dead_ = true;
    arrives_dead_ = written && standing_.has_value();
    standing_.reset();
    changed_.notify_all();
}

std::optional<fate> committer_gate::pass(std::size_t appends) {
    std::unique_lock lock{mutex_};
    if (dead_) return std::nullopt;
    standing_ = appends;
    changed_.wait(lock, [&] { return dead_ || released_; });
    if (dead_) return std::nullopt;
    auto const how = *released_;
    released_.reset();
    return how;
}

result<eventlog::log_head> committer_gate::head() {
    auto const how = pass(0);
    if (!how) return of_the_dead();
    if (*how != fate::done) return failure{failure_code::unavailable, "the store is away"};
    return store_.head();
}

result<batch_outcome> committer_gate::append(append_batch const& batch) {
    auto const how = pass(batch.appends.size());
    if (!how) {
        if (std::exchange(arrives_dead_, false)) static_cast<void>(write(batch));
        return of_the_dead();
    }
    if (*how == fate::away) return failure{failure_code::unavailable, "the store is away"};
    if (*how == fate::request_lost) return failure{failure_code::unknown_outcome, "no answer"};
    auto outcome = write(batch);
    if (*how == fate::acknowledgement_lost) return failure{failure_code::unknown_outcome, "no answer"};
    return outcome;
}

result<batch_outcome> committer_gate::write(append_batch const& batch) {
    bool const again = batch.producer == last_producer_ && batch.sequence == last_written_;
    last_producer_ = batch.producer;
    last_written_ = batch.sequence;
    if (bug_ == canary::lost_write && batch.sequence % 3 == 0)
        return pretend(batch, store_.head().value().last);
    if (bug_ == canary::written_twice && again) {
        auto copy = batch;
        copy.producer = eventlog::new_uuid_v7();
        copy.sequence = 1;
        return store_.append(copy);
    }
    if (bug_ == canary::cap_off_by_one) return store_.append(with_higher_caps(batch));
    return store_.append(batch);
}

}  // namespace linkledger::simulation
