#include "dataplane/control/preflight.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "config/derive.hpp"
#include "dataplane/control/port_setup.hpp"
#include "dataplane/control/preflight_cores.hpp"
#include "dataplane/control/sa_upkeep.hpp"
#include "dataplane/control/server_path.hpp"
#include "dataplane/control/state_place.hpp"
#include "dataplane/control/system_addresses.hpp"
#include "dataplane/io/device.hpp"
#include "dataplane/io/device_needs.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/interface_lock.hpp"
#include "dataplane/io/memory_plan.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/io/socket_device.hpp"
#include "dataplane/io/steering.hpp"
#include "dataplane/tables/compile_parts.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "lib/steer/needs.hpp"
#include "lib/table/tunnel_table.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

// linux/capability.h
struct Capability {
    unsigned bit;
    const char* name;
};
constexpr Capability kNetAdmin{12, "CAP_NET_ADMIN"};
constexpr Capability kNetRaw{13, "CAP_NET_RAW"};
constexpr Capability kIpcLock{14, "CAP_IPC_LOCK"};
constexpr Capability kSysAdmin{21, "CAP_SYS_ADMIN"};
constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

class Preflight {
  public:
    Preflight(const config::Model& model, const std::vector<unsigned>& allowed, std::string root)
        : model_(model), allowed_(allowed), root_(std::move(root)) {}

    std::vector<Need> run() {
        hugepages();
        capabilities_ = effective_capabilities();
        for (const auto& port : model_.ports) {
            device(port);
            local_delivery(port);
        }
        look_at_cores(model_, allowed_, root_, needs_);
        for (const auto& path : {model_.edge.socket, model_.edge.read_socket}) {
            if (path.empty()) { continue; }
            if (const auto obstacle = server_obstacle(path)) {
                add(State::missing, obstacle->problem, obstacle->remedy);
            } else {
                add(State::met, fmt::format("socket {} can be made", path));
            }
        }
        if (root_.empty()) {
            for (const auto& one : shared_with_system(model_)) { add(State::degraded, one.problem, one.remedy); }
        }
        locked_memory();
        associations();
        return std::move(needs_);
    }

  private:
    using State = Need::State;

    void add(State state, std::string what, std::string remedy = {}) {
        needs_.push_back({state, std::move(what), std::move(remedy)});
    }

    /// What `run` will do; ports without a device are left to device().
    void hugepages() {
        std::vector<PortSetup> setups;
        for (const auto& port : model_.ports) {
            try {
                setups.push_back(port_setup(port));
            } catch (const Failure&) { continue; }
        }
        const auto plan =
            plan_memory(Ports::megabytes(setups, model_.edge.workers), root_.empty() ? fs::path("/") : fs::path(root_));
        add(plan.hugepages ? State::met : State::degraded, plan.note, plan.remedy);
    }

    std::uint64_t effective_capabilities() const {
        std::ifstream status(root_ + "/proc/self/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("CapEff:")) { return std::strtoull(line.c_str() + 7, nullptr, 16); }
        }
        return 0;
    }

    /// Octets that this process may lock.
    std::uint64_t may_lock() const {
        if ((capabilities_ >> kIpcLock.bit & 1U) != 0) { return kUnlimited; }
        constexpr std::string_view kName = "Max locked memory";
        std::ifstream limits(root_ + "/proc/self/limits");
        for (std::string line; std::getline(limits, line);) {
            if (!line.starts_with(kName)) { continue; }
            std::istringstream rest(line.substr(kName.size()));
            std::uint64_t octets = 0;
            return rest >> octets ? octets : kUnlimited;  // "unlimited"
        }
        return 0;
    }

    void capability(const config::Port& port, Capability wanted) {
        if ((capabilities_ >> wanted.bit & 1U) != 0) { return; }
        add(State::missing, fmt::format("port {}: {} is needed for {}", port.name, wanted.name, port.device),
            fmt::format("run as root, or AmbientCapabilities={} in the unit file", wanted.name));
    }

    /// Buffers that a device is to reach are locked memory.
    void locking(const config::Port& port) {
        if (may_lock() == kUnlimited) { return; }
        add(State::missing,
            fmt::format("port {}: CAP_IPC_LOCK is needed for {}, or no limit of locked memory", port.name, port.device),
            "run as root, or LimitMEMLOCK=infinity in the unit file");
    }

    void device(const config::Port& port) {
        Device device;
        try {
            device = parse_device(port.device, "port " + port.name);
        } catch (const Failure& failure) { return add(State::missing, failure.problem, failure.remedy); }
        if (!device.is_virtual) { return pci_device(port, device.name); }
        const auto driver = port.device.substr(0, port.device.find(','));
        const auto before = needs_.size();
        const bool packet = driver.starts_with("net_af_packet");
        const bool xdp = driver.starts_with("net_af_xdp");
        const bool tap = driver.starts_with("net_tap");
        const auto steered = steered_interface(port.device, port.steering);
        if (packet || (xdp && !steered)) { capability(port, kNetRaw); }
        if (packet || tap || (xdp && !steered)) { capability(port, kNetAdmin); }
        if (xdp && !steered) {
            locking(port);
            capability(port, kSysAdmin);  // of which CAP_BPF is a part
        }
        if (packet || xdp || tap) { taken_interface(port, device_argument(device, "iface")); }
        if (packet || xdp) { offloads(port, device_argument(device, "iface")); }
        const auto obstacle = device_obstacle(device, "port " + port.name, root_);
        if (obstacle) {
            add(State::missing, obstacle->problem, obstacle->remedy);
        } else if (steered) {
            steering(port, *steered);
        }
        if (needs_.size() == before) { add(State::met, fmt::format("port {}: {}", port.name, driver)); }
    }

