// Clicks that another server saw and reports: what is accepted, and what is written of them.

#include "tests/commands/visits_fixture.h"

#include <gtest/gtest.h>

#include <chrono>

namespace linkledger::commands {
namespace {

using testing::click_path;
using namespace std::chrono_literals;
using prepared = std::variant<prepared_click, domain::refusal, eventlog::failure>;

class click_report_test : public ::testing::Test {
protected:
    click_path service;
    domain::link::created const link = service.create("spring");

    prepared prepare(click_report const& report) {
        eventlog::metadata cause;
        cause.command = "ClickLink";
        cause.actor.kind = eventlog::actor_kind::key;
        return service.run(service.path().prepare(report, cause));
    }
    static click_report of_code(std::string const& code) {
        click_report report;
        report.short_code = code;
        return report;
    }
    static std::string code_of(prepared const& outcome) {
        auto const* no = std::get_if<domain::refusal>(&outcome);
        return no == nullptr ? "prepared" : std::string(domain::code_text(no->code));
    }
    static std::string field_of(prepared const& outcome) {
        return std::get<domain::refusal>(outcome).fields.at(0).field;
    }
    domain::click::clicked event_in(prepared const& outcome) {
        auto const& body = std::get<prepared_click>(outcome).append.streams.at(0).events.at(0);
        auto const personal =
            service.keys().open(body.personal, body.event_id, eventlog::sealed_part::personal).value();
        return std::get<domain::click::clicked>(
            eventlog::decode(body.type, body.schema_version, body.data, personal).value());
    }
};

using ClickReport = click_report_test;

TEST_F(ClickReport, NamesItsLinkByCodeOrById) {
    click_report by_id;
    by_id.link_id = link.link_id;
    for (auto const& report : {of_code("spring"), by_id}) {
        auto const where = service.run(service.path().workspace_of(report));
        EXPECT_EQ(std::get<domain::workspace_id>(where), service.workspace);
        auto const outcome = prepare(report);
        ASSERT_EQ(code_of(outcome), "prepared");
        auto const& ready = std::get<prepared_click>(outcome);
        EXPECT_EQ(ready.link_id, link.link_id);
        EXPECT_EQ(ready.workspace_id, service.workspace);
        EXPECT_EQ(ready.append.streams.at(0).stream, clicks_stream_of(link.link_id));
    }
    auto both = by_id;
    both.short_code = "spring";
    EXPECT_EQ(code_of(prepare(both)), "invalid_input");
    EXPECT_EQ(code_of(prepare(click_report{})), "invalid_input");
    EXPECT_EQ(code_of(prepare(of_code("autumn"))), "not_found");
    EXPECT_EQ(code_of(prepare(of_code("no code"))), "not_found");
    by_id.link_id->value = eventlog::new_uuid_v7();
    EXPECT_EQ(code_of(prepare(by_id)), "not_found");
}

TEST_F(ClickReport, IsKeptAsReported) {
    auto report = of_code("spring");
    report.ip = "203.0.113.77";
    report.user_agent = "curl/7.88.1";
    report.referer = "https://example.org/page";
    report.occurred_at = eventlog::now() - 24h;
    auto const outcome = prepare(report);
    auto const event = event_in(outcome);
    EXPECT_EQ(event.browser, "curl");
    EXPECT_EQ(event.referer_domain, "example.org");
    EXPECT_EQ(event.personal->user_agent, "curl/7.88.1");
    EXPECT_EQ(event.personal->ip, std::nullopt);
    auto const& body = std::get<prepared_click>(outcome).append.streams.at(0).events.at(0);
    EXPECT_EQ(body.occurred_at, *report.occurred_at);
    EXPECT_EQ(eventlog::decode_metadata(body.metadata).value().actor.kind, eventlog::actor_kind::key);
}

TEST_F(ClickReport, TellsVisitorsApartAsReportedAndByTheirDay) {
    auto report = of_code("spring");
    report.ip = "203.0.113.77";
    auto const visitor_of = [&] { return event_in(prepare(report)).personal->visitor; };
    auto const by_address = visitor_of();
    report.visitor = "ann";
    auto const ann = visitor_of();
    report.ip = "203.0.113.78";
    EXPECT_EQ(visitor_of(), ann);
    EXPECT_NE(ann, by_address);
    report.visitor = "bob";
    EXPECT_NE(visitor_of(), ann);
    report.visitor = "ann";
    report.occurred_at = eventlog::now() - 24h;
    EXPECT_NE(visitor_of(), ann);
}

TEST_F(ClickReport, IsRefusedOutsideItsTime) {
    auto report = of_code("spring");
    for (auto const distance : {-(7 * 24h + 1min), std::chrono::hours(-8 * 24) + 0min, 0h + 6min}) {
        report.occurred_at = eventlog::now() + distance;
        auto const outcome = prepare(report);
        ASSERT_EQ(code_of(outcome), "invalid_input");
        EXPECT_EQ(field_of(outcome), "occurred_at");
    }
    for (auto const distance : {-(7 * 24h - 1min), 0h + 0min, 0h + 4min}) {
        report.occurred_at = eventlog::now() + distance;
        EXPECT_EQ(code_of(prepare(report)), "prepared");
    }
}

TEST_F(ClickReport, IsRefusedWithBadValues) {
    auto report = of_code("spring");
    report.ip = "localhost";
    EXPECT_EQ(field_of(prepare(report)), "ip");
    report.ip = "::ffff:203.0.113.7";
    EXPECT_EQ(code_of(prepare(report)), "prepared");
    report.visitor = std::string(256, 'v');
    EXPECT_EQ(field_of(prepare(report)), "visitor");
    report.visitor = "";
    EXPECT_EQ(field_of(prepare(report)), "visitor");
}

TEST_F(ClickReport, KeepsToTheLinksLimits) {
    service.create("capped", [](domain::link::created& e) { e.max_clicks = 1; });
    auto const ready = prepare(of_code("capped"));
    auto const& to = std::get<prepared_click>(ready).append.streams.at(0);
    EXPECT_EQ(to.expected.what(), eventlog::expected_version::kind::below);
    EXPECT_EQ(to.expected.value(), 1);
    service.follow("capped");
    EXPECT_EQ(code_of(prepare(of_code("capped"))), "link_gone");
    EXPECT_EQ(service.path().at_cap(link.link_id).code, domain::refusal_code::link_gone);

    service.create("expired", [](domain::link::created& e) { e.expires_at = eventlog::now() - 1h; });
    auto late = of_code("expired");
    EXPECT_EQ(code_of(prepare(late)), "link_gone");
    late.occurred_at = eventlog::now() - 2h;
    EXPECT_EQ(code_of(prepare(late)), "prepared");
}

TEST_F(ClickReport, OfABotGoesToTheBots) {
    auto report = of_code("spring");
    report.user_agent = "Googlebot/2.1 (+http://www.google.com/bot.html)";
    auto const outcome = prepare(report);
    auto const& ready = std::get<prepared_click>(outcome);
    EXPECT_TRUE(ready.is_bot);
    EXPECT_EQ(ready.append.streams.at(0).stream, bots_stream_of(link.link_id));
}

}  // namespace
}  // namespace linkledger::commands
