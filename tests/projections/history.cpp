// Events as the command side would write them.

#include "tests/projections/history.h"

#include "eventlog/codec.h"
#include "eventlog/crypto.h"

#include <stdexcept>
#include <utility>

namespace linkledger::test {

namespace {

template <typename T>
T value_of(eventlog::result<T> result) {
    if (!result) throw std::runtime_error{result.error().detail};
    return std::move(result).value();
}

}  // namespace

history::history(eventlog::event_log& log, std::uint32_t seed)
    : log_(log),
      keys_(log, eventlog::master_key{std::string(32, 'k')}),
      random_(seed),
      now_(*domain::parse_timestamp("2026-11-21T03:00:00Z")),
      producer_(eventlog::new_uuid_v7()) {}

eventlog::position history::tell(std::string const& stream, domain::event const& event, told const& with,
                                 std::string const& subject) {
    return tell({{stream, event, with, subject}});
}

eventlog::position history::tell(std::vector<line> const& lines) {
    eventlog::append_request request;
    for (auto const& each : lines) {
        auto const same_stream = [&](auto const& append) { return append.stream == each.stream; };
        auto found = std::find_if(request.streams.begin(), request.streams.end(), same_stream);
        if (found == request.streams.end()) {
            request.streams.push_back({each.stream, eventlog::expected_version::any(), {}});
            found = std::prev(request.streams.end());
        }
        found->events.push_back(body_of(each));
    }
    return append(std::move(request));
}

eventlog::position history::tell_garbage(std::string const& stream, std::string const& type) {
    eventlog::event_body body;
    body.event_id = id();
    body.type = type;
    body.data = R"({"no":"such event"})";
    body.metadata = eventlog::encode_metadata({});
    body.occurred_at = now_;
    eventlog::append_request request;
    request.streams.push_back({stream, eventlog::expected_version::any(), {body}});
    return append(std::move(request));
}

void history::erase(std::string const& subject) {
    auto const key = value_of(keys_.find(subject));
    if (key == nullptr) throw std::runtime_error{"no key of " + subject};
    if (auto const done = keys_.destroy(key->key_id); !done) throw std::runtime_error{done.error().detail};
}

domain::uuid history::id() {
    std::array<std::uint8_t, 10> bytes{};
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    return domain::make_uuid_v7(domain::to_unix_us(now_) / 1000, bytes);
}

eventlog::event_body history::body_of(line const& from) {
    now_ += std::chrono::minutes{1};
    auto const encoded = eventlog::encode(from.event);
    eventlog::event_body body;
    body.event_id = id();
    body.type = encoded.type;
    body.schema_version = encoded.schema_version;
    body.workspace_id = from.with.workspace.value;
    body.data = encoded.data;
    body.occurred_at = from.with.at.value_or(now_);
    auto const key = value_of(keys_.get_or_create(from.subject));
    if (encoded.personal)
        body.personal =
            eventlog::keyring::seal(*key, *encoded.personal, body.event_id, eventlog::sealed_part::personal);
    body.context = eventlog::keyring::seal(*key, eventlog::encode_context(from.with.context), body.event_id,
                                           eventlog::sealed_part::context);
    eventlog::metadata cause;
    cause.command = "Test";
    cause.command_id = id();
    cause.actor = from.with.actor;
    body.metadata = eventlog::encode_metadata(cause);
    return body;
}

eventlog::position history::append(eventlog::append_request request) {
    eventlog::append_batch batch;
    batch.producer = producer_;
    batch.sequence = ++sequence_;
    batch.appends.push_back(std::move(request));
    auto const outcome = value_of(log_.append(batch));
    return std::get<eventlog::appended>(outcome.outcomes.at(0)).last_position;
}

}  // namespace linkledger::test
