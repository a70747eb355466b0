"""Predicts, from the RFCs and the documented behaviour alone, what an edge does with each packet.

Shares no code and no table with the product. Feed frames in order; read `outputs`, `fates` and the counters.
"""

import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import flow
import fragment
import icmp
import wire
from bucket import Bucket
from edge_config import Link, Pair, Tunnel
from esp_model import Ipsec
from from_cloud import FromCloud
from parse import Drop, Punt, is_nd, link_local, martian, parse_ip, parse_link, punt_arp, refuse_headers


@dataclass
class Arrival:
    """One packet on its way. `link` is set for packets from a customer, `tunnel` for those from the cloud."""

    now: int
    port: object
    packet: wire.Ip = None
    peering: object = None
    link: Link = None
    tunnel: Tunnel = None
    pcps: list = field(default_factory=list)


class Predictor(FromCloud):
    def __init__(self, edge):
        self.edge = edge
        self.ipsec = Ipsec(edge)
        self.outputs = {name: [] for name in edge.ports}  # (ns, frame)
        self.causes = {name: [] for name in edge.ports}  # per output: the number of the input packet
        self.fates = []  # per input packet: (fate, reason)
        self.ports = {name: Counter() for name in edge.ports}
        self.circuits = defaultdict(Counter)  # (customer, circuit, link, direction)
        self.peerings = defaultdict(Counter)  # (customer, circuit, type, link, direction)
        self.tunnels = defaultdict(Counter)  # (local, remote, key, link, direction)
        self.tunnel_locals = {tunnel.local for tunnel in edge.tunnels.values()} | self.ipsec.locals
        self.heard = {}  # by link: the TPID of the outer or only tag of its last frame
        self.buckets = {}
        self.error_buckets = {}
        self.reply_buckets = {}

    def run(self, frames):
        """`frames` is a list of (ns, port name, bytes) in the order of processing."""
        for now, name, frame in frames:
            arrival = Arrival(now, self.edge.ports[name])
            counts = self.ports[name]
            counts["received"] += 1
            try:
                if arrival.port.role == "access":
                    self.to_cloud(arrival, frame)
                else:
                    self.to_customer(arrival, frame)
                fate = ("sent", "")
            except Punt as reason:
                fate = ("punted", str(reason))
            except Drop as drop:
                fate = ("dropped", drop.reason)
                if drop.error:
                    self.answer_with_error(arrival, drop)
            counts[fate[0]] += 1
            self.fates.append(fate)
        return self

    # -- to_cloud ------------------------------------------------------------------------------------------

    def to_cloud(self, arrival, frame):
        port = arrival.port
        ethertype, body, tags = parse_link(frame, port)
        if not tags:
            raise Drop("untagged")
        vids = [tci & 0xFFF for _, tci in tags]
        arrival.pcps = [tci >> 13 for _, tci in tags]
        if 4095 in vids:
            raise Drop("bad_vid")
        group = bool(frame[0] & 1)
        if not group and port.mac_configured and frame[:6] != port.mac:
            raise Drop("not_for_us")
        key = (port.name, vids[0] if len(vids) == 2 else None, vids[-1])
        arrival.link = self.edge.attachments.get(key)
        if arrival.link is None:
            raise Drop("unknown_vlan")
        arrival.peering = arrival.link.peering
        self.hear(arrival.link, [tpid for tpid, _ in tags])
        if ethertype == wire.ETH_ARP:
            punt_arp(body)
        packet = arrival.packet = parse_ip(ethertype, body, port)
        if is_nd(packet):
            raise Punt("nd")
        if group:
            raise Drop("group_mac")
        if packet.version == 6 and (link_local(packet.src) or not martian(packet.src)):
            self.deliver_on_link(arrival, frame)
        self.guard_source(arrival)
        self.guard_martians(arrival)
        self.deliver_locally(arrival)
        self.forward(arrival)

    def hear(self, link, tpids):
        """A frame with other TPIDs than are sent on its link is counted; `auto` sends back what was heard."""
        self.heard[link] = tpids[0]
        if tpids != self.tpids(link):
            peering = link.peering
            name = (peering.circuit.customer, peering.circuit.name, peering.type, link.name, "to_cloud")
            self.peerings[name]["tpid_mismatches"] += 1

    def tpids(self, link):
        port = link.port
        two = link.peering.circuit.service_vlan is not None
        outer = port.service_tpid if two else port.single_tpid
        return [self.heard.get(link, 0x8100) if outer == "auto" else outer] + [port.inner_tpid] * two

    @staticmethod
    def guard_source(arrival):
        packet, peering = arrival.packet, arrival.peering
        if peering.is_no_host(packet.src):
            raise Drop("source: no host")
        own = arrival.link.subnets.get(packet.version)
        if own and own.holds(packet.src):
            return
        route = [net for net in peering.prefixes if wire.ipaddress.ip_address(packet.src) in net]
        if not route:
            raise Drop("source: foreign")

    def deliver_on_link(self, arrival, frame):
        """IPv6 on this link alone: to a link-local address, or from one to the edge itself."""
        packet, port = arrival.packet, arrival.port
        ours = packet.dst == wire.link_local(port.mac) or (link_local(packet.src) and arrival.peering.owns(packet.dst))
        reply = self.local_reply(arrival, packet) if ours else None
        if reply and link_local(packet.src):
            self.answer_on_link(arrival, reply, frame[6:12])
        elif reply:
            self.originate(arrival, reply)
        if ours:
            refuse_headers(packet)
        if ours or link_local(packet.dst):
            raise Punt("local")

    def answer_on_link(self, arrival, reply, neighbour):
        """Back to the station that asked."""
        counts = self.ports[arrival.port.name]
        counts["originated"] += 1
        try:
            if len(reply) > arrival.port.mtu:
                raise Drop("too_big")
            self.charge(arrival, [(arrival.link, "to_customer")], len(reply))
            tags = self.tags(arrival.link, arrival.pcps)
            self.transmit(arrival, arrival.port, wire.ethernet(neighbour, arrival.port.mac, tags, wire.ETH_IPV6, reply))
            counts["sent"] += 1
        except Drop:
            counts["dropped"] += 1

    @staticmethod
    def guard_martians(arrival):
        """What is for the edge itself is not forwarded, so that link-local addresses are in their place there."""
        packet = arrival.packet
        near = arrival.peering.owns(packet.dst)
        for address, may in ((packet.src, near and arrival.link), (packet.dst, near)):
            if martian(address) and not (may and link_local(address)):
                raise Drop("martian")

    def deliver_locally(self, arrival):
        packet, peering = arrival.packet, arrival.peering
        if peering.owns(packet.dst):
            refuse_headers(packet)
            reply = self.local_reply(arrival, packet)
            if reply:
                self.originate(arrival, reply)
            raise Punt("local")
        for link in peering.links.values():
            subnet = link.subnets.get(packet.version)
            if subnet and subnet.reserved(packet.dst):
                raise Drop("broadcast")

    # -- both directions -----------------------------------------------------------------------------------

    def forward(self, arrival):
        packet = arrival.packet
        target = arrival.peering.route(packet.dst)
        if target is None:
            raise Drop("no_route", icmp.NO_ROUTE)
        if isinstance(target, Pair):
            target = flow.link(target, packet)
        if isinstance(target, Tunnel) and arrival.tunnel:
            raise Drop("cloud_to_cloud")
        if arrival.tunnel and arrival.peering.is_no_host(packet.src):
            raise Drop("source: no host")
        if packet.ttl <= 1:
            raise Drop("ttl_expired", icmp.TTL_EXPIRED)
        raw = wire.decrement_ttl(packet.raw)
        mtu = target.mtu if isinstance(target, Tunnel) else target.port.mtu
        pieces = [raw]
        if len(raw) > mtu:
            ignore_df = isinstance(target, Tunnel) and target.ignore_df
            if packet.version == 6 or (packet.df and not ignore_df):
                raise Drop("too_big", icmp.TOO_BIG, mtu)
            if packet.offset * 8 + len(packet.payload) > 0xffff:
                raise Drop("past the longest datagram")
            pieces = fragment.fragments(raw, mtu)
        tunnel = arrival.tunnel or (target if isinstance(target, Tunnel) else None)
        if tunnel and tunnel.mss_clamp:
            limit = min(tunnel.mtu, mtu, arrival.link.port.mtu if arrival.link else mtu)
            pieces = [fragment.clamp_mss(piece, limit) for piece in pieces]
        self.need_neighbour(target)
        self.police(arrival, target)
        for piece in pieces:
            if arrival.tunnel:
                self.count_tunnel(arrival.tunnel, target, "to_customer", len(piece))
            self.send(arrival, target, piece, [0, 0])
        self.ports[arrival.port.name]["originated"] += len(pieces) - 1
        self.ports[arrival.port.name]["sent"] += len(pieces) - 1

    @staticmethod
    def need_neighbour(target):
        address = target.port.gateway_mac if isinstance(target, Tunnel) else target.customer_mac
        if address is None:
            raise Drop("no_neighbour")
        return address

    def police(self, arrival, target):
        steps = []
        if arrival.link:
            steps.append((arrival.link, "to_cloud"))
        if isinstance(target, Link):
            steps.append((target, "to_customer"))
        self.charge(arrival, steps, len(arrival.packet.raw))

    def charge(self, arrival, steps, length):
        """Every bucket on the way, or none: a refusal gives back what earlier ones gave. Counts what passed."""
        taken, passed = [], []
        for link, direction in steps:
            circuit = arrival.peering.circuit
            cost = self.cost(link, length)
            name = (circuit.customer, circuit.name, link.name, direction)
            for owner in (arrival.peering, circuit):
                bucket = self.bucket(owner, link, direction)
                if bucket and not bucket.take(arrival.now, cost):
                    for earlier, amount in taken:
                        earlier.refund(amount)
                    self.circuits[name].update(policed_packets=1, policed_bytes=cost)
                    raise Drop("policed")
                if bucket:
                    taken.append((bucket, cost))
            passed.append((link, direction))
        for link, direction in passed:
            self.count(link, direction, length)

    def count(self, link, direction, length):
        """One packet of `length` octets of IP, whole or as fragments. A circuit counts what its bucket is charged."""
        peering = link.peering
        circuit, where = peering.circuit, (link.name, direction)
        self.circuits[(circuit.customer, circuit.name) + where].update(packets=1, bytes=self.cost(link, length))
        self.peerings[(circuit.customer, circuit.name, peering.type) + where].update(packets=1, bytes=length)

    def count_tunnel(self, tunnel, link, direction, length):
        self.tunnels[(tunnel.local, tunnel.remote, tunnel.key, link.name, direction)].update(packets=1, bytes=length)

    def bucket(self, owner, link, direction):
        if owner.rate is None:
            return None
        key = (owner, link.name, direction)
        if key not in self.buckets:
            self.buckets[key] = Bucket(owner.rate / 8, owner.depth)
        return self.buckets[key]

    @staticmethod
    def cost(link, length):
        circuit = link.peering.circuit
        if circuit.accounting == "l3":
            return length
        length += 14 + (4 if circuit.service_vlan is None else 8)
        return max(length, 60) + 24 if circuit.accounting == "wire" else length

    def send(self, arrival, target, raw, pcps):
        """One packet out of a tunnel or a link, now."""
        neighbour = self.need_neighbour(target)
        if isinstance(target, Tunnel):
            frame = self.encapsulate(target, raw)
            self.count_tunnel(target, arrival.link or arrival.peering.first_link(), "to_cloud", len(raw))
            if target.ipsec:
                self.transmit(arrival, target.port, self.ipsec.seal(target, frame, neighbour))
                return
            ethertype = wire.ETH_IPV4 if len(target.local) == 4 else wire.ETH_IPV6
            tags = []
        else:
            frame = raw
            ethertype = wire.ETH_IPV4 if raw[0] >> 4 == 4 else wire.ETH_IPV6
            tags = self.tags(target, pcps)
        self.transmit(arrival, target.port, wire.ethernet(neighbour, target.port.mac, tags, ethertype, frame))

    def tags(self, link, pcps):
        circuit, vlan = link.peering.circuit, link.peering.vlan
        vids = [vlan] if circuit.service_vlan is None else [circuit.service_vlan, vlan]
        pcps = [pcps[0], pcps[-1]][-len(vids):] if len(pcps) > 1 else pcps * len(vids)
        return [(tpid, pcp << 13 | vid) for tpid, pcp, vid in zip(self.tpids(link), pcps, vids)]

    def transmit(self, arrival, port, frame):
        self.outputs[port.name].append((arrival.now, frame))
        self.causes[port.name].append(len(self.fates))
        self.ports[port.name]["transmitted"] += 1

    @staticmethod
    def encapsulate(tunnel, raw):
        """RFC 2784 and 2890 around `raw`, the outer TOS as RFC 6040's normal mode and `dscp` say."""
        inner4 = raw[0] >> 4 == 4
        tos = raw[1] if inner4 else (struct.unpack_from("!H", raw)[0] >> 4) & 0xFF
        if tunnel.dscp != "copy":
            tos = tunnel.dscp << 2 | tos & 3
        gre = struct.pack("!HH", 0 if tunnel.key is None else 0x2000, wire.ETH_IPV4 if inner4 else wire.ETH_IPV6)
        if tunnel.key is not None:
            gre += struct.pack("!I", tunnel.key)
        build = wire.ipv4 if len(tunnel.local) == 4 else wire.ipv6
        return build(tunnel.local, tunnel.remote, wire.GRE, gre + raw, tos=tos)

    # -- what the edge says itself ---------------------------------------------------------------------------

    def answer_with_error(self, arrival, drop):
        packet, peering = arrival.packet, arrival.peering
        link = arrival.link or peering.first_link()
        subnet = link.subnets.get(packet.version)
        if not subnet or not icmp.may_be_answered(packet) or icmp.never_answered(packet):
            return
        if not self.within_errors(arrival) or not self.within_replies(arrival):
            return
        self.originate(arrival, icmp.error(drop.error, packet, subnet.edge, drop.mtu))

    def local_reply(self, arrival, packet):
        """What a packet for the edge itself is answered with, or None. An echo request beyond the budget ends here."""
        if icmp.is_echo_request(packet):
            if not self.within_replies(arrival):
                raise Drop("reply_limited")
            return icmp.echo_reply(packet, arrival.now)
        kind = None if link_local(packet.dst) else icmp.local_error(packet)
        if not kind or not self.within_errors(arrival) or not self.within_replies(arrival):
            return None
        return icmp.error(kind, packet, packet.dst, 0)

    def within_errors(self, arrival):
        if not arrival.peering:
            return True
        rate = self.edge.icmp_errors_per_second
        return self.error_buckets.setdefault(arrival.peering, Bucket(rate, rate)).take(arrival.now, 1)

    def within_replies(self, arrival):
        """What the edge originates has a budget per link, and per core port."""
        where = (arrival.link or arrival.peering.first_link()) if arrival.peering else arrival.port.name
        rate = self.edge.replies_per_second
        return self.reply_buckets.setdefault(where, Bucket(rate, rate)).take(arrival.now, 1)

    def originate(self, arrival, raw):
        """Routes what the edge made back to the side that the cause came from, or nowhere."""
        counts = self.ports[arrival.port.name]
        counts["originated"] += 1
        destination = raw[16:20] if raw[0] >> 4 == 4 else raw[24:40]
        target = arrival.peering.route(destination)
        if isinstance(target, Pair):
            target = arrival.link  # by the link that the cause came by; the cloud has none, and no answer here
        side = Tunnel if arrival.tunnel else Link
        try:
            if not isinstance(target, side):
                raise Drop("no_way_back")
            if len(raw) > (target.mtu if side is Tunnel else target.port.mtu):
                raise Drop("too_big")
            self.need_neighbour(target)
            step = (arrival.peering.first_link(), "to_cloud") if side is Tunnel else (target, "to_customer")
            self.charge(arrival, [step], len(raw))
            self.send(arrival, target, raw, arrival.pcps)
            counts["sent"] += 1
        except Drop:
            counts["dropped"] += 1
