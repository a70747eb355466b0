#include "dataplane/pipeline/answer.hpp"

#include "dataplane/pipeline/esp_seal.hpp"
#include "dataplane/pipeline/gre_encap.hpp"
#include "dataplane/pipeline/mtu_guard.hpp"
#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/reply_budget.hpp"
#include "dataplane/pipeline/tag_push.hpp"
#include "lib/net/icmp.hpp"
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

/// Whether the packet is to be answered, as far as its headers tell, and within the budgets, which it draws on. An echo
/// request beyond them ends here.
bool may_answer(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const std::uint8_t* l3 = burst.l3[slot];
    const unsigned length = burst.length[slot];
    const bool four = detail::is_ipv4(l3);
    const auto& packet4 = *reinterpret_cast<const Ipv4*>(l3);
    const auto& packet6 = *reinterpret_cast<const Ipv6*>(l3);
    const bool to_cloud = burst.direction == Direction::to_cloud;
    const auto cell = to_cloud ? burst.attachment[slot] : snapshot.tunnels[burst.tunnel[slot]].attachment;
    if (burst.fate[slot] == Fate::punted) {
        if (length == 0) { return false; }  // ARP, neighbour discovery
        if (!(four ? is_echo_request(packet4, length) : is_echo_request(packet6, length))) { return false; }
        if (detail::draw_replies(worker, cell, burst.now)) { return true; }
        burst.fate[slot] = Fate::reply_limited;
        return false;
    }
    const auto [peering, link] = answerer(snapshot, burst, slot);
    const auto& end = snapshot.peerings[peering].ends[raw(link)];
    return (four ? end.has4 && icmp_may_answer(packet4, length) : end.has6 && icmp_may_answer(packet6, length)) &&
           may_send_error(worker, peering, burst.now) && detail::draw_replies(worker, cell, burst.now);
}

/// Writes the answer to `out`; 0: there is none to give.
unsigned write_answer(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot, std::uint8_t* out,
                      unsigned room) noexcept {
    const std::uint8_t* l3 = burst.l3[slot];
    const unsigned length = burst.length[slot];
    const bool four = detail::is_ipv4(l3);
    const auto& packet4 = *reinterpret_cast<const Ipv4*>(l3);
    const auto& packet6 = *reinterpret_cast<const Ipv6*>(l3);
    const Fate fate = burst.fate[slot];
    if (fate == Fate::punted) {
        if (length > room) { return 0; }
        if (four) { return echo_checksum_ok(packet4, length) ? echo_reply(out, packet4, length) : 0; }
        return echo_checksum_ok(packet6, length) ? echo_reply(out, packet6, length) : 0;
    }
    const auto [peering, link] = answerer(snapshot, burst, slot);
    const auto& end = snapshot.peerings[peering].ends[raw(link)];
    const auto why = fate == Fate::no_route      ? IcmpError::no_route
                     : fate == Fate::ttl_expired ? IcmpError::time_exceeded
                                                 : IcmpError::too_big;
    const auto mtu = static_cast<std::uint16_t>(why == IcmpError::too_big ? next_hop_mtu(snapshot, burst, slot) : 0);
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

/// An echo request to one of the edge's own addresses on the core side: no VRF, no tunnel.
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
    if (!(four ? is_echo_request(packet4, length) : is_echo_request(packet6, length))) { return; }
    const Ip6 source = four ? Ip6{0, table::mapped(Ip4{packet4.source.get()})}
                            : Ip6{packet6.source_high.get(), packet6.source_low.get()};
    if (!detail::may_reply_to(*worker.snapshot, source)) { return; }
    // Of link-local addresses the edge's own is the one that it claims by neighbour discovery; whose another one is,
    // the system knows.
    const Ip6 destination6{packet6.destination_high.get(), packet6.destination_low.get()};
    if (!four && is_link_local(destination6) && destination6 != link_local(port.mac_address)) { return; }
    if (!detail::draw_replies(worker, local_cell::core(cause.port), cause.now)) {
        cause.fate[slot] = Fate::reply_limited;
        return;
    }
    if (!(four ? echo_checksum_ok(packet4, length) : echo_checksum_ok(packet6, length))) { return; }
    rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.pool);
    if (mbuf == nullptr) { return; }
    if (length + sizeof(ether::Header) > rte_pktmbuf_tailroom(mbuf)) { return rte_pktmbuf_free(mbuf); }
    auto* out = rte_pktmbuf_mtod(mbuf, std::uint8_t*) + sizeof(ether::Header);
    const unsigned written = four ? echo_reply(out, packet4, length) : echo_reply(out, packet6, length);
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
        if (fate != Fate::no_route && fate != Fate::ttl_expired && fate != Fate::too_big && fate != Fate::punted) {
            continue;
        }
        if (!to_cloud && burst.tunnel[slot] == kNowhere) {
            answer_core(worker, burst, slot);
            continue;
        }
        if (!may_answer(worker, burst, slot)) { continue; }
        rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.pool);
        if (mbuf == nullptr) { continue; }
        auto* out = static_cast<std::uint8_t*>(mbuf->buf_addr) + kOwnHeadroom;
        const unsigned length = write_answer(*worker.snapshot, burst, slot, out, mbuf->buf_len - kOwnHeadroom);
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
