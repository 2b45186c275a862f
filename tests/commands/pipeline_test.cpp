#include "tests/commands/bus_fixture.h"

#include "domain/claims.h"
#include "tests/support/faulty_log.h"

#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <utility>

namespace linkledger::commands::testing {
namespace {

using domain::refusal_code;

/// Counts what a command may ask of the store; the tail's reads are not among that.
class counting_log final : public eventlog::event_log {
public:
    explicit counting_log(eventlog::event_log& inner) : inner_(inner) {}
    [[nodiscard]] int lookups() const { return lookups_; }

    [[nodiscard]] std::string_view backend() const override { return inner_.backend(); }
    eventlog::result<eventlog::log_head> head() override { return inner_.head(); }
    eventlog::result<eventlog::batch_outcome> append(eventlog::append_batch const& batch) override {
        return inner_.append(batch);
    }
    eventlog::result<eventlog::read_page> read(eventlog::read_query const& query) override {
        return inner_.read(query);
    }
    eventlog::result<std::vector<eventlog::digest>> read_leaf_hashes(eventlog::position after,
                                                                     std::size_t limit) override {
        return inner_.read_leaf_hashes(after, limit);
    }
    eventlog::result<std::vector<eventlog::recorded_event>> read_stream(std::string const& stream,
                                                                        eventlog::version after,
                                                                        std::size_t limit) override {
        ++lookups_;
        return inner_.read_stream(stream, after, limit);
    }
    eventlog::result<eventlog::version> stream_version(std::string const& stream) override {
        ++lookups_;
        return inner_.stream_version(stream);
    }
    eventlog::result<std::optional<std::string>> claim_owner(std::string const& scope,
                                                             std::string const& key) override {
        ++lookups_;
        return inner_.claim_owner(scope, key);
    }
    eventlog::result<std::vector<std::optional<eventlog::stored_response>>> find_responses(
        std::vector<eventlog::digest> const& ids) override {
        ++lookups_;
        return inner_.find_responses(ids);
    }
    eventlog::result<std::int64_t> forget_responses(eventlog::timestamp before) override {
        return inner_.forget_responses(before);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(std::string const& subject) override {
        ++lookups_;
        return inner_.find_key(subject);
    }
    eventlog::result<std::optional<eventlog::stored_key>> find_key(domain::uuid const& key_id) override {
        ++lookups_;
        return inner_.find_key(key_id);
    }
    eventlog::result<std::vector<eventlog::stored_key>> list_keys(std::string const& prefix,
                                                                  std::string const& after,
                                                                  std::size_t limit) override {
        return inner_.list_keys(prefix, after, limit);
    }
    eventlog::result<eventlog::stored_key> add_key(eventlog::stored_key const& key) override {
        ++lookups_;
        return inner_.add_key(key);
    }
    eventlog::result<void> destroy_key(domain::uuid const& key_id) override {
        return inner_.destroy_key(key_id);
    }
    eventlog::result<eventlog::log_head> raise_epoch() override { return inner_.raise_epoch(); }
    bool wait_beyond(eventlog::position after, std::chrono::milliseconds deadline) override {
        return inner_.wait_beyond(after, deadline);
    }

private:
    eventlog::event_log& inner_;
    std::atomic<int> lookups_{0};
};

class Pipeline : public BusTest {
protected:
    std::string workspace = make_workspace();

