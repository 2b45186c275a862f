#pragma once
// Tables of links as people have them: TSV or CSV, with or without a header line, read a record at a time.

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace linkledger::cli {

/// TSV: a record per line, cells between tabs, nothing quoted. CSV: RFC 4180, quoted cells may hold commas,
/// doubled quotes and line breaks. Both take LF and CRLF, and skip a UTF-8 byte order mark and empty lines.
enum class table_format { tsv, csv };

/// By the file's ending: `.csv` is CSV, everything else TSV.
[[nodiscard]] table_format format_of(std::string_view path);

/// What a column holds; other columns are passed over.
enum class column { url, title, description, short_code, tags, ignored };

/// The file as a whole cannot be imported; `what()` says why.
class import_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A record of the file, or why the line is none.
struct record {
    std::uint64_t line = 0;  ///< Where it begins, from 1.
    std::vector<std::string> cells;
    std::string problem;  ///< Empty: the record could be read.
    std::string text;     ///< As it stood in the file, without the line break.
};

/// Reads records one by one, in memory bounded by one record.
class table_reader {
public:
    static constexpr std::size_t record_bytes_max = 1u << 20;
    static constexpr std::size_t columns_max = 64;

    table_reader(std::istream& from, table_format format) : from_(from), format_(format) {}

    /// None at the end of the file.
    std::optional<record> next();
    /// Bytes of the file that were read so far.
    [[nodiscard]] std::uint64_t position() const { return position_; }

private:
    bool read_line(std::string& line);
    void split_csv(record& into);

    std::istream& from_;
    table_format format_;
    std::uint64_t line_ = 0;
    std::uint64_t position_ = 0;
};

/// `url,title,description` as columns. Unknown names become `ignored` where `strict` is false, and
/// import_error otherwise; without a `url` there is nothing to import: import_error.
[[nodiscard]] std::vector<column> parse_columns(std::vector<std::string> const& names, bool strict);

/// A header line has `url` among its cells (in any case); a record never has: no URL is spelled `url`.
[[nodiscard]] bool is_header(std::vector<std::string> const& cells);

/// url, title, description, short_code, tags: what a file without a header holds unless told otherwise.
[[nodiscard]] std::vector<column> default_columns();

/// The fields of CreateLink as a JSON object, without those that are empty. Tags are separated by commas or
/// semicolons. A record with more cells than columns is refused: `record::problem` is set, the result empty.
[[nodiscard]] std::string to_create_link(record& from, std::vector<column> const& columns,
                                         std::string const& workspace_id);

}  // namespace linkledger::cli
