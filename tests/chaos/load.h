#pragma once
// Clients that click, report clicks, create and update links without pause, and write down what they were
// answered.

#include "eventlog/event_log.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace linkledger::chaos {

enum class deed {
    click,   ///< GET /{short_code}; its utm_campaign is the token. Never sent again.
    report,  ///< ClickLink; its referer's domain is. This and the others are sent again until answered.
    create,  ///< CreateLink; its short code is.
    update,  ///< UpdateLink; its title is.
};

struct acknowledged {
    deed what = deed::click;
    std::string token;          ///< Of this request alone.
    eventlog::position at = 0;  ///< As answered; a redirect does not tell.
};

struct load_figures {
    std::uint64_t sent = 0;
    std::uint64_t unavailable = 0;                      ///< Answered 503.
    std::uint64_t broken = 0;                           ///< No answer: the process was killed.
    std::uint64_t unknown = 0;                          ///< Commands without an answer when the load ended.
    std::map<std::string, std::uint64_t> unexpected{};  ///< Any other answer, with its body.
    std::chrono::milliseconds longest_silence{0};       ///< Between two answers 200 or 302 to anybody.
};

class load {
public:
    /// `rate` requests a second by `clients` threads, against all of the ports in turn. Makes a workspace and
    /// a first link; throws std::runtime_error where it cannot.
    load(std::vector<int> ports, std::string key, unsigned clients, double rate);
    ~load();
    load(load const&) = delete;
    load& operator=(load const&) = delete;

    /// Ends the clients. A second call changes nothing.
    void stop();

    /// After stop().
    [[nodiscard]] std::vector<acknowledged> const& answers() const;
    [[nodiscard]] load_figures const& figures() const;
    [[nodiscard]] std::uint64_t answered_so_far() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::chaos
