"""What a virtual network's `ipsec:` says, as the predictor and the tests need it. Judges nothing."""

import functools
from dataclasses import dataclass, field

import esp
import wire


@dataclass(frozen=True)
class Lane:
    """One outbound association: what an SPI sends under."""

    sa: esp.Association
    number: int

    def iv(self, sequence):
        """Lane and counter of the counter suites; None for CBC, which cannot be foreseen."""
        return self.number.to_bytes(1, "big") + sequence.to_bytes(7, "big") if self.sa.suite.aead else None


@dataclass(eq=False)
class Protection:
    transport: bool
    suite: esp.Suite
    local: bytes
    remote: bytes
    encapsulated: bool
    dscp: object
    window: int
    esn: bool
    outbound: list = field(default_factory=list)  # Lane
    inbound: dict = field(default_factory=dict)  # SPI -> Association

    def next_header(self, delivery):
        """The next header, and what of the delivery packet goes into ESP."""
        if self.transport:
            return delivery.protocol, delivery.payload
        return (4 if delivery.version == 4 else 41), delivery.raw

    def length(self, delivery):
        """Octets of the IP packet that carries a delivery packet of `delivery` octets (its header included)."""
        outer = 20 if len(self.local) == 4 else 40
        plain = delivery - outer if self.transport else delivery
        return outer + 8 * self.encapsulated + esp.sealed_length(self.suite, plain)

    @functools.lru_cache(maxsize=None)
    def longest_delivery(self, mtu):
        """The longest delivery packet whose ESP fits `mtu`, found by trying."""
        return max(size for size in range(60, mtu) if self.length(size) <= mtu)


def octets(text):
    text = "".join(str(text).split()).replace(":", "")
    return bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)


def protection(entry, local, remote):
    """`entry` is the mapping under `ipsec`; the addresses are the tunnel's."""
    if entry is None:
        return None
    suite, esn = esp.SUITES[entry["suite"]], entry.get("esn", False)
    made = Protection(entry.get("mode") == "transport", suite, local, remote, entry.get("udp_encapsulation", False),
                      entry.get("dscp", "copy"), entry.get("replay_window", 1024), esn)
    if "local" in entry:
        made.local = wire.packed(entry["local"])
    if "remote" in entry:
        made.remote = wire.packed(entry["remote"])
    for item in entry["outbound"] if isinstance(entry["outbound"], list) else [entry["outbound"]]:
        for index in range(item.get("spi_count", 1)):
            sa = esp.Association(suite, octets(item["key"]), item["spi"] + index, esn)
            made.outbound.append(Lane(sa, item.get("first_lane", 0) + index))
    for item in entry["inbound"] if isinstance(entry["inbound"], list) else [entry["inbound"]]:
        made.inbound[item["spi"]] = esp.Association(suite, octets(item["key"]), item["spi"], esn)
    return made
