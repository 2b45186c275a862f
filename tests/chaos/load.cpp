#include "tests/chaos/load.h"

#include "tests/cli/http_client.h"

#include <boost/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

namespace linkledger::chaos {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using test::http_answer;
using test::http_client;
using test::http_failed;

struct link {
    std::string id, code;
};

}  // namespace

struct load::state {
    class client;

    state(std::vector<int> on, std::string with, double every)
        : ports(std::move(on)), key(std::move(with)), pause(every), last_answer(steady::now()) {}

    void run(unsigned number);
    void note_answer();
    void note(http_answer const& answer);
    [[nodiscard]] link any_link(std::uint64_t random) {
        std::lock_guard const lock{mutex};
        return links[random % links.size()];
    }

    std::vector<int> ports;
    std::string key;
    std::string workspace;
    std::chrono::duration<double> pause;  ///< Between a client's requests.
    std::atomic<bool> stopping{false};
    std::atomic<std::uint64_t> count{0};

    std::mutex mutex;
    std::vector<link> links;
    std::vector<acknowledged> answers;
    load_figures figures;
    steady::time_point last_answer;
    std::vector<std::thread> threads;
};

void load::state::note_answer() {
    auto const now = steady::now();
    auto const silence = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_answer);
    figures.longest_silence = std::max(figures.longest_silence, silence);
    last_answer = now;
    ++count;
}

/// One that is neither an acknowledgement nor nothing.
void load::state::note(http_answer const& answer) {
    std::lock_guard const lock{mutex};
    if (answer.status == 503)
        ++figures.unavailable;
    else
        ++figures.unexpected[fmt::format("{} {}", answer.status, answer.body.substr(0, 300))];
}

/// One thread's requests.
class load::state::client {
public:
    client(state& of, unsigned number) : all_(of), number_(number), random_(number + 1) {
        for (auto const port : of.ports) https_.push_back(std::make_unique<http_client>(port, of.key));
    }

    void step() {
        auto const token = fmt::format("c{}-{}", number_, ++requests_);
        auto const dice = random_() % 100;
        if (dice < 70) return click(token);
        if (dice < 85) return report(token);
        if (dice < 93 || own_.id.empty()) return create(token);
        update(token);
    }

private:
    http_client& next() { return *https_[++turn_ % https_.size()]; }

    void click(std::string const& token) {
        auto const code = all_.any_link(random_()).code;
        try {
            count_sent();
            auto const answer = next().get("/" + code + "?utm_campaign=" + token);
            if (answer.status != 302) return all_.note(answer);
            std::lock_guard const lock{all_.mutex};
            all_.note_answer();
            all_.answers.push_back({deed::click, token, 0});
        } catch (http_failed const&) {
            note_broken();
        }
    }

    void report(std::string const& token) {
        auto const code = all_.any_link(random_()).code;
        (void)command(deed::report, "ClickLink", token,
                      fmt::format(R"({{"short_code":"{}","visitor":"v{}","referer":"https://{}.example/"}})",
                                  code, random_() % 50, token));
    }

    void create(std::string const& token) {
        auto const answer = command(
            deed::create, "CreateLink", token,
            fmt::format(
                R"({{"workspace_id":"{}","url":"https://shop.example/{}","short_code":"{}","tags":["t{}"]}})",
                all_.workspace, token, token, random_() % 20));
        if (answer.is_null()) return;
        own_ = {std::string{answer.at("result").at("link_id").as_string()}, token};
        std::lock_guard const lock{all_.mutex};
        if (all_.links.size() < 200) all_.links.push_back(own_);
    }

    void update(std::string const& token) {
        (void)command(deed::update, "UpdateLink", token,
                      fmt::format(R"({{"link_id":"{}","title":"{}"}})", own_.id, token));
    }

    /// Sent again, under the same key, to one process after the other until one answers. Null: none did, or
    /// not as it should.
    boost::json::value command(deed what, std::string const& name, std::string const& token,
                               std::string const& data) {
        while (!all_.stopping) {
            try {
                count_sent();
                auto const answer = next().command(name, data, token);
                if (answer.status == 200) return acknowledge(what, token, answer.body);
                all_.note(answer);
                if (answer.status != 503) return nullptr;
            } catch (http_failed const&) {
                note_broken();
            }
            std::this_thread::sleep_for(50ms);
        }
        std::lock_guard const lock{all_.mutex};
        ++all_.figures.unknown;
        return nullptr;
    }

    boost::json::value acknowledge(deed what, std::string const& token, std::string const& body) {
        auto answer = boost::json::parse(body);
        std::lock_guard const lock{all_.mutex};
        all_.note_answer();
        all_.answers.push_back({what, token, answer.at("position").to_number<eventlog::position>()});
        return answer;
    }

    void count_sent() {
        std::lock_guard const lock{all_.mutex};
        ++all_.figures.sent;
    }
    void note_broken() {
        {
            std::lock_guard const lock{all_.mutex};
            ++all_.figures.broken;
        }
        std::this_thread::sleep_for(20ms);
    }

    state& all_;
    unsigned number_;
    std::minstd_rand random_;
    std::vector<std::unique_ptr<http_client>> https_;
    std::size_t turn_ = 0;
    std::uint64_t requests_ = 0;
    link own_;
};

void load::state::run(unsigned number) {
    client one{*this, number};
    auto next = steady::now();
    while (!stopping) {
        one.step();
        next = std::max(next + std::chrono::duration_cast<steady::duration>(pause), steady::now());
        std::this_thread::sleep_until(next);
    }
}

load::load(std::vector<int> ports, std::string key, unsigned clients, double rate)
    : state_(std::make_unique<state>(std::move(ports), std::move(key), clients / rate)) {
    http_client first{state_->ports.front(), state_->key};
    auto const made = [&](std::string const& name, std::string const& data) {
        auto const answer = first.command(name, data);
        if (answer.status != 200) throw std::runtime_error{name + ": " + answer.body};
        return boost::json::parse(answer.body).at("result");
    };
    state_->workspace =
        made("CreateWorkspace", R"({"name":"Chaos","slug":"chaos"})").at("workspace_id").as_string().c_str();
    auto const one = made("CreateLink", R"({"workspace_id":")" + state_->workspace +
                                            R"(","url":"https://shop.example/","short_code":"first"})");
    state_->links.push_back({one.at("link_id").as_string().c_str(), "first"});
    for (unsigned i = 0; i < clients; ++i) state_->threads.emplace_back([this, i] { state_->run(i); });
}

load::~load() {
    stop();
}

void load::stop() {
    state_->stopping = true;
    for (auto& thread : state_->threads) thread.join();
    state_->threads.clear();
}

std::vector<acknowledged> const& load::answers() const {
    return state_->answers;
}

load_figures const& load::figures() const {
    return state_->figures;
}

std::uint64_t load::answered_so_far() const {
    return state_->count;
}

}  // namespace linkledger::chaos
