// `peerlane show` and `peerlane reload`: the other end of the edge's socket.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace peerlane::dataplane {

inline constexpr std::string_view kDefaultSocket = "/run/peerlane.sock";

/// The socket a command means: the one named, else the one in the configuration named, else the default. Throws Failure
/// for a configuration that cannot be read.
std::filesystem::path socket_of(const std::string& socket, const std::string& config);

/// One request, one answer. Throws Failure when there is no edge, or none that answers within a minute.
nlohmann::ordered_json ask(const std::filesystem::path& socket, const nlohmann::ordered_json& request);

/// Prints what the edge answers, as a table or as JSON: an object with the key `what`. Exit status: 0, or 1 after
/// saying on standard error what is wrong.
int show_command(const std::filesystem::path& socket, const std::string& what, bool json);
/// The same of one circuit: `what` is "circuit", `name` its name or customer/circuit.
int show_circuit_command(const std::filesystem::path& socket, const std::string& name, bool json);
int reload_command(const std::filesystem::path& socket);

/// Rows of objects, or an object of rows, as text; for people.
std::string table(const nlohmann::ordered_json& rows);

}  // namespace peerlane::dataplane
