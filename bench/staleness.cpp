// Changes a link's destination through one process and asks another one where the link leads, at once and
// until it is the new one.

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

/// One kept connection; answers as they come, head and body together.
class client {
public:
    client(asio::io_context& context, std::string const& port) : socket_(context) {
        asio::ip::tcp::endpoint const to{asio::ip::make_address("127.0.0.1"),
                                         static_cast<unsigned short>(std::atoi(port.c_str()))};
        socket_.connect(to);
        socket_.set_option(asio::ip::tcp::no_delay{true});
    }
    std::string ask(std::string const& request) {
        asio::write(socket_, asio::buffer(request));
        auto const head = asio::read_until(socket_, asio::dynamic_buffer(incoming_), "\r\n\r\n");
        std::size_t body = 0;
        auto const at = incoming_.find("Content-Length: ");
        if (at != std::string::npos && at < head)
            body = std::strtoul(incoming_.c_str() + at + 16, nullptr, 10);
        if (incoming_.size() < head + body)
            asio::read(socket_, asio::dynamic_buffer(incoming_),
                       asio::transfer_exactly(head + body - incoming_.size()));
        auto answer = incoming_.substr(0, head + body);
        incoming_.erase(0, head + body);
        return answer;
    }

private:
    asio::ip::tcp::socket socket_;
    std::string incoming_;
};

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> given;
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    for (auto const* const name : {"--from", "--at", "--key", "--link", "--code", "--changes"}) {
        if (given.contains(name)) continue;
        std::fprintf(
            stderr,
            "usage: bench_staleness --from PORT --at PORT --key KEY --link ID --code CODE --changes N\n");
        return 2;
    }
    try {
        asio::io_context context;
        client writer{context, given["--from"]};
        client reader{context, given["--at"]};
        std::string const look = "HEAD /" + given["--code"] + " HTTP/1.1\r\nHost: x\r\n\r\n";
        std::vector<double> ms;
        int const changes = std::atoi(given["--changes"].c_str());
        for (int i = 0; i < changes; ++i) {
            std::string const url = "https://shop.example/change/" + std::to_string(i) + "/";
            std::string const body = R"({"link_id":")" + given["--link"] + R"(","url":")" + url + R"("})";
            auto const answer =
                writer.ask("POST /v1/commands/UpdateLink HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                           given["--key"] + "\r\nContent-Type: application/json\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body);
            if (answer.find(" 200 ") == std::string::npos) throw std::runtime_error{answer};
            auto const answered = clock_type::now();
            // The last answer with the old destination was asked for after this long.
            double stale_ms = 0;
            for (;;) {
                std::chrono::duration<double, std::milli> const since = clock_type::now() - answered;
                if (reader.ask(look).find(url) != std::string::npos) break;
                stale_ms = since.count();
                if (stale_ms > 10'000) throw std::runtime_error{"the change does not arrive"};
            }
            ms.push_back(stale_ms);
        }
        std::sort(ms.begin(), ms.end());
        auto const share = [&](double part) {
            return ms[std::min(ms.size() - 1,
                               static_cast<std::size_t>(part * static_cast<double>(ms.size())))];
        };
        std::printf(
            "old destination served for: p50 %.1f ms, p99 %.1f ms, max %.1f ms after the answer (%d "
            "changes)\n",
            share(0.5), share(0.99), ms.back(), changes);
        return 0;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "bench_staleness: %s\n", problem.what());
        return 1;
    }
}
