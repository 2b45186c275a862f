#include "domain/link/link.h"

#include "domain/claims.h"
#include "domain/streams.h"
#include "tests/domain/scenario.h"

#include <rapidcheck/gtest.h>

namespace linkledger::domain::link {
namespace {

using testing::id;
using testing::noon;
using given = testing::scenario<state>;

auto const the_link = id<link_id>(1);
auto const team = id<workspace_id>(2);
auto const ann = id<user_id>(3);
standing const member{ann, role::member};
standing const viewer{ann, role::viewer};
standing const stranger{ann, std::nullopt};

create_link minimal() {
    create_link command;
    command.link_id = the_link;
    command.workspace_id = team;
    command.by = member;
    command.now = noon;
    command.own_host = "ll.example";
    command.url = "https://example.com/";
    command.short_code = "spring";
    return command;
}
created was_created() {
    created e;
    e.link_id = the_link;
    e.workspace_id = team;
    e.user_id = ann;
    e.url = "https://example.com/";
    e.short_code = "spring";
    return e;
}
update_link nothing_to_update() {
    update_link command;
    command.by = member;
    command.now = noon;
    command.own_host = "ll.example";
    return command;
}
deleted was_deleted() {
    return {the_link, std::nullopt, "spring"};
}

}  // namespace

TEST(CreateLink, NeedsAUrlAndACodeAlone) {
    given({}).when(minimal()).then({was_created()});
}
TEST(CreateLink, KeepsEveryField) {
    create_link command = minimal();
    command.title = " Spring sale ";
    command.description = "Line one\nline two";
    command.favicon_url = "https://example.com/f.ico";
    command.og_image_url = "https://ll.example/own.png";
    command.tags = {"a", " b ", "a"};
    command.password_hash = "$argon2id$";
    command.expires_at = noon + std::chrono::hours{1};
    command.max_clicks = 5;
    command.utm_source = "mail";
    command.utm_medium = "";
    created e = was_created();
    e.title = "Spring sale";
    e.description = command.description;
    e.favicon_url = command.favicon_url;
    e.og_image_url = command.og_image_url;
    e.tags = {"a", "b"};
    e.has_password = true;
    e.personal = secret{"$argon2id$"};
    e.expires_at = command.expires_at;
    e.max_clicks = 5;
    e.utm_source = "mail";
    given({}).when(command).then({e});
}
TEST(CreateLink, WritesNothingWhenRepeated) {
    given({was_created()}).when(minimal()).then_nothing();
}
TEST(CreateLink, IsForbiddenForViewersAndLooksAbsentToStrangers) {
    create_link command = minimal();
    command.by = viewer;
    given({}).when(command).then_refused(refusal_code::forbidden);
    command.by = stranger;
    given({}).when(command).then_refused(refusal_code::not_found);
}
TEST(CreateLink, NamesEveryFieldThatBreaksARule) {
    create_link command = minimal();
    command.url = "javascript:alert(1)";
    command.short_code = "API";
    command.title = std::string(501, 'x');
    command.tags = {"fine", ""};
    command.expires_at = noon;
    command.max_clicks = 0;
    given({}).when(command).then_invalid(
        {"url", "short_code", "title", "tags[1]", "expires_at", "max_clicks"});
}
TEST(CreateLink, IsRefusedForALinkToTheServiceItself) {
    create_link command = minimal();
    command.url = "https://LL.example./loop";
    given({}).when(command).then_invalid({"url"});
}

TEST(UpdateLink, WritesTheChangedFieldsAloneWithBeforeAndAfter) {
    update_link command = nothing_to_update();
    command.url = "https://example.com/new";
    command.title = std::optional<std::string>{"New"};
    command.tags = std::vector<std::string>{};
    updated e{the_link, std::nullopt, {}, {}, std::nullopt};
    e.before.url = "https://example.com/";
    e.after.url = "https://example.com/new";
    e.before.title = std::optional<std::string>{};
    e.after.title = std::optional<std::string>{"New"};
    given({was_created()}).when(command).then({e});
}
TEST(UpdateLink, ClearsWithNull) {
    created e = was_created();
    e.max_clicks = 3;
    update_link command = nothing_to_update();
    command.max_clicks = std::optional<std::int64_t>{};
    updated expected{the_link, std::nullopt, {}, {}, std::nullopt};
    expected.before.max_clicks = std::optional<std::int64_t>{3};
    expected.after.max_clicks = std::optional<std::int64_t>{};
    given({e}).when(command).then({expected});
    given({e, expected}).when(command).then_nothing();
}
TEST(UpdateLink, WritesNothingWhenNothingChanges) {
    update_link command = nothing_to_update();
    command.url = "https://example.com/";
    command.short_code = "spring";
    command.title = std::optional<std::string>{};
    command.password_hash = std::optional<std::string>{};
    given({was_created()}).when(command).then_nothing();
}
TEST(UpdateLink, KeepsAPasswordOutOfTheReadablePart) {
    update_link command = nothing_to_update();
    command.password_hash = std::optional<std::string>{"$argon2id$2"};
    auto const events = given({was_created()}).when(command).events();
    ASSERT_EQ(events.size(), 1u);
    auto const& e = std::get<updated>(events[0]);
    EXPECT_EQ(e.before.has_password, false);
    EXPECT_EQ(e.after.has_password, true);
    EXPECT_EQ(e.personal, (secret{"$argon2id$2"}));
    EXPECT_EQ(given({was_created(), e}).state().password_hash, "$argon2id$2");
}
TEST(UpdateLink, IsRefusedForADeletedLink) {
    given({was_created(), was_deleted()}).when(nothing_to_update()).then_refused(refusal_code::link_deleted);
}
TEST(UpdateLink, IsRefusedWhenTheLinkDoesNotExist) {
    given({}).when(nothing_to_update()).then_refused(refusal_code::not_found);
}
TEST(UpdateLink, IsForbiddenForViewers) {
    update_link command = nothing_to_update();
    command.by = viewer;
    given({was_created()}).when(command).then_refused(refusal_code::forbidden);
}
TEST(UpdateLink, KeepsACodeThatBecameAReservedWord) {
    created e = was_created();
    e.short_code = "metrics";
    update_link command = nothing_to_update();
    command.short_code = "metrics";
    given({e}).when(command).then_nothing();
}

TEST(DisableLink, StopsItOnce) {
    given({was_created()}).when(disable_link{member}).then({disabled{the_link}});
    given({was_created(), disabled{the_link}}).when(disable_link{member}).then_nothing();
}
TEST(DisableLink, IsRefusedWhenTheLinkDoesNotExistOrIsDeleted) {
    given({}).when(disable_link{member}).then_refused(refusal_code::not_found);
    given({was_created(), was_deleted()}).when(disable_link{member}).then_refused(refusal_code::link_deleted);
}
TEST(EnableLink, StartsADisabledOne) {
    given({was_created(), disabled{the_link}}).when(enable_link{member}).then({enabled{the_link}});
    given({was_created()}).when(enable_link{member}).then_nothing();
}
TEST(EnableLink, IsForbiddenForViewersAndRefusedForADeletedLink) {
    given({was_created()}).when(enable_link{viewer}).then_refused(refusal_code::forbidden);
    given({was_created(), was_deleted()}).when(enable_link{member}).then_refused(refusal_code::link_deleted);
}
TEST(DeleteLink, GivesTheCodeFree) {
    given({was_created()}).when(delete_link{member}).then({was_deleted()});
    given({was_created(), was_deleted()}).when(delete_link{member}).then_nothing();
    given({}).when(delete_link{member}).then_refused(refusal_code::not_found);
}
TEST(RestoreLink, TakesTheCodeBack) {
    restored const e{the_link, std::nullopt, "spring"};
    given({was_created(), was_deleted()}).when(restore_link{member}).then({e});
    given({was_created()}).when(restore_link{member}).then_nothing();
    given({was_created(), was_deleted()}).when(restore_link{stranger}).then_refused(refusal_code::not_found);
}
TEST(RestoreLink, KeepsADisabledLinkDisabled) {
    auto const s =
        given({was_created(), disabled{the_link}, was_deleted(), restored{the_link, std::nullopt, "spring"}});
    EXPECT_FALSE(s.state().is_active);
    EXPECT_FALSE(s.state().is_deleted);
}

// After an accepted update the link holds the wanted values, and the same update again writes nothing; the
// event's `before` is what the link had.
RC_GTEST_PROP(UpdateLink, RepeatsToNothing,
              (std::string const& title, std::vector<std::string> const& tags, std::uint16_t cap,
               bool set_title, bool set_tags, bool set_cap)) {
    state s = evolve(state{}, event{was_created()});
    update_link command = nothing_to_update();
    if (set_title) command.title = std::optional<std::string>{title};
    if (set_tags) command.tags = tags;
    if (set_cap) command.max_clicks = cap == 0 ? std::nullopt : std::optional<std::int64_t>{cap};
    auto const made = decide(s, command);
    auto const* events = std::get_if<std::vector<event>>(&made);
    if (!events) return;
    for (auto const& e : *events) {
        auto const& change = std::get<updated>(e);
        RC_ASSERT(change.before.title.has_value() == change.after.title.has_value());
        RC_ASSERT(!(change.before == change.after));
        s = evolve(std::move(s), e);
    }
    auto const again = decide(s, command);
    RC_ASSERT(std::holds_alternative<std::vector<event>>(again));
    RC_ASSERT(std::get<std::vector<event>>(again).empty());
}

}  // namespace linkledger::domain::link
