// Hugepages if there are enough of them, ordinary memory otherwise.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace peerlane::dataplane {

struct MemoryPlan {
    bool hugepages = false;
    std::size_t megabytes = 0;
    std::string note;    // for a person
    std::string remedy;  // "" where there are enough
};

/// `root` stands for / (tests). Reads sys/kernel/mm/hugepages, or proc/meminfo where that is missing.
MemoryPlan plan_memory(std::size_t megabytes, const std::filesystem::path& root = "/");

}  // namespace peerlane::dataplane
