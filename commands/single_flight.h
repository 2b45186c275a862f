#pragma once
// One run of a blocking call for all who want its result at the same time.

#include "commands/async.h"

#include <boost/asio/thread_pool.hpp>

#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace linkledger::commands {

/// Safe to call from any thread; must outlive its calls. `T` is copied to each caller.
template <typename T>
class single_flight {
public:
    /// `runs_max`: different keys at once; more are turned away.
    single_flight(boost::asio::thread_pool& pool, std::size_t runs_max) : pool_(pool), runs_max_(runs_max) {}

    /// The result of `work`, or of the run for the same key that is under way; none when there are too many.
    /// Name `work` before awaiting (g++ 12 destroys a temporary lambda twice).
    template <typename Work>
    [[nodiscard]] awaitable<std::optional<T>> run(std::string key, Work work) {
        auto start = [this, key = std::move(key),
                      work = std::move(work)](resumption<outcome> const& done) mutable {
            if (join(key, done)) return;
            boost::asio::post(pool_, [this, key = std::move(key), work = std::move(work)]() mutable {
                outcome out;
                try {
                    out.value.emplace(work());
                } catch (...) {
                    out.error = std::current_exception();
                }
                for (auto const& waiting : take(key)) waiting(out);
            });
        };
        outcome out = co_await await_call<outcome>(std::move(start));
        if (out.error) std::rethrow_exception(out.error);
        co_return std::move(out.value);
    }

private:
    using outcome = blocking_outcome<T>;

    /// False: the caller is the first of its key, and has to run the work.
    bool join(std::string const& key, resumption<outcome> const& done) {
        std::unique_lock lock(mutex_);
        auto const found = waiting_.find(key);
        if (found != waiting_.end()) {
            found->second.push_back(done);
            return true;
        }
        if (waiting_.size() >= runs_max_) {
            lock.unlock();
            done(outcome{});
            return true;
        }
        waiting_[key].push_back(done);
        return false;
    }

    std::vector<resumption<outcome>> take(std::string const& key) {
        std::lock_guard const lock(mutex_);
        auto node = waiting_.extract(key);
        return std::move(node.mapped());
    }

    boost::asio::thread_pool& pool_;
    std::size_t runs_max_;
    std::mutex mutex_;
    std::unordered_map<std::string, std::vector<resumption<outcome>>> waiting_;
};

}  // namespace linkledger::commands
