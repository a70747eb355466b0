#include "config/yaml_tree.hpp"

#include <fmt/format.h>
#include <string.h>
#include <yaml.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace peerlane::config {
namespace {

// A configuration is nine levels deep; what is deeper by far is no configuration.
constexpr std::size_t kMaxDepth = 32;

struct Open {
    std::uint32_t id = 0;
    std::uint32_t last_child = 0;
};

struct Builder {
    Tree& tree;
    Report& report;
    std::vector<Open> open{};

    [[nodiscard]] Place place(const yaml_mark_t& mark) const {
        return {tree.file, static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
    }
};

// What the reader lets go of may hold keys. What it drops within, when a scalar grows, is out of reach: a key in a file
// of its own never comes this way.
template <class Buffer>
void wipe(const Buffer& buffer) {
    if (buffer.start != nullptr)
        explicit_bzero(buffer.start, static_cast<std::size_t>(buffer.end - buffer.start) * sizeof *buffer.start);
}
void delete_event(yaml_event_t* event) {
    if (event->type == YAML_SCALAR_EVENT) explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}
void delete_parser(yaml_parser_t* parser) {
    for (const yaml_token_t* token = parser->tokens.head; token != parser->tokens.tail; ++token)
        if (token->type == YAML_SCALAR_TOKEN) explicit_bzero(token->data.scalar.value, token->data.scalar.length);
    wipe(parser->raw_buffer);
    wipe(parser->buffer);
    yaml_parser_delete(parser);
}
using Event = std::unique_ptr<yaml_event_t, decltype(&delete_event)>;
using Parser = std::unique_ptr<yaml_parser_t, decltype(&delete_parser)>;

std::uint32_t add(Builder& builder, Kind kind, const yaml_mark_t& mark) {
    const auto id = static_cast<std::uint32_t>(builder.tree.nodes.size());
    const Place place = builder.place(mark);
    builder.tree.nodes.push_back({.line = place.line, .column = place.column, .kind = kind});
    if (!builder.open.empty()) {
        Open& parent = builder.open.back();
        Node& node = builder.tree.nodes[parent.id];
        (parent.last_child == 0 ? node.first : builder.tree.nodes[parent.last_child].next) = id;
        parent.last_child = id;
        ++node.size;
    }
    return id;
}

void refuse_properties(Builder& builder, const yaml_char_t* anchor, const yaml_char_t* tag, const yaml_mark_t& mark) {
    if (anchor != nullptr)
        builder.report.error(
            builder.place(mark),
            fmt::format("anchor &{}: anchors are not used here", reinterpret_cast<const char*>(anchor)),
            "remove it and write the value out wherever it is needed");
    if (tag != nullptr)
        builder.report.error(builder.place(mark),
                             fmt::format("tag {}: tags are not used here", reinterpret_cast<const char*>(tag)),
                             "remove the tag and keep the value");
}

void add_scalar(Builder& builder, const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    refuse_properties(builder, scalar.anchor, scalar.tag, event.start_mark);
    Node& node = builder.tree.nodes[add(builder, Kind::scalar, event.start_mark)];
    node.first = static_cast<std::uint32_t>(builder.tree.text.size());
    node.size = static_cast<std::uint32_t>(scalar.length);
    node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    builder.tree.text.append(reinterpret_cast<const char*>(scalar.value), scalar.length);
}

/// Every key a scalar, none twice.
void check_keys(Builder& builder, std::uint32_t mapping) {
    std::unordered_map<std::string_view, Cursor> seen;
    for (Cursor key = Cursor{&builder.tree, mapping}.first(); key; key = key.next().next()) {
        if (key.kind() == Kind::sequence || key.kind() == Kind::mapping) {
            builder.report.error(key.place(), "a list or mapping stands where a key should be",
                                 "write KEY: VALUE with a single word as the key");
            continue;
        }
        if (key.kind() != Kind::scalar) continue;
        const auto [first, fresh] = seen.try_emplace(key.text(), key);
        if (!fresh)
            builder.report.error(key.place(),
                                 fmt::format("key {} is given twice; first at {}", in_quotes(key.text()),
                                             builder.report.where(first->second.place())),
                                 "keep one of the two");
    }
}

/// False: stop reading.
bool begin_collection(Builder& builder, Kind kind, const yaml_mark_t& mark) {
    if (builder.open.size() == kMaxDepth) {
        builder.report.error(builder.place(mark), fmt::format("nested more than {} levels deep", kMaxDepth),
                             "look for a stray [ or { before this place");
        return false;
    }
    builder.open.push_back({.id = add(builder, kind, mark)});
    return true;
}

enum class Next : std::uint8_t { go_on, done, failed };

Next take(Builder& builder, const yaml_event_t& event) {
    switch (event.type) {
        case YAML_DOCUMENT_START_EVENT:
            if (builder.tree.nodes.empty()) return Next::go_on;
            builder.report.error(builder.place(event.start_mark), "a second document begins in this file",
                                 "keep one document per file; other customers go into included files");
            return Next::failed;
        case YAML_ALIAS_EVENT:
            builder.report.error(builder.place(event.start_mark),
                                 fmt::format("alias *{}: aliases are not used here",
                                             reinterpret_cast<const char*>(event.data.alias.anchor)),
                                 "write the value out");
            add(builder, Kind::bad, event.start_mark);
            return Next::go_on;
        case YAML_SCALAR_EVENT:
            add_scalar(builder, event);
            return Next::go_on;
        case YAML_SEQUENCE_START_EVENT:
            refuse_properties(builder, event.data.sequence_start.anchor, event.data.sequence_start.tag,
                              event.start_mark);
            return begin_collection(builder, Kind::sequence, event.start_mark) ? Next::go_on : Next::failed;
        case YAML_MAPPING_START_EVENT:
            refuse_properties(builder, event.data.mapping_start.anchor, event.data.mapping_start.tag, event.start_mark);
            return begin_collection(builder, Kind::mapping, event.start_mark) ? Next::go_on : Next::failed;
        case YAML_MAPPING_END_EVENT:
            check_keys(builder, builder.open.back().id);
            [[fallthrough]];
        case YAML_SEQUENCE_END_EVENT:
            builder.open.pop_back();
            return Next::go_on;
        case YAML_STREAM_END_EVENT:
            return Next::done;
        default:
            return Next::go_on;
    }
}

/// A quote that is not closed on its line takes in what follows, and what is wrong then shows lines later.
struct OpenQuote {
    std::uint32_t line = 0, column = 0;  // from 1, in characters
    char quote = 0;
};

/// Where on a line a quote opens that does not close on it; 0 octets in: npos.
std::size_t open_quote(std::string_view line) {
    bool may_begin = true;  // a value, or a key
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '#' && (i == 0 || line[i - 1] == ' ')) return std::string_view::npos;
        if ((c != '"' && c != '\'') || !may_begin) {
            may_begin = c == '[' || c == '{' || c == ',' || (c == ' ' && (may_begin || line[i - 1] == ':')) ||
                        (c == '-' && may_begin);
            continue;
        }
        const std::size_t start = i;
        for (++i; i < line.size() && line[i] != c; ++i)
            if (c == '"' && line[i] == '\\') ++i;
        if (i >= line.size()) return start;
        may_begin = false;
    }
    return std::string_view::npos;
}

