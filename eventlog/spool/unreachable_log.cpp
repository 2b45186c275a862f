#include "eventlog/spool/unreachable_log.h"

#include <thread>
#include <utility>

namespace linkledger::eventlog {
namespace {

class unreachable_log final : public event_log {
public:
    explicit unreachable_log(std::string why) : away_{failure_code::unavailable, std::move(why)} {}

    [[nodiscard]] std::string_view backend() const override { return "unreachable"; }
    result<log_head> head() override { return away_; }
    result<batch_outcome> append(append_batch const&) override { return away_; }
    result<read_page> read(read_query const&) override { return away_; }
    result<std::vector<digest>> read_leaf_hashes(position, std::size_t) override { return away_; }
    result<std::vector<recorded_event>> read_stream(std::string const&, version, std::size_t) override {
        return away_;
    }
    result<version> stream_version(std::string const&) override { return away_; }
    result<std::optional<std::string>> claim_owner(std::string const&, std::string const&) override {
        return away_;
    }
    result<std::vector<std::optional<stored_response>>> find_responses(std::vector<digest> const&) override {
        return away_;
    }
    result<std::int64_t> forget_responses(timestamp) override { return away_; }
    result<std::optional<stored_key>> find_key(std::string const&) override { return away_; }
    result<std::optional<stored_key>> find_key(uuid const&) override { return away_; }
    result<std::vector<stored_key>> list_keys(std::string const&, std::string const&, std::size_t) override {
        return away_;
    }
    result<stored_key> add_key(stored_key const&) override { return away_; }
    result<void> destroy_key(uuid const&) override { return away_; }
    result<log_head> raise_epoch() override { return away_; }
    bool wait_beyond(position, std::chrono::milliseconds deadline) override {
        std::this_thread::sleep_for(deadline);
        return false;
    }

private:
    failure const away_;
};

}  // namespace

std::unique_ptr<event_log> create_unreachable_log(std::string why) {
    return std::make_unique<unreachable_log>(std::move(why));
}

}  // namespace linkledger::eventlog
