#pragma once
// Links that the redirect table does not hold, read from the log's claims and streams. Everything here
// blocks.

#include "commands/link_table.h"
#include "eventlog/event_log.h"
#include "eventlog/keyring.h"

#include <optional>
#include <string>
#include <string_view>

namespace linkledger::commands {

class edge_cache;

/// What a code leads to.
struct found_link {
    link_ref link;  ///< Null: no link has the code; `absent` says why.
    absence absent = absence::no;
};

class link_loader {
public:
    /// Without `remember` nothing that is read is kept in the table: no tail would mend it. `edge`, which may
    /// be null, is asked before the log and told what the log says.
    link_loader(eventlog::event_log& log, link_table& table, bool remember, edge_cache* edge = nullptr);

    [[nodiscard]] eventlog::result<found_link> load(std::string const& short_code);
    /// A null link: there is none.
    [[nodiscard]] eventlog::result<found_link> load(domain::link_id const& id);
    /// The argon2id hash; none when the link has no password, or its key was destroyed.
    [[nodiscard]] eventlog::result<std::optional<std::string>> password_hash(domain::link_id const& id,
                                                                             eventlog::keyring& keys);

private:
    [[nodiscard]] std::optional<found_link> load_from_edge(std::string const& short_code);
    [[nodiscard]] eventlog::result<link_settings> read_settings(domain::link_id const& id);
    [[nodiscard]] eventlog::result<found_link> load_absent(std::string const& short_code,
                                                           link_table::ticket const& before);

    eventlog::event_log& log_;
    link_table& table_;
    bool remember_;
    edge_cache* edge_;
};

}  // namespace linkledger::commands
