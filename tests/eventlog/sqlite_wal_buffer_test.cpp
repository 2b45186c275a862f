// The VFS that gathers a commit's writes: SQLite must not notice it, and a commit is few writes.

#include "eventlog/sql/sqlite_wal_buffer.h"
#include "eventlog/sql/connection.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <fstream>

namespace linkledger::test {
namespace {

using sql::sqlite::wal_buffer;

/// System calls of this thread that wrote.
std::int64_t writes_so_far() {
    std::ifstream counters{"/proc/thread-self/io"};
    std::string name;
    for (std::int64_t value = 0; counters >> name >> value;)
        if (name == "syscw:") return value;
    return -1;
}

using sync = sql::sqlite_options::sync;

/// With a sync in every commit, as the log has it, and without, as read models have it.
class WalBuffer : public testing::TestWithParam<sync> {
protected:
    std::unique_ptr<sql::connection> open(std::string const& vfs) {
        return sql::open_sqlite(folder_.file("some.db"), {.synchronous = GetParam(), .vfs = vfs});
    }

    static std::int64_t count(sql::connection& in) {
        return in.query_one("SELECT count(*) FROM t", {}, [](sql::row const& r) { return r.integer(0); })
            .value();
    }

    /// Rows of a page each.
    static void add(sql::connection& to, std::int64_t rows) {
        to.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) "
            "INSERT INTO t (bytes) SELECT randomblob(3900) FROM n",
            {rows});
    }

    void SetUp() override {
        writer_->execute_script(
            "PRAGMA wal_autocheckpoint=0; CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)");
    }

    temp_folder folder_;
    wal_buffer buffer_{""};
    std::unique_ptr<sql::connection> writer_ = open(buffer_.name());
    std::unique_ptr<sql::connection> other_ = open("");
};

TEST_P(WalBuffer, ShowsOthersWhatWasCommitted) {
    for (std::int64_t const rows : {1, 20, 100, 1'000}) {
        auto const before = count(*other_);
        add(*writer_, rows);
        EXPECT_EQ(count(*other_), before + rows);
    }
}

TEST_P(WalBuffer, MakesFewWritesOfACommit) {
    add(*writer_, 1);
    auto const before = writes_so_far();
    ASSERT_GE(before, 0) << "this system does not count them";
    add(*writer_, 25);  // SQLite writes twice for each of them.
    EXPECT_LE(writes_so_far() - before, 2);
}

TEST_P(WalBuffer, ReadsBackWhatATransactionSpilled) {
    writer_->execute_script("PRAGMA cache_size=10");
    writer_->begin(sql::connection::access::write);
    add(*writer_, 500);
    auto const sum = writer_->query_one("SELECT sum(length(bytes)) FROM t", {},
                                        [](sql::row const& r) { return r.integer(0); });
    EXPECT_EQ(sum, 500 * 3900);
    EXPECT_EQ(count(*other_), 0);
    writer_->rollback();
    EXPECT_EQ(count(*writer_), 0);
    add(*writer_, 3);
    EXPECT_EQ(count(*other_), 3);
}

TEST_P(WalBuffer, GoesOnAfterACheckpointThatEmptiedTheWal) {
    for (int round = 0; round < 3; ++round) {
        add(*writer_, 50);
        other_->execute_script("PRAGMA wal_checkpoint(TRUNCATE)");
        add(*writer_, 7);
    }
    EXPECT_EQ(count(*other_), 3 * 57);
    auto const verdict =
        other_->query_one("PRAGMA integrity_check", {}, [](sql::row const& r) { return r.text(0); });
    EXPECT_EQ(verdict, "ok");
}

TEST_P(WalBuffer, LeavesItsWritesToALaterOpening) {
    add(*writer_, 30);
    writer_.reset();
    other_.reset();
    EXPECT_EQ(count(*open("")), 30);
}

TEST_P(WalBuffer, ShowsOthersPagesThatATransactionSpilledAndWroteAgain) {
    add(*writer_, 200);
    writer_->execute_script("PRAGMA cache_size=10");
    writer_->begin(sql::connection::access::write);
    for (int round = 0; round < 3; ++round) writer_->execute("UPDATE t SET bytes = randomblob(3900)", {});
    writer_->commit();
    auto const sum = [](sql::connection& in) {
        return in.query_one("SELECT hex(max(bytes)) || hex(min(bytes)) FROM t", {},
                            [](sql::row const& r) { return r.text(0); });
    };
    EXPECT_EQ(sum(*other_), sum(*writer_));
    auto const verdict =
        open("")->query_one("PRAGMA integrity_check", {}, [](sql::row const& r) { return r.text(0); });
    EXPECT_EQ(verdict, "ok");
}

INSTANTIATE_TEST_SUITE_P(Syncs, WalBuffer, testing::Values(sync::full, sync::normal));

TEST(WalBufferOver, NoVfsIsRefused) {
    EXPECT_THROW(wal_buffer{"no-such-vfs"}, sql::error);
}

}  // namespace
}  // namespace linkledger::test
