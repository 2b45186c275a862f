#include "eventlog/sql/sqlite_values.h"

#include "eventlog/sql/sqlite_handle.h"

namespace linkledger::sql::sqlite {

namespace {

struct table : sqlite3_vtab {
    offered_values* shown = nullptr;
};

struct cursor : sqlite3_vtab_cursor {
    std::size_t at = 0;
};

std::vector<parameters> const* rows_of(sqlite3_vtab_cursor* c) {
    return static_cast<table*>(c->pVtab)->shown->rows;
}

int connect(sqlite3* on, void* shown, int, char const* const*, sqlite3_vtab** made, char**) {
    std::string declaration = "CREATE TABLE x(";
    for (std::size_t i = 1; i <= values_columns_max; ++i)
        declaration += (i == 1 ? "column" : ", column") + std::to_string(i);
    int const code = sqlite3_declare_vtab(on, (declaration + ")").c_str());
    if (code != SQLITE_OK) return code;
    auto* const fresh = new table{};
    fresh->shown = static_cast<offered_values*>(shown);
    *made = fresh;
    return SQLITE_OK;
}

int disconnect(sqlite3_vtab* made) {
    delete static_cast<table*>(made);
    return SQLITE_OK;
}

/// Only a full scan is offered: the planner puts this table outside and looks the other one up.
int best_index(sqlite3_vtab*, sqlite3_index_info* plan) {
    plan->estimatedCost = 100;
    plan->estimatedRows = 100;
    return SQLITE_OK;
}

int open_cursor(sqlite3_vtab*, sqlite3_vtab_cursor** opened) {
    *opened = new cursor{};
    return SQLITE_OK;
}

int close_cursor(sqlite3_vtab_cursor* c) {
    delete static_cast<cursor*>(c);
    return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* c, int, char const*, int, sqlite3_value**) {
    static_cast<cursor*>(c)->at = 0;
    return SQLITE_OK;
}

int next(sqlite3_vtab_cursor* c) {
    ++static_cast<cursor*>(c)->at;
    return SQLITE_OK;
}

int at_end(sqlite3_vtab_cursor* c) {
    auto const* rows = rows_of(c);
    return rows == nullptr || static_cast<cursor*>(c)->at >= rows->size() ? 1 : 0;
}

struct giver {
    sqlite3_context* to;
    void operator()(std::nullptr_t) const { sqlite3_result_null(to); }
    void operator()(bool v) const { sqlite3_result_int(to, v ? 1 : 0); }
    void operator()(std::int64_t v) const { sqlite3_result_int64(to, v); }
    void operator()(double v) const { sqlite3_result_double(to, v); }
    void operator()(std::string const& v) const {
        sqlite3_result_text64(to, v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    void operator()(blob const& v) const {
        sqlite3_result_blob64(to, v.bytes.data(), v.bytes.size(), SQLITE_STATIC);
    }
    void operator()(domain::uuid const& v) const { copy(domain::to_string(v)); }
    void operator()(domain::timestamp v) const { copy(domain::to_rfc3339(v)); }
    void copy(std::string const& v) const {
        sqlite3_result_text64(to, v.data(), v.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    }
};

int column(sqlite3_vtab_cursor* c, sqlite3_context* to, int index) {
    auto const& values = (*rows_of(c))[static_cast<cursor*>(c)->at];
    if (static_cast<std::size_t>(index) < values.size())
        std::visit(giver{to}, values[static_cast<std::size_t>(index)]);
    return SQLITE_OK;
}

int row_id(sqlite3_vtab_cursor* c, sqlite3_int64* id) {
    *id = static_cast<sqlite3_int64>(static_cast<cursor*>(c)->at);
    return SQLITE_OK;
}

/// Without xCreate the table exists in every database by its name, and nowhere on disk.
sqlite3_module make_module() {
    sqlite3_module made{};
    made.xConnect = connect;
    made.xDisconnect = disconnect;
    made.xBestIndex = best_index;
    made.xOpen = open_cursor;
    made.xClose = close_cursor;
    made.xFilter = filter;
    made.xNext = next;
    made.xEof = at_end;
    made.xColumn = column;
    made.xRowid = row_id;
    return made;
}

}  // namespace

void register_values(sqlite3* on, offered_values& shown) {
    static sqlite3_module const module = make_module();
    int const code = sqlite3_create_module(on, std::string{values_table}.c_str(), &module, &shown);
    if (code != SQLITE_OK) raise(on, code);
}

values_scope::values_scope(offered_values& in, std::vector<parameters> const& rows, std::size_t width)
    : in_(in) {
    bool fits = width <= values_columns_max;
    for (auto const& row : rows) fits = fits && row.size() == width;
    if (!fits) throw error{error::kind::other, "rows of another width than the columns"};
    in_.rows = &rows;
}

}  // namespace linkledger::sql::sqlite
