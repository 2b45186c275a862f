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

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace linkledger::commands {

template <typename T>
using awaitable = boost::asio::awaitable<T>;

/// A completion handler that may be kept, copied and called once from any thread. The call is posted to the
/// handler's own executor, which is kept from running out of work meanwhile. The execution context must
/// outlive the calling thread's post, which may still be returning when the handler has run: don't destroy an
/// io_context before the committer and the pool that resume on it have stopped.
template <typename T>
class resumption {
public:
    template <typename Handler>
    static resumption of(Handler&& handler) {
        struct pending {
            explicit pending(Handler&& h)
                : handler(std::move(h)), work(boost::asio::get_associated_executor(handler)) {}
            std::decay_t<Handler> handler;
            boost::asio::executor_work_guard<boost::asio::any_io_executor> work;
        };
        auto kept = std::make_shared<pending>(std::forward<Handler>(handler));
        resumption made;
        made.resume_ = [kept](T value) {
            boost::asio::post(kept->work.get_executor(), [kept, value = std::move(value)]() mutable {
                auto resume = std::move(kept->handler);
                kept->work.reset();
                std::move(resume)(std::move(value));
            });
        };
        return made;
    }

    void operator()(T value) const { resume_(std::move(value)); }

private:
    std::function<void(T)> resume_;
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
    eventlog::committer& committer, eventlog::append_request request) {
    using outcome = eventlog::result<eventlog::append_outcome>;
    return await_call<outcome>(
        [&committer, request = std::move(request)](resumption<outcome> const& done) mutable {
            committer.submit(std::move(request), done);
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