std::optional<OpenQuote> first_open_quote(std::string_view text, std::size_t last_line) {
    for (std::uint32_t number = 1; number <= last_line && !text.empty(); ++number) {
        const auto line = text.substr(0, text.find('\n'));
        if (const auto at = open_quote(line); at != std::string_view::npos) {
            const auto before = line.substr(0, at);
            const auto characters =
                std::ranges::count_if(before, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; });
            return OpenQuote{number, static_cast<std::uint32_t>(characters + 1), line[at]};
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return std::nullopt;
}

void complain(Builder& builder, const yaml_parser_t& parser, std::string_view text) {
    const char* problem = parser.problem != nullptr ? parser.problem : "unreadable";
    if (parser.error == YAML_READER_ERROR) {
        // The reader knows octets, not lines; the parser's mark is close behind.
        builder.report.error(builder.place(parser.mark), fmt::format("not YAML: {}", problem),
                             "write the file as UTF-8 text");
        return;
    }
    if (const auto open = first_open_quote(text, parser.problem_mark.line + 1)) {
        builder.report.error({builder.tree.file, open->line, open->column},
                             fmt::format("not YAML: the {} that opens here is not closed on this line", open->quote),
                             fmt::format("add a {} where the text ends", open->quote));
        return;
    }
    const std::string context = parser.context != nullptr ? fmt::format(" {}", parser.context) : "";
    builder.report.error(builder.place(parser.problem_mark), fmt::format("not YAML: {}{}", problem, context),
                         "look at this line and the one above for indentation, quotes, brackets and a missing `: `");
}

}  // namespace

