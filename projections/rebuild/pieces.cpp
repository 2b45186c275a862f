#include "projections/rebuild/pieces.h"

#include "projections/rebuild/bulk_build.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

namespace linkledger::projections {
namespace {

constexpr int behind_others = 10;

}  // namespace

void do_pieces(std::size_t count, int threads, std::atomic<bool> const& stop,
               std::function<void(pieces&)> const& work) {
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> over = false;
    std::mutex mutex;
    std::exception_ptr first;
    {
        std::vector<std::jthread> running;
        for (int i = 0; i < std::max(threads, 1); ++i) {
            running.emplace_back([&] {
                // What serves goes first; on a machine that has nothing else to do it makes no difference.
                ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), behind_others);
                try {
                    pieces mine{next, count, over};
                    work(mine);
                } catch (...) {
                    over = true;
                    std::lock_guard const lock{mutex};
                    if (!first) first = std::current_exception();
                }
            });
        }
    }
    if (first) std::rethrow_exception(first);
    if (stop) throw rebuild_interrupted{};
}

void sleep_unless(std::atomic<bool> const& stop, std::chrono::milliseconds time) {
    constexpr std::chrono::milliseconds step{50};
    while (time.count() > 0 && !stop) {
        std::this_thread::sleep_for(std::min(step, time));
        time -= step;
    }
}

void pace::spend(std::int64_t events, std::atomic<bool> const& stop) {
    if (rate_max_ <= 0) return;
    clock::time_point until;
    {
        std::lock_guard const lock{mutex_};
        free_at_ =
            std::max(free_at_, clock::now()) + std::chrono::microseconds{events * 1'000'000 / rate_max_};
        until = free_at_;
    }
    sleep_unless(stop, std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()));
}

}  // namespace linkledger::projections
