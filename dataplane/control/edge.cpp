#include "dataplane/control/edge.hpp"

#include <poll.h>
#include <rte_launch.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "config/load.hpp"
#include "dataplane/control/commands.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/control/findings.hpp"
#include "dataplane/control/local.hpp"
#include "dataplane/control/neighbours_view.hpp"
#include "dataplane/control/port_events.hpp"
#include "dataplane/control/port_setup.hpp"
#include "dataplane/control/ports_view.hpp"
#include "dataplane/control/sa_age_command.hpp"
#include "dataplane/control/server.hpp"
#include "dataplane/control/signals.hpp"
#include "dataplane/control/system_addresses.hpp"
#include "dataplane/control/tpid_watch.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/live_eal.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/io/output_thread.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/io/port_watch.hpp"
#include "dataplane/io/unmap_guard.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::chrono::milliseconds kReaderPatience{1000};

std::vector<PortSetup> port_setups(const config::Model& model) {
    std::vector<PortSetup> setups;
    setups.reserve(model.ports.size());
    for (const auto& port : model.ports) { setups.push_back(port_setup(port)); }
    return setups;
}

LiveSetup live_setup(const config::Edge& edge, const std::vector<PortSetup>& ports) {
    LiveSetup setup{plan_memory(Ports::megabytes(ports, edge.workers)), {}, edge.workers, edge.cores};
    for (const auto& port : ports) { setup.devices.push_back(port.device); }
    return setup;
}

std::vector<Mac> macs(const Ports& ports) {
    std::vector<Mac> all;
    for (const auto& port : ports.all()) { all.push_back(port.mac); }
    return all;
}

/// The taps that the configuration asks for, by port.
std::vector<std::optional<Tap>> make_taps(const config::Model& model, const Ports& ports) {
    std::vector<std::optional<Tap>> taps(model.ports.size());
    for (std::size_t i = 0; i < taps.size(); ++i) {
        const auto& port = model.ports[i];
        if (port.tap.empty()) { continue; }
        const unsigned tags = port.role == config::Role::access ? 8 : 0;
        taps[i].emplace(TapSetup{port.tap, ports.all()[i].mac, port.mtu + tags, "port " + port.name});
    }
    return taps;
}

/// Nobody can tell the IVs that come of it.
std::array<std::uint8_t, 16> random_seed() {
    std::array<std::uint8_t, 16> seed{};
    if (getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
        throw Failure("random numbers", std::strerror(errno), "let the process call getrandom(2)");
    }
    return seed;
}

/// The threads, from their start to their end; they end with it.
class Workers {
  public:
    Workers(State& state, const Ports& ports, Publication& publication, const TscClock& clock, LocalRings& local,
            std::uint32_t taps, bool sleeps)
        : rings_(static_cast<unsigned>(state.workers.size())) {
        const auto count = static_cast<unsigned>(state.workers.size());
        for (unsigned i = 0; i < count; ++i) {
            auto setup = ports.worker_setup(i, sleeps);
            setup.rings = rings_.all();
            setup.local = local.way(i, taps);
            jobs_.push_back(std::make_unique<Job>(state, i, ports, std::move(setup), publication, clock, stop_));
        }
        for (unsigned i = 0; i < count; ++i) {
            if (rte_eal_remote_launch(&Workers::run, jobs_[i].get(), worker_lcore(i)) == 0) { continue; }
            stop();
            throw Failure("edge.workers", fmt::format("worker {} does not start", i), "set edge.workers lower");
        }
        publication.wait_for_workers();
    }
    ~Workers() { stop(); }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    Workers(Workers&&) = delete;
    Workers& operator=(Workers&&) = delete;

    void stop() noexcept {
        stop_.store(true);
        rte_eal_mp_wait_lcore();
    }

