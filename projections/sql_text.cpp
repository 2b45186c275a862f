// Where the dialects differ.

#include "projections/sql_text.h"

namespace linkledger::projections {

std::string at_version(std::string_view text, int version) {
    static constexpr std::string_view mark = "_vN";
    std::string made;
    made.reserve(text.size());
    for (;;) {
        auto const at = text.find(mark);
        made += text.substr(0, at);
        if (at == std::string_view::npos) return made;
        made += "_v" + std::to_string(version);
        text.remove_prefix(at + mark.size());
    }
}

std::string json_array(std::vector<domain::uuid> const& ids) {
    std::string text = "[";
    for (auto const& id : ids) {
        if (text.size() > 1) text += ',';
        text += '"' + domain::to_string(id) + '"';
    }
    return text + "]";
}

std::string is_one_of(sql::dialect dialect, std::string const& column, std::string const& placeholder) {
    if (dialect == sql::dialect::sqlite)
        return column + " IN (SELECT value FROM json_each(" + placeholder + "))";
    return column + " = ANY (ARRAY(SELECT value::uuid FROM json_array_elements_text(" + placeholder +
           "::json)))";
}

std::string contains(sql::dialect dialect, std::string const& column, std::string const& placeholder) {
    char const* const function = dialect == sql::dialect::sqlite ? "instr" : "strpos";
    return std::string{function} + "(" + column + ", " + placeholder + ") > 0";
}

std::int64_t count_rows(sql::connection& rows, std::string const& from, conditions const& which) {
    return rows
        .query_one("SELECT count(*) FROM " + from + which.where(), which.values(),
                   [](sql::row const& r) { return r.integer(0); })
        .value_or(0);
}

}  // namespace linkledger::projections
