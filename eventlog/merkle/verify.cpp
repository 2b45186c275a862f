#include "eventlog/merkle/verify.h"

#include "eventlog/merkle/published.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::int64_t chunk_blocks = 32;
constexpr std::int64_t chunks_ahead_max = 8;  // Of the one that is joined next: bounds the memory.

/// A checked block and, where it is full, the root over it.
struct joined_block {
    checked_block checked;
    std::optional<digest> root;
};
using chunk = std::vector<joined_block>;

/// Reads and checks chunks on several threads, and hands them out in order.
class chunk_reader {
public:
    chunk_reader(audit_source& source, position size, unsigned threads)
        : source_(source),
          size_(size),
          blocks_((size + tile_width - 1) / tile_width),
          chunks_((blocks_ + chunk_blocks - 1) / chunk_blocks) {
        unsigned const count = std::max(1u, threads);
        for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
    }
    ~chunk_reader() {
        {
            std::lock_guard const lock{mutex_};
            stopped_ = true;
        }
        changed_.notify_all();
    }

    [[nodiscard]] std::int64_t blocks() const { return blocks_; }
    [[nodiscard]] std::int64_t chunks() const { return chunks_; }
    /// Chunks are taken from the first on.
    result<chunk> take(std::int64_t number) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return failed_ || done_.contains(number); });
        if (!done_.contains(number)) return *failed_;
        chunk taken = std::move(done_.at(number));
        done_.erase(number);
        wanted_ = number + 1;
        changed_.notify_all();
        return taken;
    }

private:
    void run() {
        while (auto const number = claim()) {
            auto read = read_blocks(*number);
            if (!read) {
                std::lock_guard const lock{mutex_};
                failed_ = read.error();
                changed_.notify_all();
                return;
            }
            chunk checked;
            for (leaf_block const& block : read.value()) checked.push_back(join(block));
            std::lock_guard const lock{mutex_};
            done_.emplace(*number, std::move(checked));
            changed_.notify_all();
        }
    }

    static joined_block join(leaf_block const& block) {
        joined_block made{check(block), {}};
        if (block.width == tile_width) made.root = perfect_root(made.checked.leaves);
        return made;
    }

    std::optional<std::int64_t> claim() {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] {
            return stopped_ || failed_ || next_ >= chunks_ || next_ < wanted_ + chunks_ahead_max;
        });
        if (stopped_ || failed_ || next_ >= chunks_) return std::nullopt;
        if (!source_.is_sequential()) return next_++;
        // In order: whoever claims also reads before the next one claims.
        changed_.wait(lock, [&] { return !reading_ || stopped_ || failed_; });
        if (stopped_ || failed_ || next_ >= chunks_) return std::nullopt;
        reading_ = true;
        return next_++;
    }

    result<std::vector<leaf_block>> read_blocks(std::int64_t number) {
        auto const first = number * chunk_blocks;
        auto read = source_.blocks(first, std::min(chunk_blocks, blocks_ - first), size_);
        std::lock_guard const lock{mutex_};
        reading_ = false;
        changed_.notify_all();
        return read;
    }

    audit_source& source_;
    position size_;
    std::int64_t blocks_;
    std::int64_t chunks_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::int64_t next_ = 0;
    std::int64_t wanted_ = 0;
    bool reading_ = false;
    bool stopped_ = false;
    std::optional<failure> failed_;
    std::map<std::int64_t, chunk> done_;
    std::vector<std::jthread> threads_;
};

/// The tree as it is rebuilt, with all hashes of its upper levels and the roots at sizes that matter.
class rebuilt_tree {
public:
    void want_root_at(std::int64_t size) { roots_.emplace(size, digest{}); }

    void add(joined_block const& block) {
        auto const before = tree_.size();
        auto const after = before + static_cast<std::int64_t>(block.checked.leaves.size());
        if (before == 0 && roots_.contains(0)) roots_[0] = empty_root();
        for (auto mark = roots_.upper_bound(before); mark != roots_.end() && mark->first <= after; ++mark)
            mark->second = root_within(block, mark->first - before);
        if (block.root) {
            tree_.add_tile(*block.root, ignore);
            level(1).push_back(*block.root);
            return;
        }
        for (digest const& leaf : block.checked.leaves) tree_.add(leaf, ignore);
    }

    [[nodiscard]] std::optional<digest> root_at(std::int64_t size) const {
        if (size == 0) return empty_root();
        if (size > tree_.size() || !roots_.contains(size)) return std::nullopt;
        return roots_.at(size);
    }

