// The redirect table: what the tail makes of it, what loads may add, what it forgets, and under many threads.

#include "commands/link_table.h"
#include "domain/streams.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace linkledger::commands {
namespace {

domain::link_id link_number(std::uint32_t n) {
    domain::link_id id;
    for (std::size_t i = 0; i < 4; ++i) id.value.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
    id.value.bytes[6] = 0x70;
    return id;
}

link_settings settings_of(std::uint32_t n, std::string const& code, eventlog::version version = 1) {
    link_settings made;
    made.link_id = link_number(n);
    made.workspace_id.value.bytes[0] = 7;
    made.version = version;
    made.short_code = code;
    made.url = "https://example.com/" + code;
    return made;
}

/// Hands events to a table as the tail would.
class tail {
public:
    explicit tail(link_table& table) : table_(table) {}

    void bring(domain::link_id const& id, eventlog::version version, domain::event const& event) {
        eventlog::recorded_event stored;
        stored.position = ++position_;
        stored.stream = stream_of(id);
        stored.version = version;
        table_.apply(stored, event);
    }
    void create(std::uint32_t n, std::string const& code) {
        domain::link::created e;
        e.link_id = link_number(n);
        e.short_code = code;
        e.url = "https://example.com/" + code;
        bring(e.link_id, 1, e);
    }
    void set_url(std::uint32_t n, eventlog::version version, std::string const& url) {
        domain::link::updated e;
        e.link_id = link_number(n);
        e.after.url = url;
        bring(e.link_id, version, e);
    }
    void set_code(std::uint32_t n, eventlog::version version, std::string const& from,
                  std::string const& to) {
        domain::link::updated e;
        e.link_id = link_number(n);
        e.before.short_code = from;
        e.after.short_code = to;
        bring(e.link_id, version, e);
    }
    void remove(std::uint32_t n, eventlog::version version, std::string const& code) {
        domain::link::deleted const e{link_number(n), std::nullopt, code};
        bring(e.link_id, version, e);
    }
    void click(std::uint32_t n, eventlog::version version, std::string const& stream) {
        domain::click::clicked e;
        e.link_id = link_number(n);
        eventlog::recorded_event stored;
        stored.position = ++position_;
        stored.stream = stream;
        stored.version = version;
        table_.apply(stored, e);
    }

private:
    link_table& table_;
    eventlog::position position_ = 0;
};

TEST(LinkRecord, GivesBackEveryCombinationOfSettings) {
    for (int bits = 0; bits < 256; ++bits) {
        auto made = settings_of(1, "code", 3);
        made.disabled = (bits & 1) != 0;
        made.deleted = (bits & 2) != 0;
        made.has_password = (bits & 4) != 0;
        if ((bits & 8) != 0) made.expires_at = domain::from_unix_us(1'700'000'000'123'456);
        if ((bits & 16) != 0) made.max_clicks = 1'000'000'000'000;
        if ((bits & 32) != 0) made.utm_source = "newsletter";
        if ((bits & 64) != 0) made.utm_medium = "";
        if ((bits & 128) != 0) made.utm_campaign = "spring";
        EXPECT_EQ(link_record::make(made)->settings(), made) << bits;
    }
    auto longest = settings_of(1, std::string(50, 'c'));
    longest.url = std::string(24'576, 'u');
    EXPECT_EQ(link_record::make(longest)->settings(), longest);
}

TEST(LinkTable, FindsWhatTheTailBroughtByCodeAndById) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    auto const by_code = table.find("spring");
    ASSERT_TRUE(by_code);
    EXPECT_EQ(by_code->url(), "https://example.com/spring");
    EXPECT_EQ(table.find(link_number(1)), by_code);
    EXPECT_FALSE(table.find("autumn"));
    EXPECT_FALSE(table.find(link_number(2)));
}

TEST(LinkTable, AppliesTheNextVersionAndIgnoresOlderOnes) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    feed.set_url(1, 2, "https://example.com/2");
    feed.set_url(1, 2, "https://example.com/again");
    feed.create(1, "spring");
    auto const found = table.find("spring");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->url(), "https://example.com/2");
    EXPECT_EQ(found->version(), 2);
}

