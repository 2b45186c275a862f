#include "cli/signals.h"

#include "cli/subcommand.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <spdlog/spdlog.h>

#include <unistd.h>
#include <atomic>
#include <csignal>
#include <thread>

namespace linkledger::cli {

namespace asio = boost::asio;

int run_until_signal(std::function<bool()> const& stop) {
    asio::io_context context{1};
    asio::signal_set signals{context, SIGINT, SIGTERM};
    std::atomic<bool> whole = true;
    std::jthread drain;
    signals.async_wait([&](boost::system::error_code const& error, int signal) {
        if (error) return;
        spdlog::info("{} received; finishing what is in flight (once more: stop at once)",
                     signal == SIGINT ? "SIGINT" : "SIGTERM");
        signals.async_wait([](boost::system::error_code const& again_error, int) {
            if (!again_error) ::_exit(failed);
        });
        drain = std::jthread{[&] {
            whole = stop();
            asio::post(context, [&] { signals.cancel(); });
        }};
    });
    context.run();
    drain.join();
    spdlog::info("stopped{}", whole ? "" : "; some requests had to be cut off");
    return succeeded;
}

}  // namespace linkledger::cli
