#include "dataplane/io/live_eal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/io/drivers.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {
namespace {

/// "0@(…)" for control, which keeps off the workers' cores where it can, and one for each worker.
std::string lcores(const LiveSetup& setup, const std::vector<unsigned>& allowed) {
    auto rest = allowed;
    std::erase_if(rest, [&](unsigned core) { return std::ranges::find(setup.cores, core) != setup.cores.end(); });
    auto text = fmt::format("0@({})", fmt::join(rest.empty() ? allowed : rest, ","));
    for (unsigned worker = 0; worker < setup.workers; ++worker) {
        const auto cores = setup.cores.empty() ? allowed : std::vector{setup.cores[worker]};
        text += fmt::format(",{}@({})", worker_lcore(worker), fmt::join(cores, ","));
    }
    return text;
}

}  // namespace

std::vector<unsigned> allowed_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    std::vector<unsigned> cores;
    for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(core, &set)) { cores.push_back(core); }
    }
    return cores;
}

std::vector<std::string> live_arguments(const LiveSetup& setup, const std::vector<unsigned>& allowed) {
    for (const auto core : setup.cores) {
        if (std::ranges::find(allowed, core) != allowed.end()) { continue; }
        throw Failure("edge.cores", fmt::format("core {} is not one this process may use", core),
                      fmt::format("choose among {}, or leave `cores` out", fmt::join(allowed, ", ")));
    }
    std::vector<std::string> arguments{"--file-prefix",
                                       fmt::format("{}{}", kRuntimePrefix, getpid()),
                                       "--no-telemetry",
                                       "--log-level=4",
                                       "-m",
                                       std::to_string(setup.memory.megabytes),
                                       "--lcores",
                                       lcores(setup, allowed)};
    if (setup.memory.hugepages) {
        arguments.emplace_back("--in-memory");
    } else {
        for (const auto* one : {"--no-huge", "--no-shconf", "--iova-mode=va"}) { arguments.emplace_back(one); }
    }
    const bool on_bus = std::ranges::any_of(setup.devices, [](const Device& device) { return !device.is_virtual; });
    if (!on_bus) { arguments.emplace_back("--no-pci"); }
    for (const Device& device : setup.devices) {
        if (device.is_virtual) { continue; }
        arguments.emplace_back("-a");
        arguments.push_back(device.arguments);
    }
    std::ranges::copy(driver_arguments(setup.devices), std::back_inserter(arguments));
    return arguments;
}

Eal::Eal(const std::vector<std::string>& arguments) {
    // Else DPDK writes to standard error and to syslog itself, and waits for both.
    if (auto* stream = log_stream()) { rte_openlog_stream(stream); }
    start_eal(arguments);
    directory_.emplace(rte_eal_get_runtime_dir());
}

/// Without rte_eal_cleanup(): DPDK 22.11's thread of interrupts does not end before what it reads is unmapped. The
/// memory has no files, and the devices are closed.
Eal::~Eal() = default;

}  // namespace peerlane::dataplane
