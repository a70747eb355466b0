// Clients of the edge's sockets, many at once, saying anything: each line is answered once, with JSON; what may only
// read changes nothing; who is gone is forgotten.
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <list>
#include <nlohmann/json.hpp>
#include <string>

#include "config/load.hpp"
#include "dataplane/control/commands.hpp"
#include "dataplane/control/server.hpp"
#include "dataplane/control/socket_address.hpp"
#include "tests/fuzz/disk.hpp"
#include "tests/fuzz/family.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/wires.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;

constexpr std::size_t kClients = 48;
constexpr const char* kRequests[] = {R"({"command":"show","what":"circuits"})",
                                     R"({"command":"show","what":"ports"})",
                                     R"({"command":"show","what":"sas"})",
                                     R"({"command":"show","what":"circuit","name":"c0/pair"})",
                                     R"({"command":"show","what":"drops"})",
                                     R"({"command":"show","what":"workers"})",
                                     R"({"command":"show","what":"peerings"})",
                                     R"({"command":"show","what":"tunnels"})",
                                     R"({"command":"show","what":"neighbours"})",
                                     R"({"command":"reload"})",
                                     R"({"command":"stop"})",
                                     "[[[[",
                                     "{}"};

/// What answers: a configuration in force, without workers.
struct Edge {
    explicit Edge(const std::filesystem::path& root) : file(root / "edge.yaml"), directory(root / "state") {
        std::ofstream(file) << family_text({}, 2, directory.native());
        auto loaded = config::load(file, {.live = true});
        require(loaded.ok(), "the family's first configuration is refused");
        configuration.emplace(file, loaded.model, state, publication, upkeep, std::vector<Mac>(kPorts),
                              [] { return 1; });
    }
    std::filesystem::path file, directory;
    State state{2};
    Publication publication{2};
    SaUpkeep upkeep{state, [] { return 1; }};
    std::optional<Configuration> configuration;
    unsigned reloads = 0;
};

struct Client {
    int file = -1;
    bool may_change = false, closed = false;
    std::size_t asked = 0, answered = 0;  // lines
    std::string heard{};
};

class Conversation {
  public:
    Conversation(Edge& edge, const std::filesystem::path& root)
        : edge_(edge),
          commands_{*edge.configuration, edge.state, [] { return nlohmann::ordered_json::array(); },
                    [] { return Rows{}; },
                    [this](const Peer& peer) {
                        require(peer.may_change, "somebody who may only read has reloaded");
                        return edge_.configuration->reload();
                    }},
          answer_([this](std::string_view request, const Peer& peer) { return commands_.answer(request, peer); }),
          paths_{root / "edge.sock", root / "read.sock"},
          servers_{Server(paths_[0], true, answer_), Server(paths_[1], false, answer_)} {}
    ~Conversation() {
        for (auto& client : clients_) { close(client.file); }
    }
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    void connect_one(bool may_change) {
        if (clients_.size() == kClients) { return; }
        const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const auto address = socket_address(paths_[may_change ? 0 : 1]);
        if (connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
            close(file);
            return;
        }
        clients_.push_back({file, may_change});
    }
    void say(Client& client, std::string_view text) {
        const auto sent = send(client.file, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent > 0) { client.asked += static_cast<std::size_t>(std::count(text.begin(), text.begin() + sent, '\n')); }
    }
    void hear(Client& client) {
        char piece[8192];
        const auto got = recv(client.file, piece, sizeof(piece), 0);
        if (got <= 0) { return; }
        client.heard.append(piece, static_cast<std::size_t>(got));
        for (auto end = client.heard.find('\n'); end != std::string::npos; end = client.heard.find('\n')) {
            const auto answer = nlohmann::json::parse(client.heard.substr(0, end), nullptr, false);
            require(answer.is_object() && answer.contains("ok"), "an answer says nothing: {}",
                    client.heard.substr(0, end));
            client.heard.erase(0, end + 1);
            // One more says that there is no place, or that a line was too long.
            ++client.answered;
            require(client.answered <= client.asked + 1, "{} lines were asked, {} answered", client.asked,
                    client.answered);
        }
    }
    void serve() {
        for (auto& server : servers_) {
            server.serve(now);
            require(server.clients() <= 2 * kClients, "{} clients are kept", server.clients());
        }
    }
    void leave(std::size_t which, bool half) {
        auto at = clients_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(which));
        if (half) {
            shutdown(at->file, SHUT_WR);
            return;
        }
        close(at->file);
        clients_.erase(at);
    }
    void leave_all() {
        while (!clients_.empty()) { leave(0, false); }
        for (unsigned round = 0; round < 8 * kClients && servers_[0].clients() + servers_[1].clients() != 0; ++round) {
            serve();
        }
        require(servers_[0].clients() + servers_[1].clients() == 0, "clients that are gone are kept");
    }
    Client* client(unsigned which) {
        if (clients_.empty()) { return nullptr; }
        auto at = clients_.begin();
        std::advance(at, which % clients_.size());
        return &*at;
    }
    [[nodiscard]] std::size_t count() const noexcept { return clients_.size(); }

    Nanoseconds now = 1'000'000'000;

  private:
    Edge& edge_;
    Commands commands_;
    Server::Answer answer_;
    std::filesystem::path paths_[2];
    Server servers_[2];
    std::list<Client> clients_;
};

std::string text_of(Input& input) {
    if (input.one_in(4)) {
        const auto raw = input.take(input.byte());
        return {raw.begin(), raw.end()};
    }
    std::string text = kRequests[input.below(std::size(kRequests))];
    const auto how = input.byte();
    if ((how & 3U) == 1) { text[input.byte() % text.size()] = static_cast<char>(input.byte()); }
    if ((how & 12U) == 4) { text.resize(input.byte() % (text.size() + 1)); }
    if ((how & 48U) == 16) { text.insert(input.byte() % (text.size() + 1), std::size_t{input.byte()} * 300U, '['); }
    if ((how & 192U) != 64) { text += '\n'; }
    return text;
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    static const auto own = fast_directory("fuzz-socket");
    Wires::get();
    static Edge edge(own.path());
    Input input(data, size);
    Conversation talk(edge, own.path());
    for (unsigned step = 0; step < 120 && !input.empty(); ++step) {
        const auto what = input.byte();
        auto* client = talk.client(what >> 3U);
        switch (what & 7U) {
            case 0:
                talk.connect_one((what & 8U) != 0);
                break;
            case 1:
            case 2:
                if (client != nullptr) { talk.say(*client, text_of(input)); }
                break;
            case 3:
                if (client != nullptr) { talk.hear(*client); }
                break;
            case 4:
                if (client != nullptr) { talk.leave((what >> 3U) % talk.count(), (what & 128U) != 0); }
                break;
            case 5:
                talk.now += 700'000'000U * (what >> 3U);
                break;
            default:
                talk.serve();
        }
    }
    talk.leave_all();
    return 0;
}
