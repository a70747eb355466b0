#include "dataplane/tables/compile_sas.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "dataplane/tables/compile_parts.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::uint16_t kEspInUdp = 4500;  // RFC 3948 §2.1

bool is_six(const IpAddress& address) {
    return std::holds_alternative<Ip6>(address);
}
unsigned ip_header(const IpAddress& address) {
    return is_six(address) ? sizeof(Ipv6) : sizeof(Ipv4);
}

/// With another kind of cipher the same key is another SA: what it has used comes from State::sa_memory.
std::string identity(const SaKey& key, bool counter_mode) {
    std::string text(key.fingerprint.begin(), key.fingerprint.end());
    return text + (counter_mode ? '#' : '=') + (key.outbound ? '>' : '<') + std::to_string(key.number);
}

Nanoseconds age_of_slot(std::uint32_t slot, const State& state, Nanoseconds now) {
    const auto born = read(state.sa_faults[slot].born);
    return born == 0 ? 0 : state.sa_ages[slot] + (now - std::min(now, born));
}

SaLimits limits(const config::Lifetime& lifetime) {
    const auto or_none = [](std::uint64_t value) { return value == 0 ? ipsec::kNoLimit : value; };
    return {or_none(lifetime.packets), or_none(lifetime.bytes),
            lifetime.milliseconds == 0 ? ipsec::kNoLimit : lifetime.milliseconds * 1'000'000};
}

SaLimits tighter(const SaLimits& a, const SaLimits& b) {
    return {std::min(a.packets, b.packets), std::min(a.bytes, b.bytes), std::min(a.age, b.age)};
}

/// The salt is behind the cipher key (RFC 4106 §8.1, RFC 7634 §2).
void put_salt(std::uint8_t (&salt)[4], EspSuite suite, const config::Secret& secret) {
    if (row(suite).salt == sizeof(salt)) { std::memcpy(salt, secret.octets().data() + row(suite).cipher_key, 4); }
}

/// Ethernet, outer IP and, where asked for, UDP, right-aligned; what of it is the SA's.
void compile_esp_header(const config::Ipsec& ipsec, const PortInfo& port, TunnelHeader& header, ipsec::SaOut& sa) {
    const bool six = is_six(ipsec.local);
    const unsigned udp = ipsec.udp_encapsulation ? sizeof(Udp) : 0;
    sa.header_length = static_cast<std::uint8_t>(sizeof(ether::Header) + ip_header(ipsec.local) + udp);
    header = {};
    std::uint8_t* at = header.octets.data() + header.octets.size() - sa.header_length;
    auto& link = *reinterpret_cast<ether::Header*>(at);
    std::memcpy(link.destination, port.gateway_mac.octets.data(), 6);
    std::memcpy(link.source, port.mac_address.octets.data(), 6);
    link.type.set(six ? ether::kIpv6 : ether::kIpv4);
    at += sizeof(ether::Header);
    put_delivery_header(at, ipsec.local, ipsec.remote, ipsec.udp_encapsulation ? ip::kUdp : ip::kEsp);
    if (!six) { sa.header_sum = fold(sum_words(at, sizeof(Ipv4))); }
    at += ip_header(ipsec.local);
    if (ipsec.udp_encapsulation) {
        auto& datagram = *reinterpret_cast<Udp*>(at);
        datagram.source.set(kEspInUdp);
        datagram.destination.set(kEspInUdp);
    }
}

}  // namespace

/// The SAs of a tunnel follow one another over the workers, in and out alike, so that who opens can mostly seal. Where
/// one of them has its worker already, the others go by that.
std::uint32_t SaCompiler::first_owner(const config::Ipsec& ipsec, std::uint32_t tunnel) const {
    const auto workers = static_cast<std::uint32_t>(state_.workers.size());
    const auto kept = [&](const config::Secret& secret, bool outbound, std::uint32_t number, std::uint32_t spread) {
        const auto slot = state_.sas.find(identity({ipsec::fingerprint(ipsec.suite, secret.octets()), outbound, number},
                                                   row(ipsec.suite).counter_mode));
        return slot ? std::optional((state_.sa_owners[*slot] + workers - spread % workers) % workers) : std::nullopt;
    };
    for (const auto& sa : ipsec.outbound) {
        if (const auto owner = kept(sa.key, true, sa.first_lane, 0)) { return *owner; }
    }
    for (std::uint32_t i = 0; i < ipsec.inbound.size(); ++i) {
        const auto spread = i % ipsec.outbound.front().spi_count;
        if (const auto owner = kept(ipsec.inbound[i].key, false, ipsec.inbound[i].spi, spread)) { return *owner; }
    }
    return tunnel % workers;
}

