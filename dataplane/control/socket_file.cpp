#include "dataplane/control/socket_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/control/server_path.hpp"
#include "dataplane/control/socket_address.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {
namespace {

int open_socket() {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

SocketFile::SocketFile(std::filesystem::path path) : path_(std::move(path)) {
    if (const auto obstacle = server_obstacle(path_)) { throw Failure(*obstacle); }
    unlink(path_.c_str());  // a dead edge's, if there is one
    make();
}

SocketFile::~SocketFile() {
    close(listener_);
    struct stat found{};
    if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
        unlink(path_.c_str());
    }
}

void SocketFile::make() {
    const auto address = socket_address(path_);
    const int made = open_socket();
    const auto mask = umask(0117);  // never open to more than 0660, not even for a moment
    const bool bound = made >= 0 && bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    int error = errno;
    umask(mask);
    struct stat found{};
    const bool listens = bound && listen(made, SOMAXCONN) == 0 && lstat(path_.c_str(), &found) == 0;
    if (!listens) {
        error = bound ? errno : error;
        if (made >= 0) { close(made); }
        throw Failure("socket " + path_.native(), std::string("cannot listen: ") + std::strerror(error),
                      "make its directory and let this user write there, or set edge.socket to another path");
    }
    if (listener_ >= 0) { close(listener_); }
    listener_ = made;
    device_ = found.st_dev;
    inode_ = found.st_ino;
}

void SocketFile::say(std::string what) {
    if (what != said_) { log("socket {}: {}", path_.native(), what); }
    said_ = std::move(what);
}

void SocketFile::mend(Nanoseconds now) {
    if (now - looked_ < kLook) { return; }
    looked_ = now;
    struct stat found{};
    if (lstat(path_.c_str(), &found) == 0) {
        if (found.st_dev == device_ && found.st_ino == inode_) {
            said_.clear();
        } else {
            say("another file stands there now, and `show` and `reload` do not reach this edge; remove it, and the "
                "edge makes its socket again");
        }
        return;
    }
    if (errno != ENOENT) { return say(std::string("cannot look at it: ") + std::strerror(errno)); }
    try {
        make();
        log("socket {}: it was removed, and is made again", path_.native());
        said_.clear();
    } catch (const Failure& failure) { say(std::string("it was removed; ") + failure.problem); }
}

}  // namespace peerlane::dataplane
