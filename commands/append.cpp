#include "commands/append.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <mutex>

namespace linkledger::commands {
namespace {

using outcome = eventlog::result<eventlog::append_outcome>;
using outcomes = std::vector<std::optional<outcome>>;

/// Whichever comes first, the last outcome or the deadline, resumes the coroutine.
class gathering {
public:
    gathering(boost::asio::any_io_executor const& executor, std::size_t count)
        : timer_(executor), outcomes_(count), missing_(count) {}

    /// Before the first outcome can arrive.
    static void start(std::shared_ptr<gathering> const& self, resumption<outcomes> resume,
                      std::chrono::milliseconds deadline) {
        self->resume_ = std::move(resume);
        self->timer_.expires_after(deadline);
        self->timer_.async_wait([self](boost::system::error_code error) {
            if (!error) self->finish();
        });
    }

    void arrive(std::size_t index, outcome one) {
        {
            std::lock_guard const lock{mutex_};
            if (is_finished_) return;
            outcomes_[index].emplace(std::move(one));
            if (--missing_ > 0) return;
        }
        finish();
    }

private:
    void finish() {
        {
            std::lock_guard const lock{mutex_};
            if (is_finished_) return;
            is_finished_ = true;
        }
        // Only the one that finishes touches the timer from here on, so no two threads do.
        timer_.cancel();
        resume_(std::move(outcomes_));
    }

    boost::asio::steady_timer timer_;
    resumption<outcomes> resume_;
    std::mutex mutex_;
    outcomes outcomes_;
    std::size_t missing_;
    bool is_finished_ = false;
};

}  // namespace

awaitable<std::vector<outcome>> append_all(eventlog::committer& committer,
                                           std::vector<eventlog::append_request> requests,
                                           std::chrono::milliseconds deadline) {
    std::vector<outcome> results;
    if (requests.empty()) co_return results;
    auto const executor = co_await boost::asio::this_coro::executor;
    auto const gathered = std::make_shared<gathering>(executor, requests.size());
    // With the last answer the frame may be resumed on another thread, and gone: what the loop needs is its
    // own.
    auto start = [&committer, &requests, &gathered, deadline](resumption<outcomes> const& resume) {
        auto& to = committer;
        auto mine = std::move(requests);
        auto const shared = gathered;
        gathering::start(shared, resume, deadline);
        for (std::size_t i = 0; i < mine.size(); ++i) {
            to.submit(std::move(mine[i]), [shared, i](outcome one) { shared->arrive(i, std::move(one)); });
        }
    };
    outcomes arrived = co_await await_call<outcomes>(std::move(start));
    results.reserve(arrived.size());
    for (auto& one : arrived) {
        if (one) {
            results.push_back(std::move(*one));
        } else {
            results.push_back(eventlog::failure{eventlog::failure_code::unknown_outcome,
                                                "no answer from the committer within the deadline"});
        }
    }
    co_return results;
}

}  // namespace linkledger::commands
