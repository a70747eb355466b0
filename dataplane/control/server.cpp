#include "dataplane/control/server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "dataplane/control/socket_address.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::size_t kPiece = 65'536;

std::string refusal(const std::string& error) {
    return R"({"ok":false,"error":")" + error + "\"}\n";
}

int open_socket() {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/// Takes a dead edge's socket away; throws where the path is in use or is not a socket.
void clear_path(const std::filesystem::path& path, const sockaddr_un& address) {
    const auto where = "socket " + path.native();
    struct stat found{};
    if (lstat(path.c_str(), &found) != 0) { return; }
    if (!S_ISSOCK(found.st_mode)) {
        throw Failure(where, "there is a file of another kind", "remove it, or set edge.socket to another path");
    }
    const int probe = open_socket();
    if (probe < 0) { throw Failure(where, std::strerror(errno), "allow more open files"); }
    const bool answered = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    const bool alive = answered || errno == EAGAIN;
    close(probe);
    if (alive) {
        throw Failure(where, "another edge answers there", "stop it, or give this edge an edge.socket of its own");
    }
    unlink(path.c_str());
}

}  // namespace

Server::Server(std::filesystem::path path, Answer answer) : path_(std::move(path)), answer_(std::move(answer)) {
    const auto address = socket_address(path_);
    clear_path(path_, address);
    listener_ = open_socket();
    const auto mask = umask(0117);  // never open to more than 0660, not even for a moment
    const bool bound =
        listener_ >= 0 && bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    const int error = errno;
    umask(mask);
    struct stat made{};
    if (!bound || listen(listener_, SOMAXCONN) != 0 || lstat(path_.c_str(), &made) != 0) {
        if (listener_ >= 0) { close(listener_); }
        throw Failure("socket " + path_.native(), std::string("cannot listen: ") + std::strerror(error),
                      "make its directory and let this user write there, or set edge.socket to another path");
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
}

Server::~Server() {
    for (const Client& client : clients_) { close(client.socket); }
    close(listener_);
    struct stat found{};
    if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
        unlink(path_.c_str());
    }
}

void Server::watch(std::vector<pollfd>& waiting) const {
    waiting.push_back({listener_, POLLIN, 0});
    for (const Client& client : clients_) {
        // As long as it has not taken its answer, nothing more is read from it: that bounds what is kept for it.
        const short what = client.answer.empty() && !has_line(client) ? POLLIN : POLLOUT;
        waiting.push_back({client.socket, what, 0});
    }
}

void Server::serve(Nanoseconds now) {
    accept_all(now);
    for (Client& client : clients_) {
        if (client.answer.empty()) { receive(client); }
        answer_next(client);
        send(client, now);
        const bool stuck = !client.answer.empty() && now - client.moved >= kPatience;
        const bool done = client.ending && client.answer.empty() && !has_line(client);
        client.gone = client.gone || stuck || done;
    }
    clients_.remove_if([](const Client& client) {
        if (client.gone) { close(client.socket); }
        return client.gone;
    });
}

bool Server::has_line(const Client& client) noexcept {
    return client.request.find('\n') != std::string::npos;
}

void Server::accept_all(Nanoseconds now) {
    for (;;) {
        const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) { return; }
        clients_.push_back({.socket = socket, .moved = now});
        if (clients_.size() <= kMaxClients) { continue; }
        clients_.back().answer = refusal("too many clients");
        clients_.back().ending = true;
    }
}

void Server::receive(Client& client) {
    while (!has_line(client) && client.request.size() <= kMaxLine && !client.ending) {
        char piece[4096];
        const auto got = recv(client.socket, piece, sizeof(piece), 0);
        if (got > 0) {
            client.request.append(piece, static_cast<std::size_t>(got));
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        } else {  // it will ask nothing more, but may still want what it asked for
            client.ending = true;
        }
    }
}

void Server::answer_next(Client& client) {
    if (!client.answer.empty()) { return; }
    const auto end = client.request.find('\n');
    if (end == std::string::npos ? client.request.size() > kMaxLine : end > kMaxLine) {
        client.answer = refusal("a request is at most " + std::to_string(kMaxLine) + " octets long");
        client.request.clear();
        client.ending = true;
    } else if (end != std::string::npos) {
        client.answer = answer_(std::string_view(client.request).substr(0, end)) + '\n';
        client.request.erase(0, end + 1);
    }
}

void Server::send(Client& client, Nanoseconds now) {
    if (client.answer.empty()) { client.moved = now; }
    while (!client.answer.empty() && !client.gone) {
        const auto left = std::min(client.answer.size() - client.sent, kPiece);
        const auto sent = ::send(client.socket, client.answer.data() + client.sent, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) { continue; }
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { return; }
        client.gone = sent < 0;
        client.moved = now;
        client.sent += sent < 0 ? 0U : static_cast<std::size_t>(sent);
        if (client.sent != client.answer.size()) { continue; }
        client.answer = {};
        client.sent = 0;
    }
}

}  // namespace peerlane::dataplane