    /// What the port's tap takes (local delivery).
    void local_delivery(const config::Port& port) {
        if (port.tap.empty()) { return; }
        if (!fs::exists(root_ + "/dev/net/tun")) {
            return add(State::missing,
                       fmt::format("port {}: /dev/net/tun is not there for tap `{}`", port.name, port.tap),
                       "modprobe tun, or leave `tap` out");
        }
        if ((capabilities_ >> kNetAdmin.bit & 1U) != 0) {
            return add(State::met, fmt::format("port {}: tap `{}` can be made", port.name, port.tap));
        }
        add(State::missing, fmt::format("port {}: CAP_NET_ADMIN is needed for tap `{}`", port.name, port.tap),
            "run as root, or AmbientCapabilities=CAP_NET_ADMIN in the unit file; or leave `tap` out");
    }

    /// XDP: the kernel, the interface and its offloads, capabilities, addresses, and programs of others.
    void steering(const config::Port& port, const std::string& name) {
        std::vector<Ip6> own;  // as Snapshot::local_addresses: by whichever core port they are reached
        for (const auto& each : model_.ports) {
            if (each.address) { own.push_back({0, table::mapped(each.address->address)}); }
            if (each.address6) { own.push_back(each.address6->address); }
        }
        config::each_network(model_, [&](const config::VirtualNetwork& network) {
            own.push_back(mapped(network.tunnel.local));
            if (network.ipsec) { own.push_back(mapped(network.ipsec->local)); }
        });
        std::ranges::sort(own);
        own.erase(std::ranges::unique(own).begin(), own.end());
        for (const auto& problem : steer::steering_needs(name, port.role == config::Role::access, own)) {
            add(problem.fatal ? State::missing : State::degraded, fmt::format("port {}: {}", port.name, problem.what),
                problem.remedy);
        }
    }

    void pci_device(const config::Port& port, const std::string& address) {
        const fs::path device = root_ + "/sys/bus/pci/devices/" + address;
        if (!fs::exists(device)) {
            return add(State::missing, fmt::format("port {}: no PCI device {}", port.name, address),
                       "lspci -D lists those there are");
        }
        std::error_code none;
        const auto driver = fs::read_symlink(device / "driver", none).filename().string();
        const bool bound = driver == "vfio-pci" || driver == "uio_pci_generic" || driver == "igb_uio" ||
                           driver == "mlx5_core" || driver == "mlx4_core";
        if (!bound) {
            return add(State::missing, fmt::format("port {}: {} is bound to `{}`", port.name, address, driver),
                       fmt::format("dpdk-devbind.py --bind=vfio-pci {}", address));
        }
        const auto before = needs_.size();
        if (driver == "vfio-pci") { group(port, address); }
        if (driver.find("uio") != std::string::npos) { uio(port, driver); }
        if (driver.starts_with("mlx")) {
            capability(port, kNetRaw);
            capability(port, kNetAdmin);  // the MTU is its interface's
        }
        locking(port);
        if (needs_.size() == before) { add(State::met, fmt::format("port {}: {} ({})", port.name, address, driver)); }
    }

    /// vfio-pci: the device's group is a file that has to be opened.
    void group(const config::Port& port, const std::string& address) {
        std::error_code none;
        const auto link = fs::read_symlink(root_ + "/sys/bus/pci/devices/" + address + "/iommu_group", none);
        if (none) {
            return add(
                State::missing, fmt::format("port {}: {} is in no IOMMU group", port.name, address),
                "intel_iommu=on or amd_iommu=on on the kernel's command line, and VT-d or AMD-Vi in the firmware");
        }
        const auto file = root_ + "/dev/vfio/" + link.filename().string();
        if (access(file.c_str(), R_OK | W_OK) == 0) { return; }
        add(State::missing, fmt::format("port {}: {} cannot be opened", port.name, file),
            fmt::format("chown to the edge's user: {} (a udev rule: SUBSYSTEM==\"vfio\", OWNER=\"peerlane\")", file));
    }

    /// Without an IOMMU the device is told physical addresses, which the kernel tells nobody but root.
    void uio(const config::Port& port, const std::string& driver) {
        if ((capabilities_ >> kSysAdmin.bit & 1U) != 0) { return; }
        add(State::missing, fmt::format("port {}: {} needs CAP_SYS_ADMIN", port.name, driver),
            "bind the device to vfio-pci, which does not");
    }

