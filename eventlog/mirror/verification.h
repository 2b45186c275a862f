#pragma once
// Compares the mirror with the log, event by event, from the first to the last.

#include "eventlog/mirror/jetstream.h"
#include "eventlog/mirror/message.h"

#include <functional>
#include <optional>
#include <string>

namespace linkledger::eventlog::mirror {

/// What was found up to the position that the log had at the beginning.
struct verification {
    history of;
    position head = 0;      ///< The log's, at the beginning.
    position mirrored = 0;  ///< The stream's last sequence, then.
    position compared = 0;  ///< So many events are the same in both.
    /// h(0) = 32 zero bytes; h(n) = SHA-256(h(n - 1) || leaf hash of event n, recomputed from its bytes):
    /// over the `compared` ones, in each.
    digest log_hash{}, mirror_hash{};
    std::optional<std::string> difference;  ///< The first one.

    /// The mirror may be behind; that is no difference.
    [[nodiscard]] bool whole() const { return !difference && compared == head; }
};

/// `progress(done, of)` is called now and then. A failure: the log or NATS could not be read.
[[nodiscard]] result<verification> verify(jetstream& mirror, event_log& log,
                                          std::function<void(position, position)> const& progress);

}  // namespace linkledger::eventlog::mirror