    /// The hashes of a tile of level 1 or higher.
    std::vector<digest> tile(tile_address const& at) {
        auto const& hashes = level(at.level);
        auto const first = static_cast<std::size_t>(at.number * tile_width);
        auto const end = std::min(hashes.size(), first + static_cast<std::size_t>(at.width));
        if (first >= end) return {};
        return {hashes.begin() + static_cast<std::ptrdiff_t>(first),
                hashes.begin() + static_cast<std::ptrdiff_t>(end)};
    }

private:
    static void ignore(int, std::int64_t, std::span<digest const>) {}

    [[nodiscard]] digest root_within(joined_block const& block, std::int64_t count) const {
        growing_tree grown = tree_;
        for (std::int64_t i = 0; i < count; ++i)
            grown.add(block.checked.leaves[static_cast<std::size_t>(i)], ignore);
        return grown.root();
    }

    /// Level 1 comes from the blocks; each higher one is made of whole tiles of the one below.
    std::vector<digest>& level(int number) {
        auto& hashes = levels_[number];
        if (number == 1) return hashes;
        auto const& below = level(number - 1);
        constexpr auto width = static_cast<std::size_t>(tile_width);
        while ((hashes.size() + 1) * width <= below.size())
            hashes.push_back(perfect_root({below.data() + hashes.size() * width, width}));
        return hashes;
    }

    growing_tree tree_;
    std::map<std::int64_t, digest> roots_;
    std::map<int, std::vector<digest>> levels_;
};

class verification {
public:
    verification(audit_source& source, verify_options const& options) : source_(source), options_(options) {}

    result<verify_report> run() {
        BOOST_OUTCOME_TRY(open_checkpoint());
        open_since();
        BOOST_OUTCOME_TRY(auto const last, source_.last());
        // Without a readable head there is still a log to look at.
        report_.events = last.value_or(head_ ? head_->size : 0);
        if (head_ && last && *last < head_->size)
            note(*last + 1, "log", "events that the signed head covers are missing from here on");
        if (head_) report_.unsigned_events = std::max<position>(0, report_.events - head_->size);
        BOOST_OUTCOME_TRY(read_blocks());
        if (head_) {
            BOOST_OUTCOME_TRY(compare_tiles());
            compare_roots();
        }
        std::stable_sort(report_.findings.begin(), report_.findings.end(), [](auto const& a, auto const& b) {
            return (a.at == 0 ? std::numeric_limits<position>::max() : a.at) <
                   (b.at == 0 ? std::numeric_limits<position>::max() : b.at);
        });
        return std::move(report_);
    }

private:
    result<void> open_checkpoint() {
        BOOST_OUTCOME_TRY(auto const text, source_.checkpoint_note());
        head_ = parse_checkpoint(text);
        if (!head_) {
            note(0, "checkpoint", "it cannot be read");
            return boost::outcome_v2::success();
        }
        report_.head = *head_;
        if (options_.keys.empty()) return boost::outcome_v2::success();
        report_.signature_checked = true;
        if (!is_signed(text, head_->origin))
            note(0, "checkpoint", "its signature is not that of a known key");
        return boost::outcome_v2::success();
    }

    /// A note counts when a known key under its origin's name signed it.
    [[nodiscard]] bool is_signed(std::string const& text, std::string const& origin) const {
        // The key of another log may be known, too; it has no say here.
        auto keys = options_.keys;
        std::erase_if(keys, [&](auto const& key) { return key.name != origin; });
        auto const opened = open_note(text, keys);
        if (!opened) return false;
        auto const signed_head = parse_checkpoint(*opened);
        return signed_head && signed_head->origin == origin;
    }

    void open_since() {
        if (!options_.since) return;
        since_ = parse_checkpoint(*options_.since);
        if (!since_) return note(0, "since", "the earlier checkpoint cannot be read");
        if (!options_.keys.empty() && !is_signed(*options_.since, since_->origin))
            note(0, "since", "the earlier checkpoint's signature is not that of a known key");
        if (head_ && head_->origin != since_->origin)
            note(0, "since", "the earlier checkpoint is of another log: " + since_->origin);
    }

