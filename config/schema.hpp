// The JSON Schema of the configuration, for editors and for checks from outside.
#pragma once

#include <string>

namespace peerlane::config {

/// JSON Schema, draft 7, of what load() accepts as far as a schema can say it: the same as
/// docs/configuration.schema.json.
std::string json_schema();

}  // namespace peerlane::config
