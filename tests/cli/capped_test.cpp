// max_clicks under concurrency: visitors of two processes at once, bots and HEAD among them.

#include "tests/cli/load.h"
#include "tests/cli/served.h"

#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace linkledger::test {

namespace {

constexpr int cap = 5;
constexpr int visitors = 50;
constexpr auto browser = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";
constexpr auto bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// CAP_REPETITIONS: the long version, whose figure stands in bench/README.md.
int repetitions() {
    char const* const told = std::getenv("CAP_REPETITIONS");
    return told ? std::max(1, std::atoi(told)) : 10;
}

/// Connections that stay open, half of them to either process; all click at the same moment.
class crowd {
public:
    crowd(served const& first, served const& second) {
        for (int i = 0; i < visitors; ++i) {
            auto const port = (i % 2 == 0 ? first : second).port();
            threads_.emplace_back([this, port, i] { run(port, i); });
        }
    }
    ~crowd() {
        over_ = true;
        start_.arrive_and_wait();
        for (auto& thread : threads_) thread.join();
    }

    /// Answers of 302 to visitors who count.
    int click(std::string const& code) {
        code_ = code;
        let_in_ = 0;
        refused_ = 0;
        start_.arrive_and_wait();
        end_.arrive_and_wait();
        return let_in_;
    }
    [[nodiscard]] int refused() const { return refused_; }

private:
    /// Two of ten send a bot or a HEAD ahead, which must not take a click from anyone.
    void run(int port, int number) {
        http_client client{port};
        for (;;) {
            start_.arrive_and_wait();
            if (over_) return;
            if (number % 10 == 0) client.send("GET", "/" + code_, {}, {{"User-Agent", bot}});
            if (number % 10 == 1) client.send("HEAD", "/" + code_, {}, {{"User-Agent", browser}});
            auto const status = client.send("GET", "/" + code_, {}, {{"User-Agent", browser}}).status;
            if (status == 302) ++let_in_;
            if (status == 410) ++refused_;
            end_.arrive_and_wait();
        }
    }

    std::barrier<> start_{visitors + 1}, end_{visitors + 1};
    std::atomic<bool> over_{false};
    std::atomic<int> let_in_{0}, refused_{0};
    std::string code_;
    std::vector<std::thread> threads_;
};

}  // namespace

class Capped : public OnBothBackends {};
LINKLEDGER_ON_BOTH_BACKENDS(Capped);

TEST_P(Capped, IsExactForVisitorsOfTwoProcesses) {
    site const at{GetParam()};
    served first{at};
    served second{at, {{"PROJECTIONS", "none"}}};
    auto client = first.client();
    auto const workspace = create_workspace(client);
    crowd all{first, second};
    int wrong = 0;
    for (int repetition = 0; repetition < repetitions(); ++repetition) {
        auto const made = client.command("CreateLink", R"({"workspace_id":")" + workspace +
                                                           R"(","url":"https://a.example/","max_clicks":)" +
                                                           std::to_string(cap) + "}");
        auto const let_in = all.click(text_at(json_of(made), "result.short_code"));
        EXPECT_EQ(let_in, cap);
        EXPECT_EQ(all.refused(), visitors - cap);
        wrong += let_in == cap ? 0 : 1;
    }
    std::printf("%s: max_clicks %d, %d clicks at once on two processes, %d times: %d not exact\n",
                GetParam().c_str(), cap, visitors, repetitions(), wrong);
}

}  // namespace linkledger::test
