#include "dataplane/io/memory_plan.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

/// "hugepages-2048kB" → 2048.
std::optional<std::size_t> page_kilobytes(const std::string& name) {
    constexpr std::string_view kPrefix = "hugepages-";
    std::size_t size = 0;
    if (!name.starts_with(kPrefix)) { return std::nullopt; }
    const auto end = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), size).ptr;
    return std::string_view(end) == "kB" ? std::optional(size) : std::nullopt;
}

std::size_t free_by_size(const fs::path& directory) {
    std::size_t kilobytes = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        const auto size = page_kilobytes(entry.path().filename().string());
        std::size_t pages = 0;
        if (size && std::ifstream(entry.path() / "free_hugepages") >> pages) { kilobytes += pages * *size; }
    }
    return kilobytes;
}

std::size_t free_of_default_size(const fs::path& meminfo) {
    std::ifstream file(meminfo);
    std::string line;
    std::size_t pages = 0;
    std::size_t size = 0;
    while (std::getline(file, line)) {
        const auto value = [&](std::string_view key, std::size_t& into) {
            if (!line.starts_with(key)) { return; }
            const auto digits = line.find_first_of("0123456789");
            if (digits != std::string::npos) { std::from_chars(line.data() + digits, line.data() + line.size(), into); }
        };
        value("HugePages_Free:", pages);
        value("Hugepagesize:", size);
    }
    return pages * size;
}

}  // namespace

MemoryPlan plan_memory(std::size_t megabytes, const fs::path& root) {
    const auto by_size = root / "sys/kernel/mm/hugepages";
    std::error_code ignored;
    const auto free =
        (fs::is_directory(by_size, ignored) ? free_by_size(by_size) : free_of_default_size(root / "proc/meminfo")) /
        1024;
    if (free >= megabytes) {
        return {true, megabytes, fmt::format("packet buffers: {} MB of hugepages", megabytes), {}};
    }
    return {
        false, megabytes,
        fmt::format("packet buffers: {} MB of ordinary memory, because {} MB of hugepages are free", megabytes, free),
        fmt::format("sysctl vm.nr_hugepages={}", (megabytes + 1) / 2 + 16)};
}

}  // namespace peerlane::dataplane
