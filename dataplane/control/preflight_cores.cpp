#include "dataplane/control/preflight_cores.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

namespace peerlane::dataplane {
namespace {

using Cores = std::vector<std::uint32_t>;

class CoreCheck {
  public:
    CoreCheck(const config::Model& model, const std::vector<unsigned>& allowed, const std::string& root,
              std::vector<Need>& needs)
        : edge_(model.edge), allowed_(allowed), cpus_(root + "/sys/devices/system/cpu/"), needs_(needs) {}

    void run() {
        const auto configured = static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_CONF));
        for (const auto core : edge_.cores) {
            if (core >= configured) {
                add(State::missing, fmt::format("edge.cores: there is no core {}", core), "lscpu lists the cores");
            } else if (std::ranges::find(allowed_, core) == allowed_.end()) {
                add(State::missing, fmt::format("edge.cores: core {} is not one this process may use", core),
                    fmt::format("choose among {}, or AllowedCPUs= in the unit file", fmt::join(allowed_, ", ")));
            } else {
                there_.push_back(core);
            }
        }
        enough();
        if (edge_.cores.empty()) { return unpinned(); }
        if (there_.empty()) { return; }
        isolated();
        ticks();
        siblings();
        governor();
    }

  private:
    using State = Need::State;

    void add(State state, std::string what, std::string remedy = {}) {
        needs_.push_back({state, std::move(what), std::move(remedy)});
    }
    std::string line(const std::string& file) const {
        std::ifstream in(cpus_ + file);
        std::string text;
        std::getline(in, text);
        return text;
    }
    /// "2-3,6" as numbers.
    std::set<std::uint32_t> list(const std::string& file) const {
        const auto text = line(file);
        std::set<std::uint32_t> cores;
        for (const char* at = text.c_str(); *at != 0;) {
            char* end = nullptr;
            const auto first = std::strtoul(at, &end, 10);
            if (end == at) { break; }
            auto last = first;
            if (*end == '-') { last = std::strtoul(end + 1, &end, 10); }
            for (auto core = first; core <= last && core < 4096; ++core) {
                cores.insert(static_cast<std::uint32_t>(core));
            }
            at = *end == ',' ? end + 1 : end;
        }
        return cores;
    }
    /// The workers' cores that are not in a list of the kernel's.
    Cores not_in(const std::string& file) const {
        const auto in = list(file);
        Cores out;
        std::ranges::copy_if(there_, std::back_inserter(out), [&](auto core) { return !in.contains(core); });
        return out;
    }

    void enough() {
        const auto online = static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_ONLN));
        if (edge_.workers <= online) {
            return add(State::met, fmt::format("cores: {} for {} workers", online, edge_.workers));
        }
        add(State::degraded, fmt::format("cores: {} workers share {} cores", edge_.workers, online),
            fmt::format("edge.workers: {}", online));
    }

    void unpinned() {
        if (edge_.idle == config::Idle::sleep) {
            return add(State::met,
                       "edge.cores: the scheduler places the workers, which sleep when they have nothing to do");
        }
        add(State::degraded, "edge.cores: not given; workers that spin share their cores with whatever else runs",
            "edge.cores: [N], one for each worker; or edge.idle: sleep");
    }

    /// The scheduler keeps off them.
    void isolated() {
        const auto shared = not_in("isolated");
        if (shared.empty()) { return add(State::met, "edge.cores: isolated from the scheduler"); }
        add(State::degraded,
            fmt::format("edge.cores: the scheduler may put others on core {}", fmt::join(shared, ", ")),
            fmt::format("isolcpus={} on the kernel's command line", fmt::join(edge_.cores, ",")));
    }

    /// No timer interrupts them a thousand times a second.
    void ticks() {
        const auto ticked = not_in("nohz_full");
        if (ticked.empty()) { return add(State::met, "edge.cores: without a timer tick"); }
        add(State::degraded, fmt::format("edge.cores: core {} has a timer tick", fmt::join(ticked, ", ")),
            fmt::format("nohz_full={} on the kernel's command line", fmt::join(edge_.cores, ",")));
    }

    /// Two threads of one core have half of it each.
    void siblings() {
        std::map<std::uint32_t, Cores> by_core;  // the lowest thread of it
        for (const auto core : there_) {
            const auto threads = list(fmt::format("cpu{}/topology/thread_siblings_list", core));
            by_core[threads.empty() ? core : *threads.begin()].push_back(core);
        }
        for (const auto& [first, together] : by_core) {
            if (together.size() < 2) { continue; }
            add(State::degraded, fmt::format("edge.cores: {} are threads of one core", fmt::join(together, " and ")),
                "lscpu -e shows which belong together; name one of each core");
        }
    }

    void governor() {
        Cores slow;
        for (const auto core : there_) {
            const auto is = line(fmt::format("cpu{}/cpufreq/scaling_governor", core));
            if (!is.empty() && is != "performance") { slow.push_back(core); }
        }
        if (slow.empty()) { return; }
        add(State::degraded, fmt::format("edge.cores: the clock of core {} may go down", fmt::join(slow, ", ")),
            fmt::format("cpupower -c {} frequency-set -g performance", fmt::join(slow, ",")));
    }

    const config::Edge& edge_;
    const std::vector<unsigned>& allowed_;
    std::string cpus_;
    std::vector<Need>& needs_;
    Cores there_;
};

}  // namespace

void look_at_cores(const config::Model& model, const std::vector<unsigned>& allowed, const std::string& root,
                   std::vector<Need>& needs) {
    CoreCheck(model, allowed, root, needs).run();
}

}  // namespace peerlane::dataplane
