// A YAML file as a tree in which every node knows its line and column. Only what a configuration needs: one document of
// mappings, sequences and scalars.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "config/model.hpp"
#include "config/report.hpp"
#include "config/secret.hpp"

namespace peerlane::config {

enum class Kind : std::uint8_t {
    scalar,
    sequence,
    mapping,
    bad  // already complained about: whoever reads the tree passes it over
};

/// Nodes lie in one array in the order of the file; 0 as `next` or `first` means none, as the root is nobody's child.
struct Node {
    std::uint32_t line = 0;    // from 1
    std::uint32_t column = 0;  // from 1, in characters
    std::uint32_t next = 0;    // the next sibling
    std::uint32_t first = 0;   // first child, or where a scalar's text begins
    std::uint32_t size = 0;    // children (a mapping has two per key), or octets of text
    Kind kind = Kind::scalar;
    bool plain = false;  // a scalar without quotes
};
static_assert(sizeof(Node) == 24);

struct Tree {
    std::uint32_t file = 0;  // indexes Model::files
    std::vector<Node> nodes;
    WipedText text;  // of all scalars, keys among them
};

/// A node of a tree, or nothing. Valid while the tree is.
struct Cursor {
    const Tree* tree = nullptr;
    std::uint32_t id = 0;

    explicit operator bool() const { return tree != nullptr; }
    [[nodiscard]] const Node& node() const { return tree->nodes[id]; }
    [[nodiscard]] Kind kind() const { return node().kind; }
    [[nodiscard]] Place place() const { return {tree->file, node().line, node().column}; }
    /// The text of a scalar; empty for anything else.
    [[nodiscard]] std::string_view text() const;
    [[nodiscard]] Cursor first() const;
    [[nodiscard]] Cursor next() const;
    /// The value under a key of a mapping; the first of duplicates.
    [[nodiscard]] Cursor find(std::string_view key) const;
};

/// Everything read, one tree per Model::files.
struct Sources {
    std::deque<Tree> trees;

    /// The mapping that begins at the place; nothing if none does.
    [[nodiscard]] Cursor object(Place place) const;
    /// The value under `key` of the mapping at `object`; nothing if it is not there.
    [[nodiscard]] Cursor field(Place object, std::string_view key) const;
    /// Where that value is; the mapping's own place if it is not there.
    [[nodiscard]] Place at(Place object, std::string_view key) const;
    /// Where the index-th good item of the list under `key` is.
    [[nodiscard]] Place item(Place object, std::string_view key, std::size_t index) const;
};

/// Reads YAML text into `tree` (whose `file` is set). Complains of bad YAML, duplicate keys, anchors, aliases, tags, a
/// second document and an empty file; false: the tree is not worth reading on.
bool read_yaml(std::string_view text, Tree& tree, Report& report);

}  // namespace peerlane::config
