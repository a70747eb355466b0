#include "lib/steer/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace peerlane::steer {
namespace {

[[noreturn]] void failed(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void File::reset() noexcept {
    if (number_ >= 0) { ::close(std::exchange(number_, -1)); }
}

File another(int number) {
    File file(fcntl(number, F_DUPFD_CLOEXEC, 0));
    if (!file) { failed("another file number"); }
    return file;
}

File memory_file(const char* name, std::string_view octets) {
    File file(memfd_create(name, MFD_CLOEXEC));
    if (!file) { failed("a file in memory"); }
    while (!octets.empty()) {
        const auto written = ::write(file.number(), octets.data(), octets.size());
        if (written <= 0) { failed("a file in memory"); }
        octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return file;
}

std::string path_of(const File& file) {
    return "/proc/self/fd/" + std::to_string(file.number());
}

std::vector<int> own_files(std::string_view kind) {
    std::vector<int> numbers;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
        std::array<char, 64> link{};
        const auto length = readlink(entry.path().c_str(), link.data(), link.size());
        if (length < 0 || !std::string_view(link.data(), static_cast<std::size_t>(length)).starts_with(kind)) {
            continue;
        }
        numbers.push_back(static_cast<int>(std::strtol(entry.path().filename().c_str(), nullptr, 10)));
    }
    return numbers;
}

std::vector<int> own_xdp_sockets() {
    auto sockets = own_files("socket:");
    std::erase_if(sockets, [](int number) {
        int domain = 0;
        socklen_t length = sizeof(domain);
        return getsockopt(number, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_XDP;
    });
    return sockets;
}

}  // namespace peerlane::steer
