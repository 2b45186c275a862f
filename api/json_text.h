#pragma once
// A described struct as the JSON text of an answer. Include it in .cpp files only.

#include "eventlog/json_reflect.h"

#include <string>

namespace linkledger::api {

/// Every member, null where there is no value.
template <typename T>
[[nodiscard]] std::string to_json_text(T const& value) {
    return json::bj::serialize(json::to_value(value, json::empty_fields::null));
}

}  // namespace linkledger::api
