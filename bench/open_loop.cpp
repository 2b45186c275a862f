// An open-loop load generator: requests leave at fixed times whatever the server does, and latency counts
// from the time a request should have left, so that a stall shows in every request that it delayed
// ("coordinated omission"). Redirects, or one command over and over.

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

struct options {
    std::string host = "127.0.0.1";
    std::string port = "8080";
    std::vector<std::string> paths;
    double rate = 5'000;
    double seconds = 10;
    double warm_up_seconds = 2;  ///< Sent, not counted.
    std::size_t connections = 64;
    std::string answered_to;  ///< A file for the time of each answer.
    std::string post;         ///< A path that `body` is sent to; `{n}` in it is another number each time.
    std::string body;
    std::string key;
};

struct results {
    std::vector<std::uint32_t> latencies_us;
    std::vector<clock_type::time_point> answered_at;  ///< In order.
    std::uint64_t sent = 0, answered = 0, unwanted = 0, failed = 0;
    std::size_t waiting_max = 0;
};

/// The first digit of the answers that are wanted.
int wanted_class(options const& of) {
    return of.post.empty() ? 3 : 2;
}

/// Hands due requests to free connections; those that find none wait their turn, their clock running.
class generator;

class connection : public std::enable_shared_from_this<connection> {
public:
    connection(asio::io_context& context, generator& owner) : socket_(context), owner_(owner) {}
    void connect(asio::ip::tcp::endpoint const& to) {
        boost::system::error_code error;
        socket_.close(error);
        socket_.connect(to);
        socket_.set_option(asio::ip::tcp::no_delay{true});
        incoming_.clear();
    }
    void send(std::string request, clock_type::time_point due);

private:
    void read();

    asio::ip::tcp::socket socket_;
    generator& owner_;
    std::string outgoing_;
    std::string incoming_;
    clock_type::time_point due_;
};

class generator {
public:
    generator(asio::io_context& context, options const& wanted)
        : context_(context), options_(wanted), timer_(context) {
        asio::ip::tcp::resolver resolver{context};
        endpoint_ = *resolver.resolve(wanted.host, wanted.port).begin();
        for (auto const& path : wanted.paths) {
            requests_.push_back("GET " + path + " HTTP/1.1\r\nHost: " + wanted.host +
                                "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 "
                                "Firefox/115.0\r\n\r\n");
        }
        for (std::size_t i = 0; i < wanted.connections; ++i) {
            auto made = std::make_shared<connection>(context, *this);
            made->connect(endpoint_);
            free_.push_back(std::move(made));
        }
        total_ = static_cast<std::uint64_t>(wanted.rate * (wanted.seconds + wanted.warm_up_seconds));
        warm_up_ = static_cast<std::uint64_t>(wanted.rate * wanted.warm_up_seconds);
        out_.latencies_us.reserve(total_);
    }

    void start() {
        started_ = clock_type::now();
        tick();
    }

    void finished(std::shared_ptr<connection> one, clock_type::time_point due, int status) {
        ++out_.answered;
        if (!options_.answered_to.empty()) out_.answered_at.push_back(clock_type::now());
        if (status / 100 != wanted_class(options_)) ++out_.unwanted;
        if (due >= started_ + offset_of(warm_up_)) {
            auto const took = std::chrono::duration_cast<std::chrono::microseconds>(clock_type::now() - due);
            out_.latencies_us.push_back(static_cast<std::uint32_t>(std::max<std::int64_t>(0, took.count())));
        }
        release(std::move(one));
    }

    /// The request is lost; its connection is made anew.
    void broke(std::shared_ptr<connection> one) {
        ++out_.failed;
        try {
            one->connect(endpoint_);
        } catch (std::exception const&) {
            return;
        }
        release(std::move(one));
    }

    [[nodiscard]] results& result() { return out_; }

private:
    [[nodiscard]] clock_type::duration offset_of(std::uint64_t number) const {
        return std::chrono::duration_cast<clock_type::duration>(
            std::chrono::duration<double>(static_cast<double>(number) / options_.rate));
    }

    void tick() {
        auto const at = clock_type::now();
        while (out_.sent < total_ && started_ + offset_of(out_.sent) <= at) {
            waiting_.push_back(started_ + offset_of(out_.sent));
            ++out_.sent;
        }
        hand_out();
        if (out_.sent == total_) return;
        timer_.expires_at(started_ + offset_of(out_.sent));
        timer_.async_wait([this](boost::system::error_code const&) { tick(); });
    }

    void hand_out() {
        while (!waiting_.empty() && !free_.empty()) {
            auto one = std::move(free_.back());
            free_.pop_back();
            auto const due = waiting_.front();
            waiting_.pop_front();
            one->send(options_.post.empty() ? requests_[random_() % requests_.size()] : next_command(), due);
        }
        out_.waiting_max = std::max(out_.waiting_max, waiting_.size());
    }

