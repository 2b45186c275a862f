#include "tests/conformance/log_conformance.h"

#include "eventlog/crypto.h"

#include <variant>

namespace linkledger::test {

using namespace eventlog;
using testing::AllOf;
using testing::Field;
using testing::VariantWith;

void PrintTo(log_factory const& factory, std::ostream* out) {
    *out << factory.name;
}

LogConformance::LogConformance() : store_(GetParam().make()), producer_(new_uuid_v7()) {}
LogConformance::~LogConformance() = default;

event_body LogConformance::event(std::string type, std::string data) {
    event_body body;
    body.event_id = new_uuid_v7();
    body.type = std::move(type);
    body.data = std::move(data);
    body.metadata = "{}";
    body.occurred_at = now();
    body.salt = new_salt();
    return body;
}

append_request LogConformance::to_stream(std::string stream, expected_version expected, std::size_t count) {
    stream_append append{std::move(stream), expected, {}};
    for (std::size_t i = 0; i < count; ++i) append.events.push_back(event());
    append_request request;
    request.streams.push_back(std::move(append));
    return request;
}

append_request LogConformance::acquiring(std::string scope, std::string key, std::string owner) {
    append_request request = to_stream(owner);
    request.claims.push_back(
        {claim_change::kind::acquire, std::move(scope), std::move(key), std::move(owner)});
    return request;
}

append_request LogConformance::releasing(std::string scope, std::string key, std::string owner) {
    append_request request = to_stream(owner);
    request.claims.push_back(
        {claim_change::kind::release, std::move(scope), std::move(key), std::move(owner)});
    return request;
}

digest LogConformance::digest_of(std::string_view text) {
    return sha256(text);
}

idempotency_entry LogConformance::entry(std::string_view id, std::string_view fingerprint,
                                        std::string response) {
    return {digest_of(id), digest_of(fingerprint), std::move(response)};
}

append_batch LogConformance::batch(std::vector<append_request> appends) {
    return {producer_, ++sequence_, std::move(appends)};
}

batch_outcome LogConformance::commit(std::vector<append_request> appends) {
    std::size_t const count = appends.size();
    auto outcome = log().append(batch(std::move(appends)));
    if (!outcome) {
        ADD_FAILURE() << "the batch was not written: " << outcome.error().detail;
        return {};
    }
    EXPECT_EQ(outcome.value().outcomes.size(), count);
    EXPECT_FALSE(outcome.value().resent);
    return std::move(outcome).value();
}

append_outcome LogConformance::commit_one(append_request append) {
    std::vector<append_request> appends;
    appends.push_back(std::move(append));
    auto outcome = commit(std::move(appends));
    return outcome.outcomes.empty() ? append_outcome{} : std::move(outcome.outcomes.front());
}

position LogConformance::head() const {
    return log().head().value().last;
}

version LogConformance::version_of(std::string const& stream) const {
    return log().stream_version(stream).value();
}

std::optional<std::string> LogConformance::owner_of(std::string const& scope, std::string const& key) const {
    return log().claim_owner(scope, key).value();
}

std::vector<recorded_event> LogConformance::everything() const {
    return page({.limit = 1'000'000}).events;
}

read_page LogConformance::page(read_query const& query) const {
    return log().read(query).value();
}

std::vector<position> LogConformance::positions(read_query const& query) const {
    std::vector<position> found;
    for (recorded_event const& event : page(query).events) found.push_back(event.position);
    return found;
}

testing::Matcher<append_outcome const&> appended_at(position last, std::vector<version> versions) {
    return VariantWith<appended>(AllOf(Field("last_position", &appended::last_position, last),
                                       Field("versions", &appended::versions, versions)));
}
testing::Matcher<append_outcome const&> conflicts(std::string stream, version actual) {
    return VariantWith<version_conflict>(version_conflict{std::move(stream), actual});
}
testing::Matcher<append_outcome const&> refused_claim(std::string scope, std::string key) {
    return VariantWith<claim_taken>(claim_taken{std::move(scope), std::move(key)});
}
testing::Matcher<append_outcome const&> replays(position last, version primary, std::string response) {
    return VariantWith<replayed>(replayed{last, primary, std::move(response)});
}
testing::Matcher<append_outcome const&> mismatches() {
    return VariantWith<idempotency_mismatch>(testing::_);
}

}  // namespace linkledger::test

namespace linkledger::eventlog {
namespace {

struct printer {
    std::ostream& out;
    void operator()(appended const& done) const {
        out << "appended up to " << done.last_position << ", versions "
            << testing::PrintToString(done.versions);
    }
    void operator()(version_conflict const& conflict) const {
        out << "conflict: " << conflict.stream << " is at " << conflict.actual;
    }
    void operator()(claim_taken const& taken) const { out << "taken: " << taken.scope << ' ' << taken.key; }
    void operator()(replayed const& answer) const {
        out << "replayed: " << answer.last_position << ", version " << answer.primary_version;
    }
    void operator()(idempotency_mismatch const&) const { out << "idempotency mismatch"; }
};

}  // namespace

void PrintTo(append_outcome const& outcome, std::ostream* out) {
    std::visit(printer{*out}, outcome);
}

}  // namespace linkledger::eventlog
