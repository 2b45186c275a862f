#pragma once
// The read side: the product's projections, each run by a worker that is moved on step by step, and crashed.

#include "eventlog/keyring.h"
#include "projections/event_source.h"
#include "projections/worker.h"
#include "tests/projections/read_models.h"
#include "tests/simulation/committer_gate.h"

#include <memory>
#include <string>
#include <vector>

namespace linkledger::simulation {

/// What happens to a step of a projection.
enum class trouble {
    none,
    crash_before,  ///< The process dies before a batch's effects are written,
    crash_after,   ///< or between them and the checkpoint.
    store_fails,   ///< The read model's database breaks the connection in the middle.
    log_is_away,   ///< The log does not answer.
    taken_over,    ///< Another process goes on.
};

/// The projections of one process on one set of read models.
class read_side {
public:
    /// Read models that held another log start over. `from` gives the events of `log`, in pages that the
    /// projections share, of at most so many events.
    read_side(eventlog::event_log& log, std::unique_ptr<projections::event_source> from,
              eventlog::keyring& keys, test::read_models& models, std::size_t page_events, canary bug);
    ~read_side();
    read_side(read_side const&) = delete;
    read_side& operator=(read_side const&) = delete;

    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] std::string_view name_of(std::size_t which) const;
    [[nodiscard]] std::size_t index_of(std::string_view projection) const;
    /// One turn of a projection's worker, with this trouble.
    void step(std::size_t which, trouble with);
    /// Until all are at the head of the log.
    void catch_up();
    /// What a projection's read model reflects, by its own checkpoint.
    [[nodiscard]] eventlog::position position_of(std::string const& projection);

private:
    struct unit;
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::simulation
