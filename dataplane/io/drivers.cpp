#include "dataplane/io/drivers.hpp"

#include <dlfcn.h>
#include <rte_build_config.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

// EAL loads its whole directory of drivers if the loader says that librte_eal.so is a shared library, and has no option
// against it. This program answers that question with no; then EAL loads what -d names. Everything else is passed on.
extern "C" void* dlopen(const char* file, int mode) noexcept {
    using Open = void* (*)(const char*, int);
    static const auto real = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
    const bool asks = file != nullptr && (mode & RTLD_NOLOAD) != 0;
    if (asks && std::string_view(file).starts_with("librte_eal.so")) { return nullptr; }
    return real(file, mode);
}

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

/// net_af_xdp0 → net_af_xdp. virtio-user is a part of the driver for virtio.
std::string driver_of(std::string name) {
    while (!name.empty() && name.back() >= '0' && name.back() <= '9') { name.pop_back(); }
    return name == "net_virtio_user" ? "net_virtio" : name == "net_bonding" ? "net_bond" : name;
}

/// What a device on a bus may need.
bool may_drive_hardware(const std::string& file) {
    return std::ranges::any_of(std::initializer_list<const char*>{"librte_bus_", "librte_common_", "librte_net_"},
                               [&](const char* prefix) { return file.starts_with(prefix); });
}

}  // namespace

std::vector<std::string> driver_arguments(const std::vector<Device>& devices, const std::string& directory) {
    std::set<std::string> files{"librte_mempool_ring.so"};
    for (const Device& device : devices) {
        if (device.is_virtual) {
            files.insert("librte_" + driver_of(device.name) + ".so");
            continue;
        }
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(directory, none)) {
            const auto file = entry.path().filename().string();
            if (file.ends_with(".so") && may_drive_hardware(file)) { files.insert(file); }
        }
    }
    std::vector<std::string> arguments;
    for (const auto& file : files) {
        const auto path = fs::path(directory) / file;
        std::error_code none;
        if (!fs::exists(path, none)) { continue; }
        arguments.emplace_back("-d");
        arguments.push_back(path.string());
    }
    return arguments;
}

std::vector<std::string> driver_arguments(const std::vector<Device>& devices) {
    return driver_arguments(devices, RTE_EAL_PMD_PATH);
}

}  // namespace peerlane::dataplane
