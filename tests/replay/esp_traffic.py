"""Random traffic from the cloud, sealed: what conforms, and what is wrong inside or outside of ESP."""

from collections import Counter

import esp
import packets
import wire
from cloud_traffic import CloudTraffic


class EspTraffic(CloudTraffic):
    """Seals what CloudTraffic makes for protected tunnels, and sends a little of it in the clear, twice or late."""

    def __init__(self, edge, owners, seed, malformed=True):
        super().__init__(edge, owners, seed, malformed)
        self.sequences, self.tunnel, self.earlier = Counter(), None, []

    def outer(self, tunnel, payload, **fields):
        self.tunnel = tunnel
        return super().outer(tunnel, payload, **fields)

    def core_frame(self, outer, dst=None, ethertype=None, padding=True):
        tunnel, self.tunnel = self.tunnel, None
        if tunnel is None or tunnel.ipsec is None or self.rng.random() < 0.05:
            return super().core_frame(outer, dst, ethertype, padding)
        if self.earlier and self.rng.random() < 0.04:
            return self.rng.choice(self.earlier[-300:])
        carried = self.sealed(tunnel, outer)
        if carried is None:
            return super().core_frame(outer, dst, ethertype, padding)
        frame = super().core_frame(carried, dst, None, padding)
        self.earlier.append(frame)
        return frame

    def sequence(self, sa):
        """Mostly the next one; some are left out, and few are far ahead."""
        self.sequences[sa.spi] += self.rng.choice([1] * 20 + [2, 3, 70])
        return self.sequences[sa.spi]

    def sealed(self, tunnel, delivery):
        """The packet that carries `delivery`, or None if it has no place in the tunnel's mode."""
        made, rng = tunnel.ipsec, self.rng
        try:
            packet = wire.parse_ipv4(delivery) if delivery[:1] and delivery[0] >> 4 == 4 else wire.parse_ipv6(delivery)
        except wire.Malformed:
            packet = None
        next_header, payload, tos = {4: 4, 16: 41}[len(tunnel.local)], delivery, rng.randrange(256)
        if rng.random() < 0.5:
            tos = 0
        if made.transport:
            if packet is None or (packet.dst, packet.src) != (tunnel.local, tunnel.remote) or packet.fragment:
                return None
            next_header, payload, tos = packet.protocol, packet.payload, packet.tos
        sa = rng.choice(list(made.inbound.values()))
        iv = rng.randbytes(sa.suite.iv)
        return self.carry(made, sa.seal(self.sequence(sa), next_header, payload, iv), tos)

    def carry(self, made, sealed, tos):
        rng, (src, dst) = self.rng, (made.remote, made.local)
        fields = {"tos": tos, "ttl": rng.choice([64, 1, 0, 255])}
        if len(src) == 4:
            fields.update(ident=rng.randrange(65536), df=rng.random() < 0.5)
        else:
            fields["flow"] = rng.randrange(2**20)
        if not made.encapsulated or len(src) == 16 or rng.random() < 0.7:
            return esp.carry(src, dst, sealed, made.encapsulated, **fields)
        # A checksum where none is needed, and the port of a NAT (RFC 3948 section 2.1).
        datagram = packets.udp(src, dst, sealed, sport=rng.randrange(1024, 65536), dport=esp.UDP_PORT)
        return packets.ip(src, dst, wire.UDP, datagram, **fields)


def esp_fates(predicted):
    """Drops by name, of the names that only protected tunnels know."""
    return Counter(reason for fate, reason in predicted.fates
                   if fate == "dropped" and reason.startswith(("esp_", "clear_", "nat_")))
