"""Random traffic from the cloud: GRE with every optional field, forged tunnels, broken outers and inners."""

import packets
import wire
from traffic import NOT_OURS, ROUTER_MAC, STRANGER, Traffic


class CloudTraffic(Traffic):
    """Adds the direction to_customer."""

    def core_frame(self, outer, dst=None, ethertype=None, padding=True):
        local = outer[16:20] if outer[:1] and outer[0] >> 4 == 4 else outer[24:40]
        core = self.core_of.get(bytes(local), self.core)
        frame = wire.ethernet(dst or core.mac, ROUTER_MAC, [],
                              packets.ethertype_of(outer) if ethertype is None else ethertype, outer)
        if padding and (len(frame) < 60 or self.rng.random() < 0.03):
            frame += b"\xEE" * max(60 - len(frame), self.rng.randrange(0, 9))
        return core.name, frame

    def outer(self, tunnel, payload, **fields):
        rng = self.rng
        fields.setdefault("tos", rng.choice([0, 0, 0, 1, 2, 3, rng.randrange(256) & 0xFE]))
        fields.setdefault("ttl", rng.choice([64, 1, 0, 255]))
        fields.setdefault("ident", rng.randrange(65536))
        fields.setdefault("flow", rng.randrange(2**20))
        fields.setdefault("df", rng.random() < 0.8)
        if len(tunnel.local) == 4 and rng.random() < 0.05:
            fields.setdefault("options", b"\x94\x04\0\0")
        return packets.ip(fields.pop("src", tunnel.remote), fields.pop("dst", tunnel.local),
                          fields.pop("protocol", wire.GRE), payload, **fields)

    def tunnelled(self, tunnel, inner, **fields):
        rng = self.rng
        sequence = rng.randrange(2**32) if rng.random() < 0.1 else None
        payload = packets.gre(tunnel.key, inner, sequence=sequence, checksummed=rng.random() < 0.1,
                              flags=rng.choice([0, 0, 0, 0x0200, 0x0008, 0x03F8]))
        return self.core_frame(self.outer(tunnel, payload, **fields))

    def foreign_key(self, tunnel):
        """A key near the right one, or any, that makes no configured tunnel with these addresses."""
        key = tunnel.key or 0
        candidates = [None, 0, key ^ 1, (key + 1) % 2**32, self.rng.randrange(2**32)]
        candidates = [k for k in candidates if (tunnel.local, tunnel.remote, k) not in self.edge.tunnels]
        return self.rng.choice(candidates)

    def to_customer(self):
        rng = self.rng
        tunnel = rng.choice(self.tunnels)
        peering, version = tunnel.peering, rng.choice([4, 4, 6])
        link = rng.choice(list(peering.links.values()))
        owner, subnet = self.owner(peering), link.subnets.get(version)
        src, dst = self.cloud_address(peering, version, tunnel), self.customer_address(link, version)
        mtu, fields = min(link.port.mtu, tunnel.mtu), {}
        pick = rng.random()
        if pick < 0.45:
            pass
        elif pick < 0.50:
            fields["ttl"] = rng.choice([0, 1])
        elif pick < 0.54:
            dst = self.anywhere(version)
        elif pick < 0.57:
            dst = self.cloud_address(peering, version)
        elif pick < 0.59:
            src = rng.choice([self.anywhere(version),
                              self.customer_address(link, version)] + ([subnet.edge] if subnet else []))
        elif pick < 0.63 and subnet:
            dst = subnet.edge
            protocol, body = packets.echo_request(src, dst, rng.randrange(1, 65536),
                                                  packets.filler(owner, self.size(mtu)))
            inner = packets.ip(src, dst, protocol, body, tos=rng.randrange(256))
            return self.tunnelled(tunnel, inner) if len(inner) <= tunnel.mtu - 20 else self.to_customer()
        elif pick < 0.64 and subnet:
            dst = subnet.edge
        elif pick < 0.66 and version == 4 and subnet:
            dst = rng.choice([subnet.net[0].packed, subnet.net[-1].packed, b"\xff" * 4, b"\xe0\0\0\5", b"\x7f\0\0\1"])
        elif pick < 0.66:
            dst = rng.choice([b"\xff\2" + b"\0" * 13 + b"\1", b"\0" * 15 + b"\1", b"\xfe\x80" + b"\0" * 13 + b"\1"])
        elif pick < 0.67:
            src = rng.choice([b"\x7f\0\0\1", b"\0" * 4, b"\xef\1\1\1"]) if version == 4 else b"\0" * 15 + b"\1"
        elif pick < 0.70:
            raw = self.malform(self.packet(owner, src, dst, mtu))
            raw = raw or b"\x45"
            return self.core_frame(self.outer(tunnel,
                                              packets.gre(tunnel.key, raw, protocol=packets.ETHERTYPES[version])))
        elif pick < 0.73:
            protocol, body = packets.icmp_error(src, dst, rng.choice([1, 3, 11, 12, 5, 4, 2]),
                                                packets.filler(owner, 60))
            return self.tunnelled(tunnel, packets.ip(src, dst, protocol, body, ttl=rng.choice([1, 64])))
        elif pick < 0.79:
            # Larger than the customer's port takes.
            body = packets.udp(src, dst, packets.filler(owner, link.port.mtu - rng.randrange(0, 60)))
            fields.update(df=rng.random() < 0.5, tos=rng.randrange(256), ident=rng.randrange(65536))
            if version == 4 and rng.random() < 0.3:
                fields["options"] = self.options()
            return self.tunnelled(tunnel, packets.ip(src, dst, wire.UDP, body, **fields))
        elif pick < 0.94:
            return self.odd_core_frame(tunnel, self.packet(owner, src, dst, mtu), owner)
        return self.tunnelled(tunnel, self.packet(owner, src, dst, mtu, **fields))

    def stranger(self, tunnel, version):
        """A packet that no tunnel may accept."""
        link = tunnel.peering.first_link()
        src, dst = self.cloud_address(tunnel.peering, version), self.customer_address(link, version)
        return packets.ip(src, dst, wire.UDP, packets.udp(src, dst, packets.filler(STRANGER, 100)))

    def odd_core_frame(self, tunnel, inner, owner):
        rng, version = self.rng, self.rng.choice([4, 6])
        kind = rng.randrange(16)
        if kind < 3:
            inner = self.stranger(tunnel, version)
            return self.core_frame(self.outer(tunnel, packets.gre(self.foreign_key(tunnel), inner)))
        if kind == 3:
            remote = tunnel.remote[:-1] + bytes([200 + rng.randrange(50)])
            inner = self.stranger(tunnel, version)
            return self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, inner), src=remote))
        if kind == 4:
            local = tunnel.local[:-1] + b"\x77"
            return self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, self.stranger(tunnel, version)),
                                              dst=local))
        if kind == 5:
            flags = rng.choice([0x4000, 0x0800, 0x0400, 1, 2, 4, 7, 0x4C07])
            return self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, inner, flags=flags)))
        if kind == 6:
            payload = bytearray(packets.gre(tunnel.key, inner, checksummed=True))
            payload[rng.choice([4, 5, len(payload) - 1])] ^= 1 << rng.randrange(8)
            return self.core_frame(self.outer(tunnel, bytes(payload)))
        if kind == 7:
            wrong = wire.ETH_IPV6 if inner[0] >> 4 == 4 else wire.ETH_IPV4
            return self.core_frame(self.outer(tunnel,
                                              packets.gre(tunnel.key, inner, protocol=rng.choice([wrong, 0x6558]))))
        if kind == 8:
            port, frame = self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, inner)), padding=False)
            return port, frame[: rng.randrange(1, len(frame))]
        if kind == 9:
            payload = packets.gre(tunnel.key, inner, checksummed=True, sequence=5)[: rng.randrange(0, 60)]
            return self.core_frame(self.outer(tunnel, payload))
        if kind == 10:
            return self.core_frame(self.malform(self.outer(tunnel, packets.gre(tunnel.key, inner))),
                                   ethertype=packets.ETHERTYPES[4 if len(tunnel.local) == 4 else 6])
        if kind == 11:
            if len(tunnel.local) == 16:
                payload = bytes([wire.GRE, 0, 0, 1, 0, 0, 0, 9]) + packets.gre(tunnel.key, inner)
                return self.core_frame(self.outer(tunnel, payload, protocol=wire.V6_FRAGMENT))
            payload = packets.gre(tunnel.key, inner)
            return self.core_frame(self.outer(tunnel, payload, df=False, mf=rng.random() < 0.5,
                                              offset=rng.choice([0, 4]) or 1))
        if kind == 12:
            protocol, body = packets.echo_request(tunnel.remote, tunnel.local, rng.randrange(1, 65536),
                                                  packets.filler(owner, 56))
            return self.core_frame(self.outer(tunnel, body, protocol=protocol))
        if kind == 13:
            body = packets.udp(tunnel.remote, tunnel.local, packets.filler(STRANGER, 56))
            return self.core_frame(self.outer(tunnel, body, protocol=wire.UDP))
        if kind == 14:
            return self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, inner)),
                                   dst=rng.choice([b"\xff" * 6, NOT_OURS]))
        # Trailing bytes behind the inner packet, inside GRE.
        return self.core_frame(self.outer(tunnel, packets.gre(tunnel.key, inner + b"\xEE" * rng.randrange(1, 40))))

    # -- a whole run -------------------------------------------------------------------------------------------

    def run(self, count, step, start=1_700_000_000 * 10**9):
        """`count` frames of both directions as [(ns, port name, bytes)], times in multiples of `step` ns."""
        frames, now = [], start
        for _ in range(count):
            if self.rng.random() < 0.6:
                now += self.rng.choice([1, 2, 40, 400]) * step
            port, frame = self.to_cloud() if self.rng.random() < 0.5 else self.to_customer()
            frames.append((now, port, frame))
        return frames
