// The server under clients that are kind, slow, wrong and hostile.

#include "api/server.h"

#include "tests/support/http_client.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

namespace linkledger::api {
namespace {

using tests::http_client;
using tests::raw_connection;
using namespace std::chrono_literals;

/// Echoes what it was sent, and counts.
struct echo final : request_handler {
    awaitable<void> handle(request const& from, response& to) override {
        ++handled;
        if (from.path == "/throws") throw std::runtime_error("a secret detail");
        if (from.path == "/inject") to.add_header("X-Given", "a\r\nSet-Cookie: b=c");
        if (from.path == "/stream") {
            to.stream = [](body_writer& writer) { return count_up(writer); };
            co_return;
        }
        while (from.path == "/wait" && !may_finish) {
            auto const executor = co_await boost::asio::this_coro::executor;
            boost::asio::steady_timer timer(executor, 5ms);
            boost::system::error_code ec;
            co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        }
        to.add_header("X-Path", from.path);
        to.body = std::string{method_text(from.verb)} + " " + std::string{from.query} + " " +
                  std::string{from.body};
    }
    static awaitable<void> count_up(body_writer& to) {
        for (int i = 0; i < 3; ++i) {
            auto const line = std::to_string(i) + "\n";
            if (!co_await to.write(line)) co_return;
        }
    }
    std::size_t body_bytes_max(request const& from) const override {
        return from.path == "/bulk" ? 8u << 20 : 1u << 20;
    }
    std::atomic<int> handled{0};
    std::atomic<bool> may_finish{false};
};

class Server : public testing::Test {
protected:
    void start(server_options options = {}) {
        options.port = 0;
        options.sweep_interval = 10ms;
        http_ = std::make_unique<server>(options, handler_);
        http_->start();
    }
    [[nodiscard]] std::uint16_t port() {
        if (!http_) start();
        return http_->port();
    }
    /// The status of the answer to these bytes, when the client stops sending then.
    int status_of(std::string_view bytes) {
        raw_connection connection(port());
        connection.send(bytes);
        auto const answer = connection.receive_response();
        return answer ? answer->status : 0;
    }
    static std::string get(std::string const& target, std::string const& headers = "") {
        return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
    }
    static std::string post(std::string const& headers, std::string const& body) {
        return "POST / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
    }

    echo handler_;
    std::unique_ptr<server> http_;
};

TEST_F(Server, AnswersOneRequestAfterTheOtherOnAConnection) {
    raw_connection connection(port());
    for (int i = 0; i < 5; ++i) {
        connection.send(get("/a?n=" + std::to_string(i)));
        auto const answer = connection.receive_response();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 200);
        EXPECT_EQ(answer->body, "GET n=" + std::to_string(i) + " ");
        EXPECT_FALSE(answer->header("date").empty());
    }
}

TEST_F(Server, AnswersPipelinedRequestsInOrder) {
    raw_connection connection(port());
    std::string many;
    for (int i = 0; i < 200; ++i) many += get("/p?" + std::to_string(i));
    std::thread sender([&] { connection.send(many); });
    for (int i = 0; i < 200; ++i) {
        auto const answer = connection.receive_response();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->body, "GET " + std::to_string(i) + " ");
    }
    sender.join();
}

TEST_F(Server, TakesARequestByteByByte) {
    raw_connection connection(port());
    for (char const c : post("Content-Length: 5\r\n", "hello")) connection.send({&c, 1});
    auto const answer = connection.receive_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "POST  hello");
}

TEST_F(Server, ReadsChunkedBodies) {
    raw_connection connection(port());
    connection.send(post("Transfer-Encoding: chunked\r\n",
                         "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nAuthorization: Bearer smuggled\r\n\r\n"));
    connection.send(get("/next"));
    auto const answer = connection.receive_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "POST  hello world");
    auto const next = connection.receive_response();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->header("x-path"), "/next");
}

TEST_F(Server, TellsAClientThatAsksToGoOn) {
    raw_connection connection(port());
    connection.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(connection.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("ok");
    auto const answer = connection.receive_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "POST  ok");
}

TEST_F(Server, SendsNoBodyInAnswerToHead) {
    raw_connection connection(port());
    connection.send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" + get("/y"));
    auto const head = connection.receive_response(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->header("content-length"), "6");
    auto const next = connection.receive_response();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->header("x-path"), "/y");
}

