// Rules for security associations: keys, SPIs, lanes, addresses, limits.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/derive.hpp"
#include "config/units.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

constexpr std::uint64_t kSequenceNumbers = std::uint64_t{1} << 32U;  // without ESN
constexpr std::uint32_t kLanes = 256;

/// Where it lies, never a copy of it.
struct CipherKey {
    std::span<const std::uint8_t> octets;
    friend bool operator<(const CipherKey& a, const CipherKey& b) {
        return std::ranges::lexicographical_compare(a.octets, b.octets);
    }
};

/// The SPIs of an outbound SA at their receiver.
struct SpiRange {
    IpAddress remote;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    Place place;
};

/// What is said of tunnel after tunnel, one finding for all if they are many.
struct Repeated {
    struct One {
        Place place;
        std::string what;
    };
    std::vector<One> found{};
};

struct Rules {
    const Check& check;
    Seen<CipherKey> keys{};
    Seen<std::uint32_t> inbound{};
    std::vector<SpiRange> outbound{};
    std::set<std::uint32_t> open_files{};  // told already
    Repeated few_lanes{};
    Repeated short_sequence{};
};

Place key_place(const Check& check, Place sa) {
    const Cursor key = check.sources.field(sa, "key");
    return key ? key.place() : check.sources.at(sa, "key_file");
}

bool all_zero(std::span<const std::uint8_t> octets) {
    return !octets.empty() && std::ranges::all_of(octets, [](std::uint8_t octet) { return octet == 0; });
}

/// A key in a file of the configuration itself: who else may read that?
void check_file(Rules& rules, Place sa) {
    const Check& check = rules.check;
    if (!check.sources.field(sa, "key")) return;
    const std::string& file = check.model.files[sa.file];
    struct stat status{};
    if (stat(file.c_str(), &status) != 0 || (status.st_mode & 077U) == 0) return;
    if (!rules.open_files.insert(sa.file).second) return;
    check.report.warning(key_place(check, sa),
                         fmt::format("key: the file holds keys and is open to others than its owner (mode {:04o})",
                                     status.st_mode & 07777U),
                         fmt::format("run `chmod 600 {}`, or name key files with `key_file`", file));
}

void check_key(Rules& rules, const Ipsec& ipsec, Place sa, const Secret& key) {
    if (key.empty()) return;
    const Check& check = rules.check;
    check_file(rules, sa);
    const EspSuiteRow& suite = row(ipsec.suite);
    const Place place = key_place(check, sa);
    const auto cipher = key.octets().first(std::min<std::size_t>(suite.cipher_key, key.octets().size()));
    if (all_zero(cipher) || all_zero(key.octets().last(suite.authentication_key))) {
        check.report.error(place, "key: a key of all zeroes", "make one from random octets");
        return;
    }
    if (const Place* first = rules.keys.find_or_add({cipher}, place))
        check.report.error(place,
                           fmt::format("key: the cipher key is another security association's already, at {}",
                                       check.report.where(*first)),
                           "give every security association, of whichever direction, a key of its own");
}

void check_outbound(Rules& rules, const Ipsec& ipsec, const OutboundSa& sa) {
    const Check& check = rules.check;
    check_key(rules, ipsec, sa.place, sa.key);
    if (sa.first_lane + sa.spi_count > kLanes)
        check.report.error(
            check.sources.at(sa.place, "first_lane"),
            fmt::format("first_lane: lanes {} to {}, but the last there is is 255", sa.first_lane,
                        sa.first_lane + sa.spi_count - 1),
            fmt::format("write {} or less, or fewer lanes (`spi_count`)", kLanes - std::min(kLanes, sa.spi_count)));
    if (sa.spi == 0) return;  // complained about
    const std::uint64_t last = std::uint64_t{sa.spi} + sa.spi_count - 1;
    if (last > std::numeric_limits<std::uint32_t>::max())
        check.report.error(check.sources.at(sa.place, "spi"),
                           fmt::format("spi: {} SPIs from {:#x} go beyond 0xffffffff", sa.spi_count, sa.spi),
                           fmt::format("write {:#x} or less", kSequenceNumbers - sa.spi_count));
    rules.outbound.push_back({ipsec.remote, sa.spi, last, check.sources.at(sa.place, "spi")});
}

