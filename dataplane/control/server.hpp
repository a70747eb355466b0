// The edge's Unix socket: one request and one answer per line. Serves from the control thread's poll(), never blocks.
#pragma once

#include <poll.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

class Server {
  public:
    static constexpr std::size_t kMaxLine = 65'536;           // octets of a request
    static constexpr std::size_t kMaxClients = 32;            // at once
    static constexpr Nanoseconds kPatience = 10'000'000'000;  // a client that takes nothing for so long is dropped

    /// From a request, without its newline, to the answer, likewise.
    using Answer = std::function<std::string(std::string_view)>;

    /// Listens at `path`, mode 0660. A socket file that nobody listens at any more is replaced. Throws Failure.
    Server(std::filesystem::path path, Answer answer);
    /// Removes the file, if it is still this server's.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    Server(Server&&) = delete;
    Server& operator=(Server&&) = delete;

    /// Appends what to wait for.
    void watch(std::vector<pollfd>& waiting) const;
    /// Does what can be done without waiting; call it when poll() has returned, and at least once a second. `now` in
    /// nanoseconds, monotone.
    void serve(Nanoseconds now);

    [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }

  private:
    struct Client {
        int socket;
        Nanoseconds moved;      // when it last took some of its answer, or had none to take
        std::string request{};  // received, not yet answered
        std::string answer{};   // not yet sent
        std::size_t sent = 0;   // of answer
        bool ending = false;    // closed as soon as the answer is sent
        bool gone = false;
    };

    void accept_all(Nanoseconds now);
    static bool has_line(const Client& client) noexcept;
    static void receive(Client& client);
    void answer_next(Client& client);
    static void send(Client& client, Nanoseconds now);

    std::filesystem::path path_;
    Answer answer_;
    int listener_ = -1;
    std::uint64_t device_ = 0, inode_ = 0;  // of the file made
    std::list<Client> clients_;
};

}  // namespace peerlane::dataplane
