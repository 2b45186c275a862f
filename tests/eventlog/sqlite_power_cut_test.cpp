// The SQLite log on a disk that forgets what was not synced: acknowledged batches survive every power cut.

#include "eventlog/sqlite_log.h"
#include "migrations/migrator.h"
#include "tests/support/lossy_vfs.h"
#include "tests/support/numbered_batches.h"
#include "tests/support/repetitions.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <random>

namespace linkledger::test {
namespace {

using namespace eventlog;
using testing::IsEmpty;

constexpr int rounds = test::repetitions(20);
constexpr int cuts_per_round = 8;

/// A log whose power is cut again and again while one writer goes on.
class unlucky_log {
public:
    explicit unlucky_log(std::uint64_t seed) : random_(seed) {
        migrations::up({sql::dialect::sqlite, path(), ""});
    }

    lossy_vfs& disk() { return disk_; }

    /// Writes until the power goes, and brings the files back as the disk kept them.
    void write_until_the_power_goes() {
        disk_.cut_power_after(std::uniform_int_distribution{0, 1500}(random_), random_());
        if (auto const log = open())
            while (write_one(*log)) {
            }
        ASSERT_TRUE(disk_.power_is_cut());
        disk_.restore_power();
    }

    /// What is wrong with the log now; the batch whose fate was unknown is sent again first.
    std::vector<std::string> look() {
        auto const log = open();
        if (!log) return {"the log does not open"};
        if (!write_one(*log)) return {"the log cannot be written to"};
        log_check const found{*log};
        auto wrong = found.violations();
        auto const missing = found.missing(acknowledged_);
        wrong.insert(wrong.end(), missing.begin(), missing.end());
        if (auto const damage = integrity(); damage != "ok") wrong.push_back(damage);
        return wrong;
    }

private:
    [[nodiscard]] std::string path() const { return folder_.file("linkledger.db"); }

    std::unique_ptr<event_log> open() {
        sqlite_log_options options;
        options.path = path();
        options.vfs = disk_.name();
        options.checkpoint_pages = 40;  // So that cuts fall into checkpoints as well,
        options.file_clicks_each = 60;  // and into commits that file clicks.
        auto opened = open_sqlite_log(options);
        return opened ? std::move(opened.value()) : nullptr;
    }

    bool write_one(event_log& log) {
        // The size is drawn once per number: what is sent again is the very same batch.
        if (appends_ == 0) appends_ = std::uniform_int_distribution{1, 40}(random_);
        auto const outcome = log.append(numbered_batch(1, sequence_, appends_));
        if (!outcome) return false;
        acknowledged_.push_back({1, sequence_, appends_, outcome.value().first_position});
        ++sequence_;
        appends_ = 0;
        return true;
    }

    std::string integrity() {
        auto const db = sql::open_sqlite(path(), {.vfs = disk_.name()});
        return *db->query_one("PRAGMA integrity_check", {}, [](sql::row const& r) { return r.text(0); });
    }

    std::mt19937_64 random_;
    temp_folder folder_;
    lossy_vfs disk_{"lossy"};
    std::int64_t sequence_ = 1;
    int appends_ = 0;
    std::vector<acknowledged_batch> acknowledged_;
};

TEST(SqlitePowerCut, LosesNothingThatWasAcknowledged) {
    std::uint64_t const first_seed = std::random_device{}();
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
        std::uint64_t const seed = first_seed + static_cast<std::uint64_t>(round);
        SCOPED_TRACE("seed " + std::to_string(seed));
        unlucky_log log{seed};
        for (int cut = 0; cut < cuts_per_round; ++cut) {
            log.write_until_the_power_goes();
            ASSERT_THAT(log.look(), IsEmpty()) << "after cut " << cut;
        }
    }
}

// The canary: if this test's disk could not lose anything, the one above would prove nothing.
TEST(SqlitePowerCut, LosesWhatADiskThatLiesDidNotSync) {
    std::uint64_t const first_seed = std::random_device{}();
    bool lost = false;
    for (int round = 0; round < rounds && !lost; ++round) {
        unlucky_log log{first_seed + static_cast<std::uint64_t>(round)};
        log.disk().ignore_syncs();
        for (int cut = 0; cut < cuts_per_round && !lost; ++cut) {
            log.write_until_the_power_goes();
            try {
                lost = !log.look().empty();
            } catch (std::exception const&) {
                lost = true;
            }
        }
    }
    EXPECT_TRUE(lost) << "seeds from " << first_seed;
}

}  // namespace
}  // namespace linkledger::test
