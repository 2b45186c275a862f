#include "tests/commands/bus_fixture.h"

namespace linkledger::commands::testing {
namespace {

using domain::refusal_code;

class AccountCommands : public BusTest {
protected:
    command_answer invite(std::string const& workspace, std::string const& email, std::string const& role) {
        return here.accept("InviteMember",
                           object({{"workspace_id", workspace}, {"email", email}, {"role", role}}), admin);
    }
    command_outcome try_to_accept(std::string const& token, std::string const& name = "Ann") {
        sender nobody;
        nobody.kind = eventlog::actor_kind::token;
        nobody.context.user_agent = "browser";
        return here.execute("AcceptInvitation", object({{"token", token}, {"name", name}}), nobody);
    }
    bool is_accepted_key(std::string const& key) {
        auto const who = here.run(here.bus().authenticate(key));
        return std::holds_alternative<domain::caller>(who);
    }
};

}  // namespace

TEST_P(AccountCommands, BeginWithAFirstAdminWhoMayDoEverything) {
    EXPECT_TRUE(admin.caller->root);
    EXPECT_EQ(head(), 2);
    auto const again = here.bus().bootstrap("");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again.assume_value());
    EXPECT_EQ(head(), 2);
}

TEST_P(AccountCommands, MakeTheFirstKeyWhereNoneIsGiven) {
    auto const fresh = make_store(GetParam());
    process other{fresh->log()};
    auto const key = other.bus().bootstrap("").assume_value();
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->starts_with("ll_"));
    EXPECT_TRUE(other.log_in(*key).caller->root);
    EXPECT_FALSE(other.bus().bootstrap("short"));
}

