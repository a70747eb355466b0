"""Who stands next to the edge: answers ARP and neighbour discovery at the far end of a link, and keeps the rest."""

import logging
import queue
import threading

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6  # noqa: E402
from scapy.layers.l2 import ARP, Dot1Q, Ether  # noqa: E402

from edge import PATIENCE  # noqa: E402
from links import Wire  # noqa: E402


def tagged(tags):
    """The tags as layers: (S-VID, C-VID), (VID,) or none."""
    return [Dot1Q(vlan=vid) for vid in tags]


def frame(source, destination, tags, *layers):
    packet = Ether(src=source, dst=destination)
    for layer in (*tagged(tags), *layers):
        packet = packet / layer
    return bytes(packet)


def tags_of(packet):
    tags, layer = [], packet.payload
    while isinstance(layer, Dot1Q):
        tags.append(layer.vlan)
        layer = layer.payload
    return tuple(tags)


class Station:
    """`hosts` is {(tags, address): MAC}; it may change at any time. Ends with its `with` block."""

    def __init__(self, interface, hosts):
        self.wire, self.hosts = Wire(interface), dict(hosts)
        self.asked = []  # (tags, address, by whom)
        self.rest = queue.Queue()
        self.ended = False
        self.wire.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.listen)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.wire.socket.close()

    def listen(self):
        while not self.ended:
            try:
                octets = self.wire.receive()
            except TimeoutError:
                continue
            packet = Ether(octets)
            if not self.answer(packet):
                self.rest.put(octets)

    def answer(self, packet):
        tags = tags_of(packet)
        if ARP in packet and packet[ARP].op == 1:
            asked = packet[ARP].pdst
            mac = self.hosts.get((tags, asked))
            self.asked.append((tags, asked, packet[ARP].psrc))
            if mac:
                self.wire.send(frame(mac, packet.src, tags, ARP(op="is-at", hwsrc=mac, psrc=asked,
                                                                hwdst=packet.src, pdst=packet[ARP].psrc)))
            return True
        if ICMPv6ND_NS in packet:
            asked = packet[ICMPv6ND_NS].tgt
            mac = self.hosts.get((tags, asked))
            self.asked.append((tags, asked, packet[IPv6].src))
            if mac:
                self.wire.send(frame(mac, packet.src, tags, IPv6(src=asked, dst=packet[IPv6].src, hlim=255),
                                     ICMPv6ND_NA(R=1, S=1, O=1, tgt=asked), ICMPv6NDOptDstLLAddr(lladdr=mac)))
            return True
        return False

    def next(self):
        """The next frame that is no question."""
        return self.rest.get(timeout=PATIENCE)

    def waiting(self):
        """Every such frame that is there already."""
        frames = []
        while not self.rest.empty():
            frames.append(self.rest.get())
        return frames