/// What the key has used by the time the snapshot is published. Under the other kind of cipher it may be in use until
/// then: its numbers go on from where that SA has to stop.
SaRecord SaCompiler::used_before(const SaKey& key, EspSuite suite) const {
    // Of an SA that ran before there was a state directory (CBC): more than it sends until the snapshot is published.
    constexpr std::uint64_t kUnreserved = std::uint64_t{1} << 22U;
    const auto found = state_.sa_memory.find(key);
    SaRecord record = found == state_.sa_memory.end() ? SaRecord{} : found->second;
    const auto runs = state_.sas.find(identity(key, !row(suite).counter_mode));
    if (!runs) { return record; }
    const auto& other = state_.sa_states[*runs];
    const auto limit = key.outbound ? read(other.sequence_limit) : read(other.sequence);
    if (record.sequence < limit) {
        const auto room = key.outbound ? std::min(limit - read(other.sequence), kUnreserved) : 0;
        record.sequence = std::max(record.sequence, read(other.sequence) + room);
    }
    record.packets = std::max(record.packets, read(other.packets));
    record.bytes = std::max(record.bytes, read(other.bytes));
    record.age = std::max(record.age, age_of_slot(*runs, state_, now_));
    return record;
}

SaCompiler::Taken SaCompiler::take(const SaKey& key, EspSuite suite, std::uint32_t spread) {
    const auto [slot, fresh] = state_.sas.take(identity(key, row(suite).counter_mode));
    if (state_.sa_owners.size() <= slot) {
        state_.sa_owners.resize(slot + 1);
        state_.sa_ages.resize(slot + 1);
    }
    if (!fresh) { return {slot, state_.sa_owners[slot]}; }
    const auto workers = static_cast<std::uint32_t>(state_.workers.size());
    state_.sa_owners[slot] = static_cast<std::uint8_t>((first_owner_ + spread) % workers);
    const SaRecord before = used_before(key, suite);
    auto& state = state_.sa_states[slot];
    state = {};
    state.sequence = before.sequence;
    state.packets = before.packets;
    state.bytes = before.bytes;
    state_.sa_faults[slot] = {};
    state_.sa_faults[slot].packets_base = before.packets;
    state_.sa_faults[slot].sequence_base = before.sequence;
    // A key that was used before has its time running.
    state_.sa_faults[slot].born = before.age == 0 ? 0 : std::max<Nanoseconds>(now_, 1);
    state_.sa_ages[slot] = before.age;
    state_.replay_rings[slot] = {};
    if (!key.outbound && before.sequence != 0) { ipsec::mark_all_seen(state_.replay_rings[slot], before.sequence); }
    return {slot, state_.sa_owners[slot]};
}

std::shared_ptr<const ipsec::Key> SaCompiler::key(EspSuite suite, const config::Secret& secret, ipsec::Way way) {
    std::array<std::uint8_t, 33> name{};
    const auto sum = ipsec::sha256(secret.octets());
    std::copy(sum.begin(), sum.end(), name.begin());
    name[32] = static_cast<std::uint8_t>(static_cast<unsigned>(suite) * 2U + (way == ipsec::Way::seal ? 1U : 0U));
    auto& key = snapshot_.keys[name];
    if (key) { return key; }
    if (previous_ != nullptr) {
        if (const auto found = previous_->keys.find(name); found != previous_->keys.end()) {
            return key = found->second;
        }
    }
    return key = ipsec::make_key(suite, secret.octets(), way);
}

void SaCompiler::put(unsigned worker, std::uint32_t tunnel, const ipsec::SaOut& sa, bool standby) {
    if (standby) {
        standby_.push_back({worker, tunnel, sa});
        return;
    }
    auto& all = snapshot_.sas_out[worker];
    if (all.size() <= tunnel) { all.resize(tunnel + 1); }
    all[tunnel] = sa;
}

SaPlan SaCompiler::plan_of(const config::Ipsec& ipsec, const SaKey& key, Taken taken, std::uint32_t tunnel,
                           std::uint32_t name) {
    SaPlan plan;
    plan.key = key;
    plan.slot = taken.slot;
    plan.owner = taken.owner;
    plan.tunnel = tunnel;
    plan.name = name;
    plan.suite = ipsec.suite;
    plan.transport = ipsec.mode == config::IpsecMode::transport;
    plan.esn = ipsec.esn;
    plan.soft = limits(ipsec.soft);
    plan.hard = limits(ipsec.hard);
    return plan;
}

