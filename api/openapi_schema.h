#pragma once
// JSON Schemas (as OpenAPI 3.1 has them) of described structs, collected by name. Include it in .cpp files
// only.

#include "eventlog/json_reflect.h"

#include <boost/core/demangle.hpp>

#include <string>
#include <string_view>
#include <typeinfo>

namespace linkledger::api {

/// The name of a type for readers: `linkledger::projections::links::link_row` is `LinkRow`,
/// `page_of<…link_row>` is `PageOfLinkRow`.
[[nodiscard]] std::string schema_name(std::string const& cpp_name);

class schema_registry {
public:
    /// The schema of T: inline for simple types, a reference into components for structs and enums.
    template <typename T>
    [[nodiscard]] json::bj::value of();

    /// components/schemas.
    [[nodiscard]] json::bj::object const& all() const { return all_; }
    [[nodiscard]] json::bj::object& all() { return all_; }

private:
    template <typename T>
    [[nodiscard]] json::bj::value reference_to();
    template <typename T>
    void describe_struct(json::bj::object& into);

    json::bj::object all_;
};

/// What the table of endpoints names.
template <typename T>
json::bj::value response_of(schema_registry& schemas) {
    return schemas.of<T>();
}

/// A command's input, and the answer with its result.
[[nodiscard]] json::bj::value command_input_schema(std::string_view command, schema_registry& schemas);
[[nodiscard]] json::bj::value command_answer_schema(std::string_view command, schema_registry& schemas);

/// The schema, or null.
[[nodiscard]] json::bj::value or_null(json::bj::value schema);

template <typename T>
json::bj::value schema_registry::of() {
    namespace d = json::detail;
    using json::bj::object;
    if constexpr (std::same_as<T, json::bj::value>) {
        return object{};
    } else if constexpr (std::same_as<T, bool>) {
        return object{{"type", "boolean"}};
    } else if constexpr (d::an_integer<T>) {
        return object{{"type", "integer"}, {"format", "int64"}};
    } else if constexpr (std::same_as<T, double>) {
        return object{{"type", "number"}};
    } else if constexpr (std::same_as<T, std::string>) {
        return object{{"type", "string"}};
    } else if constexpr (std::same_as<T, domain::uuid> || d::a_strong_id<T>) {
        return object{{"type", "string"}, {"format", "uuid"}};
    } else if constexpr (std::same_as<T, domain::timestamp>) {
        return object{{"type", "string"}, {"format", "date-time"}};
    } else if constexpr (d::an_optional<T>) {
        using inner = typename T::value_type;
        if constexpr (d::an_optional<inner>) {
            return of<inner>();
        } else {
            return or_null(of<inner>());
        }
    } else if constexpr (d::a_vector<T>) {
        return object{{"type", "array"}, {"items", of<typename T::value_type>()}};
    } else {
        return reference_to<T>();
    }
}

template <typename T>
json::bj::value schema_registry::reference_to() {
    auto const name = schema_name(boost::core::demangle(typeid(T).name()));
    if (!all_.contains(name)) {
        all_[name] = nullptr;  // So that a type that holds itself ends here.
        json::bj::object schema;
        if constexpr (json::detail::a_described_enum<T>) {
            json::bj::array names;
            boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
                [&](auto enumerator) { names.push_back(enumerator.name); });
            schema = {{"type", "string"}, {"enum", std::move(names)}};
        } else {
            describe_struct<T>(schema);
        }
        all_[name] = std::move(schema);
    }
    return json::bj::object{{"$ref", "#/components/schemas/" + name}};
}

template <typename T>
void schema_registry::describe_struct(json::bj::object& into) {
    json::bj::object properties;
    json::bj::array required;
    boost::mp11::mp_for_each<json::detail::members_of<T>>([&](auto member) {
        using field = std::decay_t<decltype(std::declval<T&>().*decltype(member)::pointer)>;
        properties[member.name] = of<field>();
        if constexpr (!json::detail::an_optional<field>) required.push_back(member.name);
    });
    into["type"] = "object";
    into["properties"] = std::move(properties);
    if (!required.empty()) into["required"] = std::move(required);
}

}  // namespace linkledger::api
