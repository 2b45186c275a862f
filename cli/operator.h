#pragma once
// The operator at the command line: carries out commands on the log itself, with every right, without HTTP.

#include "cli/composition.h"

#include <boost/asio/thread_pool.hpp>

#include <future>
#include <string>
#include <vector>

namespace linkledger::cli {

/// Commands are recorded as the system's, on behalf of the first admin user. Other processes may serve the
/// same log meanwhile; they see what is written here through the log.
class operator_session {
public:
    /// Migrates, opens the log and, when it is empty, makes the first admin. Throws command_failed.
    explicit operator_session(configuration const& from);
    ~operator_session();
    operator_session(operator_session const&) = delete;
    operator_session& operator=(operator_session const&) = delete;

    /// The first admin key when the log was empty until now and none was given; to be shown once.
    [[nodiscard]] std::optional<std::string> const& new_admin_key() const { return new_admin_key_; }

    /// Blocks. A refusal or failure becomes command_failed.
    [[nodiscard]] commands::command_answer execute(std::string name, std::string data);
    /// Up to 1,000 commands; several bulks may be under way at once. `requests` must outlive the future.
    [[nodiscard]] std::future<std::vector<commands::command_outcome>> execute_bulk(
        std::vector<commands::command_request> const& requests);

    /// By id or slug; none when there is no such workspace.
    [[nodiscard]] std::optional<domain::workspace_id> find_workspace(std::string const& id_or_slug);

    [[nodiscard]] eventlog::event_log& log() { return *log_.log; }
    [[nodiscard]] eventlog::keyring& keys() { return *log_.keys; }
    [[nodiscard]] eventlog::committer& committer() { return *write_.committer; }
    [[nodiscard]] log_side const& parts() const { return log_; }

private:
    [[nodiscard]] std::optional<domain::uuid> owner(std::string const& scope, std::string const& key,
                                                    std::string_view kind);

    log_side log_;
    write_side write_;
    boost::asio::thread_pool threads_{2};
    std::optional<std::string> new_admin_key_;
    commands::sender as_;
};

}  // namespace linkledger::cli
