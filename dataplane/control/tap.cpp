#include "dataplane/control/tap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dataplane/io/failure.hpp"
#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {
namespace {

ifreq request(const std::string& name) {
    ifreq one{};
    name.copy(static_cast<char*>(one.ifr_name), IFNAMSIZ - 1);
    return one;
}

/// MAC, MTU, up; the first that fails ends it.
bool set_up(int file, const std::string& name, const Mac& mac, unsigned mtu) {
    auto wanted = request(name);
    wanted.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(file, TUNSETIFF, &wanted) != 0) { return false; }
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (any < 0) { return false; }
    auto address = request(name);
    address.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(&address.ifr_hwaddr.sa_data, mac.octets.data(), mac.octets.size());
    auto size = request(name);
    size.ifr_mtu = static_cast<int>(mtu);
    auto flags = request(name);
    bool done = ioctl(any, SIOCSIFHWADDR, &address) == 0 && ioctl(any, SIOCSIFMTU, &size) == 0 &&
                ioctl(any, SIOCGIFFLAGS, &flags) == 0;
    flags.ifr_flags = static_cast<short>(flags.ifr_flags | IFF_UP);
    done = done && ioctl(any, SIOCSIFFLAGS, &flags) == 0;
    const int error = errno;
    close(any);
    errno = error;
    return done;
}

}  // namespace

Tap::Tap(TapSetup setup) : setup_(std::move(setup)) {
    make();
}

void Tap::make() {
    const auto wrong = "tap `" + setup_.name + "` cannot be made: ";
    file_ = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file_ < 0) {
        throw Failure(setup_.where, wrong + "/dev/net/tun: " + std::strerror(errno),
                      "modprobe tun, and let the process open it; or leave `tap` out");
    }
    if (set_up(file_, setup_.name, setup_.mac, setup_.mtu)) { return; }
    const int error = errno;
    close();
    throw Failure(setup_.where, wrong + std::strerror(error),
                  error == EBUSY ? "another process has an interface of that name: choose another, or end that process"
                  : error == EPERM
                      ? "run as root, or AmbientCapabilities=CAP_NET_ADMIN in the unit file; or leave `tap` out"
                      : "choose a name of at most 15 characters that no other interface has");
}

void Tap::close() noexcept {
    if (file_ >= 0) { ::close(file_); }
    file_ = -1;
}

bool Tap::deliver(std::span<const std::uint8_t> frame) noexcept {
    return ::write(file_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

unsigned Tap::next(std::span<std::uint8_t> room) {
    const auto got = ::read(file_, room.data(), room.size());
    if (got < 0 && errno == EBADFD) { close(); }  // its interface was removed
    return got > 0 ? static_cast<unsigned>(got) : 0;
}

void Tap::mend(Nanoseconds now) {
    const bool there = file_ >= 0;
    if (told_.look(there ? 1 : 0, now) != 0) {
        log("{}: tap `{}` is {}", setup_.where, setup_.name, there ? "made again" : "gone");
    }
    if (file_ >= 0 || now - tried_ < kRetry) { return; }
    tried_ = now;
    try {
        make();
    } catch (const Failure& failure) {
        const std::string said = failure.what();
        if (said != refusal_) { log("{}", said); }
        refusal_ = said;
        return;
    }
    refusal_.clear();
}

}  // namespace peerlane::dataplane
