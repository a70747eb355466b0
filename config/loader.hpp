// Fills a model from a tree as the field table says.
#pragma once

#include "config/fields.hpp"
#include "config/report.hpp"
#include "config/yaml_tree.hpp"

namespace peerlane::config {

/// Stores what `node` says in `object`, which is of the type `mapping` is for; complains of unknown and missing keys
/// and of values that are not of their field's type. Marks what it could not use as bad.
void load_mapping(const Mapping& mapping, void* object, Tree& tree, Cursor node, const Model& model, Report& report);

}  // namespace peerlane::config
