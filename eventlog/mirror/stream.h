#pragma once
// The mirror's stream: its name and settings, and whether what it holds is a beginning of the log.

#include "eventlog/mirror/jetstream.h"

#include <optional>
#include <random>
#include <string>

namespace linkledger::eventlog::mirror {

inline constexpr auto stream_name = "LINKLEDGER";

/// The description holds the history, because nats-server 2.9 knows no metadata of streams.
[[nodiscard]] stream_settings settings_of(history const& of, int replicas);

/// Why the stream cannot be a beginning of the log; none: nothing speaks against it. Looks at counts, at the
/// history, and at the last message and one at random. `head` must have been read after `stream`, because the
/// stream grows.
[[nodiscard]] result<std::optional<std::string>> find_fault(jetstream& mirror, event_log& log,
                                                            stream_state const& stream, log_head const& head,
                                                            std::minstd_rand& random);

}  // namespace linkledger::eventlog::mirror
