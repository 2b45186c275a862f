#pragma once
// The two ways in which a coroutine leaves its executor and comes back: to the committer, and to threads that
// may block.

#include "eventlog/committer.h"
#include "eventlog/event_log.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace linkledger::commands {

template <typename T>
using awaitable = boost::asio::awaitable<T>;

/// What waits to be resumed on an executor.
class resumable {
public:
    explicit resumable(boost::asio::any_io_executor const& on) : work_(on) {}
    virtual ~resumable() = default;
    resumable(resumable const&) = delete;
    resumable& operator=(resumable const&) = delete;

    [[nodiscard]] boost::asio::any_io_executor executor() const { return work_.get_executor(); }
    /// Once, on the executor.
    virtual void resume() = 0;

protected:
    void release_executor() { work_.reset(); }

private:
    boost::asio::executor_work_guard<boost::asio::any_io_executor> work_;
};

/// While one lives, what its thread resumes is collected; then each executor gets its part in a single post.
/// A commit answers dozens of requests: posted one by one, each might wake a thread that has just gone to
/// sleep.
class resuming_together {
public:
    resuming_together() : outer_(std::exchange(current_, this)) {}
    ~resuming_together() {
        current_ = outer_;
        for (auto& [executor, those] : groups_) {
            boost::asio::post(executor, [those = std::move(those)] {
                for (auto const& each : those) each->resume();
            });
        }
    }
    resuming_together(resuming_together const&) = delete;
    resuming_together& operator=(resuming_together const&) = delete;

    static void resume(std::shared_ptr<resumable> const& one) {
        if (current_ != nullptr) return current_->add(one);
        boost::asio::post(one->executor(), [one] { one->resume(); });
    }

private:
    using group = std::pair<boost::asio::any_io_executor, std::vector<std::shared_ptr<resumable>>>;

    void add(std::shared_ptr<resumable> const& one) {
        auto const executor = one->executor();
        auto found = std::find_if(groups_.begin(), groups_.end(),
                                  [&](group const& each) { return each.first == executor; });
        if (found == groups_.end()) {
            groups_.emplace_back(executor, std::vector<std::shared_ptr<resumable>>{});
            found = std::prev(groups_.end());
        }
        found->second.push_back(one);
    }

    static thread_local inline resuming_together* current_ = nullptr;
    resuming_together* outer_;
    std::vector<group> groups_;
};

/// A completion handler that may be kept, copied and called once from any thread. The call is posted to the
/// handler's own executor, which is kept from running out of work meanwhile. The execution context must
/// outlive the calling thread's post, which may still be returning when the handler has run: don't destroy an
/// io_context before the committer and the pool that resume on it have stopped.
template <typename T>
class resumption {
public:
    template <typename Handler>
    static resumption of(Handler&& handler) {
        struct pending final : receiver {
            explicit pending(Handler&& h)
                : receiver(boost::asio::get_associated_executor(h)), handler(std::move(h)) {}
            void resume() override {
                auto call = std::move(handler);
                T with = std::move(*this->value);
                this->release_executor();
                std::move(call)(std::move(with));
            }
            std::decay_t<Handler> handler;
        };
        resumption made;
        made.waiting_ = std::make_shared<pending>(std::forward<Handler>(handler));
        return made;
    }

    void operator()(T value) const {
        waiting_->value.emplace(std::move(value));
        resuming_together::resume(waiting_);
    }

private:
    struct receiver : resumable {
        using resumable::resumable;
        std::optional<T> value;
    };
    std::shared_ptr<receiver> waiting_;
};

/// Resumes the awaiting coroutine, on its own executor, with the value that `start`'s resumption is called
/// with. `start` runs on the caller's thread.
template <typename T, typename Start>
[[nodiscard]] awaitable<T> await_call(Start start) {
    return boost::asio::async_initiate<boost::asio::use_awaitable_t<> const, void(T)>(
        [](auto handler, Start begin) { begin(resumption<T>::of(std::move(handler))); },
        boost::asio::use_awaitable, std::move(start));
}

/// The append's result, once its batch is committed or has failed.
[[nodiscard]] inline awaitable<eventlog::result<eventlog::append_outcome>> submit(
    eventlog::committer& committer, eventlog::append_request request, bool may_spool = false) {
    using outcome = eventlog::result<eventlog::append_outcome>;
    return await_call<outcome>(
        [&committer, may_spool, request = std::move(request)](resumption<outcome> const& done) mutable {
            committer.submit(std::move(request), done, may_spool);
        });
}

template <typename T>
struct blocking_outcome {
    std::optional<T> value;
    std::exception_ptr error;
};

/// Runs `work`, which may block, on the pool; what it throws is thrown to the awaiting coroutine. The pool
/// must outlive the call. Name `work` before awaiting (g++ 12 destroys a temporary lambda twice).
template <typename Work>
[[nodiscard]] awaitable<std::invoke_result_t<Work&>> run_blocking(boost::asio::thread_pool& pool, Work work) {
    using value = std::invoke_result_t<Work&>;
    using outcome = blocking_outcome<value>;
    auto start = [&pool, work = std::move(work)](resumption<outcome> const& done) mutable {
        boost::asio::post(pool, [work = std::move(work), done]() mutable {
            outcome out;
            try {
                out.value.emplace(work());
            } catch (...) {
                out.error = std::current_exception();
            }
            done(std::move(out));
        });
    };
    outcome out = co_await await_call<outcome>(std::move(start));
    if (out.error) std::rethrow_exception(out.error);
    co_return std::move(*out.value);
}

}  // namespace linkledger::commands
