// sql::connection on a SQLite file.

#include "eventlog/sql/sqlite_handle.h"
#include "eventlog/sql/sqlite_values.h"

#include <cstdlib>
#include <iterator>
#include <list>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace linkledger::sql {

namespace {

using sqlite::statement;

constexpr std::size_t kept_statements_max = 256;

/// Cells of the row that a statement stands on.
class sqlite_row final : public row {
public:
    explicit sqlite_row(statement const& of) : of_(of) {}

    [[nodiscard]] bool is_null(int column) const override { return type(column) == SQLITE_NULL; }
    [[nodiscard]] std::string text(int column) const override {
        require(column, type(column) == SQLITE_TEXT, "text");
        return std::string{of_.text(column)};
    }
    [[nodiscard]] std::int64_t integer(int column) const override {
        require(column, type(column) == SQLITE_INTEGER, "an integer");
        return of_.integer(column);
    }
    [[nodiscard]] bool boolean(int column) const override { return integer(column) != 0; }
    [[nodiscard]] double real(int column) const override {
        int const found = type(column);
        require(column, found == SQLITE_FLOAT || found == SQLITE_INTEGER, "a number");
        return sqlite3_column_double(of_.get(), column);
    }
    [[nodiscard]] std::string bytes(int column) const override {
        require(column, type(column) == SQLITE_BLOB, "bytes");
        return std::string{of_.bytes(column)};
    }
    [[nodiscard]] domain::uuid id(int column) const override {
        auto const parsed = type(column) == SQLITE_TEXT ? domain::parse_uuid(of_.text(column)) : std::nullopt;
        require(column, parsed.has_value(), "a UUID");
        return *parsed;
    }
    [[nodiscard]] domain::timestamp time(int column) const override {
        auto const parsed =
            type(column) == SQLITE_TEXT ? domain::parse_timestamp(of_.text(column)) : std::nullopt;
        require(column, parsed.has_value(), "a time");
        return *parsed;
    }

private:
    [[nodiscard]] int type(int column) const {
        require(column, column >= 0 && column < sqlite3_data_count(of_.get()), "a column");
        return sqlite3_column_type(of_.get(), column);
    }
    static void require(int column, bool holds, char const* what) {
        if (!holds) throw error{error::kind::other, "column " + std::to_string(column) + " is not " + what};
    }

    statement const& of_;
};

/// A statement with the places where each numbered parameter goes: SQLite numbers `$2` by where it first
/// appears, not by its name.
struct prepared {
    statement runs;
    std::vector<std::size_t> value_of;  ///< By SQLite's index, less one: the index into the parameters.
    bool in_use = false;

