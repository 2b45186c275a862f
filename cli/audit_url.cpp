#include "cli/audit_url.h"

#include "cli/subcommand.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/parse.hpp>

#include <fmt/format.h>

#include <optional>

namespace linkledger::cli {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace merkle = eventlog::merkle;
using eventlog::failure;
using eventlog::failure_code;
using eventlog::result;

constexpr std::chrono::seconds answer_time{30};
constexpr std::size_t answer_bytes_max = 1u << 20;

/// One connection, kept open from request to request.
class http_connection {
public:
    http_connection(std::string host, std::string port, std::string base, bool with_tls)
        : host_(std::move(host)), port_(std::move(port)), base_(std::move(base)), with_tls_(with_tls) {
        if (!with_tls_) return;
        // The authorities that the system trusts; SSL_CERT_FILE and SSL_CERT_DIR name others.
        tls_.set_default_verify_paths();
        tls_.set_verify_mode(asio::ssl::verify_peer);
    }

    /// None: 404. One more try, on a fresh connection, when the server closed the old one.
    result<std::optional<std::string>> get(std::string const& path) {
        for (bool fresh = !is_open();; fresh = true) {
            auto const found = ask(path, fresh);
            if (found || fresh) return found;
            close();
        }
    }

private:
    result<std::optional<std::string>> ask(std::string const& path, bool fresh) {
        try {
            if (fresh) connect();
            http::request<http::empty_body> request{http::verb::get, base_ + path, 11};
            request.set(http::field::host, host_ + ":" + port_);
            request.set(http::field::user_agent, "linkledger-audit");
            exchange([&](auto& stream, auto const& done) { http::async_write(stream, request, done); });
            http::response_parser<http::string_body> parser;
            parser.body_limit(answer_bytes_max);
            exchange(
                [&](auto& stream, auto const& done) { http::async_read(stream, buffer_, parser, done); });
            if (!parser.keep_alive()) close();
            auto const status = parser.get().result_int();
            if (status == 404) return std::optional<std::string>{};
            if (status != 200)
                return failure{failure_code::unavailable,
                               fmt::format("{}{} answers {}", base_, path, status)};
            return std::optional{std::move(parser.get().body())};
        } catch (boost::system::system_error const& error) {
            close();
            return failure{failure_code::unavailable,
                           fmt::format("{}:{}: {}", host_, port_, error.code().message())};
        }
    }

    void connect() {
        asio::ip::tcp::resolver resolver{context_};
        auto const endpoints = resolver.resolve(host_, port_);
        if (with_tls_)
            tls_stream_.emplace(context_, tls_);
        else
            stream_.emplace(context_);
        buffer_.clear();
        exchange([&](auto& stream, auto const& done) {
            beast::get_lowest_layer(stream).async_connect(
                endpoints, [done](boost::system::error_code const& error, auto const&) { done(error, 0); });
        });
        if (!with_tls_) return;
        // The name asked for, so that a server of many names shows the right certificate, and the name
        // proven.
        if (SSL_set_tlsext_host_name(tls_stream_->native_handle(), host_.c_str()) != 1)
            throw boost::system::system_error{asio::error::invalid_argument};
        tls_stream_->set_verify_callback(asio::ssl::host_name_verification{host_});
        exchange([&]([[maybe_unused]] auto& stream, [[maybe_unused]] auto const& done) {
            if constexpr (requires { stream.handshake(asio::ssl::stream_base::client); })
                stream.async_handshake(asio::ssl::stream_base::client,
                                       [done](boost::system::error_code const& error) { done(error, 0); });
        });
    }

    [[nodiscard]] bool is_open() const { return stream_ || tls_stream_; }
    void close() {
        stream_.reset();
        tls_stream_.reset();
    }

    /// Starts an operation and runs it to its end, or to its deadline.
    template <typename Start>
    void exchange(Start const& start) {
        boost::system::error_code outcome = asio::error::timed_out;
        auto const done = [&outcome](boost::system::error_code const& error, std::size_t) {
            outcome = error;
        };
        if (with_tls_) {
            beast::get_lowest_layer(*tls_stream_).expires_after(answer_time);
            start(*tls_stream_, done);
        } else {
            stream_->expires_after(answer_time);
            start(*stream_, done);
        }
        context_.restart();
        context_.run();
        if (outcome) throw boost::system::system_error{outcome};
    }

    std::string host_;
    std::string port_;
    std::string base_;
    bool with_tls_;
    asio::io_context context_{1};
    asio::ssl::context tls_{asio::ssl::context::tls_client};
    std::optional<beast::tcp_stream> stream_;
    std::optional<beast::ssl_stream<beast::tcp_stream>> tls_stream_;
    beast::flat_buffer buffer_;
};

class url_source final : public merkle::audit_source {
public:
    url_source(std::string host, std::string port, std::string base, bool with_tls)
        : from_(std::move(host), std::move(port), std::move(base), with_tls) {}

    result<std::string> checkpoint_note() override {
        BOOST_OUTCOME_TRY(auto found, from_.get("/log/checkpoint"));
        if (!found) return failure{failure_code::unavailable, "there is no /log/checkpoint"};
        return std::move(*found);
    }
    result<std::optional<eventlog::position>> last() override { return std::optional<eventlog::position>{}; }
    result<std::vector<merkle::leaf_block>> blocks(std::int64_t first, std::int64_t count,
                                                   std::int64_t size) override {
        std::vector<merkle::leaf_block> read;
        for (std::int64_t number = first; number < first + count; ++number) {
            merkle::leaf_block block;
            block.number = number;
            block.width = std::min(merkle::tile_width, size - number * merkle::tile_width);
            BOOST_OUTCOME_TRY(block.entries, tile({true, 0, number, block.width}));
            BOOST_OUTCOME_TRY(block.leaves, tile({false, 0, number, block.width}));
            if (!block.entries || !block.leaves) return read;
            read.push_back(std::move(block));
        }
        return read;
    }
    [[nodiscard]] bool is_sequential() const override { return true; }
    result<std::optional<std::string>> tile(merkle::tile_address const& at) override {
        return from_.get("/log/" + merkle::to_path(at));
    }

private:
    http_connection from_;
};

}  // namespace

std::unique_ptr<merkle::audit_source> open_published_log(std::string const& url) {
    auto const parsed = boost::urls::parse_uri(url);
    if (!parsed || parsed->host().empty())
        throw command_failed{fmt::format("{} is not a URL, as in http://127.0.0.1:8080", url)};
    bool const with_tls = parsed->scheme() == "https";
    if (!with_tls && parsed->scheme() != "http")
        throw command_failed{fmt::format("{} is neither http:// nor https://", url)};
    std::string base{parsed->encoded_path()};
    while (base.ends_with('/')) base.pop_back();
    std::string port{parsed->port()};
    std::string host = parsed->host_address();
    if (port.empty()) port = with_tls ? "443" : "80";
    return std::make_unique<url_source>(std::move(host), port, base, with_tls);
}

}  // namespace linkledger::cli