    result<void> read_blocks() {
        if (head_) tree_.want_root_at(head_->size);
        if (since_) tree_.want_root_at(since_->size);
        chunk_reader chunks{source_, report_.events, options_.threads};
        timestamp last_recorded{};
        position checked = 0;
        for (std::int64_t number = 0; number < chunks.chunks(); ++number) {
            BOOST_OUTCOME_TRY(auto const blocks, chunks.take(number));
            auto const wanted = std::min(chunk_blocks, chunks.blocks() - number * chunk_blocks);
            for (joined_block const& block : blocks) {
                if (block.checked.first_recorded < last_recorded &&
                    block.checked.first_recorded != timestamp{})
                    note(checked + 1, "event", "it was recorded before the event before it");
                last_recorded = block.checked.last_recorded;
                for (finding const& one : block.checked.findings) {
                    wrong_.push_back(one.at);
                    note(one.at, one.where, one.what);
                }
                tree_.add(block);
                checked += static_cast<position>(block.checked.leaves.size());
            }
            if (options_.progress) options_.progress(checked, report_.events);
            if (static_cast<std::int64_t>(blocks.size()) < wanted) {
                note(checked + 1, "events", "what the head covers is missing from here on");
                report_.events = checked;
                break;
            }
        }
        return boost::outcome_v2::success();
    }

    result<void> compare_tiles() {
        for (int level = 1; level < levels_max && hashes_at(level, head_->size) > 0; ++level) {
            auto const hashes = std::min(hashes_at(level, head_->size), hashes_at(level, report_.events));
            for (std::int64_t number = 0; number * tile_width < hashes; ++number) {
                tile_address const at{false, level, number,
                                      std::min(tile_width, hashes - number * tile_width)};
                BOOST_OUTCOME_TRY(auto const stored, source_.tile(at));
                compare(at, stored);
            }
        }
        return boost::outcome_v2::success();
    }

    void compare(tile_address const& at, std::optional<std::string> const& stored) {
        auto const first_of = [&](std::int64_t entry) {
            return ((at.number * tile_width + entry) << (tile_height * at.level)) + 1;
        };
        if (!stored) return note(first_of(0), to_path(at), "the tile is missing");
        auto const wanted = to_bytes(tree_.tile(at));
        if (*stored == wanted) return;
        if (stored->size() != wanted.size())
            return note(first_of(0), to_path(at),
                        "the tile has " + std::to_string(stored->size()) + " bytes instead of " +
                            std::to_string(wanted.size()));
        for (std::size_t i = 0; i < wanted.size(); i += sizeof(digest))
            if (stored->compare(i, sizeof(digest), wanted, i, sizeof(digest)) != 0) {
                auto const entry = static_cast<std::int64_t>(i / sizeof(digest));
                if (is_explained(first_of(entry), first_of(entry + 1))) continue;
                note(first_of(entry), to_path(at),
                     "hash " + std::to_string(entry) + " is not that of positions " +
                         std::to_string(first_of(entry)) + " to " + std::to_string(first_of(entry + 1) - 1));
            }
    }

    /// A leaf that could not be had makes every hash above it another one: that is said where the leaf is.
    [[nodiscard]] bool is_explained(position first, position end) const {
        return std::any_of(wrong_.begin(), wrong_.end(),
                           [&](position at) { return at >= first && at < end; });
    }

    void compare_roots() {
        if (auto const root = tree_.root_at(head_->size); root && *root != head_->root)
            note(0, "checkpoint",
                 "its root is not that of the log's first " + std::to_string(head_->size) + " events");
        if (!since_) return;
        if (since_->size > report_.events)
            return note(report_.events + 1, "since",
                        "the earlier checkpoint has " + std::to_string(since_->size) + " events");
        if (auto const root = tree_.root_at(since_->size); root && *root != since_->root)
            note(0, "since",
                 "the log is not a continuation: the first " + std::to_string(since_->size) +
                     " events are not those of the earlier checkpoint");
    }

    void note(position at, std::string where, std::string what) {
        if (report_.findings.size() >= options_.findings_max) {
            report_.more_findings = true;
            return;
        }
        report_.findings.push_back({at, std::move(where), std::move(what)});
    }

    audit_source& source_;
    verify_options const& options_;
    verify_report report_;
    std::optional<checkpoint> head_;
    std::optional<checkpoint> since_;
    rebuilt_tree tree_;
    std::vector<position> wrong_;  ///< Positions with findings of their own.
};

}  // namespace

result<verify_report> verify(audit_source& source, verify_options const& options) {
    return verification{source, options}.run();
}

}  // namespace linkledger::eventlog::merkle
