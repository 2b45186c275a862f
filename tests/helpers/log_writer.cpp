// A process that writes numbered batches to a log, for the tests that race, stop and kill writers.
//
//   log_writer sqlite PATH WRITER FIRST_SEQUENCE BATCHES APPENDS [stop-in-commit]
//
// For each batch that was acknowledged it writes a line, `SEQUENCE FIRST_POSITION`. A batch that failed is
// sent again for as long as it takes. `stop-in-commit` stops the process (SIGSTOP) within the first commit,
// with the lock held.

#include "eventlog/sqlite_log.h"
#include "tests/support/lossy_vfs.h"
#include "tests/support/numbered_batches.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

using namespace linkledger;

std::unique_ptr<eventlog::event_log> open_log(std::string const& backend, std::string const& where,
                                              std::string const& vfs) {
    if (backend != "sqlite") return nullptr;
    eventlog::sqlite_log_options options;
    options.path = where;
    options.vfs = vfs;
    auto opened = eventlog::open_sqlite_log(options);
    if (opened) return std::move(opened.value());
    std::fprintf(stderr, "log_writer: %s\n", opened.error().detail.c_str());
    return nullptr;
}

/// One write of a short line is atomic, also when the process is killed.
void acknowledge(std::int64_t sequence, eventlog::position first) {
    std::string const line = std::to_string(sequence) + " " + std::to_string(first) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::exit(1);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 7) return 2;
    int const writer = std::atoi(arguments[3]);
    std::int64_t sequence = std::atoll(arguments[4]);
    std::int64_t const end = sequence + std::atoll(arguments[5]);
    int const appends = std::atoi(arguments[6]);
    bool stop = count > 7;

    // Watches every write, so it is used only where the process is to stop within one.
    test::lossy_vfs vfs{"stopping"};
    if (stop)
        vfs.before_wal_sync([&] {
            if (std::exchange(stop, false)) ::raise(SIGSTOP);
        });
    auto const log = open_log(arguments[1], arguments[2], stop ? vfs.name() : "");
    if (!log) return 1;
    while (sequence < end) {
        auto const outcome = log->append(test::numbered_batch(writer, sequence, appends));
        if (outcome)
            acknowledge(sequence++, outcome.value().first_position);
        else if (outcome.error().code == eventlog::failure_code::corrupted) {
            std::fprintf(stderr, "log_writer: %s\n", outcome.error().detail.c_str());
            return 1;
        }
    }
    return 0;
}
