#include "tests/cli/load.h"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace linkledger::test {

load::load(int port, std::string const& key, std::string const& workspace, std::string const& code,
           int round) {
    for (int worker = 0; worker < 4; ++worker) {
        auto const name = std::to_string(round) + "-" + std::to_string(worker);
        threads_.emplace_back([=, this] { click(port, code, name); });
        threads_.emplace_back([=, this] { create(port, key, workspace, name); });
    }
}

void load::join() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

template <typename Work>
void load::repeat(Work const& work) {
    while (!stopping_) {
        try {
            work();
        } catch (http_failed const&) {
            return;  // The server is gone.
        }
    }
}

void load::click(int port, std::string const& code, std::string const& name) {
    http_client client{port};
    int number = 0;
    repeat([&] {
        auto const campaign = name + "-" + std::to_string(++number);
        auto const answer = client.get("/" + code + "?utm_campaign=" + campaign);
        if (answer.status == 302) {
            std::lock_guard const lock{mutex_};
            clicks_.insert(campaign);
        } else if (answer.status == 503) {
            ++clicks_refused;
        } else {
            ++unexpected;
        }
    });
}

void load::create(int port, std::string const& key, std::string const& workspace, std::string const& name) {
    http_client client{port, key};
    int number = 0;
    repeat([&] {
        auto const code = "k-" + name + "-" + std::to_string(++number);
        auto const answer = client.command(
            "CreateLink", R"({"workspace_id":")" + workspace +
                              R"(","url":"https://a.example/","short_code":")" + code + R"("})");
        if (answer.status == 200) {
            std::lock_guard const lock{mutex_};
            codes_.insert(code);
        } else if (answer.status != 503) {
            ++unexpected;
        }
    });
}

std::vector<boost::json::value> events_of(site const& at, std::string const& type) {
    auto const done = linkledger({"events", "--type", type}, at.environment());
    EXPECT_EQ(done.exit_code, 0) << done.err;
    std::vector<boost::json::value> all;
    std::istringstream lines{done.out};
    for (std::string line; std::getline(lines, line);) all.push_back(boost::json::parse(line));
    return all;
}

std::set<std::string> recorded_clicks(site const& at) {
    auto const events = events_of(at, "link.clicked");
    std::set<std::string> clicks;
    for (auto const& event : events) clicks.insert(text_at(event, "data.utm_campaign"));
    EXPECT_EQ(clicks.size(), events.size()) << "a click is there twice";
    return clicks;
}

std::vector<std::string> missing(std::set<std::string> const& answered,
                                 std::set<std::string> const& recorded) {
    std::vector<std::string> lost;
    std::set_difference(answered.begin(), answered.end(), recorded.begin(), recorded.end(),
                        std::back_inserter(lost));
    return lost;
}

}  // namespace linkledger::test