TEST(LinkTable, DropsALinkWhoseVersionsHaveAGap) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    feed.set_url(1, 3, "https://example.com/3");
    EXPECT_FALSE(table.find("spring"));
    EXPECT_FALSE(table.find(link_number(1)));
    EXPECT_EQ(table.stats().links, 0U);
}

TEST(LinkTable, FollowsACodeFromLinkToLink) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    feed.set_code(1, 2, "spring", "summer");
    EXPECT_FALSE(table.find("spring"));
    EXPECT_EQ(table.find("summer")->link_id(), link_number(1));
    feed.create(2, "spring");
    EXPECT_EQ(table.find("spring")->link_id(), link_number(2));
    feed.remove(1, 3, "summer");
    EXPECT_TRUE(table.find("summer")->deleted());
    feed.create(3, "summer");
    EXPECT_EQ(table.find("summer")->link_id(), link_number(3));
    EXPECT_TRUE(table.find(link_number(1))->deleted());
    table.drop(link_number(1));
    EXPECT_EQ(table.find("summer")->link_id(), link_number(3));
}

TEST(LinkTable, AnswersForNoDeletedLinkWhoseCodeALinkElsewhereTakes) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    feed.remove(1, 2, "spring");
    ASSERT_TRUE(table.find("spring")->deleted());
    feed.set_code(2, 7, "autumn", "spring");  // Of a link that is not here: a load finds it.
    EXPECT_FALSE(table.find("spring"));
}

TEST(LinkTable, NeverLetsADeletedLinkTakeALivingLinksCode) {
    link_table table(100);
    tail feed(table);
    feed.create(2, "spring");
    auto gone = settings_of(1, "spring", 5);
    gone.deleted = true;
    table.put(link_record::make(gone), table.begin_load(link_number(1)));
    EXPECT_EQ(table.find("spring")->link_id(), link_number(2));
    EXPECT_TRUE(table.find(link_number(1))->deleted());
}

TEST(LinkTable, KeepsALoadUnlessTheTailWasFaster) {
    link_table table(100);
    tail feed(table);
    auto const slow = table.begin_load(link_number(1));
    feed.set_url(1, 2, "https://example.com/2");
    table.put(link_record::make(settings_of(1, "spring", 1)), slow);
    EXPECT_FALSE(table.find("spring"));
    table.put(link_record::make(settings_of(1, "spring", 2)), table.begin_load(link_number(1)));
    EXPECT_EQ(table.find("spring")->version(), 2);
    table.put(link_record::make(settings_of(1, "spring", 1)), table.begin_load(link_number(1)));
    EXPECT_EQ(table.find("spring")->version(), 2);
}

TEST(LinkTable, ForgetsThatACodeIsAbsentWhenTheTailBringsIt) {
    link_table table(100);
    tail feed(table);
    auto const slow = table.begin_load("spring");
    table.put_absent("spring", absence::unknown, slow);
    EXPECT_EQ(table.known_absent("spring"), absence::unknown);
    feed.create(1, "spring");
    EXPECT_EQ(table.known_absent("spring"), absence::no);
    table.put_absent("spring", absence::unknown, slow);
    EXPECT_EQ(table.known_absent("spring"), absence::no);
    table.put_absent("summer", absence::unknown, table.begin_load("summer"));
    feed.set_code(1, 2, "spring", "summer");
    EXPECT_EQ(table.known_absent("summer"), absence::no);
}

