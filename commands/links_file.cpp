#include "commands/links_file.h"

#include "eventlog/sql/connection.h"

#include <algorithm>
#include <filesystem>

namespace linkledger::commands {
namespace {

constexpr auto schema = R"(
CREATE TABLE head (log_id TEXT NOT NULL, epoch INTEGER NOT NULL, last INTEGER NOT NULL, learnt_at TEXT NOT NULL);
CREATE TABLE links (
    link_id TEXT NOT NULL, workspace_id TEXT NOT NULL, version INTEGER NOT NULL, short_code TEXT NOT NULL,
    url TEXT NOT NULL, disabled INTEGER NOT NULL, deleted INTEGER NOT NULL, has_password INTEGER NOT NULL,
    expires_at TEXT, max_clicks INTEGER, utm_source TEXT, utm_medium TEXT, utm_campaign TEXT);
)";
constexpr auto insert_link =
    "INSERT INTO links VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

eventlog::failure unusable(std::string const& path, std::string const& why) {
    return {eventlog::failure_code::unavailable, "the file of known links " + path + ": " + why};
}

void insert(sql::connection& into, link_settings const& link) {
    into.execute(
        insert_link,
        {link.link_id.value, link.workspace_id.value, link.version, link.short_code, link.url, link.disabled,
         link.deleted, link.has_password, sql::bind(link.expires_at), sql::bind(link.max_clicks),
         sql::bind(link.utm_source), sql::bind(link.utm_medium), sql::bind(link.utm_campaign)});
}

link_settings read_link(sql::row const& r) {
    link_settings link;
    link.link_id = domain::link_id{r.id(0)};
    link.workspace_id = domain::workspace_id{r.id(1)};
    link.version = r.integer(2);
    link.short_code = r.text(3);
    link.url = r.text(4);
    link.disabled = r.boolean(5);
    link.deleted = r.boolean(6);
    link.has_password = r.boolean(7);
    link.expires_at = r.time_or_null(8);
    link.max_clicks = r.integer_or_null(9);
    link.utm_source = r.text_or_null(10);
    link.utm_medium = r.text_or_null(11);
    link.utm_campaign = r.text_or_null(12);
    return link;
}

sql::sqlite_options read_only() {
    sql::sqlite_options how;
    how.read_only = true;
    return how;
}

links_file_head read_head(sql::connection& from) {
    auto const found =
        from.query_one("SELECT log_id, epoch, last, learnt_at FROM head", {}, [](sql::row const& r) {
            links_file_head read;
            read.history = {r.id(0), r.integer(1), r.integer(2), r.time(3)};
            read.learnt_at = r.time(3);
            return read;
        });
    if (!found) throw sql::error(sql::error::kind::other, "it is empty");
    return *found;
}

void remove_with_its_wal(std::string const& path) {
    for (char const* const end : {"", "-wal", "-shm"}) {
        std::error_code ignored;
        std::filesystem::remove(path + end, ignored);
    }
}

}  // namespace

std::chrono::milliseconds links_file_head::age(domain::timestamp now) const {
    return std::max(std::chrono::milliseconds{0},
                    std::chrono::duration_cast<std::chrono::milliseconds>(now - learnt_at));
}

eventlog::result<void> write_links(std::string const& path, links_file_head const& head,
                                   link_table const& from) {
    std::string const draft = path + ".new";
    try {
        remove_with_its_wal(draft);
        {
            sql::sqlite_options how;
            how.owner_only = true;
            auto const into = sql::open_sqlite(draft, how);
            into->execute_script(schema);
            sql::transaction whole{*into, sql::connection::access::write};
            into->execute("INSERT INTO head VALUES ($1, $2, $3, $4)",
                          {head.history.log_id, head.history.epoch, head.history.last, head.learnt_at});
            from.for_each([&](link_record const& link) { insert(*into, link.settings()); });
            whole.commit();
            // All of it into the one file, before that takes the old one's place.
            auto const mode = into->query_one("PRAGMA journal_mode = DELETE", {},
                                              [](sql::row const& r) { return r.text(0); });
            if (mode != "delete") throw sql::error(sql::error::kind::unavailable, "it cannot be completed");
        }
        std::error_code failed;
        std::filesystem::rename(draft, path, failed);
        if (failed) return unusable(path, failed.message());
        return boost::outcome_v2::success();
    } catch (sql::error const& why) {
        remove_with_its_wal(draft);
        return unusable(path, why.what());
    }
}

eventlog::result<links_file_summary> look_at_links(std::string const& path) {
    if (!std::filesystem::exists(path)) return unusable(path, "there is none");
    try {
        auto const from = sql::open_sqlite(path, read_only());
        auto const links =
            from->query_one("SELECT count(*) FROM links", {}, [](sql::row const& r) { return r.integer(0); });
        return links_file_summary{read_head(*from), static_cast<std::size_t>(links.value_or(0))};
    } catch (sql::error const& why) {
        return unusable(path, why.what());
    }
}

eventlog::result<links_file_head> read_links(std::string const& path, link_table& into) {
    if (!std::filesystem::exists(path)) return unusable(path, "there is none");
    try {
        auto const from = sql::open_sqlite(path, read_only());
        auto const head = read_head(*from);
        from->query(
            "SELECT link_id, workspace_id, version, short_code, url, disabled, deleted, has_password, "
            "expires_at, "
            "max_clicks, utm_source, utm_medium, utm_campaign FROM links",
            {}, [&](sql::row const& r) { into.put_remembered(read_link(r)); });
        return head;
    } catch (sql::error const& why) {
        return unusable(path, why.what());
    }
}

}  // namespace linkledger::commands
