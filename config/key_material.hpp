// Keys as people give them: hex in the configuration, or in a file that only its owner may read. No message shows any
// of it.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "config/report.hpp"
#include "config/secret.hpp"
#include "config/yaml_tree.hpp"

namespace peerlane::config {

/// Octets of hex text: an optional 0x, then two digits an octet; spaces, tabs, colons and line ends may stand between
/// octets. Otherwise what is wrong, which says where but not what.
std::expected<Secret, std::string> parse_hex(std::string_view text);

/// Why a key file is not to be used, and the remedy.
struct KeyFileError {
    std::string what;
    std::string remedy;
};

/// The key in a file: a regular one, of at most 4 KiB, closed to all but its owner.
std::expected<Secret, KeyFileError> read_key_file(const std::filesystem::path& path);

/// "aes-gcm-128 needs 20 octets: 16 of key and 4 of salt"
std::string material_text(EspSuite suite);

/// Reads the key files, which are relative to the file that names them, into the model, and complains of keys that are
/// not as long as their suite needs; those are left empty.
void resolve_keys(Model& model, const Sources& sources, Report& report);

}  // namespace peerlane::config
