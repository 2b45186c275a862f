// Read models in PostgreSQL: tables named by their version, locks of the writer's session.

#include "projections/read_store.h"
#include "projections/reader_pool.h"

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

class postgres_read_store final : public read_store {
public:
    explicit postgres_read_store(std::string url)
        : url_(std::move(url)),
          readers_(
              [this] {
                  sql::postgres_options options;
                  options.url = url_;
                  return sql::open_postgres(options);
              },
              readers_max) {}

    [[nodiscard]] sql::dialect dialect() const override { return sql::dialect::postgresql; }

    std::unique_ptr<sql::connection> open_writer(std::string const& /*projection*/,
                                                 int /*version*/) override {
        sql::postgres_options options;
        options.url = url_;
        options.synchronous_commit = false;
        return sql::open_postgres(options);
    }

    std::unique_ptr<writer_lock> try_lock(std::string const& projection, int version,
                                          sql::connection& writer) override {
        // Advisory locks belong to the database; the schema keeps two installations in one apart.
        auto const schema = writer.query_one(
            "SELECT current_schema()", {}, [](sql::row const& r) { return r.text_or_null(0).value_or(""); });
        std::string name = "linkledger projection " + schema.value_or("") + "." + projection + "-v" +
                           std::to_string(version);
        auto const locked = writer.query_one("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {name},
                                             [](sql::row const& r) { return r.boolean(0); });
        if (!locked.value_or(false)) return nullptr;
        return std::make_unique<session_lock>(writer, std::move(name));
    }

    void read(std::string const& projection, std::function<void(snapshot const&)> const& work) override {
        readers_.read([&](sql::connection& rows) {
            auto const position =
                rows.query_one("SELECT position FROM projection_checkpoints WHERE name = $1 AND active",
                               {projection}, [](sql::row const& r) { return r.integer(0); });
            work({rows, position.value_or(0)});
        });
    }

private:
    std::string url_;
    reader_pool readers_;
};

}  // namespace

std::unique_ptr<read_store> create_postgres_read_store(std::string const& url) {
    return std::make_unique<postgres_read_store>(url);
}

}  // namespace linkledger::projections
