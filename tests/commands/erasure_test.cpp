#include "commands/erasure.h"

#include "eventlog/crypto.h"
#include "tests/commands/bus_fixture.h"

#include <thread>

namespace linkledger::commands::testing {
namespace {

using domain::refusal_code;

class EraseSubject : public BusTest {
protected:
    struct member {
        std::string user_id;
        sender from;
        std::string key;
    };
    command_answer invite(std::string const& workspace, std::string const& email, std::string const& role) {
        return here.accept("InviteMember",
                           object({{"workspace_id", workspace}, {"email", email}, {"role", role}}), admin);
    }
    member join(std::string const& workspace, std::string const& email, std::string const& role) {
        sender nobody;
        nobody.kind = eventlog::actor_kind::token;
        nobody.context.user_agent = "browser";
        auto const token = field(invite(workspace, email, role), "token");
        auto const joined =
            here.accept("AcceptInvitation", object({{"token", token}, {"name", "Ann Lee"}}), nobody);
        return {field(joined, "user_id"), here.log_in(field(joined, "api_key")), field(joined, "api_key")};
    }
    command_outcome erase(boost::json::object const& what, sender const& by) {
        return here.execute("EraseSubject", object(what), by);
    }
    bool is_accepted(process& by, std::string const& key) {
        return std::holds_alternative<domain::caller>(by.run(by.bus().authenticate(key)));
    }
    /// Of every event, what a process with an empty memory can open.
    std::string all_that_opens() {
        eventlog::keyring fresh{*log, {std::string(32, 'k')}};
        std::string text;
        eventlog::read_query query;
        auto const page = log->read(query);
        for (auto const& stored : page.assume_value().events) {
            auto const& body = stored.body;
            for (auto const part : {eventlog::sealed_part::personal, eventlog::sealed_part::context}) {
                auto const& bytes = part == eventlog::sealed_part::personal ? body.personal : body.context;
                auto const opened = fresh.open(bytes, body.event_id, part);
                if (opened && opened.assume_value()) text += *opened.assume_value();
            }
        }
        return text;
    }
};

}  // namespace

TEST_P(EraseSubject, MakesAPersonUnreadableForGood) {
    auto const workspace = make_workspace();
    auto const ann = join(workspace, "ann@example.com", "admin");
    make_link(workspace, "spring", ann.from);
    EXPECT_NE(all_that_opens().find("ann@example.com"), std::string::npos);

    auto const done = process::accepted(erase({{"email", "Ann@Example.com"}}, admin));
    EXPECT_EQ(done.events, std::vector<std::string>{"person.erased"});
    EXPECT_EQ(done.stream, "user-" + ann.user_id);
    EXPECT_EQ(field(done, "user_id"), ann.user_id);
    auto const left = all_that_opens();
    EXPECT_EQ(left.find("ann@example.com"), std::string::npos);
    EXPECT_EQ(left.find("Ann Lee"), std::string::npos);
    EXPECT_EQ(left.find("browser"), std::string::npos) << "where they came from goes, too";
    EXPECT_EQ(complete_erasures(*log, here.keys()).assume_value(), 0u);
}

TEST_P(EraseSubject, EndsThePersonsKeysInEveryProcess) {
    auto const workspace = make_workspace();
    auto const ann = join(workspace, "ann@example.com", "member");
    process other{*log};
    EXPECT_TRUE(is_accepted(other, ann.key));
    auto const done = process::accepted(erase({{"user_id", ann.user_id}}, admin));
    EXPECT_FALSE(is_accepted(here, ann.key));
    for (int i = 0; i < 500 && other.bus().stats().tail_position < done.position; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    EXPECT_FALSE(is_accepted(other, ann.key));
    EXPECT_TRUE(is_accepted(here, first_admin_key));
}

TEST_P(EraseSubject, GivesTheAddressFree) {
    auto const workspace = make_workspace();
    auto const ann = join(workspace, "ann@example.com", "member");
    process::accepted(erase({{"email", "ann@example.com"}}, admin));
    auto const next = join(workspace, "ann@example.com", "viewer");
    EXPECT_NE(next.user_id, ann.user_id);
    EXPECT_NE(all_that_opens().find("ann@example.com"), std::string::npos) << "sealed under a new key";
}

TEST_P(EraseSubject, TakesAnInvitedPersonsInvitationsBack) {
    auto const first = make_workspace("first");
    auto const second = make_workspace("second");
    auto const token = field(invite(first, "bob@example.com", "member"), "token");
    invite(second, "bob@example.com", "viewer");
    auto const done = process::accepted(erase({{"email", "bob@example.com"}}, admin));
    EXPECT_EQ(done.events, std::vector<std::string>{"person.erased"});
    sender nobody;
    nobody.kind = eventlog::actor_kind::token;
    EXPECT_EQ(refused(here.execute("AcceptInvitation", object({{"token", token}, {"name", "Bob"}}), nobody)),
              refusal_code::invitation_invalid);
    invite(first, "bob@example.com", "member");
}

TEST_P(EraseSubject, LeavesWhoIsInvitedAnewAloneWhenItIsSentAgain) {
    auto const workspace = make_workspace();
    invite(workspace, "bob@example.com", "member");
    command_request request;
    request.name = "EraseSubject";
    request.idempotency_key = "erase-bob";
    request.data = object({{"email", "bob@example.com"}});
    auto const first = process::accepted(here.run(here.bus().execute(request, admin)));
    EXPECT_FALSE(first.replayed);
    invite(workspace, "bob@example.com", "viewer");
    auto const again = process::accepted(here.run(here.bus().execute(request, admin)));
    EXPECT_TRUE(again.replayed);
    EXPECT_NE(all_that_opens().find("bob@example.com"), std::string::npos) << "of the second invitation";
}

TEST_P(EraseSubject, ChangesNothingTheSecondTime) {
    auto const ann = join(make_workspace(), "ann@example.com", "member");
    process::accepted(erase({{"user_id", ann.user_id}}, admin));
    auto const before = head();
    auto const again = process::accepted(erase({{"user_id", ann.user_id}}, admin));
    EXPECT_TRUE(again.events.empty());
    EXPECT_EQ(head(), before);
    EXPECT_EQ(refused(erase({{"email", "ann@example.com"}}, admin)), refusal_code::not_found);
}

TEST_P(EraseSubject, IsRefusedToThoseWhoMayNot) {
    auto const first = make_workspace("first");
    auto const second = make_workspace("second");
    auto const ann = join(first, "ann@example.com", "member");
    auto const helper = join(first, "helper@example.com", "admin");
    EXPECT_EQ(refused(erase({{"user_id", ann.user_id}}, ann.from)), refusal_code::forbidden) << "scope";
    join(second, "ann@example.com", "viewer");
    EXPECT_EQ(refused(erase({{"user_id", ann.user_id}}, helper.from)), refusal_code::forbidden);
    auto const stranger = join(second, "stranger@example.com", "admin");
    EXPECT_EQ(refused(erase({{"user_id", helper.user_id}}, stranger.from)), refusal_code::not_found);
    EXPECT_EQ(refused(erase({{"email", "nobody@example.com"}}, admin)), refusal_code::not_found);
    EXPECT_EQ(refused(erase({}, admin)), refusal_code::invalid_input);
    EXPECT_EQ(refused(erase({{"email", "ann@example.com"}, {"user_id", ann.user_id}}, admin)),
              refusal_code::invalid_input);
}

TEST_P(EraseSubject, OrdersTheErasureOfClickDetails) {
    auto const workspace = make_workspace();
    boost::json::object const what{
        {"workspace_id", workspace}, {"first_day", "2026-01-01"}, {"last_day", "2026-01-31"}};
    auto const done = process::accepted(erase(what, admin));
    EXPECT_EQ(done.events, std::vector<std::string>{"click_details.ordered"});
    auto const open = open_orders(*log).assume_value();
    ASSERT_EQ(open.size(), 1u);
    EXPECT_EQ(open[0].stream, done.stream);
    auto const today = domain::to_utc_day(eventlog::now());
    EXPECT_EQ(refused(erase({{"workspace_id", workspace}, {"first_day", today}, {"last_day", today}}, admin)),
              refusal_code::invalid_input);
}

TEST_P(EraseSubject, IsCompletedAfterADeathBetweenEventAndDestruction) {
    auto const key = here.keys().get_or_create("person-left").assume_value();
    domain::erasure::person_erased const happened{std::nullopt, {key->key_id}, {}};
    auto encoded = eventlog::encode(happened);
    eventlog::append_batch batch;
    batch.producer = eventlog::new_uuid_v7();
    batch.sequence = 1;
    eventlog::event_body body;
    body.event_id = eventlog::new_uuid_v7();
    body.type = encoded.type;
    body.data = encoded.data;
    body.metadata = eventlog::encode_metadata({});
    eventlog::append_request request;
    request.streams.push_back({"erasure-x", eventlog::expected_version::none(), {body}});
    batch.appends.push_back(request);
    // The process is stopped, so that its tail does not see to it first.
    here.bus().stop();
    ASSERT_TRUE(log->append(batch));
    eventlog::keyring after_restart{*log, {std::string(32, 'k')}};
    EXPECT_EQ(complete_erasures(*log, after_restart).assume_value(), 1u);
    EXPECT_FALSE(log->find_key(key->key_id).assume_value());
}

LINKLEDGER_ON_EACH_BACKEND(EraseSubject);

}  // namespace linkledger::commands::testing
