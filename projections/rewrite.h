#pragma once
// Rewrites the files of read models, so that what was updated or deleted is not in their freed space either.

#include <string>

namespace linkledger::projections {

/// `where`: the path of the SQLite log, whose read models lie beside it, or the URL of PostgreSQL. Reads and
/// writes of each read model wait meanwhile. Throws sql::error.
void rewrite_read_models(std::string const& where, bool on_postgresql);

}  // namespace linkledger::projections
