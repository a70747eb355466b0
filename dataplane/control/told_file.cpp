#include "dataplane/control/told_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string full_path(const fs::path& file) {
    std::error_code error;
    auto path = fs::weakly_canonical(file, error);
    return (error ? file : path).string();
}

std::uint64_t number_in(const Json& told, const char* key) {
    const auto found = told.find(key);
    return found != told.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

Json told_file(const fs::path& file) {
    struct stat found{};
    if (stat(file.c_str(), &found) != 0) {
        throw Failure("--config " + file.string(), std::strerror(errno),
                      "name the file the edge runs with, or its --socket");
    }
    return {{"path", full_path(file)},
            {"device", static_cast<std::uint64_t>(found.st_dev)},
            {"inode", static_cast<std::uint64_t>(found.st_ino)}};
}

std::optional<std::string> another_file(const Json& told, const fs::path& own) {
    if (told.is_null()) { return std::nullopt; }
    const auto path = told.is_object() ? told.value("path", Json()) : Json();
    const auto name = path.is_string() ? path.get<std::string>() : std::string("another file");
    struct stat found{};
    if (stat(own.c_str(), &found) != 0) {
        return fmt::format("this edge runs with {}, not {}; and that cannot be looked at: {}", full_path(own), name,
                           std::strerror(errno));
    }
    // By identity: one file has several names, and one name means several files in different namespaces.
    if (told.is_object() && number_in(told, "device") == found.st_dev && number_in(told, "inode") == found.st_ino) {
        return std::nullopt;
    }
    return fmt::format(
        "this edge runs with {}, not {}: name that file, or change it; `peerlane check --config` tries another one",
        full_path(own), name);
}

}  // namespace peerlane::dataplane
