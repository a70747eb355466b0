#include "config/include.hpp"

#include <glob.h>

#include <algorithm>

namespace peerlane::config {

bool is_pattern(const std::string& text) {
    return text.find_first_of("*?[") != std::string::npos;
}

std::vector<std::filesystem::path> matching_files(const std::filesystem::path& directory, const std::string& pattern) {
    const std::filesystem::path path = directory / pattern;
    if (!is_pattern(pattern)) return {path};
    // What the directory's own name holds is no pattern.
    std::string escaped;
    for (const char c : directory.string()) {
        if (c == '*' || c == '?' || c == '[' || c == '\\') escaped += '\\';
        escaped += c;
    }
    const std::filesystem::path whole = std::filesystem::path(escaped) / pattern;
    std::vector<std::filesystem::path> files;
    glob_t found{};
    // Unsorted, then sorted here: glob's own order depends on the locale.
    if (glob(whole.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
        files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
    std::ranges::sort(files);
    return files;
}

}  // namespace peerlane::config
