#include "cli/import_file.h"

#include "eventlog/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <utility>

namespace linkledger::cli {

namespace {

constexpr std::pair<std::string_view, column> column_names[] = {
    {"url", column::url},
    {"title", column::title},
    {"description", column::description},
    {"short_code", column::short_code},
    {"tags", column::tags},
};

std::string lower_case_name(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    std::string name{text.substr(first, text.find_last_not_of(" \t") - first + 1)};
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == ' ' || c == '-') c = '_';
    }
    return name;
}

void split_tsv(record& into) {
    std::size_t begin = 0;
    while (into.cells.size() <= table_reader::columns_max) {
        auto const tab = into.text.find('\t', begin);
        into.cells.push_back(into.text.substr(begin, tab - begin));
        if (tab == std::string::npos) return;
        begin = tab + 1;
    }
}

boost::json::array tags_of(std::string_view cell) {
    boost::json::array tags;
    while (!cell.empty()) {
        auto const end = std::min(cell.find_first_of(",;"), cell.size());
        auto tag = cell.substr(0, end);
        cell.remove_prefix(std::min(end + 1, cell.size()));
        while (tag.starts_with(' ')) tag.remove_prefix(1);
        while (tag.ends_with(' ')) tag.remove_suffix(1);
        if (!tag.empty()) tags.emplace_back(boost::json::string_view{tag.data(), tag.size()});
    }
    return tags;
}

}  // namespace

table_format format_of(std::string_view path) {
    std::string ending{path.substr(path.size() - std::min<std::size_t>(path.size(), 4))};
    return lower_case_name(ending) == ".csv" ? table_format::csv : table_format::tsv;
}

std::optional<record> table_reader::next() {
    record read;
    do {
        read.text.clear();
        if (!read_line(read.text)) return std::nullopt;
    } while (read.text.empty());
    read.line = line_;
    if (format_ == table_format::csv) {
        split_csv(read);
    } else {
        split_tsv(read);
    }
    if (read.problem.empty() && read.text.size() > record_bytes_max) {
        read.problem = fmt::format("is longer than {} bytes", record_bytes_max);
    }
    if (read.problem.empty() && read.cells.size() > columns_max) {
        read.problem = fmt::format("has more than {} columns", columns_max);
    }
    if (read.problem.empty() && !json::is_storable_text(read.text)) {
        read.problem = "is not UTF-8, or holds a zero byte; save the file as UTF-8";
    }
    if (!read.problem.empty()) read.cells.clear();
    return read;
}

/// A line without its break. What is beyond the limit is read and thrown away, so that the next line is
/// whole.
bool table_reader::read_line(std::string& line) {
    std::streambuf& bytes = *from_.rdbuf();
    using traits = std::char_traits<char>;
    bool any = false;
    for (;;) {
        auto const c = bytes.sbumpc();
        if (traits::eq_int_type(c, traits::eof())) break;
        any = true;
        ++position_;
        if (traits::to_char_type(c) == '\n') break;
        if (line.size() <= record_bytes_max) line.push_back(traits::to_char_type(c));
    }
    if (!any) return false;
    ++line_;
    if (line.ends_with('\r')) line.pop_back();
    if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    return true;
}

/// RFC 4180, section 2. A quoted cell that is open at the end of a line goes on in the next one.
void table_reader::split_csv(record& into) {
    std::string cell;
    std::size_t at = 0;
    std::string& text = into.text;
    while (into.cells.size() <= columns_max) {
        cell.clear();
        if (at < text.size() && text[at] == '"') {
            ++at;
            for (;;) {
                if (at >= text.size()) {
                    std::string more;
                    if (text.size() > record_bytes_max || !read_line(more)) {
                        into.problem = "has a quote that is never closed";
                        return;
                    }
                    text += '\n';
                    text += more;
                    continue;
                }
                if (text[at] != '"') {
                    cell += text[at++];
                } else if (at + 1 < text.size() && text[at + 1] == '"') {
                    cell += '"';
                    at += 2;
                } else {
                    ++at;
                    break;
                }
            }
            if (at < text.size() && text[at] != ',') {
                into.problem = "has text after a closing quote";
                return;
            }
        } else {
            auto const comma = std::min(text.find(',', at), text.size());
            cell = text.substr(at, comma - at);
            at = comma;
        }
        into.cells.push_back(cell);
        if (at >= text.size()) return;
        ++at;
    }
}

std::vector<column> parse_columns(std::vector<std::string> const& names, bool strict) {
    std::vector<column> columns;
    for (auto const& spelled : names) {
        std::string const name = lower_case_name(spelled);
        auto const known = std::find_if(std::begin(column_names), std::end(column_names),
                                        [&](auto const& entry) { return entry.first == name; });
        column const what = known == std::end(column_names) ? column::ignored : known->second;
        if (strict && what == column::ignored && !name.empty() && spelled != "-") {
            throw import_error{fmt::format(
                "there is no column \"{}\": url, title, description, short_code, tags, or - to pass over",
                name)};
        }
        if (what != column::ignored && std::find(columns.begin(), columns.end(), what) != columns.end()) {
            throw import_error{fmt::format("the column \"{}\" is named twice", name)};
        }
        columns.push_back(what);
    }
    if (std::find(columns.begin(), columns.end(), column::url) == columns.end()) {
        throw import_error{"no column is named \"url\", so there is nothing to import"};
    }
    return columns;
}

bool is_header(std::vector<std::string> const& cells) {
    return std::any_of(cells.begin(), cells.end(),
                       [](auto const& cell) { return lower_case_name(cell) == "url"; });
}

std::vector<column> default_columns() {
    return {column::url, column::title, column::description, column::short_code, column::tags};
}

std::string to_create_link(record& from, std::vector<column> const& columns,
                           std::string const& workspace_id) {
    if (!from.problem.empty()) return {};
    if (from.cells.size() > columns.size()) {
        from.problem =
            fmt::format("has {} cells, but there are {} columns", from.cells.size(), columns.size());
        return {};
    }
    boost::json::object fields;
    fields["workspace_id"] = workspace_id;
    for (std::size_t i = 0; i < from.cells.size(); ++i) {
        auto const& cell = from.cells[i];
        if (columns[i] == column::ignored) continue;
        if (columns[i] == column::url) {
            fields["url"] = cell;
        } else if (columns[i] == column::tags) {
            if (auto tags = tags_of(cell); !tags.empty()) fields["tags"] = std::move(tags);
        } else if (!cell.empty()) {
            auto const name = std::find_if(std::begin(column_names), std::end(column_names),
                                           [&](auto const& entry) { return entry.second == columns[i]; });
            fields[boost::json::string_view{name->first.data(), name->first.size()}] = cell;
        }
    }
    return boost::json::serialize(fields);
}

}  // namespace linkledger::cli
