#include "config/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "config/fields.hpp"
#include "config/units.hpp"
#include "config/values.hpp"

namespace peerlane::config {
namespace {

using Json = nlohmann::ordered_json;

Json reference(const Mapping& mapping) {
    return {{"$ref", fmt::format("#/definitions/{}", mapping.name)}};
}

std::string quantity_pattern(std::initializer_list<std::span<const Unit>> kinds) {
    std::vector<std::string_view> names;
    for (const auto units : kinds)
        for (const Unit& unit : units) names.push_back(unit.name);
    return fmt::format("^[0-9]+(\\.[0-9]+)? *({})$", fmt::join(names, "|"));
}

Json text_like(std::string_view pattern) {
    return {{"type", "string"}, {"pattern", pattern}};
}

Json whole_number(const Field& field) {
    if (!field.words.empty()) {
        Json values = Json::array();
        for (const Word& word : field.words)
            values.push_back(parse_integer(word.text) ? Json(word.value) : Json(word.text));
        return {{"enum", values}};
    }
    const Json number{{"type", "integer"}, {"minimum", field.min}, {"maximum", field.max}};
    if (field.unset_word.empty()) return number;
    return {{"oneOf", Json::array({Json{{"const", field.unset_word}}, number})}};
}

Json choice(const Field& field) {
    Json words = Json::array();
    for (const Word& word : field.words) words.push_back(word.text);
    return {{"enum", words}};
}

Json one_value(const Field& field) {
    switch (field.type) {
        case Type::text:
        case Type::paths:
        case Type::key_file:
            return {{"type", "string"}, {"minLength", 1}};
        // A name such as 100 is a number to a reader of YAML.
        case Type::name:
        case Type::access_port:
            return {{"type", Json::array({"string", "number"})}, {"pattern", fmt::format("^{}$", kNamePattern)}};
        case Type::choice:
            return choice(field);
        case Type::integer:
            return whole_number(field);
        case Type::boolean:
            return {{"type", "boolean"}};
        case Type::rate:
            return text_like(quantity_pattern({rate_units()}));
        case Type::burst:
            return text_like(quantity_pattern({byte_units(), time_units()}));
        case Type::bytes:
            return text_like(quantity_pattern({byte_units()}));
        case Type::milliseconds:
        case Type::duration:
            return text_like(quantity_pattern({time_units()}));
        case Type::mac:
            return text_like("^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$");
        case Type::ip:
            return text_like("^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$");
        case Type::ip4:
            return text_like("^[0-9]+(\\.[0-9]+){3}$");
        case Type::ip6:
            return text_like("^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$");
        case Type::interface4:
        case Type::subnet4:
            return text_like("^[0-9]+(\\.[0-9]+){3}/[0-9]+$");
        case Type::interface6:
        case Type::subnet6:
            return text_like("^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/[0-9]+$");
        case Type::prefix:
            return text_like("^([0-9]+(\\.[0-9]+){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)/[0-9]+$");
        case Type::mapping:
            return reference(*field.mapping);
        // A key of decimal digits only is a number to a reader of YAML.
        case Type::key:
            return {{"type", Json::array({"string", "number"})},
                    {"pattern", R"(^\s*(0[xX])?([0-9A-Fa-f]{2}[\s:]*)+$)"}};
    }
    return Json::object();
}

Json in_shape(const Field& field) {
    const Json one = one_value(field);
    Json list{{"type", "array"}, {"items", one}};
    if (field.filled) list["minItems"] = 1;
    if (field.mapping != nullptr && field.max != 0) list["maxItems"] = field.max;
    switch (field.shape) {
        case Shape::one:
            return one;
        case Shape::list:
            return list;
        case Shape::one_or_list:
            return {{"oneOf", Json::array({one, list})}};
        case Shape::keyed:
            break;
    }
    Json keyed{{"type", "object"},
               {"propertyNames", {{"pattern", fmt::format("^{}$", kNamePattern)}}},
               {"additionalProperties", one}};
    if (field.filled) keyed["minProperties"] = 1;
    return keyed;
}

Json preset_value(const Field& field) {
    if (field.type == Type::boolean) return field.preset == "true";
    const auto number = field.type == Type::integer ? parse_integer(field.preset) : std::nullopt;
    return number ? Json(*number) : Json(field.preset);
}

Json property(const Field& field) {
    Json result = in_shape(field);
    // In draft 7 nothing counts beside a $ref.
    if (result.contains("$ref")) result = {{"allOf", Json::array({result})}};
    result["description"] = field.meaning;
    if (!field.preset.empty()) result["default"] = preset_value(field);
    return result;
}

Json required(std::string_view key) {
    return {{"required", Json::array({key})}};
}

Json alternatives(const Alternatives& group) {
    Json each = Json::array();
    for (const std::string_view key : group.keys) each.push_back(required(key));
    if (group.one_needed) return {{group.one_at_most ? "oneOf" : "anyOf", each}};
    return {{"not", {{"required", group.keys}}}};
}

/// Keys that belong to one role are refused beside the other.
void add_roles(const Mapping& mapping, Json& rules) {
    std::set<std::string_view> roles;
    for (const Field& field : mapping.fields)
        if (!field.only_role.empty()) roles.insert(field.only_role);
    for (const std::string_view role : roles) {
        Json refused = Json::object();
        for (const Field& field : mapping.fields)
            if (field.only_role == role) refused[std::string(field.name)] = false;
        rules.push_back({{"if", {{"properties", {{"role", {{"const", role}}}}}}}, {"else", {{"properties", refused}}}});
    }
}

Json definition(const Mapping& mapping) {
    Json properties = Json::object();
    Json needed = Json::array();
    for (const Field& field : mapping.fields) {
        properties[std::string(field.name)] = property(field);
        if (field.required) needed.push_back(field.name);
    }
    Json rules = Json::array();
    for (const Alternatives& group : mapping.alternatives) rules.push_back(alternatives(group));
    add_roles(mapping, rules);
    Json result{{"description", mapping.meaning},
                {"type", "object"},
                {"additionalProperties", false},
                {"properties", properties}};
    if (!needed.empty()) result["required"] = needed;
    if (!rules.empty()) result["allOf"] = rules;
    return result;
}

}  // namespace

std::string json_schema() {
    Json definitions = Json::object();
    for (const Mapping* mapping : all_mappings()) definitions[std::string(mapping->name)] = definition(*mapping);
    const Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
                      {"title", "Peerlane configuration"},
                      // A file that is included has none of the main file's own keys.
                      {"if", {{"anyOf", Json::array({required("edge"), required("ports"), required("include")})}}},
                      {"then", reference(top_mapping())},
                      {"else", reference(included_mapping())},
                      {"definitions", definitions}};
    return schema.dump(2) + "\n";
}

}  // namespace peerlane::config
