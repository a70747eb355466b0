"""What becomes of a frame from the core, up to the customer's packet inside it."""

import headers
import wire
from esp_model import ECN_DECAPSULATED, ECN_DROP
from parse import Drop, Punt, is_nd, link_local, martian, parse_gre, parse_ip, parse_link, punt_arp


class FromCloud:
    """The half of the predictor that packets from tunnels take."""

    def to_customer(self, arrival, frame):
        port = arrival.port
        if len(frame) < 14:
            raise Drop("runt")
        ethertype, body, tags = parse_link(frame, port)
        if tags:
            raise Drop("ethertype")
        group = bool(frame[0] & 1)
        if not group and port.mac_configured and frame[:6] != port.mac:
            raise Drop("not_for_us")
        if ethertype == wire.ETH_ARP:
            punt_arp(body)
        outer = parse_ip(ethertype, body, port)
        if is_nd(outer):
            raise Punt("nd")
        if group:
            raise Drop("group_mac")
        near = outer.version == 6 and link_local(outer.dst)
        if not near and outer.dst not in self.tunnel_locals and outer.dst not in (port.address, port.address6):
            raise Drop("not_our_address")
        if martian(outer.src) and not link_local(outer.src):
            raise Drop("martian")
        if near:
            if outer.dst == wire.link_local(port.mac):
                self.deliver_core(arrival, outer, frame)
            raise Punt("local")
        whole, outer = outer, self.follow_headers(outer)
        outer, opened = self.ipsec.open(outer)
        if outer.protocol != wire.GRE:
            self.deliver_core(arrival, whole, frame)
        key, protocol, payload = parse_gre(outer.payload, "esp_inner_truncated" if opened else "gre: truncated")
        tunnel = self.edge.tunnels.get((outer.dst, outer.src, key))
        if opened and tunnel is not opened:
            raise Drop("esp_wrong_tunnel")
        if tunnel is None:
            raise Drop("unknown_tunnel")
        if tunnel.ipsec and not opened:
            raise Drop("clear_refused")
        arrival.tunnel = tunnel
        arrival.peering = tunnel.peering
        inner = parse_ip(protocol, payload)
        ecn = ECN_DECAPSULATED[(inner.tos & 3, outer.tos & 3)]
        if ecn is ECN_DROP:
            raise Drop("ecn_mismatch")
        merged = wire.set_tos(inner.raw, inner.tos & 0xFC | ecn)
        arrival.packet = parse_ip(protocol, merged)
        self.guard_martians(arrival)
        self.deliver_locally(arrival)
        self.forward(arrival)

    def follow_headers(self, outer):
        """The packet as if it had no extension headers, if it is whole and they do not hinder."""
        upper = headers.upper_layer(outer)
        if upper.problem == "cut":
            raise Drop("outer_truncated")
        if upper.problem or upper.refused:
            raise Drop("extension_header")
        if upper.authenticated:
            if upper.protocol == wire.GRE or self.ipsec.ends_in(upper.protocol, b""):
                raise Drop("extension_header")
            raise Punt("local")
        if upper.fragment:  # the system puts together what is not a tunnel's
            if upper.protocol == wire.GRE or self.ipsec.ends_in(upper.protocol, b"" if upper.later else upper.rest):
                raise Drop("outer_fragment")
            raise Punt("local")
        if outer.version == 6 and upper.protocol != outer.protocol:
            return wire.parse_ipv6(wire.ipv6(outer.src, outer.dst, upper.protocol, upper.rest, tos=outer.tos,
                                             ttl=outer.ttl))
        return outer

    def deliver_core(self, arrival, outer, frame):
        reply = self.local_reply(arrival, outer)
        if reply:
            counts = self.ports[arrival.port.name]
            counts["originated"] += 1
            back = frame[6:12] if link_local(outer.src) else arrival.port.gateway_mac
            if back and len(reply) <= arrival.port.mtu:
                ethertype = wire.ETH_IPV4 if outer.version == 4 else wire.ETH_IPV6
                self.transmit(arrival, arrival.port, wire.ethernet(back, arrival.port.mac, [], ethertype, reply))
                counts["sent"] += 1
            else:
                counts["dropped"] += 1
        raise Punt("local")
