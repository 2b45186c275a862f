// Random batches, decided as the log in memory decides them: whatever a backend does to be fast shows here.

#include "eventlog/leaf_hash.h"
#include "eventlog/memory_log.h"
#include "tests/conformance/log_conformance.h"

#include <map>
#include <random>

namespace linkledger::test {
namespace {

using namespace eventlog;

/// Few names, so that appends meet.
class batch_maker {
public:
    explicit batch_maker(unsigned seed) : random_(seed) {}

    std::size_t up_to(std::size_t most) {
        return std::uniform_int_distribution<std::size_t>{0, most}(random_);
    }

    std::string name(char kind) { return kind + std::to_string(up_to(12)); }

    expected_version expectation(std::map<std::string, version> const& versions, std::string const& stream) {
        auto const found = versions.find(stream);
        version const now = found == versions.end() ? 0 : found->second;
        switch (up_to(4)) {
            case 0:
                return expected_version::below(now + static_cast<version>(up_to(3)));
            case 1:
                return expected_version::exactly(now + static_cast<version>(up_to(1)));
            case 2:
                return expected_version::exactly(now);
            default:
                return expected_version::any();
        }
    }

private:
    std::mt19937 random_;
};

void forget_time(batch_outcome& in) {
    for (auto& each : in.outcomes)
        if (auto* const done = std::get_if<appended>(&each)) done->recorded_at = {};
}

TEST_P(LogAppends, DecideRandomBatchesAsTheModelDoes) {
    auto const seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    batch_maker make{seed};
    auto const model = create_memory_log();
    std::map<std::string, version> versions;

    auto const random_append = [&] {
        append_request request;
        auto const first = make.name('s');
        request = to_stream(first, make.expectation(versions, first), make.up_to(2));
        if (auto const second = make.name('t'); make.up_to(3) == 0)
            request.streams.push_back({second, make.expectation(versions, second), {event()}});
        for (auto left = make.up_to(8) < 6 ? 0 : make.up_to(2); left > 0; --left) {
            auto const what = make.up_to(2) == 0 ? claim_change::kind::release : claim_change::kind::acquire;
            request.claims.push_back({what, "scope", make.name('k'), make.name('s')});
        }
        if (make.up_to(3) == 0)
            request.idempotency =
                entry(make.name('i') + make.name('i'), make.name('f').substr(0, 2), "answer " + first);
        return request;
    };
    for (int i = 0; i < 200; ++i) {
        std::vector<append_request> appends;
        // Often one alone or two, so that batches are met which succeed as a whole.
        for (auto left = make.up_to(1) == 0 ? 1 : make.up_to(5); left > 0; --left)
            appends.push_back(random_append());
        append_batch const next = batch(std::move(appends));
        auto expected = model->append(next).value();
        auto got = log().append(next).value();
        forget_time(expected);
        forget_time(got);
        ASSERT_EQ(got.outcomes, expected.outcomes) << "batch " << i;
        ASSERT_EQ(got.first_position, expected.first_position) << "batch " << i;
        for (auto const& append : next.appends)
            for (auto const& part : append.streams)
                versions[part.stream] = model->stream_version(part.stream).value();
    }

    auto const all = log().read({.limit = 10'000}).value().events;
    auto const wanted = model->read({.limit = 10'000}).value().events;
    ASSERT_EQ(all.size(), wanted.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].body, wanted[i].body);
        EXPECT_EQ(all[i].stream, wanted[i].stream);
        EXPECT_EQ(all[i].version, wanted[i].version);
        EXPECT_EQ(all[i].leaf_hash, leaf_hash_of(all[i])) << "position " << all[i].position;
        if (i > 0) {
            EXPECT_GE(all[i].recorded_at, all[i - 1].recorded_at);
        }
    }
    for (int k = 0; k <= 12; ++k) {
        auto const key = "k" + std::to_string(k);
        EXPECT_EQ(log().claim_owner("scope", key).value(), model->claim_owner("scope", key).value()) << key;
    }
    for (auto const& [stream, at] : versions) EXPECT_EQ(log().stream_version(stream).value(), at) << stream;
}

}  // namespace
}  // namespace linkledger::test
