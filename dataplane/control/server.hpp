// One of the edge's Unix sockets: one request and one answer per line. Serves from the control thread's poll(), never
// blocks, and takes a bounded share of each turn of its loop, whatever its clients do.
#pragma once

#include <poll.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/control/reply.hpp"
#include "dataplane/control/socket_file.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

class Server {
  public:
    static constexpr std::size_t kMaxLine = 65'536;           // bytes of a request
    static constexpr std::size_t kMaxClients = 32;            // at once
    static constexpr std::size_t kKept = 4;                   // more, for root and the edge's own user
    static constexpr std::size_t kMaxOfOne = 24;              // of one other user
    static constexpr Nanoseconds kPatience = 10'000'000'000;  // a client that takes nothing for so long is dropped
    static constexpr Nanoseconds kIdle = 60'000'000'000;      // so is one that asks nothing for so long
    static constexpr Nanoseconds kStill = 1'000'000'000;      // one that does neither makes room for another after this

    /// From a request, without its newline, to the answer.
    using Answer = std::function<Reply(std::string_view request, const Peer& peer)>;

    /// Listens at `path` as SocketFile does. `may_change` is what peers are said to be allowed. Throws Failure.
    Server(std::filesystem::path path, bool may_change, Answer answer);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    Server(Server&&) = delete;
    Server& operator=(Server&&) = delete;

    /// Appends what to wait for; false: there is more to do already.
    [[nodiscard]] bool watch(std::vector<pollfd>& waiting) const;
    /// Does what can be done without waiting, and makes one answer or one piece of one; call it when poll() has
    /// returned, and at least once a second. `now` in nanoseconds, monotone.
    void serve(Nanoseconds now);

    [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }

  private:
    struct Client {
        int socket;
        Peer peer;
        Nanoseconds moved;      // when it connected, took some of its answer, or last had one made
        std::string request{};  // received, not yet answered
        Reply reply{};          // not yet sent; nothing of it is sent before it is whole
        std::size_t sent = 0;   // of reply.text
        bool ending = false;    // closed as soon as the answer is sent
        bool refused = false;   // there was no place for it
        bool gone = false;
    };

    void accept_all(Nanoseconds now);
    [[nodiscard]] bool make_room(const Peer& peer, Nanoseconds now);
    static bool has_line(const Client& client) noexcept;
    static bool has_work(const Client& client) noexcept;
    static void receive(Client& client);
    void work(Nanoseconds now);
    void answer_next(Client& client);
    static void send(Client& client, Nanoseconds now);

    SocketFile file_;
    bool may_change_;
    Answer answer_;
    std::list<Client> clients_;  // who was served last is last
};

}  // namespace peerlane::dataplane
