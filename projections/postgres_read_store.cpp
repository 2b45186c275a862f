// Read models in PostgreSQL: tables named by their version, further builds of a version in schemas of their
// own, locks of the writer's session.

#include "projections/projection.h"
#include "projections/read_store.h"
#include "projections/reader_pool.h"
#include "projections/registry.h"

#include <filesystem>
#include <utility>

namespace linkledger::projections {
namespace {

constexpr std::size_t readers_max = 16;

class session_lock final : public writer_lock {
public:
    session_lock(sql::connection& session, std::string name) : session_(session), name_(std::move(name)) {}
    ~session_lock() override {
        if (!session_.usable()) return;
        try {
            session_.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", {name_},
                           [](sql::row const&) {});
        } catch (sql::error const&) {
            // The session is closed next, and the lock with it.
        }
    }
    session_lock(session_lock const&) = delete;
    session_lock& operator=(session_lock const&) = delete;

private:
    sql::connection& session_;
    std::string name_;
};

std::string schema_of(sql::connection& session) {
    return session
        .query_one("SELECT current_schema()", {},
                   [](sql::row const& r) { return r.text_or_null(0).value_or(""); })
        .value_or("");
}

std::string quoted(std::string const& name) {
    std::string text = "\"";
    for (char const c : name) text += c == '"' ? std::string{"\"\""} : std::string{c};
    return text + "\"";
}

/// Advisory locks belong to the database; the schema keeps two installations in one apart.
std::unique_ptr<writer_lock> try_session_lock(sql::connection& session, std::string const& what) {
    std::string name = "linkledger projection " + schema_of(session) + "." + what;
    auto const locked = session.query_one("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {name},
                                          [](sql::row const& r) { return r.boolean(0); });
    if (!locked.value_or(false)) return nullptr;
    return std::make_unique<session_lock>(session, std::move(name));
}

std::string build_schema(std::string const& main, std::string const& projection, build_id which) {
    return main + "_" + projection + "_v" + std::to_string(which.version) + "_" + std::to_string(which.build);
}

class postgres_read_store final : public read_store {
public:
    postgres_read_store(std::string url, std::string scratch_folder)
        : url_(std::move(url)),
          scratch_folder_(std::move(scratch_folder)),
          readers_([this] { return open(true); }, readers_max) {}

    [[nodiscard]] sql::dialect dialect() const override { return sql::dialect::postgresql; }

    std::unique_ptr<sql::connection> open_writer(std::string const& projection, build_id which) override {
        return enter_for_good(open(false), projection, which);
    }

    std::unique_ptr<sql::connection> open_loader(std::string const& projection, build_id which) override {
        sql::postgres_options options;
        options.url = url_;
        options.synchronous_commit = false;
        options.statement_timeout = options.idle_in_transaction_timeout = std::chrono::hours{24};
        options.call_timeout = std::chrono::hours{25};
        return enter_for_good(sql::open_postgres(options), projection, which);
    }

    static std::unique_ptr<sql::connection> enter_for_good(std::unique_ptr<sql::connection> writer,
                                                           std::string const& projection, build_id which) {
        if (which.is_first()) return writer;
        auto const schema = build_schema(schema_of(*writer), projection, which);
        // Nothing is to be found in the main schema: a name there is that of the first build.
        writer->execute_script("SET search_path TO " + quoted(schema));
        return writer;
    }

    std::unique_ptr<writer_lock> try_lock(std::string const& projection, build_id which,
                                          sql::connection& writer) override {
        return try_session_lock(writer, projection + "-v" + std::to_string(which.version));
    }

    std::unique_ptr<sql::connection> open_control() override { return open(true); }

    std::unique_ptr<writer_lock> try_lock_rebuild(std::string const& projection,
                                                  sql::connection& control) override {
        return try_session_lock(control, projection + "-rebuild");
    }

    void make_tables(projection const& of, build_id which) override {
        if (which.is_first()) return;
        auto const in = open(true);
        auto const main = schema_of(*in);
        std::string const name{of.name()};
        auto const schema = build_schema(main, name, which);
        sql::transaction turn{*in, sql::connection::access::write};
        auto const there = in->query_one("SELECT 1 FROM pg_namespace WHERE nspname = $1", {schema},
                                         [](sql::row const&) { return true; });
        if (there) return;
        in->execute_script("CREATE SCHEMA " + quoted(schema));
        for (auto const table : of.tables()) copy_form(*in, main, schema, std::string{table});
        copy_form(*in, main, schema, "projection_checkpoints");
        copy_form(*in, main, schema, "parked_events");
        in->execute("INSERT INTO " + quoted(schema) +
                        ".projection_checkpoints (name, version, active, epoch, position, updated_at) "
                        "VALUES ($1, $2, false, 0, 0, now())",
                    {name, std::int64_t{which.version}});
        turn.commit();
    }