void SaCompiler::add_outbound(const config::VirtualNetwork& network, const config::OutboundSa& sa,
                              const ipsec::SaOut& common, std::uint32_t tunnel, std::uint32_t name, bool has_next,
                              bool standby) {
    const auto& ipsec = *network.ipsec;
    const auto ready = key(ipsec.suite, sa.key, ipsec::Way::seal);
    const auto fingerprint = ipsec::fingerprint(ipsec.suite, sa.key.octets());
    std::vector<ipsec::SaOut> lanes;
    for (std::uint32_t i = 0; i < sa.spi_count; ++i) {
        const std::uint32_t lane = sa.first_lane + i;
        const SaKey own{fingerprint, true, lane};
        const auto [slot, owner] = take(own, ipsec.suite, i);
        ipsec::SaOut out = common;
        out.key = ready.get();
        out.iv_lane = std::uint64_t{lane} << 56U;
        out.state = slot;
        const std::uint32_t spi = __builtin_bswap32(sa.spi + i);
        std::memcpy(out.spi, &spi, sizeof(spi));
        put_salt(out.salt, ipsec.suite, sa.key);
        out.owner = owner;
        lanes.push_back(out);
        SaPlan plan = plan_of(ipsec, own, {slot, owner}, tunnel, name);
        plan.spi = sa.spi + i;
        plan.lane = lane;
        plan.has_next = has_next;
        plan.standby = standby;
        snapshot_.sas.push_back(plan);
    }
    for (unsigned worker = 0; worker < state_.workers.size(); ++worker) {
        const auto own =
            std::find_if(lanes.begin(), lanes.end(), [&](const auto& lane) { return lane.owner == worker; });
        ipsec::SaOut out = own != lanes.end() ? *own : lanes[worker % lanes.size()];
        if (own == lanes.end()) { out.key = nullptr; }
        put(worker, tunnel, out, standby);
    }
}

std::uint32_t SaCompiler::add_inbound(const config::Ipsec& ipsec, const config::InboundSa& sa, std::uint32_t tunnel,
                                      std::uint32_t name, std::uint32_t spread) {
    const SaKey own{ipsec::fingerprint(ipsec.suite, sa.key.octets()), false, sa.spi};
    const auto [slot, owner] = take(own, ipsec.suite, spread);
    const bool transport = ipsec.mode == config::IpsecMode::transport;
    ipsec::SaIn in;
    const auto local = mapped(ipsec.local);
    const auto remote = mapped(ipsec.remote);
    in.local_high = local.high;
    in.local_low = local.low;
    in.remote_high = remote.high;
    in.remote_low = remote.low;
    in.key = key(ipsec.suite, sa.key, ipsec::Way::open).get();
    in.state = slot;
    put_salt(in.salt, ipsec.suite, sa.key);
    in.window = static_cast<std::uint16_t>(ipsec.replay_window);
    in.suite = ipsec.suite;
    in.flags = static_cast<std::uint8_t>((ipsec.esn ? ipsec::SaIn::kEsn : 0) |
                                         (ipsec.udp_encapsulation ? ipsec::SaIn::kUdp : 0) |
                                         (transport ? ipsec::SaIn::kTransport : 0) |
                                         (row(ipsec.suite).authentication_key == 0 ? ipsec::SaIn::kAead : 0));
    in.owner = owner;
    entries_.push_back({{0, sa.spi}, in});
    SaPlan plan = plan_of(ipsec, own, {slot, owner}, tunnel, name);
    plan.spi = sa.spi;
    plan.window = in.window;
    snapshot_.sas.push_back(plan);
    if (snapshot_.sa_tunnels.size() <= slot) {
        snapshot_.sa_tunnels.resize(slot + 1);
        snapshot_.sa_marks.resize(slot + 1);
    }
    snapshot_.sa_tunnels[slot] = tunnel;
    std::memcpy(&snapshot_.sa_marks[slot], own.fingerprint.data(), sizeof(std::uint64_t));
    snapshot_.sa_marks[slot] |= 1U;
    return sa_number(slot);
}

