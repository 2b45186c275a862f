#include "projections/rebuild/manager.h"

#include "projections/rebuild/bulk_build.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace linkledger::projections {
namespace {

using first_status = std::promise<rebuild_status>;

/// The first word of a rebuild: that it is under way, or why not.
class opening {
public:
    void told(rebuild_status const& status) {
        if (!done_.exchange(true)) first_.set_value(status);
    }
    /// False: it was under way, and nobody waits for this any more.
    bool failed() {
        if (done_.exchange(true)) return false;
        first_.set_exception(std::current_exception());
        return true;
    }
    std::future<rebuild_status> future() { return first_.get_future(); }

private:
    first_status first_;
    std::atomic<bool> done_ = false;
};

}  // namespace

struct rebuild_manager::state {
    explicit state(rebuild_surroundings from) : with(std::move(from)) {}

    void run(rebuild_options const& options, std::shared_ptr<opening> const& first) {
        try {
            auto const made = rebuild(
                options, with, [first](rebuild_status const& status) { first->told(status); }, stopped);
            spdlog::info("projection {} was rebuilt as version {}{}", options.name, to_string(made.made),
                         made.switched ? " and switched in" : "; it is ready to be switched in");
            for (auto const& each : made.differences) spdlog::warn("projection {}: {}", options.name, each);
        } catch (std::exception const& failed) {
            if (!first->failed()) spdlog::error("the rebuild of {} ended: {}", options.name, failed.what());
        }
    }

    rebuild_surroundings with;
    std::atomic<bool> stopped = false;
    std::mutex mutex;
    struct running_rebuild {
        std::thread thread;
        std::shared_ptr<std::atomic<bool>> is_over;
    };
    std::map<std::string, running_rebuild> rebuilds;
};

rebuild_manager::rebuild_manager(rebuild_surroundings with)
    : state_(std::make_unique<state>(std::move(with))) {}

rebuild_manager::~rebuild_manager() {
    stop();
}

rebuild_status rebuild_manager::start(rebuild_options const& options) {
    // Names come from a client, and become those of files and locks.
    auto const& known = state_->with.projections;
    if (std::none_of(known.begin(), known.end(),
                     [&](auto const& each) { return each->name() == options.name; }))
        throw version_refused{"there is no such projection"};
    auto const first = std::make_shared<opening>();
    auto under_way = first->future();
    {
        std::lock_guard const lock{state_->mutex};
        if (state_->stopped) throw version_refused{"this process is stopping"};
        auto& mine = state_->rebuilds[options.name];
        bool const runs_here = mine.thread.joinable() && !*mine.is_over;
        auto const control = state_->with.store.open_control();
        // The lock tells of rebuilds in other processes.
        if (runs_here || !state_->with.store.try_lock_rebuild(options.name, *control))
            throw version_refused{"a rebuild of " + options.name + " is running already"};
        if (mine.thread.joinable()) mine.thread.join();
        mine.is_over = std::make_shared<std::atomic<bool>>(false);
        mine.thread = std::thread{[this, options, first, over = mine.is_over] {
            state_->run(options, first);
            *over = true;
        }};
    }
    return under_way.get();
}

void rebuild_manager::stop() {
    state_->stopped = true;
    std::lock_guard const lock{state_->mutex};
    for (auto& [name, mine] : state_->rebuilds) {
        if (mine.thread.joinable()) mine.thread.join();
    }
}

}  // namespace linkledger::projections
