// Whether the control socket can be made: asked once, for `run` and for the preflight.
#pragma once

#include <filesystem>
#include <optional>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// What keeps an edge from listening there: the path's length, its directory, another edge, a file of another kind.
/// nullopt where nothing does; a socket that nobody serves is nothing. Changes nothing.
std::optional<Failure> server_obstacle(const std::filesystem::path& path);

}  // namespace peerlane::dataplane
