#pragma once
// Case folding for searches, done by us so that both databases find the same.

#include <string>
#include <string_view>

namespace linkledger::projections {

/// Unicode full case folding (Unicode Standard, 3.13, toCasefold) after NFC, independent of any locale:
/// `ÄRGER` and `ärger` fold to the same text, and so do `STRASSE` and `straße`. Text that is not UTF-8 has
/// its ASCII letters folded and is otherwise left as it is.
[[nodiscard]] std::string fold_case(std::string_view text);

}  // namespace linkledger::projections
