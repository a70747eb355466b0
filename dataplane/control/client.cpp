#include "dataplane/control/client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "config/load.hpp"
#include "dataplane/control/circuit_view.hpp"
#include "dataplane/control/socket_address.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr timeval kPatience{60, 0};

/// A connection that ends with its owner.
struct Connection {
    int socket;

    explicit Connection(const std::filesystem::path& path) : socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (socket < 0) { throw Failure("socket " + path.native(), std::strerror(errno), "allow more open files"); }
        const auto address = socket_address(path);
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
        if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) { return; }
        const int error = errno;
        close(socket);
        throw Failure("socket " + path.native(), std::string("no edge answers: ") + std::strerror(error),
                      error == EACCES
                          ? "use an account of the edge's group"
                          : "start the edge with `peerlane run`, or name its socket with --socket or --config");
    }
    ~Connection() { close(socket); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    Connection(Connection&&) = delete;
    Connection& operator=(Connection&&) = delete;
};

void send_line(int socket, std::string line) {
    line += '\n';
    for (std::size_t sent = 0; sent < line.size();) {
        const auto done = send(socket, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (done <= 0) { return; }  // the answer says why, or there is none
        sent += static_cast<std::size_t>(done);
    }
}

std::string receive_line(int socket) {
    std::string line;
    std::string piece(65'536, '\0');
    while (line.empty() || line.back() != '\n') {
        const auto got = recv(socket, piece.data(), piece.size(), 0);
        if (got <= 0) { return {}; }
        line.append(piece, 0, static_cast<std::size_t>(got));
    }
    return line;
}

void print_findings(const Json& answer) {
    for (const auto& finding : answer.value("findings", Json::array())) {
        std::cerr << finding.value("where", "") << ": " << finding.value("severity", "") << ": "
                  << finding.value("what", "") << "\n    " << finding.value("remedy", "") << '\n';
    }
}

template <class Command>
int guarded(Command command) {
    try {
        return command();
    } catch (const std::exception& failure) {
        std::cerr << "peerlane: " << failure.what() << '\n';
        return 1;
    }
}

/// Asks, and prints what is under `what`, as JSON or as `text` makes it.
template <class Text>
int show(const std::filesystem::path& socket, const Json& request, const std::string& what, bool json, Text text) {
    return guarded([&] {
        const auto answer = ask(socket, request);
        if (!answer.value("ok", false) || !answer.contains(what)) {
            std::cerr << "peerlane: " << answer.value("error", "the edge refuses") << '\n';
            return 1;
        }
        std::cout << (json ? Json{{what, answer[what]}}.dump(2) + '\n' : text(answer[what])) << std::flush;
        return 0;
    });
}

}  // namespace

std::filesystem::path socket_of(const std::string& socket, const std::string& config) {
    if (!socket.empty()) { return socket; }
    if (config.empty()) { return kDefaultSocket; }
    if (access(config.c_str(), R_OK) != 0) {
        throw Failure("--config " + config, std::strerror(errno), "name the file the edge runs with, or its --socket");
    }
    return config::load(config).model.edge.socket;  // of a file with mistakes too: a reload of it is to be refused
}

Json ask(const std::filesystem::path& socket, const Json& request) {
    const Connection connection(socket);
    send_line(connection.socket, request.dump(-1, ' ', false, Json::error_handler_t::replace));
    auto answer = Json::parse(receive_line(connection.socket), nullptr, false);
    if (!answer.is_object()) {
        throw Failure("socket " + socket.native(), "the edge does not answer", "see the edge's log");
    }
    return answer;
}

int show_command(const std::filesystem::path& socket, const std::string& what, bool json) {
    return show(socket, {{"command", "show"}, {"what", what}}, what, json, table);
}

int show_circuit_command(const std::filesystem::path& socket, const std::string& name, bool json) {
    return show(socket, {{"command", "show"}, {"what", "circuit"}, {"name", name}}, "circuit", json, circuit_text);
}

int reload_command(const std::filesystem::path& socket) {
    return guarded([&] {
        const auto answer = ask(socket, {{"command", "reload"}});
        print_findings(answer);
        if (!answer.value("ok", false)) {
            std::cerr << "peerlane: not reloaded: " << answer.value("error", "the edge refuses") << '\n';
            return 1;
        }
        std::cout << "reloaded\n";
        return 0;
    });
}

}  // namespace peerlane::dataplane
