#include "dataplane/control/client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <utility>

#include "config/load.hpp"
#include "dataplane/control/circuit_view.hpp"
#include "dataplane/control/findings.hpp"
#include "dataplane/control/socket_address.hpp"
#include "dataplane/control/told_file.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/print.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

Failure silent(const std::filesystem::path& path, unsigned patience) {
    return {"socket " + path.native(), fmt::format("the edge there does not answer within {} s", patience),
            "see whether it is stopped (state T in `ps`) or busy; --timeout gives it more time"};
}

/// A connection that ends with its owner.
struct Connection {
    int socket;

    Connection(const std::filesystem::path& path, unsigned patience)
        : socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (socket < 0) { throw Failure("socket " + path.native(), std::strerror(errno), "allow more open files"); }
        const auto address = socket_address(path);
        const timeval limit{static_cast<time_t>(patience), 0};
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));  // connect(2) waits no longer either
        if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) { return; }
        const int error = errno;
        close(socket);
        if (error == EAGAIN) { throw silent(path, patience); }
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

/// Empty: the edge has closed the connection.
std::string receive_line(int socket, const std::filesystem::path& path, unsigned patience) {
    std::string line;
    std::string piece(65'536, '\0');
    while (line.empty() || line.back() != '\n') {
        const auto got = recv(socket, piece.data(), piece.size(), 0);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { throw silent(path, patience); }
        if (got <= 0) { return {}; }
        line.append(piece, 0, static_cast<std::size_t>(got));
    }
    return line;
}

void print_findings(const Json& answer) {
    const auto findings = answer.value("findings", Json::array());
    std::size_t errors = 0;
    for (const auto& finding : findings) {
        errors += finding.value("severity", "") == "error" ? 1U : 0U;
        std::cerr << finding.value("where", "") << ": " << finding.value("severity", "") << ": "
                  << finding.value("what", "") << "\n    " << finding.value("remedy", "") << '\n';
    }
    if (!findings.empty()) { std::cerr << total_text(errors, findings.size() - errors) << '\n'; }
}

/// Where the file names the socket, that is the edge's, whatever else is wrong with the file: the edge itself says so.
/// Otherwise the first mistake, which may hide the name.
std::optional<std::string> hidden_by(const config::Loaded& loaded) {
    if (loaded.model.places.contains("edge.socket")) { return std::nullopt; }
    for (const auto& finding : loaded.findings) {
        if (finding.severity == config::Finding::Severity::error) { return finding.where + ": " + finding.what; }
    }
    return std::nullopt;
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
int show(const Target& target, Json request, const std::string& what, bool json, Text text) {
    return guarded([&] {
        if (!target.config.is_null()) { request["config"] = target.config; }
        const auto answer = ask(target.socket, request, target.patience == 0 ? kShowPatience : target.patience);
        if (!answer.value("ok", false) || !answer.contains(what)) {
            std::cerr << "peerlane: " << answer.value("error", "the edge refuses") << '\n';
            return 1;
        }
        print(json ? Json{{what, answer[what]}}.dump(2) + '\n' : text(answer[what]));
        return 0;
    });
}

}  // namespace

Target target_of(const std::string& socket, const std::string& config) {
    if (!socket.empty()) { return {socket, nullptr}; }
    if (config.empty()) { return {std::filesystem::path(kDefaultSocket), nullptr}; }
    auto told = told_file(config);
    if (access(config.c_str(), R_OK) != 0) {
        throw Failure("--config " + config, std::strerror(errno), "name the file the edge runs with, or its --socket");
    }
    const auto loaded = config::load(config);
    if (const auto mistake = hidden_by(loaded)) {
        throw Failure("--config " + config, "a mistake hides which socket is the edge's: " + *mistake,
                      "correct the file (`peerlane check` lists its mistakes), or name the socket with --socket");
    }
    return {loaded.model.edge.socket, std::move(told)};
}

Json ask(const std::filesystem::path& socket, const Json& request, unsigned patience) {
    const Connection connection(socket, patience);
    send_line(connection.socket, request.dump(-1, ' ', false, Json::error_handler_t::replace));
    auto answer = Json::parse(receive_line(connection.socket, socket, patience), nullptr, false);
    if (!answer.is_object()) {
        throw Failure("socket " + socket.native(), "the edge has closed the connection without an answer",
                      "see the edge's log");
    }
    return answer;
}

int show_command(const Target& target, const std::string& what, bool json) {
    return show(target, {{"command", "show"}, {"what", what}}, what, json, table);
}

int show_circuit_command(const Target& target, const std::string& name, bool json) {
    return show(target, {{"command", "show"}, {"what", "circuit"}, {"name", name}}, "circuit", json, circuit_text);
}

int sa_age_command(const Target& target, nlohmann::ordered_json request) {
    return guarded([&] {
        request["command"] = "sa-age";
        if (!target.config.is_null()) { request["config"] = target.config; }
        const auto answer = ask(target.socket, request, target.patience == 0 ? kShowPatience : target.patience);
        if (!answer.value("ok", false)) {
            std::cerr << "peerlane: nothing was changed: " << answer.value("error", "the edge refuses") << '\n';
            return 1;
        }
        print(fmt::format("the key was {} seconds old and is {} seconds old now\n",
                          answer.value("was_seconds", std::uint64_t{0}),
                          answer.value("age_seconds", std::uint64_t{0})));
        return 0;
    });
}

int reload_command(const Target& target) {
    return guarded([&] {
        Json request{{"command", "reload"}};
        if (!target.config.is_null()) { request["config"] = target.config; }
        const auto answer = ask(target.socket, request, target.patience == 0 ? kReloadPatience : target.patience);
        print_findings(answer);
        if (!answer.value("ok", false)) {
            std::cerr << "peerlane: not reloaded: " << answer.value("error", "the edge refuses") << '\n';
            return 1;
        }
        try {
            print("reloaded\n");
        } catch (const Failure& failure) {
            std::cerr << "peerlane: reloaded; but " << failure.what() << '\n';
            return 1;
        }
        return 0;
    });
}

}  // namespace peerlane::dataplane