    std::string link_data(boost::json::object more = {}) {
        more["workspace_id"] = workspace;
        more["url"] = "https://example.com/";
        return object(more);
    }
};

}  // namespace

// ---- Idempotency ----------------------------------------------------------------------------------------

TEST_P(Pipeline, AnswersARetryWithTheSameBytes) {
    command_request const request{"CreateLink", link_data(), "key-1", std::nullopt};
    auto const first = here.accept(request, admin);
    make_link(workspace, "another", admin);
    auto const second = here.accept(request, admin);
    EXPECT_FALSE(first.replayed);
    EXPECT_TRUE(second.replayed);
    EXPECT_EQ(second.result, first.result);
    EXPECT_EQ(second.position, first.position);
    EXPECT_EQ(second.stream, first.stream);
    EXPECT_EQ(second.version, first.version);
    EXPECT_EQ(second.events, first.events);
}

TEST_P(Pipeline, AnswersARetryWithTheSameSecret) {
    auto const data = object({{"workspace_id", workspace}, {"email", "ann@example.com"}, {"role", "member"}});
    command_request const request{"InviteMember", data, "key-1", std::nullopt};
    auto const first = here.accept(request, admin);
    auto const second = here.accept(request, admin);
    EXPECT_EQ(field(second, "token"), field(first, "token"));

    sender nobody;
    auto const accept = object({{"token", field(first, "token")}, {"name", "Ann"}});
    command_request const joining{"AcceptInvitation", accept, "key-2", std::nullopt};
    auto const joined = here.accept(joining, nobody);
    auto const again = here.accept(joining, nobody);
    EXPECT_EQ(again.result, joined.result);
    EXPECT_EQ(again.version, joined.version);
    EXPECT_EQ(again.stream, joined.stream);
}

TEST_P(Pipeline, AnswersARetryFromAnotherProcessToo) {
    command_request const request{"CreateLink", link_data({{"short_code", "spring"}}), "key-1", std::nullopt};
    auto const first = here.accept(request, admin);
    process there{*log};
    EXPECT_EQ(there.accept(request, there.log_in(first_admin_key)).result, first.result);
}

TEST_P(Pipeline, RemembersThatNothingChanged) {
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    command_request const request{"EnableLink", object({{"link_id", link}}), "key-1", std::nullopt};
    auto const first = here.accept(request, admin);
    EXPECT_TRUE(first.events.empty());
    here.accept("DisableLink", object({{"link_id", link}}), admin);
    auto const second = here.accept(request, admin);
    EXPECT_TRUE(second.replayed);
    EXPECT_TRUE(second.events.empty());
    EXPECT_EQ(second.position, first.position);
    EXPECT_EQ(second.version, first.version);
}

TEST_P(Pipeline, RefusesAReusedIdempotencyKey) {
    here.accept(command_request{"CreateLink", link_data(), "key-1", std::nullopt}, admin);
    command_request const other{"CreateLink", link_data({{"title", "Other"}}), "key-1", std::nullopt};
    EXPECT_EQ(refused(here.execute(other, admin)), refusal_code::idempotency_key_reused);
    // Spaces make no other body.
    command_request const spaced{
        "CreateLink", "{ \"workspace_id\" : \"" + workspace + "\", \"url\":\"https://example.com/\" }",
        "key-1", std::nullopt};
    EXPECT_TRUE(here.accept(spaced, admin).replayed);
}

TEST_P(Pipeline, ScopesIdempotencyKeysToTheCaller) {
    auto const ann = make_member(workspace, "ann@example.com", "member");
    command_request const request{"CreateLink", link_data(), "key-1", std::nullopt};
    auto const first = here.accept(request, admin);
    auto const second = here.accept(request, ann);
    EXPECT_FALSE(second.replayed);
    EXPECT_NE(first.result, second.result);
}

TEST_P(Pipeline, StoresNoRefusal) {
    make_link(workspace, "spring", admin);
    command_request const request{"CreateLink", link_data({{"short_code", "spring"}}), "key-1", std::nullopt};
    EXPECT_EQ(refused(here.execute(request, admin)), refusal_code::short_code_taken);
    auto const link = log->claim_owner("short_code", "/spring").assume_value()->substr(5);
    here.accept("DeleteLink", object({{"link_id", link}}), admin);
    EXPECT_FALSE(here.accept(request, admin).replayed);
}

TEST_P(Pipeline, GivesConcurrentDuplicatesOneOutcome) {
    process there{*log};
    auto const from_there = there.log_in(first_admin_key);
    auto const before = head();
    command_request const request{"CreateLink", link_data(), "key-1", std::nullopt};
    std::vector<std::string> results(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
        threads.emplace_back([&, i] {
            auto const answer = i % 2 == 0 ? here.accept(request, admin) : there.accept(request, from_there);
            results[i] = answer.result;
        });
    }
    for (auto& thread : threads) thread.join();
    for (auto const& result : results) EXPECT_EQ(result, results.front());
    EXPECT_EQ(head(), before + 1);
}

TEST_P(Pipeline, LimitsIdempotencyKeys) {
    for (auto const& key : {std::string{}, std::string(256, 'k')}) {
        command_request const request{"CreateLink", link_data(), key, std::nullopt};
        EXPECT_EQ(refused(here.execute(request, admin)), refusal_code::invalid_input);
    }
    here.accept(command_request{"CreateLink", link_data(), std::string(255, 'k'), std::nullopt}, admin);
}

// ---- Several writers ------------------------------------------------------------------------------------

TEST_P(Pipeline, DecidesOnWhatAnotherProcessWrote) {
    process there{*log};
    auto const from_there = there.log_in(first_admin_key);
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const data = object({{"link_id", link}});
    for (int i = 0; i < 10; ++i) {
        // Each finds the other's event, though its own memory may not have it yet.
        EXPECT_EQ(here.accept("DisableLink", data, admin).events.size(), 1u);
        EXPECT_EQ(there.accept("EnableLink", data, from_there).events.size(), 1u);
    }
    here.accept("DeleteLink", data, admin);
    EXPECT_EQ(refused(there.execute("DisableLink", data, from_there)), refusal_code::link_deleted);
    there.accept("RestoreLink", data, from_there);
    here.accept("DisableLink", data, admin);
}

TEST_P(Pipeline, LosesNoUpdateUnderConcurrency) {
    process there{*log};
    auto const from_there = there.log_in(first_admin_key);
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    std::atomic<int> written{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 25; ++i) {
                auto const data =
                    object({{"link_id", link}, {"title", std::to_string(t) + "." + std::to_string(i)}});
                auto const outcome = t % 2 == 0 ? here.execute("UpdateLink", data, admin)
                                                : there.execute("UpdateLink", data, from_there);
                if (std::holds_alternative<command_answer>(outcome)) ++written;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    // Whoever was beaten too often was told so; what was accepted is there, and `before` is what stood
    // before.
    auto const events = log->read_stream("link-" + link, 0, 1'000).assume_value();
    EXPECT_EQ(events.size(), 1u + static_cast<std::size_t>(written));
    std::optional<std::string> title;
    for (std::size_t i = 1; i < events.size(); ++i) {
        auto const decoded = eventlog::decode(events[i], here.keys()).assume_value();
        auto const& updated = std::get<domain::link::updated>(decoded);
        EXPECT_EQ(*updated.before.title, title);
        title = *updated.after.title;
    }
}

TEST_P(Pipeline, NeedsNoReadOfTheStoreForALinkInAKnownWorkspace) {
    counting_log counted{*log};
    process there{counted};
    auto const from_there = there.log_in(first_admin_key);
    there.accept("CreateLink", link_data(), from_there);
    auto const before = counted.lookups();
    EXPECT_GT(before, 0);
    there.accept("CreateLink", link_data(), from_there);
    static_cast<void>(there.log_in(first_admin_key));
    EXPECT_EQ(counted.lookups(), before);
}

TEST_P(Pipeline, SaysThatTheStoreIsAwayAndRecovers) {
    test::faulty_log shaky{*log};
    process there{shaky};
    auto const from_there = there.log_in(first_admin_key);
    there.accept("CreateLink", link_data(), from_there);
    shaky.from_now_on(test::fault::away);
    auto const outcome = there.execute("CreateLink", link_data(), from_there);
    EXPECT_TRUE(std::holds_alternative<eventlog::failure>(outcome)) << describe(outcome);
    shaky.from_now_on(test::fault::none);
    for (int i = 0; i < 50; ++i) {
        if (std::holds_alternative<command_answer>(there.execute("CreateLink", link_data(), from_there)))
            return;
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    FAIL() << "the store is back, and no command gets through";
}

TEST_P(Pipeline, TellsAProcessOfTheOthersDoings) {
    process there{*log};
    auto const ann = make_member(workspace, "ann@example.com", "admin");
    auto const key = ann.credential;
    auto const from_there = there.log_in(key);
    here.accept("RevokeApiKey", object({{"api_key_id", domain::to_string(ann.caller->api_key_id)}}), admin);
    for (int i = 0; i < 100; ++i) {
        auto const who = there.run(there.bus().authenticate(key));
        if (std::holds_alternative<domain::refusal>(who)) return;
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    FAIL() << "a revoked key is still accepted by another process";
}

// ---- Claims ---------------------------------------------------------------------------------------------

TEST_P(Pipeline, TakesClaimsThatTheLogAloneCanGiveBack) {
    auto const spring = field(make_link(workspace, "spring", admin), "link_id");
    auto const autumn = field(make_link(workspace, "autumn", admin), "link_id");
    here.accept("UpdateLink", object({{"link_id", spring}, {"short_code", "summer"}}), admin);
    here.accept("DeleteLink", object({{"link_id", autumn}}), admin);
    make_member(workspace, "ann@example.com", "member");
    for (auto const* email : {"open@example.com", "revoked@example.com"}) {
        auto const invited =
            here.accept("InviteMember",
                        object({{"workspace_id", workspace}, {"email", email}, {"role", "viewer"}}), admin);
        auto const id = field(invited, "invitation_id");
        if (std::string_view{email} == "open@example.com") continue;
        here.accept("RevokeInvitation", object({{"workspace_id", workspace}, {"invitation_id", id}}), admin);
    }

    auto const hash = [&](std::string_view email) { return here.keys().pseudonym("email", email); };
    std::map<std::pair<std::string, std::string>, std::string> owners;
    std::set<std::pair<std::string, std::string>> keys;
    domain::workspace::state before;
    for (auto const& happened : all_events(*log, here.keys())) {
        for (auto const& claim : domain::claims_of(happened, before, hash)) {
            auto const key = std::pair{claim.scope, claim.key};
            keys.insert(key);
            if (claim.what == domain::claim::kind::acquire) owners[key] = claim.owner;
            if (claim.what == domain::claim::kind::release) owners.erase(key);
        }
        before = domain::workspace::evolve(std::move(before), happened);
    }
    EXPECT_GE(keys.size(), 12u);
    for (auto const& key : keys) {
        auto const stored = log->claim_owner(key.first, key.second).assume_value();
        auto const found = owners.find(key);
        auto const rebuilt = found == owners.end() ? std::nullopt : std::optional{found->second};
        EXPECT_EQ(stored, rebuilt) << key.first << " " << key.second;
    }
}

// ---- Bulks ----------------------------------------------------------------------------------------------

TEST_P(Pipeline, AnswersEachCommandOfABulkOnItsOwn) {
    std::vector<command_request> const requests{
        {"CreateLink", link_data({{"short_code", "one"}}), std::nullopt, std::nullopt},
        {"CreateLink", link_data({{"short_code", "one"}}), std::nullopt, std::nullopt},
        {"CreateLink", link_data({{"url2", "x"}}), std::nullopt, std::nullopt},
        {"Nonsense", "{}", std::nullopt, std::nullopt},
        {"CreateLink", link_data({{"short_code", "two"}}), std::nullopt, std::nullopt}};
    auto const outcomes = here.run(here.bus().execute_bulk(requests, admin));
    ASSERT_EQ(outcomes.size(), requests.size());
    EXPECT_EQ(field(process::accepted(outcomes[0]), "short_code"), "one");
    EXPECT_EQ(refused(outcomes[1]), refusal_code::short_code_taken);
    EXPECT_EQ(refused(outcomes[2]), refusal_code::invalid_input);
    EXPECT_EQ(refused(outcomes[3]), refusal_code::not_found);
    EXPECT_EQ(field(process::accepted(outcomes[4]), "short_code"), "two");
}

TEST_P(Pipeline, LetsCommandsOfABulkSeeTheOnesBefore) {
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const same = object({{"link_id", link}});
    auto const title = [&](char const* text) {
        return command_request{"UpdateLink", object({{"link_id", link}, {"title", text}}), std::nullopt,
                               std::nullopt};
    };
    std::vector<command_request> const requests{title("a"),
                                                title("b"),
                                                title("b"),
                                                {"DisableLink", same, std::nullopt, std::nullopt},
                                                {"DeleteLink", same, std::nullopt, std::nullopt},
                                                title("c"),
                                                {"RestoreLink", same, std::nullopt, std::nullopt}};
    auto const outcomes = here.run(here.bus().execute_bulk(requests, admin));
    EXPECT_EQ(process::accepted(outcomes[0]).version, 2);
    EXPECT_EQ(process::accepted(outcomes[1]).version, 3);
    EXPECT_TRUE(process::accepted(outcomes[2]).events.empty());
    EXPECT_EQ(process::accepted(outcomes[3]).version, 4);
    EXPECT_EQ(process::accepted(outcomes[4]).version, 5);
    EXPECT_EQ(process::accepted(outcomes[6]).version, 6);
}

TEST_P(Pipeline, RunsABulkAgainstOtherWriters) {
    process there{*log};
    auto const from_there = there.log_in(first_admin_key);
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const title = [&](std::string const& text) {
        return command_request{"UpdateLink", object({{"link_id", link}, {"title", text}}), std::nullopt,
                               std::nullopt};
    };
    there.accept(title("there"), from_there);
    there.accept(title("there again"), from_there);
    // This process may not know of those yet; its bulk succeeds nevertheless, in order.
    std::vector<command_request> const requests{title("a"), title("b"), title("c")};
    auto const outcomes = here.run(here.bus().execute_bulk(requests, admin));
    EXPECT_EQ(process::accepted(outcomes[0]).version, 4);
    EXPECT_EQ(process::accepted(outcomes[1]).version, 5);
    EXPECT_EQ(process::accepted(outcomes[2]).version, 6);
}

TEST_P(Pipeline, LetsACodeGoFromOneLinkToAnotherInABulk) {
    auto const link = field(make_link(workspace, "spring", admin), "link_id");
    auto const same = object({{"link_id", link}});
    std::vector<command_request> const requests{
        {"DisableLink", same, std::nullopt, std::nullopt},
        {"DeleteLink", same, std::nullopt, std::nullopt},
        {"CreateLink", link_data({{"short_code", "spring"}}), std::nullopt, std::nullopt}};
    auto const outcomes = here.run(here.bus().execute_bulk(requests, admin));
    for (auto const& outcome : outcomes) process::accepted(outcome);
}

TEST_P(Pipeline, CarriesOutAThousandLinksOnceEach) {
    std::vector<command_request> requests;
    for (int i = 0; i < 1'000; ++i) {
        requests.push_back({"CreateLink", link_data(), "line-" + std::to_string(i), std::nullopt});
    }
    auto const before = head();
    auto const first = here.run(here.bus().execute_bulk(requests, admin));
    auto const second = here.run(here.bus().execute_bulk(requests, admin));
    EXPECT_EQ(head(), before + 1'000);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(process::accepted(first[i]).result, process::accepted(second[i]).result);
    }
}

TEST_P(Pipeline, HasALineInTheTableForEveryCommand) {
    EXPECT_EQ(command_table().size(), 17u);
    EXPECT_EQ(command_table().size(), std::variant_size_v<any_input>);
}

LINKLEDGER_ON_EACH_BACKEND(Pipeline);

}  // namespace linkledger::commands::testing
