#pragma once
// Clients that click and create until told to stop, and what they were answered.

#include "tests/cli/served.h"

#include <boost/json.hpp>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace linkledger::test {

/// Four that click a link and four that create others; what was answered is remembered. A client whose server
/// is gone ends.
class load {
public:
    /// `round` tells its codes and clicks from other rounds'.
    load(int port, std::string const& key, std::string const& workspace, std::string const& code, int round);

    ~load() { join(); }
    load(load const&) = delete;
    load& operator=(load const&) = delete;

    void join();

    std::atomic<int> unexpected{0};      ///< Answers that are neither well nor 503.
    std::atomic<int> clicks_refused{0};  ///< Clicks that were answered 503.
    /// Links that were answered, by code, and clicks, by utm_campaign. After join().
    [[nodiscard]] std::set<std::string> const& codes() const { return codes_; }
    [[nodiscard]] std::set<std::string> const& clicks() const { return clicks_; }

private:
    void click(int port, std::string const& code, std::string const& name);
    void create(int port, std::string const& key, std::string const& workspace, std::string const& name);
    template <typename Work>
    void repeat(Work const& work);

    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::set<std::string> codes_, clicks_;
    std::vector<std::thread> threads_;
};

/// Everything of a type in the log, through the command line.
std::vector<boost::json::value> events_of(site const& at, std::string const& type);

/// What the log holds of clicks, by utm_campaign. A click that is there twice fails the test.
std::set<std::string> recorded_clicks(site const& at);

std::vector<std::string> missing(std::set<std::string> const& answered,
                                 std::set<std::string> const& recorded);

}  // namespace linkledger::test
