#include "cli/keepers.h"

#include "cli/composition.h"
#include "commands/links_file.h"
#include "eventlog/crypto.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace linkledger::cli {
namespace {

constexpr std::chrono::seconds links_saved_first{10};
constexpr std::chrono::minutes links_saved_every{5};
constexpr std::chrono::hours links_kept{1};

}  // namespace

answer_keeper::answer_keeper(eventlog::event_log& log, std::chrono::hours kept)
    : thread_([this, &log, kept](std::stop_token const& stop) { run(log, kept, stop); }) {}

void answer_keeper::run(eventlog::event_log& log, std::chrono::hours kept, std::stop_token const& stop) {
    std::unique_lock lock{mutex_};
    while (!stop.stop_requested()) {
        auto const forgotten = log.forget_responses(eventlog::now() - kept);
        if (forgotten && forgotten.value() > 0) {
            spdlog::info("forgot {} stored answers older than {} days", forgotten.value(), kept.count() / 24);
        }
        wake_.wait_for(lock, stop, std::chrono::hours{1}, [] { return false; });
    }
}

links_keeper::links_keeper(commands::command_bus& bus, std::string path)
    : bus_(bus), path_(std::move(path)), thread_([this](std::stop_token const& stop) { run(stop); }) {}

links_keeper::~links_keeper() {
    thread_.request_stop();
    thread_.join();
    save();
}

void links_keeper::run(std::stop_token const& stop) {
    std::unique_lock lock{mutex_};
    wake_.wait_for(lock, stop, links_saved_first, [] { return false; });
    while (!stop.stop_requested()) {
        save();
        wake_.wait_for(lock, stop, links_saved_every, [] { return false; });
    }
}

/// A process that has just started knows few links: for an hour the many that its predecessor knew are worth
/// more.
bool links_keeper::is_less_than_saved(std::size_t links) const {
    auto const there = commands::look_at_links(path_);
    return there && links < there.assume_value().links / 2 &&
           there.assume_value().head.age(eventlog::now()) < links_kept;
}

void links_keeper::save() {
    auto const now = bus_.stats();
    if (now.link_cache_size == 0) return;
    if (now.tail_position == saved_position_ && now.link_cache_size == saved_links_) return;
    if (is_less_than_saved(now.link_cache_size)) return;
    auto const saved = bus_.save_links(path_);
    if (!saved) {
        spdlog::warn("the known links could not be written: {}", describe(saved.error()));
        return;
    }
    saved_position_ = now.tail_position;
    saved_links_ = now.link_cache_size;
}

}  // namespace linkledger::cli