  private:
    struct Job {
        Job(State& state, unsigned index, const Ports& ports, WorkerSetup way, Publication& source,
            const TscClock& time, const std::atomic<bool>& end)
            : worker(state, *state.workers[index], ports.largest_pool(), table::best_kernels(), random_seed()),
              setup(std::move(way)),
              publication(source),
              clock(time),
              stop(end) {
            worker.alone = state.workers.size() == 1;
            worker.index = index;
        }
        Worker worker;
        WorkerSetup setup;
        Publication& publication;
        const TscClock& clock;
        const std::atomic<bool>& stop;
    };
    static int run(void* argument) noexcept {
        auto& job = *static_cast<Job*>(argument);
        worker_loop(job.worker, job.setup, job.publication, job.clock, job.stop);
        return 0;
    }

    HandoverRings rings_;
    std::atomic<bool> stop_{false};
    std::vector<std::unique_ptr<Job>> jobs_;
};

std::uint32_t taps_of(const config::Model& model) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < model.ports.size(); ++i) { bits |= (model.ports[i].tap.empty() ? 0U : 1U) << i; }
    return bits;
}

/// Everything an edge has, in the order in which it comes to be; it goes the other way round.
class Edge {
  public:
    Edge(const std::filesystem::path& file, const config::Model& model)
        : server_(model.edge.socket, true, answer()),
          reader_(model.edge.read_socket.empty() ? nullptr
                                                 : std::make_unique<Server>(model.edge.read_socket, false, answer())),
          setups_(port_setups(model)),
          setup_(live_setup(model.edge, setups_)),
          eal_(live_arguments(setup_, allowed_cores())),
          clock_(calibrated_clock()),
          ports_(setups_, model.edge.workers),
          state_(model.edge.workers),
          publication_(model.edge.workers),
          guard_(publication_),
          upkeep_(state_, [this] { return clock_.now(); }),
          rings_(model.edge.workers),
          local_(rings_, state_, make_taps(model, ports_), ports_.largest_pool()),
          configuration_(file, model, state_, publication_, upkeep_, macs(ports_), [this] { return clock_.now(); },
                         {[this](const Snapshot& next) { admit(ports_, next); },
                          [this](const Snapshot& now) { dismiss(ports_, now); }}),
          watch_(ports_, publication_),
          workers_(state_, ports_, publication_, clock_, rings_, taps_of(model),
                   model.edge.idle == config::Idle::sleep),
          commands_{configuration_,
                    state_,
                    [this] { return ports_json(ports_, state_, watch_, local_); },
                    [this] { return neighbour_rows(configuration_.snapshot(), local_.neighbours(), clock_.now()); },
                    [this](const Peer& peer) { return reload(asked_by(peer.uid, peer.pid)); },
                    [this](const nlohmann::ordered_json& request) {
                        return set_sa_age(configuration_.snapshot(), state_, upkeep_, clock_.now(), request);
                    }} {
        local_.adopt(configuration_.snapshot(), clock_.now());
        const auto& remedy = setup_.memory.remedy;
        log("{}{}", setup_.memory.note, remedy.empty() ? "" : "; for speed: " + remedy);
        watch_.tick(clock_.now());
        watch_.explain([this](std::size_t port, bool up) { return port_meaning(configuration_.snapshot(), port, up); });
        for (const auto& one : shared_with_system(model)) { log("{}\n    {}", one.problem, one.remedy); }
        log_start(model);
    }

    int run() {
        while (!ending()) {
            server_.serve(clock_.now());
            if (reader_) { reader_->serve(clock_.now()); }
            upkeep_.tick(configuration_.snapshot());
            watch_links();
            tpids_.look(configuration_.snapshot(), state_, clock_.now(),
                        [](const std::string& line) { log("{}", line); });
            local_.serve(configuration_.snapshot(), watch_.up(), clock_.now());
            unclaimed_.tick(ports_, state_, local_.counts(), clock_.now());
            std::vector<pollfd> waiting{{signals_.file(), POLLIN, 0}};
            bool idle = server_.watch(waiting);
            if (reader_) { idle = reader_->watch(waiting) && idle; }
            idle = local_.watch(waiting) && idle;
            poll(waiting.data(), waiting.size(), idle ? SaUpkeep::kTick : 0);
            rings_.bell().awake();
        }
        workers_.stop();
        upkeep_.end(configuration_.snapshot());
        print_summary();
        log("ended");
        return 0;
    }

