// `peerlane show` and `peerlane reload`: the other end of the edge's socket.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace peerlane::dataplane {

inline constexpr std::string_view kDefaultSocket = "/run/peerlane.sock";

/// Which edge a command means.
struct Target {
    std::filesystem::path socket;
    nlohmann::ordered_json config;  // told_file() of the configuration it was told; null: it was told none
    unsigned patience = 0;          // seconds to wait for the answer; 0: as long as is usual
};

/// The socket named, else the one in the configuration named, else the default. Throws Failure for a configuration that
/// cannot be read, or in which a mistake hides the socket.
Target target_of(const std::string& socket, const std::string& config);

inline constexpr unsigned kShowPatience = 10;  // seconds
inline constexpr unsigned kReloadPatience = 60;

/// One request, one answer. Throws Failure when there is no edge, or none that answers within `patience` seconds.
nlohmann::ordered_json ask(const std::filesystem::path& socket, const nlohmann::ordered_json& request,
                           unsigned patience);

/// Prints what the edge answers, as a table or as JSON: an object with the key `what`. Exit status: 0, or 1 after
/// saying on standard error what is wrong.
int show_command(const Target& target, const std::string& what, bool json);
/// The same of one circuit: `what` is "circuit", `name` its name or customer/circuit.
int show_circuit_command(const Target& target, const std::string& name, bool json);
int reload_command(const Target& target);
/// Sets the age of a key: `request` as for set_sa_age(), without its command.
int sa_age_command(const Target& target, nlohmann::ordered_json request);

/// Rows of objects, or an object of rows, as text; for people.
std::string table(const nlohmann::ordered_json& rows);

}  // namespace peerlane::dataplane
