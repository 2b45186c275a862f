#include "cli/cold_start.h"

#include "cli/subcommand.h"
#include "commands/links_file.h"
#include "eventlog/spool/unreachable_log.h"
#include "eventlog/sql/connection.h"

#include <spdlog/spdlog.h>

#include <fmt/format.h>

#include <filesystem>

namespace linkledger::cli {

std::optional<std::string> why_unreachable(configuration const& from) {
    if (!from.on_postgresql()) return std::nullopt;
    sql::postgres_options options;
    options.url = from.database_url;
    options.connect_timeout = std::chrono::seconds{3};
    options.call_timeout = std::chrono::seconds{3};
    try {
        auto const on = sql::open_postgres(options);
        on->query("SELECT 1", {}, [](sql::row const&) {});
        return std::nullopt;
    } catch (sql::error const& why) {
        using kind = sql::error::kind;
        if (why.what_kind() == kind::constraint || why.what_kind() == kind::other) return std::nullopt;
        // A server that answers so will not come round by itself: the start shall fail and say why.
        std::string const text = why.what();
        for (char const* const lasting : {"authentication failed", "does not exist", "pg_hba.conf"})
            if (text.find(lasting) != std::string::npos) return std::nullopt;
        return text;
    }
}

cold_server::cold_server(configuration const& from, api::application_options const& options,
                         eventlog::spool& spool, std::string const& why) {
    auto const links = links_file_of(spool);
    if (!std::filesystem::exists(from.master_key_file) || !std::filesystem::exists(links))
        throw command_failed{why};
    // Clicks of these links may wait with clicks of their own log alone.
    auto const known_links = value_or_fail(commands::look_at_links(links), "the links cannot be read");
    value_or_fail(spool.bind_history(known_links.head.history), why);
    log_.log = eventlog::create_unreachable_log(why);
    log_.keys = std::make_unique<eventlog::keyring>(
        *log_.log, value_or_fail(eventlog::load_or_create_master_key(from.master_key_file),
                                 "the master key cannot be used"));
    reads_ = open_read_store(from);
    auto bus = bus_options_of(from);
    bus.links_file = links;
    writes_ = open_write_side(from, log_, bus, &spool);
    writes_.spooler->activate();
    api::services services{*log_.log, *writes_.committer, *log_.keys, *writes_.bus, *reads_};
    services.probes.push_back(probe_of(*writes_.spooler, *writes_.bus));
    services.follows_without_log = [] { return true; };
    services.takes_clicks_without_log = [this] { return writes_.spooler->has_room(); };
    application_ = std::make_unique<api::application>(options, services);
    application_->start();
    auto const known = writes_.bus->stats();
    spdlog::warn(
        "the database cannot be reached ({}); following {} links that were known {} s ago until it can", why,
        known.link_cache_size,
        std::chrono::duration_cast<std::chrono::seconds>(known.since_log_contact).count());
}

bool cold_server::stop(std::chrono::milliseconds patience) {
    bool const whole = application_->stop(patience);
    writes_.bus->stop();
    writes_.end();
    return whole;
}

}  // namespace linkledger::cli