  private:
    void log_start(const config::Model& model) {
        for (const auto& port : ports_.all()) {
            log("port {}: {} ({}), {}, MTU {}, {} receive and {} transmit queues{}", port.setup.name,
                port.setup.device.arguments, port.driver, to_string(port.mac), port.setup.mtu, port.rx_queues,
                port.tx_queues, port.promiscuous ? ", promiscuous: the device does not take the MAC" : "");
            log("port {}: offloads: {}; in software: {}", port.setup.name, port.offloads.used,
                port.offloads.in_software);
        }
        log("edge {} runs: {} workers, {} circuits, socket {}", model.edge.name, model.edge.workers,
            configuration_.snapshot().names.circuits.size(), model.edge.socket);
    }

    /// Who is to read it may stand still, and the edge ends nevertheless.
    void print_summary() const {
        const auto text = summary(configuration_.snapshot(), state_, clock_.now());
        OutputThread output(STDOUT_FILENO, text.size());
        output.put(text);
        if (!output.drain(kReaderPatience) || output.lost() != 0) {
            log("the summary of the counters could not be written to standard output");
        }
    }

    bool ending() {
        for (auto signal = signals_.next(); signal.number != 0; signal = signals_.next()) {
            const auto who = asked_by(signal.uid, signal.pid);
            if (signal.number != SIGHUP) {
                log("{}: draining; {}", signal.number == SIGTERM ? "SIGTERM" : "SIGINT", who);
                return true;
            }
            reload("SIGHUP, " + who);
        }
        return false;
    }

    template <class Pid>
    static std::string asked_by(std::uint32_t uid, Pid pid) {
        return fmt::format("asked for by uid {}, process {}", uid, pid);
    }

    Server::Answer answer() {
        return [this](std::string_view request, const Peer& peer) { return commands_.answer(request, peer); };
    }

    Applied reload(const std::string& who) {
        auto applied = configuration_.reload();
        if (applied.ok) { local_.adopt(configuration_.snapshot(), clock_.now()); }
        log_text(to_text(applied.findings));
        if (applied.ok) {
            log("reloaded: {} circuits; {}", configuration_.snapshot().names.circuits.size(), who);
        } else {
            log("not reloaded: nothing was changed; {}", who);
        }
        return applied;
    }

    /// A port that has come back steers what it steered before; one that cannot yet is asked again.
    void watch_links() {
        const auto now = clock_.now();
        const bool again = !refusals_.empty() && now - admitted_ >= PortWatch::kRetry;
        if (!watch_.tick(now) && !again) { return; }
        admitted_ = now;
        auto refusals = admit_each(ports_, configuration_.snapshot());
        for (const auto& said : refusals) {
            if (std::ranges::find(refusals_, said) == refusals_.end()) { log("{}", said); }
        }
        refusals_ = std::move(refusals);
    }

    Signals signals_;
    Server server_;
    std::unique_ptr<Server> reader_;  // edge.read_socket; null: there is none
    std::vector<PortSetup> setups_;
    LiveSetup setup_;
    Eal eal_;
    TscClock clock_;
    Ports ports_;
    State state_;
    Publication publication_;
    UnmapGuard guard_;
    SaUpkeep upkeep_;
    LocalRings rings_;
    LocalDelivery local_;
    Configuration configuration_;
    PortWatch watch_;
    UnclaimedPackets unclaimed_;
    TpidWatch tpids_;
    std::vector<std::string> refusals_;  // of ports that do not steer what they should
    Nanoseconds admitted_ = 0;
    Workers workers_;
    Commands commands_;
};

}  // namespace

int run_edge(const std::filesystem::path& config) {
    int status = 1;
    try {
        start_log();
        std::unique_ptr<Edge> edge;
        {
            const auto loaded = config::load(config, {.live = true});
            log_text(to_text(loaded.findings));
            if (loaded.ok()) { edge = std::make_unique<Edge>(config, loaded.model); }
        }  // the keys in it are wiped
        if (edge) { status = edge->run(); }
    } catch (const std::exception& failure) {
        log("{}", failure.what());
        status = 1;
    }
    drain_log();
    return status;
}

}  // namespace peerlane::dataplane
