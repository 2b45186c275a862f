#include "projections/rebuild/reporter.h"

#include "projections/rebuild/part_store.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace linkledger::projections {
namespace {

constexpr std::chrono::milliseconds report_pause{500};
constexpr int measure_disk_every = 4;

}  // namespace

reporter::reporter(rebuild_meter& meter, read_store& store, projection const& of, build_id which,
                   std::function<void(rebuild_status const&)> told)
    : meter_(meter), store_(store), of_(of), which_(which), told_(std::move(told)), thread_([this] {
          run();
      }) {}

reporter::~reporter() {
    {
        std::lock_guard const lock{mutex_};
        over_ = true;
        wake_.notify_all();
    }
    thread_.join();
}

void reporter::run() {
    std::unique_lock lock{mutex_};
    for (int count = 0; !over_; ++count) {
        lock.unlock();
        report(count % measure_disk_every == 0);
        lock.lock();
        wake_.wait_for(lock, report_pause, [&] { return over_; });
    }
    lock.unlock();
    report(true);
}

void reporter::report(bool measures_disk) {
    try {
        if (measures_disk)
            meter_.set_disk_bytes(store_.disk_bytes(of_, which_) + part_bytes(store_, of_, which_));
        if (!control_ || !control_->usable()) control_ = store_.open_control();
        meter_.save(*control_);
    } catch (std::exception const& failed) {
        spdlog::debug("the progress of a rebuild cannot be written: {}", failed.what());
        control_.reset();
    }
    if (told_) told_(meter_.now());
}

}  // namespace linkledger::projections
