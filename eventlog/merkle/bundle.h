#pragma once
// A bundle: a log with everything that proves it, in one file (a tar archive compressed with zstd).
//
//   checkpoint               the signed head
//   verifier-key             of the keys that signed it, a line each
//   tile/entries/<N>[.p/<W>] for each 256 events: their entries,
//   tile/0/<N>[.p/<W>]       their leaf hashes
//   events/<N>.ndjson        and the events (opening.h), sealed parts sealed
//   tile/<L>/<N>[.p/<W>]     the tiles of level 1 and higher
//
// Members stand in this order, and paths are those of C2SP tlog-tiles: unpacked, they can be served as they
// are.

#include "eventlog/merkle/published.h"
#include "eventlog/merkle/verify.h"

#include <map>
#include <memory>
#include <mutex>

namespace linkledger::eventlog::merkle {

struct bundle_member {
    std::string name;
    std::string bytes;
};

/// Appends members to a file that must not exist yet. Not finished, the file is no bundle.
class bundle_writer {
public:
    virtual ~bundle_writer() = default;
    virtual result<void> add(std::string const& name, std::string_view bytes) = 0;
    /// Durable on return.
    virtual result<void> finish() = 0;
};
result<std::unique_ptr<bundle_writer>> create_bundle(std::string const& path);

/// Members in order; none at the end. A damaged file is `corrupted`.
using member_reader = std::function<result<std::optional<bundle_member>>()>;
result<member_reader> open_bundle(std::string const& path);

/// Writes the log up to its last signed head. `progress` is told how many events are written, and of how
/// many. `corrupted`: there is no signed head yet.
result<checkpoint> export_bundle(event_log& log, published_log& tree, std::vector<verifier_key> const& keys,
                                 bundle_writer& to, std::function<void(position, position)> const& progress);

/// A bundle as something to verify. `keys` are those that it names itself.
class bundle_source final : public audit_source {
public:
    /// Reads up to the first block.
    static result<std::unique_ptr<bundle_source>> open(member_reader members);

    [[nodiscard]] std::vector<verifier_key> const& keys() const { return keys_; }

    result<std::string> checkpoint_note() override { return note_; }
    result<std::optional<position>> last() override { return std::optional<position>{}; }
    result<std::vector<leaf_block>> blocks(std::int64_t first, std::int64_t count,
                                           std::int64_t size) override;
    [[nodiscard]] bool is_sequential() const override { return true; }
    result<std::optional<std::string>> tile(tile_address const& at) override;

private:
    explicit bundle_source(member_reader members) : members_(std::move(members)) {}
    result<void> advance();
    result<bool> take(std::string const& name, std::optional<std::string>& into);

    member_reader members_;
    std::string note_;
    std::vector<verifier_key> keys_;
    std::optional<bundle_member> next_;  ///< Read and not used yet; none at the end.
    bool has_tiles_ = false;
    std::map<std::string, std::string> tiles_;
};

/// `events/x001/234.ndjson`
[[nodiscard]] std::string events_path(std::int64_t block);

}  // namespace linkledger::eventlog::merkle
