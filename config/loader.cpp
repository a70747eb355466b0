#include "config/loader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "config/hints.hpp"
#include "config/values.hpp"

namespace peerlane::config {
namespace {

struct Loading {
    Tree& tree;
    const Model& model;
    Report& report;
};

void fill(const Loading& loading, const Mapping& mapping, void* object, Cursor node);

std::string_view kind_text(Kind kind) {
    switch (kind) {
        case Kind::scalar:
            return "a single value";
        case Kind::sequence:
            return "a list";
        case Kind::mapping:
            return "a mapping";
        case Kind::bad:
            break;
    }
    return "nothing";
}

void mark_bad(const Loading& loading, Cursor node) {
    loading.tree.nodes[node.id].kind = Kind::bad;
}

/// False, with a complaint, if the node is of another kind.
bool expect(const Loading& loading, const Field& field, Cursor node, Kind kind, std::string remedy) {
    const std::string_view name = field.name;
    if (node.kind() == kind) return true;
    if (node.kind() == Kind::scalar && looks_null(node.text(), node.node().plain))
        loading.report.error(node.place(), fmt::format("{}: nothing is given", name),
                             remedy + (field.required ? "" : ", or leave the key out"));
    else if (node.kind() != Kind::bad)
        loading.report.error(
            node.place(), fmt::format("{}: {} is needed here, not {}", name, kind_text(kind), kind_text(node.kind())),
            std::move(remedy));
    mark_bad(loading, node);
    return false;
}

void load_scalar(const Loading& loading, const Field& field, void* object, Cursor node) {
    const std::string remedy = node.kind() == Kind::scalar ? "" : wanted(field);
    if (!expect(loading, field, node, Kind::scalar, remedy)) return;
    const Parsed parsed = parse_value(field, node.text(), node.node().plain, loading.model);
    if (parsed.complaint) loading.report.error(node.place(), parsed.complaint->what, parsed.complaint->remedy);
    if (parsed.value && field.store != nullptr) field.store(object, *parsed.value);
    if (parsed.complaint && !parsed.value) mark_bad(loading, node);
}

void load_child(const Loading& loading, const Field& field, void* object, Cursor node, std::string_view key) {
    const std::string remedy =
        node.kind() == Kind::mapping ? "" : fmt::format("write KEY: VALUE lines, as under {}", field.mapping->path);
    if (!expect(loading, field, node, Kind::mapping, remedy)) return;
    fill(loading, *field.mapping, field.child(object, key), node);
}

void load_one(const Loading& loading, const Field& field, void* object, Cursor node) {
    if (field.mapping != nullptr)
        load_child(loading, field, object, node, {});
    else
        load_scalar(loading, field, object, node);
}

void load_list(const Loading& loading, const Field& field, void* object, Cursor node) {
    if (!expect(loading, field, node, Kind::sequence, "write a list: [A, B], or one `- ` line for each")) return;
    if (field.filled && node.node().size == 0)
        loading.report.error(node.place(), fmt::format("{}: the list is empty", field.name), "write at least one item");
    for (Cursor item = node.first(); item; item = item.next()) load_one(loading, field, object, item);
}

void load_keyed(const Loading& loading, const Field& field, void* object, Cursor node) {
    if (!expect(loading, field, node, Kind::mapping, "write NAME: { … } for each")) return;
    if (field.filled && node.node().size == 0)
        loading.report.error(node.place(), fmt::format("{}: there is none", field.name),
                             "write at least one NAME: { … }");
    for (Cursor key = node.first(); key; key = key.next().next()) {
        if (key.kind() != Kind::scalar) continue;
        if (!is_name(key.text())) {
            loading.report.error(key.place(),
                                 fmt::format("{}: {} is not {}", field.name, in_quotes(key.text()), kNameRule),
                                 "choose another name");
            continue;
        }
        if (node.find(key.text()).id != key.next().id) continue;  // a duplicate
        load_child(loading, field, object, key.next(), key.text());
    }
}

void load_field(const Loading& loading, const Field& field, void* object, Cursor node) {
    switch (field.shape) {
        case Shape::one:
            return load_one(loading, field, object, node);
        case Shape::list:
            return load_list(loading, field, object, node);
        case Shape::keyed:
            return load_keyed(loading, field, object, node);
        case Shape::one_or_list:
            return node.kind() == Kind::sequence ? load_list(loading, field, object, node)
                                                 : load_one(loading, field, object, node);
    }
}

bool knows(const Mapping& mapping, std::string_view key) {
    return std::ranges::find(mapping.fields, key, &Field::name) != mapping.fields.end();
}

/// An unknown key beside a secret may be one whose `: ` is missing: shown only if it looks like a slip of a known one.
std::string unknown_key(const Mapping& mapping, std::string_view key) {
    const bool secret = std::ranges::find(mapping.fields, Type::key, &Field::type) != mapping.fields.end();
    const bool word = key.size() <= 16 && key.find_first_of("0123456789 ") == std::string_view::npos;
    return secret && !word ? "unknown key" : fmt::format("unknown key {}", in_quotes(key));
}

void check_keys(const Loading& loading, const Mapping& mapping, Cursor node) {
    for (Cursor key = node.first(); key; key = key.next().next()) {
        if (key.kind() != Kind::scalar || knows(mapping, key.text())) continue;
        if (&mapping == &included_mapping() && knows(top_mapping(), key.text())) {
            loading.report.error(key.place(), fmt::format("key {} in an included file", in_quotes(key.text())),
                                 "move it to the main file; an included file holds `customers` only");
            continue;
        }
        std::vector<std::string_view> known;
        for (const Field& field : mapping.fields) known.push_back(field.name);
        loading.report.error(key.place(), fmt::format("{} in {}", unknown_key(mapping, key.text()), mapping.path),
                             suggest(key.text(), known));
    }
}

void check_alternatives(const Loading& loading, const Mapping& mapping, Cursor node) {
    for (const Alternatives& group : mapping.alternatives) {
        std::vector<Cursor> given;
        for (const std::string_view key : group.keys)
            if (const Cursor value = node.find(key)) given.push_back(value);
        const std::string keys = fmt::format("`{}`", fmt::join(group.keys, "`, `"));
        if (group.one_needed && given.empty())
            loading.report.error(node.place(), fmt::format("{}: one of {} is needed", mapping.name, keys),
                                 "add one of them");
        if (group.one_at_most && given.size() > 1)
            loading.report.error(given[1].place(), fmt::format("{}: only one of {} may be given", mapping.name, keys),
                                 "keep one of them");
    }
}

/// `role` is the only key that others depend on.
void check_role(const Loading& loading, const Field& field, Cursor node, Cursor value) {
    const Cursor role = node.find("role");
    if (field.only_role.empty() || !role || role.kind() != Kind::scalar || role.text() == field.only_role) return;
    loading.report.error(value.place(), fmt::format("{}: only for ports with `role: {}`", field.name, field.only_role),
                         "remove it, or correct the role");
}

void fill(const Loading& loading, const Mapping& mapping, void* object, Cursor node) {
    if (mapping.place != nullptr) mapping.place(object) = node.place();
    check_keys(loading, mapping, node);
    for (const Field& field : mapping.fields) {
        if (const Cursor value = node.find(field.name)) {
            check_role(loading, field, node, value);
            load_field(loading, field, object, value);
        } else if (field.required) {
            loading.report.error(node.place(), fmt::format("{}: `{}` is missing", mapping.name, field.name),
                                 fmt::format("add `{}`: {}", field.name, field.meaning));
        } else if (!field.preset.empty()) {
            const Parsed preset = parse_value(field, field.preset, true, loading.model);
            if (preset.value) field.store(object, *preset.value);
        }
    }
    check_alternatives(loading, mapping, node);
}

}  // namespace

void load_mapping(const Mapping& mapping, void* object, Tree& tree, Cursor node, const Model& model, Report& report) {
    fill({tree, model, report}, mapping, object, node);
}

}  // namespace peerlane::config
