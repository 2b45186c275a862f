// Files that people import: any bytes are records or reasons, in bounded memory, to the end of the file.

#include "cli/import_file.h"
#include "eventlog/json.h"
#include "tests/fuzz/targets.h"

#include <sstream>

namespace linkledger::fuzz {
namespace {

void check_link(cli::record& row, std::vector<cli::column> const& columns) {
    auto const data = cli::to_create_link(row, columns, "01927f0e-4c1b-7c3a-9d5e-2b8f6a1c0d42");
    if (!row.problem.empty()) return;
    std::string error;
    auto const value = json::parse(data, error);
    must(value.has_value() && value->is_object(), "a record becomes a command's data");
}

}  // namespace

/// The first byte: TSV or CSV.
void import_file(std::string_view input) {
    if (input.empty()) return;
    auto const format = input.front() % 2 == 0 ? cli::table_format::tsv : cli::table_format::csv;
    input.remove_prefix(1);
    std::istringstream file{std::string{input}};
    cli::table_reader reader{file, format};
    auto columns = cli::default_columns();
    std::uint64_t last_line = 0;
    while (auto row = reader.next()) {
        must(row->line > last_line, "lines are counted upwards");
        must(row->problem.empty() ? row->cells.size() <= cli::table_reader::columns_max : true,
             "cells are within their number");
        must(row->text.size() <= cli::table_reader::record_bytes_max, "a record is within its limit");
        if (last_line == 0 && row->problem.empty() && cli::is_header(row->cells)) {
            try {
                columns = cli::parse_columns(row->cells, false);
            } catch (cli::import_error const&) {
                return;  // The file is refused, before anything of it is sent.
            }
        } else if (row->problem.empty()) {
            check_link(*row, columns);
        }
        last_line = row->line;
    }
    must(reader.position() == input.size(), "a file is read to its end");
}

}  // namespace linkledger::fuzz