void check_inbound(Rules& rules, const Ipsec& ipsec, const InboundSa& sa) {
    const Check& check = rules.check;
    check_key(rules, ipsec, sa.place, sa.key);
    if (sa.spi == 0) return;  // complained about
    const Place place = check.sources.at(sa.place, "spi");
    if (const Place* first = rules.inbound.find_or_add(sa.spi, place))
        check.report.error(
            place, fmt::format("spi: {:#x} is another inbound SA's already, at {}", sa.spi, check.report.where(*first)),
            "have the sender use an SPI that is unique on this edge");
}

/// Two SAs to one receiver that share an SPI are one to it.
void check_overlaps(Rules& rules) {
    const auto order = [](const Place& place) { return std::tuple(place.file, place.line, place.column); };
    std::ranges::sort(rules.outbound, {}, [](const SpiRange& range) { return std::tuple(range.remote, range.first); });
    const SpiRange* reaches = nullptr;  // the furthest so far
    for (const SpiRange& range : rules.outbound) {
        const bool same = reaches != nullptr && reaches->remote == range.remote;
        if (same && range.first <= reaches->last) {
            const auto [earlier, later] = std::minmax(
                range.place, reaches->place, [&](const Place& a, const Place& b) { return order(a) < order(b); });
            rules.check.report.error(later,
                                     fmt::format("spi: an SPI from {:#x} to {:#x} is used towards {} already, at {}",
                                                 range.first, std::min(range.last, reaches->last),
                                                 to_string(range.remote), rules.check.report.where(earlier)),
                                     "give every outbound SA SPIs of its own at the receiver; mind `spi_count`");
        }
        if (!same || range.last > reaches->last) reaches = &range;
    }
}

bool is_bad(const Cursor& value) {
    return value && value.kind() == Kind::bad;
}

void check_addresses(const Check& check, const VirtualNetwork& network) {
    const Ipsec& ipsec = *network.ipsec;
    const Cursor local = check.sources.field(ipsec.place, "local");
    const Cursor remote = check.sources.field(ipsec.place, "remote");
    if ((!local && !remote) || is_bad(local) || is_bad(remote)) return;
    if (ipsec.mode == IpsecMode::tunnel) {
        check_ends(check, ipsec.local, ipsec.remote, remote ? remote.place() : local.place());
        return;
    }
    const auto same = [&](std::string_view name, Cursor written, const IpAddress& own, const IpAddress& tunnels) {
        if (written && is_set(tunnels) && own != tunnels)
            check.report.error(written.place(),
                               fmt::format("{}: {} is not the tunnel's, {}, as transport mode needs", name,
                                           to_string(own), to_string(tunnels)),
                               "remove it, or write `mode: tunnel`");
    };
    same("local", local, ipsec.local, network.tunnel.local);
    same("remote", remote, ipsec.remote, network.tunnel.remote);
}

void check_lifetime(const Check& check, const Ipsec& ipsec) {
    const Cursor lifetime = check.sources.field(ipsec.place, "lifetime");
    const auto below = [&](std::string_view name, std::uint64_t soft, std::uint64_t hard) {
        if (soft == 0 || hard == 0 || soft < hard) return;
        const Cursor value = lifetime.find("soft").find(name);
        check.report.error(value ? value.place() : ipsec.place,
                           fmt::format("{}: the soft limit is not below the hard one", name),
                           "lower it, so that the next SA is in use before this one ends");
    };
    below("packets", ipsec.soft.packets, ipsec.hard.packets);
    below("bytes", ipsec.soft.bytes, ipsec.hard.bytes);
    below("time", ipsec.soft.milliseconds, ipsec.hard.milliseconds);
}

