#include "eventlog/sqlite_checkpointer.h"

#include <utility>

namespace linkledger::eventlog {

namespace {

struct wal_state {
    bool done = false;
    int pages = 0;
    int copied = 0;
};

/// So few are copied while writers wait.
constexpr int pages_left_max = 64;
constexpr int passes_max = 8;
/// Until the WAL is tried to be emptied again: a reader may stand in the way for long.
constexpr std::chrono::seconds refused_pause_min{1}, refused_pause_max{30};

/// A checkpoint that is refused (another process is at it, readers are in the way) is tried again with the
/// next one that is due; nothing is lost meanwhile but room.
wal_state pass(sqlite3* on, int mode) {
    wal_state after;
    after.done = sqlite3_wal_checkpoint_v2(on, nullptr, mode, &after.pages, &after.copied) == SQLITE_OK;
    return after;
}

}  // namespace

sqlite_checkpointer::sqlite_checkpointer(sqlite_log_options const& options,
                                         std::function<void(std::function<void()> const&)> without_writers)
    : threshold_pages_(options.checkpoint_pages),
      without_writers_(std::move(without_writers)),
      options_(options),
      paced_(options.vfs),
      due_at_pages_(options.checkpoint_pages),
      thread_([this] { run(); }) {}

sqlite_checkpointer::~sqlite_checkpointer() {
    {
        std::lock_guard const lock{mutex_};
        stopping_ = true;
    }
    woken_.notify_one();
    thread_.join();
}

void sqlite_checkpointer::wal_has(std::size_t pages) {
    {
        std::lock_guard const lock{mutex_};
        wal_pages_ = pages;
        if (due_ || pages < due_at_pages_) return;
        due_ = true;
    }
    woken_.notify_one();
}

void sqlite_checkpointer::empty_wal() {
    {
        std::lock_guard const lock{mutex_};
        empty_due_ = true;
    }
    woken_.notify_one();
}

void sqlite_checkpointer::run() {
    std::unique_lock lock{mutex_};
    bool was_refused = false;
    auto refused_pause = refused_pause_min;
    for (;;) {
        auto const is_due = [this] { return due_ || empty_due_ || stopping_; };
        if (was_refused)
            woken_.wait_for(lock, refused_pause, is_due);
        else
            woken_.wait(lock, is_due);
        if (stopping_) return;
        bool const empty = std::exchange(empty_due_, false);
        bool const again = was_refused && !empty;
        bool finished = false;
        lock.unlock();
        try {
            finished = checkpoint(empty, again);
        } catch (sql::error const&) {
            handle_.reset();  // Opened anew for the next pass; commits say what is wrong with the file.
        }
        lock.lock();
        // What must not stay in the WAL stands there until no reader is in the way.
        was_refused = (empty || again) && !finished;
        refused_pause =
            again && was_refused ? std::min(refused_pause * 2, refused_pause_max) : refused_pause_min;
        due_ = false;
        // A reader that stands in the way may do so for long; writers are not made to wait for it each time.
        due_at_pages_ = finished ? threshold_pages_ : wal_pages_ + threshold_pages_ / 2;
    }
}

bool sqlite_checkpointer::checkpoint(bool empty, bool again) {
    if (!handle_) {
        sql::sqlite_options connection;
        connection.synchronous = sql::sqlite_options::sync::full;
        connection.busy_timeout = std::chrono::milliseconds{10};
        connection.vfs = paced_.name();
        handle_ = sql::sqlite::open(options_.path, connection);
        sql::sqlite::run(handle_.get(), "PRAGMA wal_autocheckpoint=0");
    }
    // Each pass leaves what was written while it ran, and so each has less to do than the one before.
    auto left = pass(handle_.get(), SQLITE_CHECKPOINT_PASSIVE);
    for (int passes = 1; passes < passes_max && left.pages - left.copied > pages_left_max; ++passes) {
        auto const before = std::exchange(left, pass(handle_.get(), SQLITE_CHECKPOINT_PASSIVE));
        if (left.copied <= before.copied) break;  // A reader stands in the way.
    }
    bool const nearly_done = left.pages - left.copied < static_cast<int>(threshold_pages_ / 8 + 1);
    // Writers are not made to wait again for a reader that is still there.
    bool const may_empty = empty || (again && left.copied == left.pages);
    if (!may_empty && (again || !nearly_done)) return false;
    without_writers_([&] {
        left = pass(handle_.get(), may_empty ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART);
    });
    return left.done;
}

}  // namespace linkledger::eventlog
