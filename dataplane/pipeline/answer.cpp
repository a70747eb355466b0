#include "dataplane/pipeline/answer.hpp"

#include <optional>

#include "dataplane/pipeline/esp_seal.hpp"
#include "dataplane/pipeline/gre_encap.hpp"
#include "dataplane/pipeline/mtu_guard.hpp"
#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/reply_budget.hpp"
#include "dataplane/pipeline/tag_push.hpp"
#include "lib/net/icmp.hpp"
#include "lib/net/local_error.hpp"
#include "lib/net/ndisc.hpp"

namespace peerlane::dataplane {
namespace {

/// The peering that answers, and by which of its ends.
struct Answerer {
    std::uint32_t peering;
    Link link;
};

Answerer answerer(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    if (burst.direction == Direction::to_cloud) {
        const auto index = burst.attachment[slot];
        return {snapshot.attachments[index].peering, static_cast<Link>(index % kLinks)};
    }
    const TunnelInfo& tunnel = snapshot.tunnels[burst.tunnel[slot]];
    return {tunnel.peering(), snapshot.peerings[tunnel.peering()].home};
}

unsigned next_hop_mtu(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    const bool tunnel = burst.direction == Direction::to_cloud && burst.tunnel[slot] != kNowhere;
    return tunnel ? snapshot.tunnels[burst.tunnel[slot]].mtu : snapshot.exits[burst.exit[slot]].mtu;
}

bool may_send_error(Worker& worker, std::uint32_t peering, Nanoseconds now) noexcept {
    meter::Credit none;
    return meter::take(worker.state.icmp_buckets[peering], none, {worker.snapshot->icmp_rate, 0}, now, 1);
}

/// The next hop was asked for in vain, which is what the packet was dropped for; it is still known whose it is.
bool next_hop_failed(const Worker& worker, const Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const bool to_cloud = burst.direction == Direction::to_cloud;
    const std::uint32_t tunnel = burst.tunnel[slot];
    if ((to_cloud ? burst.attachment[slot] : tunnel) == kNowhere) { return false; }
    const auto exit = [&] {
        const auto index = burst.exit[slot];
        return next_hop(worker.state, snapshot.exits[index], index, !detail::is_ipv4(burst.l3[slot]));
    };
    const auto word = to_cloud && tunnel != kNowhere ? next_hop(worker.state, snapshot.tunnels[tunnel]) : exit();
    return (word & neighbour::kFailed) != 0;
}

/// What the packet is to be answered with, as far as its headers tell.
struct Answer {
    bool echo = false;
    std::optional<IcmpError> error{};
    [[nodiscard]] bool none() const noexcept { return !echo && !error; }
};

/// For a packet to one of the edge's own addresses. With a tap the system owes it all but echo replies.
template <class Header>
Answer local_answer(const Header& packet, unsigned length, bool system) noexcept {
    if (is_echo_request(packet, length)) { return {.echo = true}; }
    return {.error = system ? std::nullopt : local_error(packet, length)};
}

/// For what the pipeline dropped.
Answer drop_answer(const Worker& worker, const Burst& burst, std::uint32_t slot) noexcept {
    const auto [peering, link] = answerer(*worker.snapshot, burst, slot);
    const auto& end = worker.snapshot->peerings[peering].ends[raw(link)];
    const std::uint8_t* l3 = burst.l3[slot];
    const unsigned length = burst.length[slot];
    const bool may = detail::is_ipv4(l3) ? end.has4 && icmp_may_answer(*reinterpret_cast<const Ipv4*>(l3), length)
                                         : end.has6 && icmp_may_answer(*reinterpret_cast<const Ipv6*>(l3), length);
    if (!may) { return {}; }
    switch (burst.fate[slot]) {
        case Fate::no_route:
            return {.error = IcmpError::no_route};
        case Fate::ttl_expired:
            return {.error = IcmpError::time_exceeded};
        case Fate::too_big:
            return {.error = IcmpError::too_big};
        default:
            return {.error = IcmpError::host_unreachable};
    }
}

/// What the packet is to be answered with within the budgets, on which that draws. An echo request beyond them ends
/// here.
Answer answer_for(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const bool to_cloud = burst.direction == Direction::to_cloud;
    const auto cell = to_cloud ? burst.attachment[slot] : snapshot.tunnels[burst.tunnel[slot]].attachment;
    Answer answer;
    if (burst.fate[slot] != Fate::punted) {
        answer = drop_answer(worker, burst, slot);
    } else if (const unsigned length = burst.length[slot]; length != 0) {  // else ARP, neighbour discovery
        const std::uint8_t* l3 = burst.l3[slot];
        const auto& six = *reinterpret_cast<const Ipv6*>(l3);
        const bool four = detail::is_ipv4(l3);
        // Whose a link-local address is, the system knows; what comes from a tunnel it does not get.
        const bool system = (to_cloud && snapshot.ports[burst.port].tap) ||
                            (!four && is_link_local({six.destination_high.get(), six.destination_low.get()}));
        answer =
            four ? local_answer(*reinterpret_cast<const Ipv4*>(l3), length, system) : local_answer(six, length, system);
    }
    if (answer.none()) { return {}; }
    if (answer.error && !may_send_error(worker, answerer(snapshot, burst, slot).peering, burst.now)) { return {}; }
    if (detail::draw_replies(worker, cell, burst.now)) { return answer; }
    if (answer.echo) { burst.fate[slot] = Fate::reply_limited; }
    return {};
}

std::uint32_t milliseconds(Nanoseconds now) noexcept {
    return static_cast<std::uint32_t>(now / 1'000'000);
}

unsigned write_echo(const Ipv4& packet, unsigned length, Nanoseconds now, std::uint8_t* out) noexcept {
    return echo_checksum_ok(packet, length) ? echo_reply(out, packet, length, milliseconds(now)) : 0;
}
unsigned write_echo(const Ipv6& packet, unsigned length, Nanoseconds /*now*/, std::uint8_t* out) noexcept {
    return echo_checksum_ok(packet, length) ? echo_reply(out, packet, length) : 0;
}
/// From the address that the packet was for.
unsigned write_local_error(IcmpError why, const Ipv4& packet, unsigned length, std::uint8_t* out) noexcept {
    return icmp_error(out, why, packet.destination.get(), 0, packet, length);
}
unsigned write_local_error(IcmpError why, const Ipv6& packet, unsigned length, std::uint8_t* out) noexcept {
    const auto word = why == IcmpError::protocol_unreachable ? kNextHeaderField : 0;
    return icmp_error(out, why, packet.destination_high.get(), packet.destination_low.get(), word, packet, length);
}
/// The answer to a packet for one of the edge's own addresses; 0: there is none after all.
template <class Header>
unsigned write_local(const Answer& answer, const Header& packet, unsigned length, Nanoseconds now, std::uint8_t* out,
                     unsigned room) noexcept {
    if (answer.error) { return write_local_error(*answer.error, packet, length, out); }
    return length <= room ? write_echo(packet, length, now, out) : 0;
}

/// Writes the answer to `out`; 0: there is none after all.
unsigned write_answer(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot, const Answer& answer,
                      std::uint8_t* out, unsigned room) noexcept {
    const std::uint8_t* l3 = burst.l3[slot];
    const unsigned length = burst.length[slot];
    const bool four = detail::is_ipv4(l3);
    const auto& packet4 = *reinterpret_cast<const Ipv4*>(l3);
    const auto& packet6 = *reinterpret_cast<const Ipv6*>(l3);
    if (burst.fate[slot] == Fate::punted) {
        return four ? write_local(answer, packet4, length, burst.now, out, room)
                    : write_local(answer, packet6, length, burst.now, out, room);
    }
    const auto [peering, link] = answerer(snapshot, burst, slot);
    const auto& end = snapshot.peerings[peering].ends[raw(link)];
    const auto why = *answer.error;
    const auto mtu = why == IcmpError::too_big ? next_hop_mtu(snapshot, burst, slot) : 0;
    return four ? icmp_error(out, why, end.edge4.value, mtu, packet4, length)
                : icmp_error(out, why, end.edge6.high, end.edge6.low, mtu, packet6, length);
}

std::uint32_t route_of(const Burst& cause, std::uint32_t slot, const std::uint8_t* reply) noexcept {
    if (detail::is_ipv4(reply)) {
        return table::find(cause.routes4[slot], Ip4{reinterpret_cast<const Ipv4*>(reply)->destination.get()});
    }
    const auto& six = *reinterpret_cast<const Ipv6*>(reply);
    return table::find(cause.routes6[slot], Ip6{six.destination_high.get(), six.destination_low.get()});
}

/// Replies copy the priority of each tag of the frame they answer (802.1Q §6.9.4: the top three bits). The inner tag is
/// what stands before the packet.
void copy_priorities(const Burst& cause, std::uint32_t slot, std::uint8_t* reply, const Exit& exit) noexcept {
    constexpr unsigned kTag = sizeof(ether::Header);
    const auto copy = [&](unsigned at, unsigned first) {
        reply[at] = static_cast<std::uint8_t>((reply[at] & 0x1fU) | (first & 0xe0U));
    };
    copy(kTag, cause.tci[slot] >> 8U);
    const bool inner = exit.header_length > kTag + sizeof(ether::Tag);
    if (inner && cause.inner_vid[slot] != 0) { copy(kTag + sizeof(ether::Tag), cause.l3[slot][-4]); }
}

void send_to_customer(Worker& worker, const Burst& cause, std::uint32_t slot) noexcept {
    Burst& replies = worker.replies;
    const bool six = !detail::is_ipv4(replies.l3[slot]);
    const auto& header6 = *reinterpret_cast<const Ipv6*>(replies.l3[slot]);
    const bool near = six && is_link_local(Ip6{header6.destination_high.get(), header6.destination_low.get()});
    const auto value = near ? 0U : route_of(cause, slot, replies.l3[slot]);
    const auto kind = route::kind(value);
    if (!near && kind != route::Kind::customer && kind != route::Kind::pair) {
        return replies.end(slot, Fate::no_route);
    }
    // Where both links would do, the answer takes the one that the question came by.
    const auto index = near || kind == route::Kind::pair ? cause.attachment[slot] : route::index(value);
    const Exit& exit = worker.snapshot->exits[index];
    replies.exit[slot] = index;
    if (replies.length[slot] > exit.mtu) { return replies.end(slot, Fate::too_big); }
    if (!near && (next_hop(worker.state, exit, index, six) & neighbour::kKnown) == 0) {
        return replies.end(slot, Fate::no_neighbour);
    }
    if (!detail::charge_to_customer(worker, replies, slot, replies.length[slot])) { return; }
    push_slot(replies, slot, exit);
    auto* frame = rte_pktmbuf_mtod(replies.mbuf[slot], std::uint8_t*);
    put_heard_tpid(worker.state, exit, index, frame);
    if (near) {  // back to whoever on the link it is: nobody else is known to have the address
        const auto* asked = rte_pktmbuf_mtod(cause.mbuf[slot], const std::uint8_t*);
        std::memcpy(frame, reinterpret_cast<const ether::Header*>(asked)->source, 6);
    } else {
        put_customer(worker.state, replies.mbuf[slot], exit, index, six ? 6 : 4);
    }
    copy_priorities(cause, slot, frame, exit);
    replies.tally[slot] = tally::attachment(index, Direction::to_customer);
    replies.out_port[slot] = exit.port;
    replies.end(slot, Fate::sent);
}

void send_to_cloud(Worker& worker, const Burst& cause, std::uint32_t slot) noexcept {
    Burst& replies = worker.replies;
    const auto value = route_of(cause, slot, replies.l3[slot]);
    if (route::kind(value) != route::Kind::tunnel) { return replies.end(slot, Fate::no_route); }
    const auto index = route::index(value);
    const TunnelInfo& tunnel = worker.snapshot->tunnels[index];
    replies.tunnel[slot] = index;
    if (replies.length[slot] > tunnel.mtu) { return replies.end(slot, Fate::too_big); }
    if ((next_hop(worker.state, tunnel) & neighbour::kKnown) == 0) { return replies.end(slot, Fate::no_neighbour); }
    if (!detail::charge_to_cloud(worker, replies, slot, replies.length[slot])) { return; }
    encap_slot(replies, slot, tunnel, worker.snapshot->tunnel_headers[index]);
    const auto link = static_cast<Link>(tunnel.attachment % kLinks);
    replies.tally[slot] = tally::tunnel(index, link, Direction::to_cloud);
}

/// What came for one of the edge's own addresses on the core side: no VRF, no tunnel.
void answer_core(Worker& worker, Burst& cause, std::uint32_t slot) noexcept {
    const PortInfo& port = worker.snapshot->ports[cause.port];
    auto* frame = rte_pktmbuf_mtod(cause.mbuf[slot], std::uint8_t*);
    const auto type = reinterpret_cast<const ether::Header*>(frame)->type.get();
    const auto* l3 = frame + sizeof(ether::Header);
    const bool four = type == ether::kIpv4;
    if (!four && type != ether::kIpv6) { return; }
    const auto& packet4 = *reinterpret_cast<const Ipv4*>(l3);
    const auto& packet6 = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned length =
        four ? packet4.total_length.get() : static_cast<unsigned>(sizeof(Ipv6)) + packet6.payload_length.get();
    const Ip6 destination6 = four ? Ip6{} : Ip6{packet6.destination_high.get(), packet6.destination_low.get()};
    const bool to_link = is_link_local(destination6);
    const bool system = port.tap || to_link;
    const Answer answer = four ? local_answer(packet4, length, system) : local_answer(packet6, length, system);
    if (answer.none()) { return; }
    const Ip6 source = four ? Ip6{0, table::mapped(Ip4{packet4.source.get()})}
                            : Ip6{packet6.source_high.get(), packet6.source_low.get()};
    if (!detail::may_reply_to(*worker.snapshot, source)) { return; }
    // Of link-local addresses the edge's own is the one that it claims by neighbour discovery; whose another one is,
    // the system knows.
    if (to_link && destination6 != link_local(port.mac_address)) { return; }
    if (!detail::draw_replies(worker, local_cell::core(cause.port), cause.now)) {
        if (answer.echo) { cause.fate[slot] = Fate::reply_limited; }
        return;
    }
    rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.pool);
    if (mbuf == nullptr) { return; }
    auto* out = rte_pktmbuf_mtod(mbuf, std::uint8_t*) + sizeof(ether::Header);
    const auto room = static_cast<unsigned>(rte_pktmbuf_tailroom(mbuf) - sizeof(ether::Header));
    const unsigned written = four ? write_local(answer, packet4, length, cause.now, out, room)
                                  : write_local(answer, packet6, length, cause.now, out, room);
    if (written == 0) { return rte_pktmbuf_free(mbuf); }
    worker.replies.add(slot, mbuf, out, written);
    worker.replies.tally[slot] = kNowhere;
    auto& header = *reinterpret_cast<ether::Header*>(out - sizeof(ether::Header));
    // Where no gateway takes everything, and on the link itself, back to whoever brought it.
    const bool near = four ? is_link_local(Ip4{packet4.source.get()}) : is_link_local(source);
    const auto* to = port.has_gateway_mac && !near ? port.gateway_mac.octets.data()
                                                   : reinterpret_cast<const ether::Header*>(frame)->source;
    std::memcpy(header.destination, to, 6);
    std::memcpy(header.source, port.mac_address.octets.data(), 6);
    header.type.set(type);
    set_frame(mbuf, out - sizeof(ether::Header), written + static_cast<unsigned>(sizeof(ether::Header)));
    worker.replies.out_port[slot] = cause.port;
    worker.replies.end(slot, Fate::sent);
}

}  // namespace