    [[nodiscard]] std::string next_command() {
        auto body = options_.body;
        auto const at = body.find("{n}");
        if (at != std::string::npos) body.replace(at, 3, std::to_string(++commands_));
        return "POST " + options_.post + " HTTP/1.1\r\nHost: " + options_.host +
               "\r\nAuthorization: Bearer " + options_.key +
               "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }

    void release(std::shared_ptr<connection> one) {
        free_.push_back(std::move(one));
        hand_out();
        if (out_.answered + out_.failed == total_) context_.stop();
    }

    asio::io_context& context_;
    options options_;
    asio::steady_timer timer_;
    asio::ip::tcp::endpoint endpoint_;
    std::vector<std::string> requests_;
    std::vector<std::shared_ptr<connection>> free_;
    std::deque<clock_type::time_point> waiting_;
    std::uint64_t total_ = 0, warm_up_ = 0;
    clock_type::time_point started_;
    std::uint64_t commands_ = 0;
    std::minstd_rand random_{20'260'101};
    results out_;
};

void connection::send(std::string request, clock_type::time_point due) {
    due_ = due;
    outgoing_ = std::move(request);
    asio::async_write(socket_, asio::buffer(outgoing_),
                      [self = shared_from_this()](boost::system::error_code const& error, std::size_t) {
                          if (error) return self->owner_.broke(self);
                          self->read();
                      });
}

/// A redirect's head ends with an empty line; a body is skipped by its Content-Length.
void connection::read() {
    asio::async_read_until(
        socket_, asio::dynamic_buffer(incoming_), "\r\n\r\n",
        [self = shared_from_this()](boost::system::error_code const& error, std::size_t head_bytes) {
            if (error || self->incoming_.size() < 12) return self->owner_.broke(self);
            int const status = std::atoi(self->incoming_.c_str() + 9);
            std::size_t body_bytes = 0;
            auto const at = self->incoming_.find("Content-Length: ");
            if (at != std::string::npos && at < head_bytes) {
                body_bytes = static_cast<std::size_t>(std::atol(self->incoming_.c_str() + at + 16));
            }
            std::size_t const whole = head_bytes + body_bytes;
            if (self->incoming_.size() < whole) {
                boost::system::error_code short_read;
                std::string rest(whole - self->incoming_.size(), '\0');
                asio::read(self->socket_, asio::buffer(rest), short_read);
                self->incoming_.clear();
            } else {
                self->incoming_.erase(0, whole);
            }
            self->owner_.finished(self, self->due_, status);
        });
}

double percentile_ms(std::vector<std::uint32_t> const& sorted, double share) {
    if (sorted.empty()) return 0;
    auto const at =
        std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())));
    return sorted[at] / 1000.0;
}

options parse(int argc, char** argv) {
    options made;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string const name = argv[i];
        std::string const value = argv[i + 1];
        if (name == "--port") made.port = value;
        if (name == "--rate") made.rate = std::atof(value.c_str());
        if (name == "--seconds") made.seconds = std::atof(value.c_str());
        if (name == "--warm-up") made.warm_up_seconds = std::atof(value.c_str());
        if (name == "--connections") made.connections = static_cast<std::size_t>(std::atol(value.c_str()));
        if (name == "--answered-to") made.answered_to = value;
        if (name == "--post") made.post = value;
        if (name == "--body") made.body = value;
        if (name == "--key") made.key = value;
        if (name == "--path") made.paths.push_back(value);
        if (name == "--paths-from") {
            std::ifstream file{value};
            for (std::string line; std::getline(file, line);) made.paths.push_back("/" + line);
        }
    }
    return made;
}

}  // namespace

int main(int argc, char** argv) {
    auto const wanted = parse(argc, argv);
    if ((wanted.paths.empty() && wanted.post.empty()) || wanted.rate <= 0 || wanted.connections == 0) {
        std::fprintf(
            stderr,
            "usage: bench_open_loop --port P (--path /CODE | --paths-from FILE | --post PATH --body JSON "
            "--key KEY) [--rate 5000] [--seconds 10] "
            "[--connections 64] [--answered-to FILE]\nPrints one JSON object. Latency counts from the time "
            "of sending that the "
            "rate "
            "prescribes.\n");
        return 2;
    }
    try {
        asio::io_context context{1};
        generator load{context, wanted};
        load.start();
        context.run_for(std::chrono::seconds{static_cast<int>(wanted.seconds + wanted.warm_up_seconds) + 30});
        auto& out = load.result();
        if (!wanted.answered_to.empty()) {
            std::ofstream file{wanted.answered_to};
            for (auto const at : out.answered_at) file << at.time_since_epoch().count() << '\n';
        }
        std::sort(out.latencies_us.begin(), out.latencies_us.end());
        std::printf(
            "{\"rate\": %.0f, \"sent\": %lu, \"answered\": %lu, \"not_%dxx\": %lu, \"failed\": %lu, "
            "\"waiting_max\": "
            "%zu, \"p50_ms\": %.2f, \"p90_ms\": %.2f, \"p99_ms\": %.2f, \"p999_ms\": %.2f, \"max_ms\": "
            "%.2f}\n",
            wanted.rate, out.sent, out.answered, wanted_class(wanted), out.unwanted, out.failed,
            out.waiting_max, percentile_ms(out.latencies_us, 0.5), percentile_ms(out.latencies_us, 0.9),
            percentile_ms(out.latencies_us, 0.99), percentile_ms(out.latencies_us, 0.999),
            out.latencies_us.empty() ? 0 : out.latencies_us.back() / 1000.0);
        return out.answered == out.sent ? 0 : 1;
    } catch (std::exception const& problem) {
        std::fprintf(stderr, "bench_open_loop: %s\n", problem.what());
        return 1;
    }
}