std::string_view Cursor::text() const {
    if (tree == nullptr || kind() != Kind::scalar) return {};
    return std::string_view(tree->text).substr(node().first, node().size);
}

Cursor Cursor::first() const {
    if (tree == nullptr || (kind() != Kind::mapping && kind() != Kind::sequence) || node().first == 0) return {};
    return {tree, node().first};
}

Cursor Cursor::next() const {
    if (tree == nullptr || node().next == 0) return {};
    return {tree, node().next};
}

Cursor Cursor::find(std::string_view key) const {
    if (tree == nullptr || kind() != Kind::mapping) return {};
    for (Cursor child = first(); child; child = child.next().next())
        if (child.kind() == Kind::scalar && child.text() == key) return child.next();
    return {};
}

Cursor Sources::object(Place place) const {
    if (place.line == 0 || place.file >= trees.size()) return {};
    const Tree& tree = trees[place.file];
    // Nodes lie in the order of the file. A block mapping begins where its first key does, just before it in the array.
    auto found = std::ranges::lower_bound(tree.nodes, std::pair(place.line, place.column), {},
                                          [](const Node& node) { return std::pair(node.line, node.column); });
    for (; found != tree.nodes.end() && found->line == place.line && found->column == place.column; ++found)
        if (found->kind == Kind::mapping) return {&tree, static_cast<std::uint32_t>(found - tree.nodes.begin())};
    return {};
}

Cursor Sources::field(Place object_place, std::string_view key) const {
    return object(object_place).find(key);
}

Place Sources::at(Place object_place, std::string_view key) const {
    const Cursor value = field(object_place, key);
    return value ? value.place() : object_place;
}

Place Sources::item(Place object_place, std::string_view key, std::size_t index) const {
    for (Cursor item = field(object_place, key).first(); item; item = item.next())
        if (item.kind() != Kind::bad && index-- == 0) return item.place();
    return at(object_place, key);
}

bool read_yaml(std::string_view text, Tree& tree, Report& report) {
    Builder builder{tree, report};
    yaml_parser_t parser_memory;
    if (yaml_parser_initialize(&parser_memory) == 0) {
        report.error({tree.file, 1, 1}, "no memory to read the file", "free some memory");
        return false;
    }
    const Parser parser(&parser_memory, delete_parser);
    yaml_parser_set_input_string(parser.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    for (;;) {
        yaml_event_t event_memory;
        if (yaml_parser_parse(parser.get(), &event_memory) == 0) {
            complain(builder, *parser, text);
            return false;
        }
        const Event event(&event_memory, delete_event);
        const Next next = take(builder, *event);
        if (next == Next::failed) return false;
        if (next == Next::done) break;
    }
    if (tree.nodes.empty()) {
        report.error({tree.file, 1, 1}, "the file is empty", "write a configuration, or leave the file out");
        return false;
    }
    return true;
}

}  // namespace peerlane::config
