#include "dataplane/control/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace peerlane::dataplane {
namespace {

constexpr std::size_t kPiece = 65'536;       // bytes of one send(2)
constexpr unsigned kPiecesAtOnce = 4;        // to one client in one turn
constexpr unsigned kConnectionsAtOnce = 64;  // in one turn

std::string refusal(const std::string& error) {
    return R"({"ok":false,"error":")" + error + "\"}\n";
}

Peer peer_of(int socket, bool may_change) {
    ucred found{};
    socklen_t size = sizeof(found);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) { return {~0U, 0, false}; }
    return {found.uid, found.pid, may_change};
}

/// Who can stop the edge anyhow is not kept out by others.
bool is_privileged(const Peer& peer) noexcept {
    return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace

Server::Server(std::filesystem::path path, bool may_change, Answer answer)
    : file_(std::move(path)), may_change_(may_change), answer_(std::move(answer)) {}

Server::~Server() {
    for (const Client& client : clients_) { close(client.socket); }
}

bool Server::watch(std::vector<pollfd>& waiting) const {
    waiting.push_back({file_.listener(), POLLIN, 0});
    bool idle = true;
    for (const Client& client : clients_) {
        idle = idle && !has_work(client);
        // As long as it has not taken its answer, nothing more is read from it: that bounds what is kept for it.
        const short what = client.reply.text.empty() ? POLLIN : POLLOUT;
        waiting.push_back({client.socket, what, 0});
    }
    return idle;
}

void Server::serve(Nanoseconds now) {
    accept_all(now);
    file_.mend(now);
    for (Client& client : clients_) {
        if (client.reply.text.empty()) { receive(client); }
    }
    work(now);
    for (Client& client : clients_) {
        send(client, now);
        if (has_work(client)) {
            client.moved = now;  // it waits for the edge
            continue;
        }
        const bool asks = client.reply.text.empty();
        const bool still = now - client.moved >= (asks ? kIdle : kPatience);
        client.gone = client.gone || still || (client.ending && asks);
    }
    clients_.remove_if([](const Client& client) {
        if (client.gone) { close(client.socket); }
        return client.gone;
    });
}

bool Server::has_line(const Client& client) noexcept {
    return client.request.size() > kMaxLine || client.request.find('\n') != std::string::npos;
}

/// Whether an answer is to be made, or is in the making.
bool Server::has_work(const Client& client) noexcept {
    return client.reply.more || (client.reply.text.empty() && has_line(client));
}

void Server::accept_all(Nanoseconds now) {
    for (unsigned i = 0; i < kConnectionsAtOnce; ++i) {
        const int socket = accept4(file_.listener(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) { return; }
        const auto peer = peer_of(socket, may_change_);
        const bool room = make_room(peer, now);
        clients_.push_back({.socket = socket, .peer = peer, .moved = now});
        if (room) { continue; }
        clients_.back().reply.text = refusal("too many clients");
        clients_.back().ending = clients_.back().refused = true;
    }
}

/// Whoever stands still, longest of all, makes room. Nobody makes room for somebody with fewer rights.
bool Server::make_room(const Peer& peer, Nanoseconds now) {
    const auto served = [](const Client& client) { return !client.refused && !client.gone; };
    const auto all = static_cast<std::size_t>(std::ranges::count_if(clients_, served));
    const auto same = static_cast<std::size_t>(std::ranges::count_if(
        clients_, [&](const Client& client) { return served(client) && client.peer.uid == peer.uid; }));
    const bool privileged = is_privileged(peer);
    const bool too_many = !privileged && same >= kMaxOfOne;
    if (!too_many && all < (privileged ? kMaxClients + kKept : kMaxClients)) { return true; }
    Client* stillest = nullptr;
    for (Client& client : clients_) {
        const bool his = too_many ? client.peer.uid == peer.uid : privileged || !is_privileged(client.peer);
        if (!his || has_work(client) || !served(client) || now - client.moved < kStill) { continue; }
        if (stillest == nullptr || client.moved < stillest->moved) { stillest = &client; }
    }
    if (stillest == nullptr) { return false; }
    stillest->gone = true;
    return true;
}

void Server::receive(Client& client) {
    while (!has_line(client) && !client.ending) {
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

/// For one client; its turn comes again when all others with work have had theirs.
void Server::work(Nanoseconds now) {
    const auto client = std::ranges::find_if(clients_, [](const Client& one) { return has_work(one) && !one.gone; });
    if (client == clients_.end()) { return; }
    if (!client->reply.more) {
        answer_next(*client);
    } else if (!client->reply.more(client->reply.text)) {
        client->reply.more = nullptr;
    }
    if (!client->reply.more) { client->reply.text += '\n'; }
    client->moved = now;
    clients_.splice(clients_.end(), clients_, client);
}

void Server::answer_next(Client& client) {
    const auto end = client.request.find('\n');
    if (end > kMaxLine) {  // or there is none, npos
        client.reply.text = refusal("a request is at most " + std::to_string(kMaxLine) + " bytes long");
        client.reply.text.pop_back();
        client.request.clear();
        client.ending = true;
        return;
    }
    client.reply = answer_(std::string_view(client.request).substr(0, end), client.peer);
    client.request.erase(0, end + 1);
}

void Server::send(Client& client, Nanoseconds now) {
    auto& text = client.reply.text;
    for (unsigned i = 0; i < kPiecesAtOnce && !client.reply.more && !text.empty() && !client.gone;) {
        const auto left = std::min(text.size() - client.sent, kPiece);
        const auto sent = ::send(client.socket, text.data() + client.sent, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) { continue; }
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { return; }
        ++i;
        client.gone = sent < 0;
        client.moved = now;
        client.sent += sent < 0 ? 0U : static_cast<std::size_t>(sent);
        if (client.sent != text.size()) { continue; }
        text = {};
        client.sent = 0;
    }
}

}  // namespace peerlane::dataplane