TEST_P(AccountCommands, MakeOneFirstKeyWhenProcessesStartTogether) {
    auto const fresh = make_store(GetParam());
    std::vector<std::unique_ptr<process>> processes;
    for (int i = 0; i < 4; ++i) processes.push_back(std::make_unique<process>(fresh->log()));
    std::vector<std::optional<std::string>> keys(processes.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < processes.size(); ++i) {
        threads.emplace_back([&, i] { keys[i] = processes[i]->bus().bootstrap("").assume_value(); });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(std::count_if(keys.begin(), keys.end(), [](auto const& key) { return key.has_value(); }), 1);
    EXPECT_EQ(fresh->log().head().assume_value().last, 2);
}

TEST_P(AccountCommands, CreateAWorkspaceThatItsCreatorOwns) {
    auto const answer = here.accept("CreateWorkspace", object({{"name", "Team"}, {"slug", "team"}}), admin);
    EXPECT_EQ(answer.stream, "workspace-" + field(answer, "workspace_id"));
    EXPECT_EQ(answer.events, std::vector<std::string>{"workspace.created"});
    auto const again = here.execute("CreateWorkspace", object({{"name", "Team"}, {"slug", "team"}}), admin);
    EXPECT_EQ(refused(again), refusal_code::slug_taken);
    EXPECT_EQ(std::get<domain::refusal>(again).fields.at(0).field, "slug");
}

TEST_P(AccountCommands, BringAnInvitedPersonIn) {
    auto const workspace = make_workspace();
    auto const invited = invite(workspace, "Ann@Example.com", "member");
    auto const outcome = try_to_accept(field(invited, "token"));
    auto const joined = process::accepted(outcome);
    EXPECT_EQ(joined.stream, "workspace-" + workspace);
    EXPECT_EQ(joined.version, 3);
    EXPECT_EQ(joined.events, (std::vector<std::string>{"user.registered", "user.joined", "api_key.issued"}));
    EXPECT_EQ(joined.position, head());

    auto const ann = here.log_in(field(joined, "api_key"));
    EXPECT_EQ(domain::to_string(ann.caller->user_id), field(joined, "user_id"));
    EXPECT_EQ(ann.caller->scopes, (std::vector{domain::scope::read, domain::scope::write}));
    make_link(workspace, "spring", ann);

    EXPECT_EQ(refused(try_to_accept(field(invited, "token"))), refusal_code::invitation_invalid);
    EXPECT_EQ(refused(try_to_accept("nonsense")), refusal_code::invitation_invalid);
}

TEST_P(AccountCommands, StoreNoSecretAndNoAddressReadably) {
    auto const workspace = make_workspace();
    auto const invited = invite(workspace, "ann@example.com", "member");
    auto const joined = process::accepted(try_to_accept(field(invited, "token"), "Ann Lee"));
    eventlog::read_query query;
    auto const page = log->read(query).assume_value();
    for (auto const& stored : page.events) {
        std::string const all = stored.body.data + stored.body.metadata + stored.body.personal.bytes;
        for (auto const& secret : {field(invited, "token"), field(joined, "api_key"),
                                   std::string{"ann@example.com"}, std::string{"Ann Lee"}}) {
            EXPECT_EQ(all.find(secret), std::string::npos) << stored.body.type;
        }
    }
}

TEST_P(AccountCommands, KeepOneUserPerAddress) {
    auto const first = make_workspace("first");
    auto const second = make_workspace("second");
    auto const one =
        process::accepted(try_to_accept(field(invite(first, "ann@example.com", "member"), "token")));
    auto const two =
        process::accepted(try_to_accept(field(invite(second, "ANN@example.com", "viewer"), "token")));
    EXPECT_EQ(field(one, "user_id"), field(two, "user_id"));
    EXPECT_EQ(two.events, (std::vector<std::string>{"user.joined", "api_key.issued"}));
    EXPECT_EQ(two.stream, "workspace-" + second);
    // The second key is good for the second workspace alone.
    auto const key = here.log_in(field(two, "api_key"));
    EXPECT_EQ(domain::to_string(key.caller->workspace_id->value), second);

    auto const again = here.execute(
        "InviteMember", object({{"workspace_id", first}, {"email", "ann@example.com"}, {"role", "admin"}}),
        admin);
    EXPECT_EQ(refused(again), refusal_code::already_member);
}

TEST_P(AccountCommands, RevokeAnInvitation) {
    auto const workspace = make_workspace();
    auto const invited = invite(workspace, "ann@example.com", "member");
    auto const again =
        object({{"workspace_id", workspace}, {"email", "ann@example.com"}, {"role", "viewer"}});
    EXPECT_EQ(refused(here.execute("InviteMember", again, admin)), refusal_code::already_invited);
    auto const data =
        object({{"workspace_id", workspace}, {"invitation_id", field(invited, "invitation_id")}});
    EXPECT_EQ(here.accept("RevokeInvitation", data, admin).events,
              std::vector<std::string>{"invitation.revoked"});
    EXPECT_TRUE(here.accept("RevokeInvitation", data, admin).events.empty());
    EXPECT_EQ(refused(try_to_accept(field(invited, "token"))), refusal_code::invitation_invalid);
    here.accept("InviteMember", again, admin);
}

TEST_P(AccountCommands, WantANameOfAPersonWhoIsNew) {
    auto const workspace = make_workspace();
    auto const token = field(invite(workspace, "ann@example.com", "member"), "token");
    EXPECT_EQ(refused(try_to_accept(token, " ")), refusal_code::invalid_input);
    process::accepted(try_to_accept(token, "Ann"));
}

TEST_P(AccountCommands, ChangeRolesAndRemoveMembers) {
    auto const workspace = make_workspace();
    auto const ann = make_member(workspace, "ann@example.com", "member");
    auto const user = domain::to_string(ann.caller->user_id);
    auto const data = object({{"workspace_id", workspace}, {"user_id", user}, {"role", "viewer"}});
    EXPECT_EQ(here.accept("ChangeMemberRole", data, admin).events,
              std::vector<std::string>{"member.role_changed"});
    auto const link = object({{"workspace_id", workspace}, {"url", "https://example.com/"}});
    EXPECT_EQ(refused(here.execute("CreateLink", link, ann)), refusal_code::forbidden);

    auto const leaving = object({{"workspace_id", workspace}, {"user_id", user}});
    here.accept("RemoveMember", leaving, admin);
    EXPECT_EQ(refused(here.execute("CreateLink", link, ann)), refusal_code::not_found);

    auto const owner =
        object({{"workspace_id", workspace}, {"user_id", domain::to_string(admin.caller->user_id)}});
    EXPECT_EQ(refused(here.execute("RemoveMember", owner, admin)), refusal_code::last_owner);
}

TEST_P(AccountCommands, IssueAndRevokeKeys) {
    auto const workspace = make_workspace();
    auto const issued = here.accept(
        "IssueApiKey",
        object({{"workspace_id", workspace}, {"name", "ci"}, {"scopes", boost::json::array{"read"}}}), admin);
    auto const key = field(issued, "api_key");
    auto const from = here.log_in(key);
    EXPECT_FALSE(from.caller->root);
    EXPECT_EQ(from.caller->scopes, std::vector{domain::scope::read});

    auto const data = object({{"api_key_id", field(issued, "api_key_id")}});
    EXPECT_EQ(here.accept("RevokeApiKey", data, admin).version, 2);
    EXPECT_FALSE(is_accepted_key(key));
    EXPECT_TRUE(here.accept("RevokeApiKey", data, admin).events.empty());
}

TEST_P(AccountCommands, RefuseKeysThatAreWrongOrExpired) {
    auto const workspace = make_workspace();
    EXPECT_FALSE(is_accepted_key(""));
    EXPECT_FALSE(is_accepted_key("ll_"));
    EXPECT_FALSE(is_accepted_key(std::string{first_admin_key} + "x"));
    EXPECT_FALSE(is_accepted_key(std::string(300, 'x')));
    EXPECT_FALSE(is_accepted_key("ll_nobody-has-this-key-at-all"));
    auto const soon = domain::to_rfc3339(std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now() + std::chrono::milliseconds{150}));
    auto const issued = here.accept("IssueApiKey",
                                    object({{"workspace_id", workspace},
                                            {"name", "short-lived"},
                                            {"scopes", boost::json::array{"read"}},
                                            {"expires_at", soon}}),
                                    admin);
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    EXPECT_FALSE(is_accepted_key(field(issued, "api_key")));
}

TEST_P(AccountCommands, SayWhoMayRead) {
    auto const workspace = make_workspace();
    auto const id = domain::workspace_id{*domain::parse_uuid(workspace)};
    auto const other = domain::workspace_id{*domain::parse_uuid(make_workspace("other"))};
    auto const viewer = make_member(workspace, "viewer@example.com", "viewer");
    auto const boss = make_member(workspace, "boss@example.com", "admin");
    auto const may = [&](sender const& who, domain::workspace_id const& where, domain::scope needed) {
        return std::get<bool>(here.run(here.bus().may_read(*who.caller, where, needed)));
    };
    EXPECT_TRUE(may(viewer, id, domain::scope::read));
    EXPECT_FALSE(may(viewer, other, domain::scope::read));
    EXPECT_FALSE(may(viewer, id, domain::scope::audit));
    EXPECT_TRUE(may(boss, id, domain::scope::audit));
    EXPECT_TRUE(may(admin, other, domain::scope::audit));
}

LINKLEDGER_ON_EACH_BACKEND(AccountCommands);

}  // namespace linkledger::commands::testing