TEST(LinkTable, BoundsWhatItKnowsToBeAbsent) {
    link_table table(100);
    for (int i = 0; i < 400'000; ++i) {
        auto const code = "absent" + std::to_string(i);
        table.put_absent(code, absence::unknown, table.begin_load(code));
    }
    EXPECT_LE(table.stats().absent_codes, 131'072U);
    EXPECT_EQ(table.known_absent("absent399999"), absence::unknown);
}

TEST(LinkTable, EvictsTheLeastRecentlyUsed) {
    link_table table(100);
    tail feed(table);
    feed.create(0, "often");
    for (std::uint32_t n = 1; n <= 1'000; ++n) {
        feed.create(n, "code" + std::to_string(n));
        ASSERT_TRUE(table.find("often")) << n;
    }
    EXPECT_EQ(table.stats().links, 100U);
    EXPECT_EQ(table.stats().evicted, 901U);
    int by_code = 0, by_id = 0;
    for (std::uint32_t n = 1; n <= 1'000; ++n) {
        by_code += table.find("code" + std::to_string(n)) ? 1 : 0;
        by_id += table.find(link_number(n)) ? 1 : 0;
    }
    EXPECT_EQ(by_code, 99);
    EXPECT_EQ(by_id, 99);
}

TEST(LinkTable, AHeldRecordOutlivesItsEviction) {
    link_table table(1);
    tail feed(table);
    feed.create(1, "spring");
    auto const held = table.find("spring");
    feed.create(2, "summer");
    feed.create(3, "autumn");
    EXPECT_FALSE(table.find("spring"));
    EXPECT_EQ(held->url(), "https://example.com/spring");
}

TEST(LinkTable, MarksACappedLinkFullByItsCountedClicksAlone) {
    link_table table(100);
    tail feed(table);
    auto capped = settings_of(1, "spring");
    capped.max_clicks = 3;
    table.put(link_record::make(capped), table.begin_load(link_number(1)));
    feed.click(1, 7, bots_stream_of(link_number(1)));
    feed.click(1, 2, clicks_stream_of(link_number(1)));
    EXPECT_FALSE(table.find("spring")->full());
    feed.click(1, 3, clicks_stream_of(link_number(1)));
    EXPECT_TRUE(table.find("spring")->full());
    feed.set_url(1, 2, "https://example.com/2");
    EXPECT_TRUE(table.find("spring")->full());

    domain::link::updated raised;
    raised.link_id = link_number(1);
    raised.after.max_clicks.emplace(10);
    feed.bring(raised.link_id, 3, raised);
    EXPECT_FALSE(table.find("spring"));
}

TEST(LinkTable, ForgetsEverythingWithAnotherHistory) {
    link_table table(100);
    tail feed(table);
    feed.create(1, "spring");
    auto const slow = table.begin_load(link_number(2));
    table.put_absent("summer", absence::unknown, table.begin_load("summer"));
    table.clear();
    table.put(link_record::make(settings_of(2, "winter")), slow);
    EXPECT_EQ(table.stats().links, 0U);
    EXPECT_FALSE(table.find("spring"));
    EXPECT_FALSE(table.find("winter"));
    EXPECT_EQ(table.known_absent("summer"), absence::no);
}

TEST(LinkTable, ServesReadersWhileTheTailChangesIt) {
    constexpr std::uint32_t links = 200;
    link_table table(150);  // Fewer than there are: evictions and reloads happen all the time.
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; ++t) {
        readers.emplace_back([&, t] {
            std::uint32_t n = static_cast<std::uint32_t>(t);
            while (!done) {
                n = (n + 7) % links;
                auto const code = "code" + std::to_string(n);
                auto const before = table.begin_load(link_number(n));
                if (auto const found = table.find(code)) {
                    if (found->link_id() != link_number(n) || !found->url().starts_with("https://")) ++wrong;
                } else if (t == 0) {
                    table.put(link_record::make(settings_of(n, code, 1)), before);
                } else {
                    (void)table.known_absent(code);
                    (void)table.find(link_number(n));
                }
            }
        });
    }
    tail feed(table);
    for (std::uint32_t n = 0; n < links; ++n) feed.create(n, "code" + std::to_string(n));
    for (eventlog::version version = 2; version < 200; ++version) {
        for (std::uint32_t n = 0; n < links; ++n) {
            feed.set_url(n, version, "https://example.com/" + std::to_string(version));
        }
    }
    done = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(table.stats().links, 150U);
}

}  // namespace
}  // namespace linkledger::commands