    static std::string argument(const std::string& device, const std::string& name) {
        const auto at = device.find("," + name + "=");
        if (at == std::string::npos) { return {}; }
        const auto start = at + name.size() + 2;
        return device.substr(start, device.find(',', start) - start);
    }

    /// Another edge on the same interface.
    void taken_interface(const config::Port& port, const std::string& name) {
        const auto index = root_.empty() ? if_nametoindex(name.c_str()) : 0;
        const auto holder = index != 0 ? holder_of(index) : std::nullopt;
        if (!holder || !holder->trusted) { return; }
        add(State::missing, fmt::format("port {}: {}", port.name, say_holder(name, *holder)), kHolderRemedy);
    }

    void offloads(const config::Port& port, const std::string& name) {
        if (!root_.empty()) { return; }
        for (const auto& problem : steer::offload_needs(name)) {
            add(State::degraded, fmt::format("port {}: {}", port.name, problem.what), problem.remedy);
        }
    }

    /// Keys; and the rings that net_af_packet shares with the kernel, one after the other, as the kernel does not count
    /// them once they are mapped.
    void locked_memory() {
        std::size_t octets = 0;
        for (const auto& port : model_.ports) {
            if (!port.device.starts_with("net_af_packet")) { continue; }
            const auto option = [&](const char* name, std::size_t preset) {
                const auto text = argument(port.device, name);
                return text.empty() ? preset : std::strtoull(text.c_str(), nullptr, 10);
            };
            octets = std::max<std::size_t>(octets, 2 * option("framesz", 2048) * option("framecnt", 512));
        }
        const auto keys = keys_in_use();
        octets += ipsec::locked_octets(2 * keys);  // old and new, while keys are changed
        if (octets == 0) { return; }
        if (may_lock() >= octets) { return add(State::met, fmt::format("locked memory: {} kB", octets / 1024)); }
        add(State::missing,
            fmt::format("locked memory: {} kB are needed, {} kB are allowed", octets / 1024, may_lock() / 1024),
            "LimitMEMLOCK=infinity in the unit file, or ulimit -l unlimited");
    }

    std::size_t keys_in_use() const {
        std::size_t keys = 0;
        config::each_network(model_, [&](const config::VirtualNetwork& network) {
            if (network.ipsec) { keys += network.ipsec->outbound.size() + network.ipsec->inbound.size(); }
        });
        return keys;
    }

    /// No room for the file with the sequence numbers, which is written anew beside the old one.
    static bool is_full(fs::path path) {
        std::error_code none;
        while (!fs::exists(path, none) && path.has_relative_path()) { path = path.parent_path(); }
        const auto space = fs::space(path.empty() ? "." : path, none);
        constexpr std::uintmax_t kLeast = 64 * 1024;
        return !none && (geteuid() == 0 ? space.free : space.available) < kLeast;
    }

    /// Sequence numbers on disk.
    void associations() {
        if (keys_in_use() == 0) { return; }
        const fs::path directory(model_.edge.state_dir);
        if (const auto failure = forgetful(model_.edge.state_dir, model_.edge.state_dir_volatile)) {
            add(needs_store(model_) ? State::missing : State::degraded, failure->problem, failure->remedy);
        } else if (is_full(directory)) {
            add(State::missing, fmt::format("state_dir: the disk of {} is full", directory.string()),
                "make room there, or set edge.state_dir to another disk");
        } else if (const auto obstacle = SaStore::obstacle(directory)) {
            add(needs_store(model_) ? State::missing : State::degraded, obstacle->problem, obstacle->remedy);
        } else {
            add(State::met, fmt::format("state_dir: {} holds the sequence numbers", model_.edge.state_dir));
        }
    }

    const config::Model& model_;
    const std::vector<unsigned>& allowed_;
    std::string root_;
    std::uint64_t capabilities_ = 0;
    std::vector<Need> needs_;
};

}  // namespace

std::optional<Failure> state_dir_fault(const config::Model& model) {
    bool any = false;
    config::each_network(model, [&](const config::VirtualNetwork& network) { any |= network.ipsec.has_value(); });
    if (!any) { return std::nullopt; }
    const auto& edge = model.edge;
    auto failure = needs_store(model) ? forgetful(edge.state_dir, edge.state_dir_volatile) : std::nullopt;
    return failure ? failure : open_to_others(edge.state_dir, Owners::not_checked);
}

std::vector<Need> preflight(const config::Model& model, const std::vector<unsigned>& allowed, const std::string& root) {
    return Preflight(model, allowed, root).run();
}

std::string to_text(const std::vector<Need>& needs) {
    std::string text;
    for (const auto& need : needs) {
        const char* state = need.state == Need::State::met        ? "ok"
                            : need.state == Need::State::degraded ? "warn"
                                                                  : "fail";
        text += fmt::format("{:<4}  {}\n", state, need.what);
        if (!need.remedy.empty()) { text += fmt::format("      {}\n", need.remedy); }
    }
    return text;
}

}  // namespace peerlane::dataplane
