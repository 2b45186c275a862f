#pragma once
// Verification from the bottom up: stored bytes to leaves, leaves to tiles, tiles to the signed head.
// Whatever copies a source holds (events, entries, tiles) are compared with each other, so that what was
// altered is named.

#include "eventlog/merkle/note.h"
#include "eventlog/merkle/tile_path.h"

#include <functional>
#include <span>

namespace linkledger::eventlog::merkle {

/// 256 leaves, fewer in the last block: what a source holds of them.
struct leaf_block {
    std::int64_t number = 0;
    std::int64_t width = tile_width;
    std::optional<std::vector<recorded_event>> events;
    std::optional<std::string> event_lines;  ///< In place of `events`: openings, a line each.
    std::optional<std::string> entries;      ///< A bundle of entries.
    std::optional<std::string> leaves;       ///< The tile of level 0.
};

/// A log to verify.
class audit_source {
public:
    virtual ~audit_source() = default;
    /// The signed head as a note.
    virtual result<std::string> checkpoint_note() = 0;
    /// The last position that the source holds, which may be beyond the signed head; none: that head's.
    virtual result<std::optional<position>> last() = 0;
    /// Blocks `first` to `first + count - 1` of the leaves up to `size`; fewer: the source ends there.
    virtual result<std::vector<leaf_block>> blocks(std::int64_t first, std::int64_t count,
                                                   std::int64_t size) = 0;
    /// Whether blocks must be asked for one after the other, from the first on, by one thread at a time.
    [[nodiscard]] virtual bool is_sequential() const = 0;
    /// A tile of level 1 or higher; asked for after all blocks. None: the source lacks it.
    virtual result<std::optional<std::string>> tile(tile_address const& at) = 0;
};

struct verify_options {
    /// None: signatures are not checked.
    std::vector<verifier_key> keys;
    /// A head that the auditor kept, as a note: the log must continue it.
    std::optional<std::string> since;
    unsigned threads = 2;
    std::size_t findings_max = 1'000;
    /// Told how many events are checked, and of how many.
    std::function<void(position checked, position of)> progress;
};

/// What is wrong, and where: the first position it concerns (0: none in particular).
struct finding {
    position at = 0;
    std::string where;  ///< `event`, `leaf hash`, `entries`, `tile/1/000`, `checkpoint`, `since`, …
    std::string what;

    bool operator==(finding const&) const = default;
};

struct verify_report {
    checkpoint head;
    bool signature_checked = false;
    position events = 0;            ///< Checked, signed or not.
    position unsigned_events = 0;   ///< Of those, beyond the signed head.
    std::vector<finding> findings;  ///< By position, those without one last. None: everything holds.
    bool more_findings = false;
};

/// A failure when the source cannot be read; what is wrong with what it holds is a finding.
[[nodiscard]] result<verify_report> verify(audit_source& source, verify_options const& options);

/// The leaves of a block, and what is wrong with it. Where copies disagree, what most of them say is taken.
struct checked_block {
    std::vector<digest> leaves;
    std::vector<finding> findings;
    timestamp first_recorded{};  ///< Of the first and last event, where the source has events.
    timestamp last_recorded{};
};
[[nodiscard]] checked_block check(leaf_block const& block);

}  // namespace linkledger::eventlog::merkle
