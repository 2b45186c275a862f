#include "cli/detail_keeper.h"

#include "cli/composition.h"
#include "cli/process_lock.h"
#include "commands/erasure.h"
#include "eventlog/crypto.h"
#include "eventlog/sql/connection.h"

#include <spdlog/spdlog.h>

namespace linkledger::cli {

namespace {

constexpr std::chrono::seconds look_every{5};
constexpr std::chrono::hours retention_every{1};

}  // namespace

detail_keeper::detail_keeper(configuration const& from, eventlog::event_log& log,
                             eventlog::committer& committer, eventlog::keyring& keys)
    : configuration_(from),
      log_(log),
      committer_(committer),
      keys_(keys),
      thread_([this](std::stop_token const& stop) { run(stop); }) {}

void detail_keeper::run(std::stop_token const& stop) {
    for (bool is_due = true; !stop.stop_requested();
         is_due = was_incomplete_ || keys_.take_failed_destruction()) {
        if (is_due) complete_erasures();
        work(stop);
        std::unique_lock lock{mutex_};
        wake_.wait_for(lock, stop, look_every, [] { return false; });
    }
}

/// A process may have died between an erasure and the destruction of its keys, or the store been away.
void detail_keeper::complete_erasures() {
    auto const completed = commands::complete_erasures(log_, keys_);
    if (!completed && !was_incomplete_)
        spdlog::error("erasures could not be completed: {}; trying again", describe(completed.error()));
    if (completed && completed.value() > 0)
        spdlog::info("destroyed {} keys that were left of earlier erasures", completed.value());
    was_incomplete_ = !completed;
}

/// The lock is held while there is something to do, so any process may be the next.
void detail_keeper::work(std::stop_token const& stop) {
    bool const retention_is_due =
        configuration_.click_details_kept.count() > 0 && std::chrono::steady_clock::now() >= next_retention_;
    auto const orders = commands::open_orders(log_);
    if (!orders) return spdlog::warn("erasures cannot be looked for: {}", describe(orders.error()));
    if (orders.value().empty() && !retention_is_due) return;
    try {
        auto const lock = try_process_lock(configuration_, "erasure");
        if (!lock) return;
        carry_out_orders(stop);
        if (retention_is_due) keep_retention(stop);
    } catch (sql::error const& away) {
        spdlog::warn("click details cannot be erased now: {}", away.what());
    }
}

void detail_keeper::carry_out_orders(std::stop_token const& stop) {
    auto const orders = commands::open_orders(log_);
    if (!orders) return;
    commands::click_details details{log_, committer_, keys_};
    for (auto const& order : orders.value()) {
        commands::erase_details_options how;
        how.stream = order.stream;
        how.stopping = [&] { return stop.stop_requested(); };
        auto const done =
            details.erase({order.what.workspace_id, order.what.first_day, order.what.last_day}, how);
        if (!done) return spdlog::warn("click details cannot be erased now: {}", describe(done.error()));
        spdlog::info("erased the details of {} clicks of workspace {}, {} to {}, as ordered",
                     done.value().clicks, to_string(order.what.workspace_id), order.what.first_day,
                     order.what.last_day);
    }
}

void detail_keeper::keep_retention(std::stop_token const& stop) {
    commands::click_details details{log_, committer_, keys_};
    while (!stop.stop_requested()) {
        auto const days = commands::days_beyond(log_, configuration_.click_details_kept, eventlog::now());
        if (!days) return spdlog::warn("old click details cannot be looked for: {}", describe(days.error()));
        if (days.value().empty()) {
            next_retention_ = std::chrono::steady_clock::now() + retention_every;
            return;
        }
        for (auto const& each : days.value()) {
            commands::erase_details_options how;
            how.stopping = [&] { return stop.stop_requested(); };
            auto const done = details.erase(each, how);
            if (!done)
                return spdlog::warn("old click details cannot be erased now: {}", describe(done.error()));
            spdlog::info("erased the details of {} clicks of workspace {}, {} to {}", done.value().clicks,
                         to_string(each.workspace_id), each.first_day, each.last_day);
        }
    }
}

}  // namespace linkledger::cli