void check_sequence(Rules& rules, const Circuit& circuit, const Ipsec& ipsec, const std::string& label) {
    constexpr std::uint64_t kFast = 10'000'000'000;
    const std::uint64_t rate = raw(circuit.bandwidth);
    if (ipsec.esn || rate < kFast) return;
    const std::uint64_t seconds = kSequenceNumbers * 64 * 8 / rate;
    rules.short_sequence.found.push_back(
        {rules.check.sources.at(ipsec.place, "esn"),
         fmt::format("esn: false, and at {} the 2^32 packets (of 64 octets) after which an SA of {} ends pass in {}",
                     rate_text(circuit.bandwidth), label,
                     seconds >= 60 ? fmt::format("{} minutes", seconds / 60) : fmt::format("{} seconds", seconds))});
}

void check_workers(Rules& rules, const Ipsec& ipsec, const std::string& label) {
    const std::uint32_t workers = rules.check.model.edge.workers;
    if (ipsec.outbound.empty() || ipsec.inbound.empty() || !rules.check.edge_is_good("workers")) return;
    for (const OutboundSa& sa : ipsec.outbound)
        if (!rules.check.is_good(sa.place, "spi_count")) return;  // complained about
    const std::uint32_t lanes = std::ranges::min(ipsec.outbound, {}, &OutboundSa::spi_count).spi_count;
    if (workers <= lanes && workers <= ipsec.inbound.size()) return;
    rules.few_lanes.found.push_back(
        {ipsec.place,
         fmt::format("ipsec: of {} workers, {} is limited to {} outbound (one per lane) and {} inbound (one per SPI)",
                     workers, label, std::min(workers, lanes), std::min<std::size_t>(workers, ipsec.inbound.size()))});
}

/// More than five are one finding, at the first.
void report_repeated(const Check& check, const Repeated& repeated, const std::string& remedy) {
    constexpr std::size_t kShown = 5;
    const std::size_t count = repeated.found.size();
    if (count > kShown) {
        check.report.warning(repeated.found.front().place,
                             fmt::format("{}; {} more tunnels likewise", repeated.found.front().what, count - 1),
                             remedy);
        return;
    }
    for (const Repeated::One& one : repeated.found) check.report.warning(one.place, one.what, remedy);
}

void check_ipsec(Rules& rules, const Circuit& circuit, const VirtualNetwork& network, const std::string& label) {
    const Check& check = rules.check;
    const Ipsec& ipsec = *network.ipsec;
    if (ipsec.outbound.size() > 2)
        check.report.error(ipsec.outbound[2].place,
                           fmt::format("outbound: {} SAs, but there is one in use and one next", ipsec.outbound.size()),
                           "keep two; a reload brings others");
    if (ipsec.outbound.size() == 2 && ipsec.outbound[0].spi_count != ipsec.outbound[1].spi_count)
        check.report.error(check.sources.at(ipsec.outbound[1].place, "spi_count"),
                           fmt::format("spi_count: {}, but the SA before it has {}", ipsec.outbound[1].spi_count,
                                       ipsec.outbound[0].spi_count),
                           "write the same for both: the workers stay the same when the next SA takes over");
    for (const OutboundSa& sa : ipsec.outbound) check_outbound(rules, ipsec, sa);
    for (const InboundSa& sa : ipsec.inbound) check_inbound(rules, ipsec, sa);
    check_addresses(check, network);
    check_lifetime(check, ipsec);
    check_sequence(rules, circuit, ipsec, label);
    check_workers(rules, ipsec, label);
}

}  // namespace

void validate_ipsec(const Check& check) {
    Rules rules{check};
    each_peering(check.model, [&](const Customer& customer, const Circuit& circuit, const Peering& peering) {
        for (const VirtualNetwork& network : peering.virtual_networks)
            if (network.ipsec) check_ipsec(rules, circuit, network, network_label(customer, circuit, peering, network));
    });
    check_overlaps(rules);
    report_repeated(check, rules.short_sequence,
                    "write `esn: true` on both ends, or bring a new pair of SAs by a reload before it ends");
    report_repeated(
        check, rules.few_lanes,
        "give the outbound SA an `spi_count` of the workers, and the tunnel as many inbound SAs, if one core "
        "is too slow for it");
}

}  // namespace peerlane::config
