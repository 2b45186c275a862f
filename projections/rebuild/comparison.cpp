// PostgreSQL sums up on its side; SQLite has no hash function, so its rows are hashed here as they come.

#include "projections/rebuild/comparison.h"

#include "eventlog/crypto.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <set>

namespace linkledger::projections {
namespace {

struct column {
    std::string name;
    bool is_number = false;
    bool is_text = false;
    bool operator<(column const& other) const { return name < other.name; }
};

struct summary {
    std::int64_t rows = 0;
    std::vector<std::string> sums;  ///< Of the columns that are whole numbers.
    std::string hash;
    bool operator==(summary const&) const = default;
};

/// `links` of `links_v2`.
std::string base_of(std::string_view table) {
    return std::string{table.substr(0, table.rfind("_v"))};
}

std::vector<column> columns_of(sql::connection& in, std::string const& table) {
    bool const sqlite = in.dialect() == sql::dialect::sqlite;
    auto const text =
        sqlite ? "SELECT name, type = 'INTEGER', type = 'TEXT' FROM pragma_table_info($1)"
               : "SELECT attname, atttypid = 'bigint'::regtype, atttypid = 'text'::regtype FROM pg_attribute "
                 "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    return in.query_all(text, {table}, [](sql::row const& r) {
        return column{r.text(0), r.boolean(1), r.boolean(2)};
    });
}

std::vector<column> common_columns(std::vector<column> a, std::vector<column> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    std::vector<column> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
}

summary sum_up_postgres(sql::connection& in, std::string const& table, std::vector<column> const& columns) {
    std::string names;
    std::string sums;
    for (auto const& each : columns) {
        names += (names.empty() ? "" : ", ") + each.name;
        if (each.is_number) sums += ", coalesce(sum(" + each.name + "), 0)::text";
    }
    summary made;
    in.query("SELECT count(*), coalesce(sum(hashtextextended(ROW(" + names +
                 ")::text, 0)::numeric), 0)::text" + sums + " FROM " + table,
             {}, [&](sql::row const& r) {
                 made.rows = r.integer(0);
                 made.hash = r.text(1);
                 int at = 2;
                 for (auto const& each : columns) {
                     if (each.is_number) made.sums.push_back(r.text(at++));
                 }
             });
    return made;
}

/// A cell, so that no two rows look alike: what it is, how long it is, and it.
void append_cell(std::string& to, sql::row const& r, int at, column const& of) {
    if (r.is_null(at)) {
        to += 'n';
        return;
    }
    if (of.is_number) {
        auto const number = r.integer(at);
        to += 'i';
        to.append(reinterpret_cast<char const*>(&number), sizeof number);
        return;
    }
    auto const text = r.text(at);
    auto const size = text.size();
    to += 't';
    to.append(reinterpret_cast<char const*>(&size), sizeof size);
    to += text;
}

summary sum_up_sqlite(sql::connection& in, std::string const& table, std::vector<column> const& columns) {
    std::string cells;
    for (auto const& each : columns) {
        bool const plain = each.is_number || each.is_text;
        cells += (cells.empty() ? "" : ", ") + (plain ? each.name : "quote(" + each.name + ")");
    }
    summary made;
    std::uint64_t hash = 0;
    std::vector<std::int64_t> totals(columns.size());
    std::string text;
    in.query("SELECT " + cells + " FROM " + table, {}, [&](sql::row const& r) {
        ++made.rows;
        text.clear();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            auto const at = static_cast<int>(i);
            append_cell(text, r, at, columns[i]);
            if (columns[i].is_number) totals[i] += r.integer_or_null(at).value_or(0);
        }
        auto const digest = eventlog::sha256(text);
        std::uint64_t part = 0;
        std::memcpy(&part, digest.data(), sizeof part);
        hash += part;
    });
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].is_number) made.sums.push_back(std::to_string(totals[i]));
    }
    made.hash = std::to_string(hash);
    return made;
}

summary sum_up(sql::connection& in, std::string const& table, std::vector<column> const& columns) {
    return in.dialect() == sql::dialect::sqlite ? sum_up_sqlite(in, table, columns)
                                                : sum_up_postgres(in, table, columns);
}

std::string describe(std::string const& table, std::vector<column> const& columns, summary const& live,
                     summary const& fresh) {
    auto line = fmt::format("{}: ", table);
    if (live.rows != fresh.rows) line += fmt::format("{} rows live, {} new; ", live.rows, fresh.rows);
    std::size_t at = 0;
    for (auto const& each : columns) {
        if (!each.is_number) continue;
        if (live.sums[at] != fresh.sums[at])
            line += fmt::format("sum of {} {} live, {} new; ", each.name, live.sums[at], fresh.sums[at]);
        ++at;
    }
    return line + "the rows differ";
}

}  // namespace

std::vector<std::string> compare_builds(projection const& live_version, sql::connection& live,
                                        projection const& fresh_version, sql::connection& fresh) {
    std::vector<std::string> differences;
    for (auto const live_table : live_version.tables()) {
        for (auto const fresh_table : fresh_version.tables()) {
            if (base_of(live_table) != base_of(fresh_table)) continue;
            std::string const old_name{live_table};
            std::string const new_name{fresh_table};
            auto const columns = common_columns(columns_of(live, old_name), columns_of(fresh, new_name));
            auto summed = std::async(std::launch::async, [&] { return sum_up(live, old_name, columns); });
            auto const after = sum_up(fresh, new_name, columns);
            auto const before = summed.get();
            if (before != after) differences.push_back(describe(base_of(live_table), columns, before, after));
        }
    }
    return differences;
}

}  // namespace linkledger::projections
