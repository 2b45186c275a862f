#pragma once
// A command bus over a log, with everything that it needs, driven from a test without an executor of its own.

#include "commands/command_bus.h"
#include "commands/inputs.h"
#include "eventlog/codec.h"
#include "eventlog/committer.h"
#include "eventlog/keyring.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace linkledger::commands::testing {

inline constexpr char const* first_admin_key = "ll_first-admin-key-of-the-tests";

/// One process: committer, keyring and bus over a log that several of them may share.
class process {
public:
    explicit process(eventlog::event_log& log, bus_options options = default_options());
    ~process();

    static bus_options default_options();

    [[nodiscard]] command_bus& bus() { return *bus_; }
    [[nodiscard]] eventlog::keyring& keys() { return keys_; }

    /// Runs a coroutine to its end on an executor that nobody else uses meanwhile.
    template <typename T>
    T run(awaitable<T> work) {
        auto const lent = take_context();
        auto& here = *lent;
        std::optional<T> result;
        auto whole = [&]() -> awaitable<void> { result.emplace(co_await std::move(work)); };
        boost::asio::co_spawn(here, whole, [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
        here.run();
        return std::move(*result);
    }

    command_outcome execute(command_request const& request, sender const& from) {
        return run(bus().execute(request, from));
    }
    command_outcome execute(std::string const& name, std::string const& data, sender const& from) {
        return execute(command_request{name, data, std::nullopt, std::nullopt}, from);
    }
    /// The answer; a test failure where there is none.
    command_answer accept(std::string const& name, std::string const& data, sender const& from) {
        return accepted(execute(name, data, from));
    }
    command_answer accept(command_request const& request, sender const& from) {
        return accepted(execute(request, from));
    }
    /// The sender behind a key.
    sender log_in(std::string const& key);
    /// The first admin of the log, made on first use.
    sender first_admin();

    static command_answer accepted(command_outcome const& outcome);

private:
    /// Comes back when nobody holds it any more.
    std::shared_ptr<boost::asio::io_context> take_context() {
        std::unique_ptr<boost::asio::io_context> taken;
        {
            std::lock_guard const lock{contexts_mutex_};
            if (!contexts_.empty()) {
                taken = std::move(contexts_.back());
                contexts_.pop_back();
            }
        }
        if (!taken) taken = std::make_unique<boost::asio::io_context>();
        taken->restart();
        return {taken.release(), [this](boost::asio::io_context* used) {
                    std::lock_guard const lock{contexts_mutex_};
                    contexts_.emplace_back(used);
                }};
    }

    /// They outlive the committer, whose thread may still be leaving what it has resumed.
    std::mutex contexts_mutex_;
    std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
    eventlog::event_log& log_;
    eventlog::keyring keys_;
    eventlog::committer committer_;
    std::unique_ptr<command_bus> bus_;
};

[[nodiscard]] std::string describe(command_outcome const& outcome);
[[nodiscard]] std::optional<domain::refusal_code> refused(command_outcome const& outcome);
/// A text field of an answer's result.
[[nodiscard]] std::string field(command_answer const& answer, char const* name);
/// JSON text from name and value pairs.
[[nodiscard]] std::string object(boost::json::object const& members);
/// Every event of the log, decoded.
[[nodiscard]] std::vector<domain::event> all_events(eventlog::event_log& log, eventlog::keyring& keys);

/// Where a log is kept for the time of a test.
class log_store {
public:
    virtual ~log_store() = default;
    virtual eventlog::event_log& log() = 0;
};
enum class backend { memory, sqlite, postgres };
/// An empty log.
[[nodiscard]] std::unique_ptr<log_store> make_store(backend kind);
[[nodiscard]] std::string name_of(::testing::TestParamInfo<backend> const& info);

/// A log and one process on it, with the first admin logged in; on each backend.
class BusTest : public ::testing::TestWithParam<backend> {
protected:
    std::unique_ptr<log_store> store = make_store(GetParam());
    eventlog::event_log* log = &store->log();
    process here{*log};
    sender admin = here.first_admin();

    /// A workspace of the first admin's.
    std::string make_workspace(std::string const& slug = "team") {
        return field(here.accept("CreateWorkspace", object({{"name", "Team"}, {"slug", slug}}), admin),
                     "workspace_id");
    }
    /// A member's sender, who was invited and has accepted.
    sender make_member(std::string const& workspace, std::string const& email, std::string const& role);
    command_answer make_link(std::string const& workspace, std::string const& code, sender const& by) {
        return here.accept(
            "CreateLink",
            object({{"workspace_id", workspace}, {"url", "https://example.com/"}, {"short_code", code}}), by);
    }
    eventlog::position head() { return log->head().assume_value().last; }
};

#define LINKLEDGER_ON_EACH_BACKEND(SUITE)                                                            \
    INSTANTIATE_TEST_SUITE_P(OnEachBackend, SUITE,                                                   \
                             ::testing::Values(backend::memory, backend::sqlite, backend::postgres), \
                             name_of)

}  // namespace linkledger::commands::testing