void answer(Worker& worker, Burst& burst) noexcept {
    const bool to_cloud = burst.direction == Direction::to_cloud;
    worker.replies.begin_sparse(burst.now, burst.port, to_cloud ? Direction::to_customer : Direction::to_cloud,
                                Burst::Kind::replies);
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        const Fate fate = burst.fate[slot];
        const bool dropped = fate == Fate::no_route || fate == Fate::ttl_expired || fate == Fate::too_big ||
                             (fate == Fate::no_neighbour && next_hop_failed(worker, burst, slot));
        if (!dropped && fate != Fate::punted) { continue; }
        if (!dropped && !to_cloud && burst.tunnel[slot] == kNowhere) {
            answer_core(worker, burst, slot);
            continue;
        }
        const Answer answer = answer_for(worker, burst, slot);
        if (answer.none()) { continue; }
        rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.pool);
        if (mbuf == nullptr) { continue; }
        auto* out = static_cast<std::uint8_t*>(mbuf->buf_addr) + kOwnHeadroom;
        const unsigned length = write_answer(*worker.snapshot, burst, slot, answer, out, mbuf->buf_len - kOwnHeadroom);
        if (length == 0) {
            rte_pktmbuf_free(mbuf);
            continue;
        }
        worker.replies.add(slot, mbuf, out, length);
        worker.replies.tally[slot] = kNowhere;
        if (to_cloud) {
            send_to_customer(worker, burst, slot);
        } else {
            send_to_cloud(worker, burst, slot);
        }
    }
    worker.replies.sweep();
    if (to_cloud) { return; }
    esp_seal(worker, worker.replies);
    send_to_core(worker, worker.replies);
}

}  // namespace peerlane::dataplane
