#include "domain/erasure/erasure.h"

#include "domain/event.h"

#include <gtest/gtest.h>

namespace linkledger::domain {
namespace {

uuid id(std::uint8_t last) {
    uuid made;
    made.bytes[15] = last;
    return made;
}

caller somebody(std::uint8_t user) {
    caller who;
    who.user_id = user_id{id(user)};
    return who;
}

erasure::relation in_workspace(std::optional<role> caller_role, std::optional<role> person) {
    return {{user_id{id(1)}, caller_role}, person};
}

erasure::erase_person of_user_2(caller by, std::vector<erasure::relation> relations) {
    erasure::erase_person command;
    command.user_id = user_id{id(2)};
    command.key_ids = {id(9)};
    command.relations = std::move(relations);
    command.by = std::move(by);
    return command;
}

std::optional<refusal_code> refused(decision const& decided) {
    auto const* no = std::get_if<refusal>(&decided);
    return no ? std::optional{no->code} : std::nullopt;
}

std::size_t count(decision const& decided) {
    return std::get<std::vector<event>>(decided).size();
}

erasure::order_details_erasure order(std::string first, std::string last) {
    return {workspace_id{id(5)}, std::move(first), std::move(last), *parse_timestamp("2026-11-21T12:00:00Z"),
            standing{user_id{id(1)}, role::admin}};
}

}  // namespace

TEST(ErasePerson, IsForAdminsOfEveryWorkspaceOfThePerson) {
    EXPECT_EQ(count(erasure::decide(of_user_2(somebody(1), {in_workspace(role::admin, role::member)}))), 1u);
    EXPECT_EQ(refused(erasure::decide(of_user_2(somebody(1), {in_workspace(role::member, role::member)}))),
              refusal_code::forbidden);
    auto const two = {in_workspace(role::owner, role::member), in_workspace(std::nullopt, role::viewer)};
    EXPECT_EQ(refused(erasure::decide(of_user_2(somebody(1), two))), refusal_code::forbidden);
}

TEST(ErasePerson, IsForOwnersWhereThePersonIsOne) {
    EXPECT_EQ(refused(erasure::decide(of_user_2(somebody(1), {in_workspace(role::admin, role::owner)}))),
              refusal_code::forbidden);
    EXPECT_EQ(count(erasure::decide(of_user_2(somebody(1), {in_workspace(role::owner, role::owner)}))), 1u);
}

TEST(ErasePerson, IsUnknownToThoseWhoShareNoWorkspace) {
    EXPECT_EQ(refused(erasure::decide(of_user_2(somebody(1), {}))), refusal_code::not_found);
    EXPECT_EQ(refused(erasure::decide(of_user_2(somebody(1), {in_workspace(std::nullopt, role::viewer)}))),
              refusal_code::not_found);
    EXPECT_EQ(refused(erasure::decide(erasure::erase_person{})), refusal_code::not_found);
}

TEST(ErasePerson, IsForThemselvesWithAKeyForAllTheirWorkspaces) {
    EXPECT_EQ(count(erasure::decide(of_user_2(somebody(2), {in_workspace(role::viewer, role::viewer)}))), 1u);
    auto bound = somebody(2);
    bound.workspace_id = workspace_id{id(5)};
    EXPECT_EQ(refused(erasure::decide(of_user_2(bound, {in_workspace(role::viewer, role::viewer)}))),
              refusal_code::forbidden);
}

TEST(ErasePerson, DecidesNothingTheSecondTime) {
    auto root = somebody(1);
    root.root = true;
    auto again = of_user_2(root, {});
    EXPECT_EQ(count(erasure::decide(again)), 1u);
    again.erased_before = true;
    again.key_ids.clear();
    EXPECT_EQ(count(erasure::decide(again)), 0u);
}

TEST(OrderDetailsErasure, IsRefusedWhileClicksOfTheDayMayStillBeReported) {
    EXPECT_EQ(count(erasure::decide(order("2026-11-01", "2026-11-12"))), 1u);
    EXPECT_EQ(refused(erasure::decide(order("2026-11-01", "2026-11-13"))), refusal_code::invalid_input);
}

TEST(OrderDetailsErasure, IsRefusedForWhatIsNoRangeOfDays) {
    using range = std::pair<char const*, char const*>;
    for (auto const& [first, last] : {range{"2026-11-02", "2026-11-01"}, range{"2026-02-30", "2026-03-01"},
                                      range{"yesterday", "2026-03-01"}, range{"2026-03-01", "2026-3-1"},
                                      range{"2001-01-01", "2026-03-01"}})
        EXPECT_EQ(refused(erasure::decide(order(first, last))), refusal_code::invalid_input) << first;
}

TEST(OrderDetailsErasure, IsForAdmins) {
    auto by_member = order("2026-11-01", "2026-11-02");
    by_member.by.role = role::member;
    EXPECT_EQ(refused(erasure::decide(by_member)), refusal_code::forbidden);
    by_member.by.role.reset();
    EXPECT_EQ(refused(erasure::decide(by_member)), refusal_code::not_found);
}

}  // namespace linkledger::domain