TEST_F(Server, SpeaksHttp10) {
    raw_connection connection(port());
    connection.send("GET /old HTTP/1.0\r\n\r\n");
    EXPECT_NE(connection.receive_all().find("X-Path: /old"), std::string::npos);
    raw_connection streamed(port());
    streamed.send("GET /stream HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(streamed.receive_all().ends_with("\r\n\r\n0\n1\n2\n"));
}

TEST_F(Server, StreamsABodyInChunks) {
    http_client client(port());
    auto const answer = client.get("/stream");
    EXPECT_EQ(answer.header("transfer-encoding"), "chunked");
    EXPECT_EQ(answer.body, "0\n1\n2\n");
    EXPECT_EQ(client.get("/again").header("x-path"), "/again");
}

TEST_F(Server, DecodesPathsAndTakesAbsoluteTargets) {
    http_client client(port());
    EXPECT_EQ(client.get("/caf%C3%A9").header("x-path"), "/caf\xC3\xA9");
    EXPECT_EQ(client.get("http://elsewhere.example/abs?q=1").header("x-path"), "/abs");
}

TEST_F(Server, TurnsAnExceptionIntoA500ThatLeaksNothing) {
    http_client client(port());
    for (auto const* path : {"/throws", "/inject"}) {
        auto const answer = client.get(path);
        EXPECT_EQ(answer.status, 500);
        EXPECT_EQ(answer.header("content-type"), "application/problem+json");
        EXPECT_EQ(answer.body.find("secret"), std::string::npos);
        EXPECT_EQ(answer.header("set-cookie"), "");
    }
}

struct bad_request {
    char const* name;
    std::string bytes;
    int status;
};

TEST_F(Server, RefusesWhatIsNotHttp) {
    std::vector<bad_request> const cases{
        {"garbage", "\x16\x03\x01\x02\r\n\r\n", 400},
        {"no version", "GET /\r\n\r\n", 400},
        {"another version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two hosts", get("/", "Host: y\r\n"), 400},
        {"asterisk", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"authority", "GET example.com HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"bad escape", get("/%zz"), 400},
        {"cut escape", get("/%4"), 400},
        {"NUL in the path", get("/a%00b"), 400},
        {"bad UTF-8", get("/%C3%28"), 400},
        {"overlong UTF-8", get("/%C0%AF"), 400},
        {"bare line feeds", "GET / HTTP/1.1\nHost: x\n\n", 505},  // The version ends in no CR LF.
        {"space before the colon", get("/", "X-A : b\r\n"), 400},
        {"control in a name", get("/", "X\x01: b\r\n"), 400},
        {"expectation", get("/", "Expect: miracles\r\n"), 417},
    };
    for (auto const& each : cases) {
        raw_connection connection(port());
        connection.send(each.bytes);
        connection.half_close();
        auto const answer = connection.receive_response();
        ASSERT_TRUE(answer) << each.name;
        EXPECT_EQ(answer->status, each.status) << each.name;
        EXPECT_EQ(answer->header("content-type"), "application/problem+json") << each.name;
        EXPECT_EQ(answer->header("connection"), "close") << each.name;
        EXPECT_EQ(connection.receive_all(), "") << each.name;
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Server, RefusesEveryWayToSmuggleARequest) {
    std::string const smuggled = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
    std::vector<bad_request> const cases{
        {"length and coding", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        {"coding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"), 400},
        {"two lengths", post("Content-Length: 0\r\nContent-Length: 35\r\n", ""), 400},
        {"the same length twice", post("Content-Length: 0\r\nContent-Length: 0\r\n", ""), 400},
        {"a list of lengths", post("Content-Length: 0, 0\r\n", ""), 400},
        {"signed length", post("Content-Length: +0\r\n", ""), 400},
        {"negative length", post("Content-Length: -1\r\n", ""), 400},
        {"hexadecimal length", post("Content-Length: 0x0\r\n", ""), 400},
        {"huge length", post("Content-Length: 99999999999999999999999\r\n", ""), 400},
        {"unknown coding", post("Transfer-Encoding: xchunked\r\n", ""), 501},
        {"coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
        {"identity", post("Transfer-Encoding: identity\r\n", ""), 501},
        {"two codings", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         501},
        {"folded coding", post("Transfer-Encoding: chun\r\n ked\r\n", "0\r\n\r\n"), 501},
        {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
        {"bad chunk size", post("Transfer-Encoding: chunked\r\n", "zzzzz\r\n"), 400},
        {"chunk without its end", post("Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n"), 400},
        {"huge chunk", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400},
    };
    for (auto const& each : cases) {
        raw_connection connection(port());
        connection.send(each.bytes + smuggled);
        auto const answer = connection.receive_response();
        ASSERT_TRUE(answer) << each.name;
        EXPECT_EQ(answer->status, each.status) << each.name;
        connection.half_close();
        EXPECT_EQ(connection.receive_all(), "") << each.name << ": the rest must not be read as a request";
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Server, LimitsTargetsHeadersAndBodies) {
    EXPECT_EQ(status_of(get("/" + std::string(8'192, 'a'))), 200);
    EXPECT_EQ(status_of(get("/" + std::string(9'000, 'a'))), 414);
    EXPECT_EQ(status_of(get("/" + std::string(64'000, 'a'))), 414);
    EXPECT_EQ(status_of(get("/", "X-Large: " + std::string(17'000, 'a') + "\r\n")), 431);
    EXPECT_EQ(status_of(get("/", "X-Large: " + std::string(100'000, 'a') + "\r\n")), 431);
    std::string many;
    for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": a\r\n";
    EXPECT_EQ(status_of(get("/", many)), 431);
    EXPECT_EQ(status_of(post("Content-Length: 1048577\r\n", "")), 413);
    EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", "100001\r\n")), 413);
    EXPECT_EQ(handler_.handled, 1);

    http_client client(port());
    EXPECT_EQ(client.post("/one", std::string(1u << 20, 'b')).status, 200);
    EXPECT_EQ(client.post("/bulk", std::string(8u << 20, 'b')).status, 200);
}

TEST_F(Server, AnswersAClientThatIsStillSendingTooMuch) {
    raw_connection connection(port());
    std::thread sender(
        [&] { connection.send(post("Content-Length: 9000000\r\n", std::string(9'000'000, 'x'))); });
    auto const answer = connection.receive_response();
    sender.join();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 413);
}

TEST_F(Server, EndsSlowRequestsWith408) {
    server_options options;
    options.header_timeout = options.body_timeout = 100ms;
    start(options);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHo"), 408);
    EXPECT_EQ(status_of(post("Content-Length: 5\r\n", "he")), 408);
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Server, ClosesIdleConnectionsWithoutAWord) {
    server_options options;
    options.idle_timeout = 50ms;
    start(options);
    raw_connection connection(port());
    EXPECT_EQ(connection.receive_all(), "");
}

TEST_F(Server, GivesUpOnClientsThatDoNotRead) {
    server_options options;
    options.write_timeout = options.linger_timeout = 100ms;
    start(options);
    raw_connection connection(port());
    std::string const body(1u << 20, 'x');
    for (int i = 0; i < 20; ++i)
        if (!connection.send(post("Content-Length: 1048576\r\n", body))) break;
    while (http_->stats().connections != 0) std::this_thread::sleep_for(5ms);
}

TEST_F(Server, AnswersAHalfClosedClientAndForgetsHalfARequest) {
    raw_connection whole(port());
    whole.send(get("/whole"));
    whole.half_close();
    EXPECT_NE(whole.receive_all().find("X-Path: /whole"), std::string::npos);
    raw_connection half(port());
    half.send(post("Content-Length: 100\r\n", "only this"));
    half.half_close();
    EXPECT_EQ(half.receive_all(), "");
    EXPECT_EQ(handler_.handled, 1);
}

TEST_F(Server, LimitsConnectionsInAllAndPerAddress) {
    server_options options;
    options.connections_per_address_max = 3;
    start(options);
    std::vector<std::unique_ptr<raw_connection>> open;
    for (int i = 0; i < 3; ++i) {
        open.push_back(std::make_unique<raw_connection>(port()));
        open.back()->send(get("/"));
        EXPECT_TRUE(open.back()->receive_response());
    }
    raw_connection refused(port());
    EXPECT_EQ(refused.receive_all(), "");
    open.clear();
    while (http_->stats().connections != 0) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(status_of(get("/")), 200);
}

TEST_F(Server, FinishesARequestInFlightBeforeItStops) {
    start();
    raw_connection idle(port());
    idle.send(get("/"));
    EXPECT_TRUE(idle.receive_response());
    raw_connection busy(port());
    busy.send(get("/wait"));
    while (handler_.handled < 2) std::this_thread::sleep_for(1ms);
    auto clean = std::async(std::launch::async, [&] { return http_->drain(20s); });
    EXPECT_EQ(idle.receive_all(), "");  // It is closed while the other goes on.
    handler_.may_finish = true;
    auto const answer = busy.receive_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->header("x-path"), "/wait");
    EXPECT_EQ(answer->header("connection"), "close");
    busy.half_close();
    EXPECT_EQ(busy.receive_all(), "");
    EXPECT_TRUE(clean.get());
    EXPECT_THROW(raw_connection{http_->port()}, std::runtime_error);
}

TEST_F(Server, CutsOffWhatDoesNotEndInTime) {
    start();
    raw_connection half(port());
    half.send("GET / HTTP/1.1\r\n");
    raw_connection done(port());
    done.send(get("/"));
    EXPECT_TRUE(done.receive_response());
    while (http_->stats().connections < 2) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(20ms);
    EXPECT_FALSE(http_->drain(50ms));
    EXPECT_EQ(half.receive_all(), "");
}

TEST_F(Server, SaysWhichAddressCannotBeHad) {
    start();
    server_options options;
    options.port = port();
    server second(options, handler_);
    EXPECT_THROW(second.start(), std::runtime_error);
    options.address = "not-an-address";
    server third(options, handler_);
    EXPECT_THROW(third.start(), std::runtime_error);
}

}  // namespace
}  // namespace linkledger::api