    void remove_tables(projection const& of, build_id which) override {
        auto const in = open(true);
        std::string const name{of.name()};
        if (!which.is_first()) {
            in->execute_script("DROP SCHEMA IF EXISTS " + quoted(build_schema(schema_of(*in), name, which)) +
                               " CASCADE");
            return;
        }
        sql::transaction turn{*in, sql::connection::access::write};
        sql::parameters const key{name, std::int64_t{which.version}};
        for (auto const table : of.tables()) in->execute("TRUNCATE " + std::string{table});
        in->execute("DELETE FROM parked_events WHERE name = $1 AND version = $2", key);
        in->execute(
            "UPDATE projection_checkpoints SET log_id = NULL, position = 0, recorded_at = NULL "
            "WHERE name = $1 AND version = $2",
            key);
        turn.commit();
    }

    std::int64_t disk_bytes(projection const& of, build_id which) override {
        auto const in = open_writer(std::string{of.name()}, which);
        std::vector<std::string> names{of.tables().begin(), of.tables().end()};
        names.push_back("rebuild_" + std::string{of.name()} + "_v" + std::to_string(which.version));
        std::int64_t bytes = 0;
        for (auto const& table : names) {
            // A partitioned table has no bytes of its own; any other has no tree.
            bytes += in->query_one(
                           "SELECT coalesce(pg_total_relation_size(to_regclass($1)), 0) + (SELECT "
                           "coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM "
                           "pg_partition_tree(to_regclass($1)))",
                           {table}, [](sql::row const& r) { return r.integer(0); })
                         .value_or(0);
        }
        return bytes;
    }

    [[nodiscard]] std::string scratch_folder() const override { return scratch_folder_; }

    void read(std::string const& projection, std::function<void(snapshot const&)> const& work) override {
        readers_.read([&](sql::connection& rows) {
            struct live_build {
                build_id build;
                eventlog::position position = 0;
            };
            auto const live = rows.query_one(
                "SELECT v.version, v.build, c.position FROM projection_versions AS v LEFT JOIN "
                "projection_checkpoints AS c ON c.name = v.name AND c.version = v.version "
                "WHERE v.name = $1 AND v.state = 'live'",
                {projection}, [](sql::row const& r) {
                    return live_build{{static_cast<int>(r.integer(0)), static_cast<int>(r.integer(1))},
                                      r.integer_or_null(2).value_or(0)};
                });
            if (!live)
                throw sql::error{sql::error::kind::unavailable,
                                 "no version of " + projection + " is live yet"};
            require_readable(projection, live->build.version);
            if (live->build.is_first()) return work({rows, live->position, live->build});
            work(enter(rows, projection, live->build));
        });
    }

    void read_build(std::string const& projection, build_id which,
                    std::function<void(snapshot const&)> const& work) override {
        readers_.read([&](sql::connection& rows) { work(enter(rows, projection, which)); });
    }

private:
    [[nodiscard]] std::unique_ptr<sql::connection> open(bool synchronous_commit) const {
        sql::postgres_options options;
        options.url = url_;
        options.synchronous_commit = synchronous_commit;
        return sql::open_postgres(options);
    }

    /// Until the end of the transaction, the names of tables are those of the build.
    static snapshot enter(sql::connection& rows, std::string const& projection, build_id which) {
        if (!which.is_first())
            rows.execute_script("SET LOCAL search_path TO " +
                                quoted(build_schema(schema_of(rows), projection, which)));
        auto const position = rows.query_one(
            "SELECT position FROM projection_checkpoints WHERE name = $1 AND version = $2",
            {projection, std::int64_t{which.version}}, [](sql::row const& r) { return r.integer(0); });
        return {rows, position.value_or(0), which};
    }

    static void copy_form(sql::connection& in, std::string const& main, std::string const& schema,
                          std::string const& table) {
        struct form {
            std::optional<std::string> partition_key, storage, default_partition;
        };
        auto const found = in.query_one(
            "SELECT pg_get_partkeydef(c.oid), array_to_string(c.reloptions, ', '), d.relname FROM pg_class "
            "AS c "
            "LEFT JOIN pg_partitioned_table AS p ON p.partrelid = c.oid "
            "LEFT JOIN pg_class AS d ON d.oid = p.partdefid WHERE c.oid = to_regclass($1)",
            {quoted(main) + "." + quoted(table)}, [](sql::row const& r) {
                return form{r.text_or_null(0), r.text_or_null(1), r.text_or_null(2)};
            });
        if (!found) throw sql::error{sql::error::kind::other, "there is no table " + table};
        auto const made = quoted(schema) + "." + quoted(table);
        std::string text =
            "CREATE TABLE " + made + " (LIKE " + quoted(main) + "." + quoted(table) + " INCLUDING ALL)";
        if (found->partition_key) text += " PARTITION BY " + *found->partition_key;
        if (found->storage && !found->storage->empty()) text += " WITH (" + *found->storage + ")";
        in.execute_script(text);
        if (found->default_partition)
            in.execute_script("CREATE TABLE " + quoted(schema) + "." + quoted(*found->default_partition) +
                              " PARTITION OF " + made + " DEFAULT");
    }

    std::string url_;
    std::string scratch_folder_;
    reader_pool readers_;
};

}  // namespace

std::unique_ptr<read_store> create_postgres_read_store(std::string const& url, std::string scratch_folder) {
    if (scratch_folder.empty())
        scratch_folder = (std::filesystem::temp_directory_path() / "linkledger-rebuild").string();
    return std::make_unique<postgres_read_store>(url, std::move(scratch_folder));
}

}  // namespace linkledger::projections