std::vector<std::uint32_t> SaCompiler::add(const config::VirtualNetwork& network, const PortInfo& port,
                                           std::uint32_t tunnel, std::uint32_t name) {
    const auto& ipsec = *network.ipsec;
    const auto& suite = row(ipsec.suite);
    const bool transport = ipsec.mode == config::IpsecMode::transport;
    first_owner_ = first_owner(ipsec, tunnel);
    snapshot_.sas_out.resize(state_.workers.size());
    if (snapshot_.esp_headers.size() <= tunnel) { snapshot_.esp_headers.resize(tunnel + 1); }
    ipsec::SaOut common;
    compile_esp_header(ipsec, port, snapshot_.esp_headers[tunnel], common);
    common.suite = ipsec.suite;
    common.iv = suite.iv;
    common.block_mask = static_cast<std::uint8_t>(suite.block - 1);
    common.skip = static_cast<std::uint8_t>(sizeof(ether::Header) + (transport ? ip_header(network.tunnel.local) : 0));
    common.next_header = transport ? ip::kGre : is_six(network.tunnel.local) ? ip::kIpv6 : ip::kIpv4;
    common.flags = static_cast<std::uint8_t>(
        (is_six(ipsec.local) ? ipsec::SaOut::kOuterV6 : 0) | (ipsec.udp_encapsulation ? ipsec::SaOut::kUdp : 0) |
        (ipsec.dscp ? ipsec::SaOut::kFixedDscp : 0) | (ipsec.esn ? ipsec::SaOut::kEsn : 0) |
        (suite.authentication_key == 0 ? ipsec::SaOut::kAead : 0));
    common.dscp = static_cast<std::uint8_t>(ipsec.dscp.value_or(0) << 2U);
    const bool two = ipsec.outbound.size() > 1;
    add_outbound(network, ipsec.outbound.front(), common, tunnel, name, two, false);
    if (two) { add_outbound(network, ipsec.outbound[1], common, tunnel, name, false, true); }
    std::vector<std::uint32_t> numbers;
    for (const auto& sa : ipsec.inbound) {
        const auto spread = static_cast<std::uint32_t>(numbers.size()) % ipsec.outbound.front().spi_count;
        numbers.push_back(add_inbound(ipsec, sa, tunnel, name, spread));
    }
    return numbers;
}

void SaCompiler::finish() {
    for (auto& all : snapshot_.sas_out) { all.resize(std::max(all.size(), snapshot_.tunnels.size())); }
    for (const auto& [worker, tunnel, sa] : standby_) {
        auto& all = snapshot_.sas_out[worker];
        all[tunnel].next = static_cast<std::uint32_t>(all.size());
        all.push_back(sa);
    }
    snapshot_.esp_headers.resize(snapshot_.sas_out.empty() ? 0 : snapshot_.tunnels.size());
    snapshot_.sa_table = table::SaTable<ipsec::SaIn>(entries_);
}

void set_limits(const Snapshot& snapshot, State& state, Nanoseconds now, bool reserved, Limits how) {
    const auto store = [](std::uint64_t& at, std::uint64_t value) {
        std::atomic_ref<std::uint64_t>(at).store(value, std::memory_order_relaxed);
    };
    const auto limit_to = [&](std::uint64_t& at, std::uint64_t value) {
        store(at, how == Limits::exact ? value : std::max(value, read(at)));
    };
    for (const auto& plan : snapshot.sas) {
        auto& sa = state.sa_states[plan.slot];
        const SaLimits limit = plan.has_next ? tighter(plan.soft, plan.hard) : plan.hard;
        auto last = ipsec::last_sequence(plan.esn);
        if (plan.key.outbound && reserved) {
            const auto found = state.sa_memory.find(plan.key);
            last = std::min(last, found == state.sa_memory.end() ? 0 : found->second.sequence);
        }
        store(sa.sequence_limit, last);
        limit_to(sa.packets_limit, limit.packets);
        limit_to(sa.bytes_limit, limit.bytes);
        if (read(state.sa_faults[plan.slot].born) == 0) {
            limit_to(sa.life, limit.age);
            continue;
        }
        const Nanoseconds age = age_of(plan, state, now);
        limit_to(sa.deadline, limit.age == ipsec::kNoLimit ? ipsec::kNoLimit
                              : limit.age <= age           ? 0
                                                           : now + (limit.age - age));
    }
}

Nanoseconds age_of(const SaPlan& plan, const State& state, Nanoseconds now) {
    return age_of_slot(plan.slot, state, now);
}

SaRecord record_of(const SaPlan& plan, const State& state, Nanoseconds now) {
    const auto& sa = state.sa_states[plan.slot];
    return {read(sa.sequence), read(sa.packets), read(sa.bytes), age_of(plan, state, now)};
}

void keep_departed_sas(const Snapshot& before, const Snapshot& after, State& state, Nanoseconds now) {
    std::set<std::uint32_t> slots;
    std::set<SaKey> keys;
    for (const auto& plan : after.sas) {
        slots.insert(plan.slot);
        keys.insert(plan.key);
    }
    for (const auto& plan : before.sas) {
        if (slots.contains(plan.slot)) { continue; }
        auto used = record_of(plan, state, now);
        auto& record = state.sa_memory[plan.key];
        if (plan.key.outbound) {
            auto& floor = state.sa_floors[plan.key];
            used.sequence = floor = std::max(floor, used.sequence);
        }
        // What another SA of this key has reserved meanwhile stays reserved.
        if (keys.contains(plan.key)) { used.sequence = std::max(used.sequence, record.sequence); }
        record = used;
    }
}

}  // namespace peerlane::dataplane
