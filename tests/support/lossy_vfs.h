#pragma once
// A disk for SQLite that forgets what was not synced when its power is cut: a VFS over the system's own.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace linkledger::test {

/// Registered under `name` for as long as it lives; every connection that uses it must be closed before.
/// Database and WAL files are watched; what is written to them passes through to the real file, so that other
/// connections and processes see it, and is remembered until it is synced.
class lossy_vfs {
public:
    explicit lossy_vfs(std::string name);
    ~lossy_vfs();
    lossy_vfs(lossy_vfs const&) = delete;
    lossy_vfs& operator=(lossy_vfs const&) = delete;

    [[nodiscard]] std::string const& name() const;

    /// Cuts the power at the `operations`-th write, truncation or sync from now. From then on every operation
    /// fails, as if nobody were there to see the end of it. `seed` decides which unsynced writes have reached
    /// the disk by then: any of them, in any order, whole or in sectors of 512 bytes.
    void cut_power_after(std::int64_t operations, std::uint64_t seed);
    [[nodiscard]] bool power_is_cut() const;
    /// The power is back and the files are what the disk kept. Only while no connection is open.
    void restore_power();

    /// A disk that lies: syncs say that they are done and do nothing. For the canary.
    void ignore_syncs();
    /// Called before each sync of a WAL, on the thread that commits.
    void before_wal_sync(std::function<void()> hook);

    struct state;

private:
    std::unique_ptr<state> state_;
};

}  // namespace linkledger::test