    prepared(sqlite3* on, std::string const& sql) : runs(on, sql) {
        int const count = sqlite3_bind_parameter_count(runs.get());
        for (int i = 1; i <= count; ++i) {
            char const* name = sqlite3_bind_parameter_name(runs.get(), i);
            int const number = name != nullptr && *name == '$' ? std::atoi(name + 1) : 0;
            if (number < 1) throw error{error::kind::other, "parameters are written $1, $2, …"};
            value_of.push_back(static_cast<std::size_t>(number) - 1);
        }
    }
};

void bind_value(statement& into, int at, parameter const& value) {
    struct binder {
        statement& to;
        int index;
        void operator()(std::nullptr_t) const { to.bind_null(index); }
        void operator()(bool v) const { to.bind(index, std::int64_t{v}); }
        void operator()(std::int64_t v) const { to.bind(index, v); }
        void operator()(double v) const { to.bind(index, v); }
        void operator()(std::string const& v) const { to.bind_text(index, v); }
        void operator()(blob const& v) const { to.bind_bytes(index, v.bytes); }
        void operator()(domain::uuid const& v) const { copy(domain::to_string(v)); }
        void operator()(domain::timestamp v) const { copy(domain::to_rfc3339(v)); }
        void copy(std::string const& v) const {
            sqlite3_bind_text64(to.get(), index, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    };
    std::visit(binder{into, at}, value);
}

/// Names of tables and columns come from our own code; quoting them costs nothing and hides no surprise.
std::string quoted(std::string const& name) {
    std::string text = "\"";
    for (char const c : name) text += c == '"' ? std::string{"\"\""} : std::string{c};
    return text + "\"";
}

class sqlite_connection final : public connection {
public:
    sqlite_connection(std::string const& path, sqlite_options const& options)
        : handle_(sqlite::open(path, options)) {
        sqlite::register_values(handle_.get(), values_);
    }

    [[nodiscard]] sql::dialect dialect() const override { return dialect::sqlite; }

    std::int64_t execute(std::string const& sql, parameters const& values) override {
        return guarded([&] { return run_counting(sql, values); });
    }

    void query(std::string const& sql, parameters const& values,
               std::function<void(row const&)> const& each) override {
        guarded([&] {
            use const borrowed{*this, sql, values};
            sqlite_row const cells{borrowed.runs()};
            while (borrowed.runs().step()) each(cells);
        });
    }

    void execute_script(std::string const& sql) override {
        guarded([&] { sqlite::run(handle_.get(), sql); });
    }

    std::int64_t execute_values(std::string const& sql, std::vector<std::string> const& types,
                                std::vector<parameters> const& rows) override {
        if (rows.empty()) return 0;
        std::string text = sql;
        static constexpr std::string_view mark = "{values}";
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
            text.replace(at, mark.size(), sqlite::values_table);
        return guarded([&] {
            sqlite::values_scope const offered{values_, rows, types.size()};
            return run_counting(text, {});
        });
    }

    void copy_rows(std::string const& table, std::vector<std::string> const& columns,
                   std::vector<parameters> const& rows) override {
        if (rows.empty()) return;
        std::string names, cells;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            names += (i == 0 ? "" : ", ") + quoted(columns[i]);
            cells += (i == 0 ? "column" : ", column") + std::to_string(i + 1);
        }
        // One statement for all rows: it is undone as a whole when one of them is refused.
        std::string const text = "INSERT INTO " + quoted(table) + " (" + names + ") SELECT " + cells +
                                 " FROM " + std::string{sqlite::values_table};
        guarded([&] {
            sqlite::values_scope const offered{values_, rows, columns.size()};
            run_counting(text, {});
        });
    }

    void begin(access how) override { execute(how == access::write ? "BEGIN IMMEDIATE" : "BEGIN", {}); }

    void commit() override {
        try {
            execute("COMMIT", {});
        } catch (error const& failed) {
            rollback();
            // When the file could not be synced, the commit may still be found in the WAL after a crash.
            if (usable_) throw;
            throw error{error::kind::unknown_outcome, failed.what()};
        }
    }

    void rollback() noexcept override {
        if (sqlite3_get_autocommit(handle_.get()) == 0)
            sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }

    [[nodiscard]] bool usable() const override { return usable_; }

private:
    /// A statement for the time of one call: from the cache, or made for the occasion when a row callback
    /// runs the very statement that it is called from.
    class use {
    public:
        use(sqlite_connection& on, std::string const& sql, parameters const& values) {
            prepared& kept = on.find_or_prepare(sql);
            if (kept.in_use) own_.emplace(on.handle_.get(), sql);
            used_ = own_ ? &*own_ : &kept;
            used_->in_use = true;
            try {
                bind_all(values);
            } catch (...) {
                release();
                throw;
            }
        }
        ~use() { release(); }
        use(use const&) = delete;
        use& operator=(use const&) = delete;
        [[nodiscard]] statement& runs() const { return used_->runs; }

    private:
        void bind_all(parameters const& values) {
            for (std::size_t i = 0; i < used_->value_of.size(); ++i) {
                if (used_->value_of[i] >= values.size())
                    throw error{error::kind::other, "fewer values than the statement has parameters"};
                bind_value(used_->runs, static_cast<int>(i) + 1, values[used_->value_of[i]]);
            }
        }
        void release() noexcept {
            used_->runs.reset();
            sqlite3_clear_bindings(used_->runs.get());
            used_->in_use = false;
        }

        std::optional<prepared> own_;
        prepared* used_ = nullptr;
    };

    template <typename Work>
    auto guarded(Work const& work) -> decltype(work()) {
        if (!usable_) throw error{error::kind::unavailable, "the connection broke before"};
        try {
            return work();
        } catch (error const&) {
            if (sqlite::breaks_connection(sqlite3_errcode(handle_.get()))) usable_ = false;
            throw;
        }
    }

    std::int64_t run_counting(std::string const& sql, parameters const& values) {
        auto const before = sqlite3_total_changes64(handle_.get());
        use const borrowed{*this, sql, values};
        while (borrowed.runs().step()) {
        }
        // The count of the last DML is what sqlite3_changes gives, also after statements that are none.
        if (sqlite3_total_changes64(handle_.get()) == before) return 0;
        return sqlite3_changes64(handle_.get());
    }

    prepared& find_or_prepare(std::string const& sql) {
        if (auto const found = by_text_.find(sql); found != by_text_.end()) {
            kept_.splice(kept_.begin(), kept_, found->second);
            return found->second->second;
        }
        if (kept_.size() >= kept_statements_max) forget_oldest();
        kept_.emplace_front(std::piecewise_construct, std::forward_as_tuple(sql),
                            std::forward_as_tuple(handle_.get(), sql));
        by_text_.emplace(kept_.front().first, kept_.begin());
        return kept_.front().second;
    }

    void forget_oldest() {
        for (auto oldest = std::prev(kept_.end());; --oldest) {
            if (!oldest->second.in_use) {
                by_text_.erase(oldest->first);
                kept_.erase(oldest);
                return;
            }
            if (oldest == kept_.begin()) return;
        }
    }

    using kept_list = std::list<std::pair<std::string, prepared>>;

    sqlite::offered_values values_;
    sqlite::handle handle_;
    kept_list kept_;  ///< The most recently used first.
    std::unordered_map<std::string_view, kept_list::iterator> by_text_;
    bool usable_ = true;
};

}  // namespace

std::unique_ptr<connection> open_sqlite(std::string const& path, sqlite_options const& options) {
    return std::make_unique<sqlite_connection>(path, options);
}

}  // namespace linkledger::sql
