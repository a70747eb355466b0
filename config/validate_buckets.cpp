// Rules for token buckets.
#include <fmt/format.h>

#include <algorithm>

#include "config/derive.hpp"
#include "config/fields.hpp"
#include "config/units.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

/// The largest packet the circuit's ports let in, as the circuit counts it.
std::uint64_t largest_cost(const Check& check, const Circuit& circuit) {
    std::uint64_t mtu = 0;
    if (!check.is_good(circuit.place, "accounting")) return 0;
    for (const CircuitLink& link : circuit.links) {
        if (link.port >= check.model.ports.size()) continue;
        const Port& port = check.model.ports[link.port];
        if (check.is_good(port.place, "mtu")) mtu = std::max<std::uint64_t>(mtu, port.mtu);
    }
    return mtu == 0 ? 0 : mtu + accounting_overhead(circuit);
}

/// The bucket of a circuit or a peering, which begins at `owner`.
void check_bucket(const Check& check, const Circuit& circuit, Place owner, BitsPerSecond bandwidth, Bytes burst) {
    const Cursor written = check.sources.field(owner, "burst");
    if (bandwidth == BitsPerSecond{0} || (written && written.kind() != Kind::scalar)) return;
    const Place place = written ? written.place() : check.sources.at(owner, "bandwidth");
    if (raw(burst) > kMaxBurst) {
        check.report.error(place,
                           fmt::format("burst: {} at {} are more than {}", written.text(), rate_text(bandwidth),
                                       bytes_text(Bytes{kMaxBurst})),
                           "write a shorter time");
        return;
    }
    const std::uint64_t largest = largest_cost(check, circuit);
    if (raw(burst) < largest) {
        check.report.error(place,
                           fmt::format("burst: {} are less than the largest packet, which counts as {} (the port's "
                                       "MTU{}): it could never pass",
                                       bytes_text(burst), bytes_text(Bytes{largest}),
                                       circuit.accounting == Accounting::l3 ? "" : " and what `accounting` adds"),
                           fmt::format("write at least {}", bytes_text(Bytes{largest})));
        return;
    }
    if (!check.edge_is_good("tcp_rtt")) return;
    const std::uint32_t rtt = check.model.edge.tcp_rtt_ms;
    const Bytes needed = bytes_in(bandwidth, Nanoseconds{rtt} * 1'000'000);
    if (burst >= needed) return;
    check.report.warning(
        place,
        fmt::format("burst: {} are too small for one TCP flow to reach {} at a round trip of {} ms", bytes_text(burst),
                    rate_text(bandwidth), rtt),
        needed > Bytes{kMaxBurst}
            ? fmt::format("write burst: {}, the largest there is", bytes_text(Bytes{kMaxBurst}))
            : fmt::format("write burst: {} ms ({}), or set edge.tcp_rtt to the round trip that matters", rtt,
                          bytes_text(needed)));
}

}  // namespace

void validate_buckets(const Check& check) {
    each_circuit(check.model, [&](const Customer&, const Circuit& circuit) {
        check_bucket(check, circuit, circuit.place, circuit.bandwidth, circuit.burst);
        for (const Peering& peering : circuit.peerings) {
            if (peering.bandwidth)
                check_bucket(check, circuit, peering.place, *peering.bandwidth, peering.burst);
            else if (check.sources.field(peering.place, "burst") && !check.sources.field(peering.place, "bandwidth"))
                check.report.error(check.sources.at(peering.place, "burst"),
                                   "burst: the peering has no `bandwidth` of its own",
                                   "add `bandwidth`, or remove `burst`");
        }
    });
}

}  // namespace peerlane::config
