"""Security associations as both ends are told of them: the edge by its configuration, the kernel by `ip xfrm`."""

import hashlib
import re
from dataclasses import dataclass, field

# suite: octets of key material, what `ip xfrm` calls it, octets of IV, what lengths are multiples of
SUITES = {
    "aes-gcm-128": (20, "aead rfc4106(gcm(aes)) 0x{all} 128", 8, 4),
    "aes-gcm-256": (36, "aead rfc4106(gcm(aes)) 0x{all} 128", 8, 4),
    "chacha20-poly1305": (36, "aead rfc7539esp(chacha20,poly1305) 0x{all} 128", 8, 4),
    "aes-cbc-128-hmac-sha256-128": (48, "enc cbc(aes) 0x{cipher} auth-trunc hmac(sha256) 0x{last32} 128", 16, 16),
    "aes-cbc-256-hmac-sha256-128": (64, "enc cbc(aes) 0x{cipher} auth-trunc hmac(sha256) 0x{last32} 128", 16, 16),
}
ICV, ESP_HEADER, TRAILER, UDP = 16, 8, 2, 8  # RFC 4303, RFC 3948
REPLAY_WINDOW = 128


@dataclass(frozen=True)
class Sa:
    """An SPI and its key; the label makes the key."""

    spi: int
    label: str

    def material(self, suite):
        return hashlib.shake_256(self.label.encode()).digest(SUITES[suite][0])


@dataclass
class Protection:
    """What `ipsec:` says of a tunnel, and what the gateway must be told."""

    suite: str
    number: int
    mode: str = "tunnel"
    esn: bool = False
    udp: bool = False
    ends: tuple = ()  # (edge's, gateway's) outer addresses where they are not the tunnel's
    out: Sa = None  # the edge sends with it
    ins: list = field(default_factory=list)  # the edge receives with these; the gateway sends with the last one

    def __post_init__(self):
        self.out = self.out or Sa(0x100000 + self.number, f"out {self.number}")
        self.ins = self.ins or [Sa(0x200000 + self.number, f"in {self.number}")]

    def configuration(self):
        def one(sa):
            return {"spi": sa.spi, "key": sa.material(self.suite).hex()}
        said = {"suite": self.suite, "mode": self.mode, "esn": self.esn, "udp_encapsulation": self.udp,
                "replay_window": REPLAY_WINDOW, "outbound": one(self.out), "inbound": [one(sa) for sa in self.ins]}
        if self.ends:
            said.update(local=self.ends[0], remote=self.ends[1])
        return said

    def room(self, mtu, outer_header):
        """The largest payload of ESP in an outer packet of `mtu` octets (RFC 4303 §2)."""
        _, _, iv, block = SUITES[self.suite]
        text = mtu - outer_header - (UDP if self.udp else 0) - ESP_HEADER - iv - ICV
        return text - text % block - TRAILER

    def state(self, sa, source, destination):
        """The `ip xfrm` command that adds one SA."""
        material = sa.material(self.suite).hex()
        algorithm = SUITES[self.suite][1].format(all=material, cipher=material[:-64], last32=material[-64:])
        return (f"xfrm state add src {source} dst {destination} proto esp spi {sa.spi:#x} reqid {self.number} "
                f"mode {self.mode} replay-window {REPLAY_WINDOW} {'flag esn' if self.esn else ''} "
                f"{'flag af-unspec' if self.mode == 'tunnel' else ''} "
                f"{algorithm} {'encap espinudp 4500 4500 0.0.0.0' if self.udp else ''}")

    def policy(self, verb, direction, tunnel):
        """The `ip xfrm` command for the policy `out` or `in` of the gateway; what it sends goes with one SPI.

        `tunnel`: the addresses of the GRE tunnel, the edge's first.
        """
        edge, gateway = self.ends or tunnel
        source, destination = ((tunnel[1], tunnel[0]), (gateway, edge)) if direction == "out" else \
            ((tunnel[0], tunnel[1]), (edge, gateway))
        spi = f"spi {self.ins[-1].spi:#x}" if direction == "out" else ""
        return (f"xfrm policy {verb} src {source[0]} dst {source[1]} proto gre dir {direction} "
                f"tmpl src {destination[0]} dst {destination[1]} proto esp {spi} reqid {self.number} mode {self.mode}")

    def gateway(self, tunnel):
        """All `ip` commands that protect the gateway's end."""
        edge, gateway = self.ends or tunnel
        return [self.state(self.out, edge, gateway), *(self.state(sa, gateway, edge) for sa in self.ins),
                self.policy("add", "out", tunnel), self.policy("add", "in", tunnel)]


STATE = re.compile(r"spi (0x[0-9a-f]+).*?(\d+)\(bytes\), (\d+)\(packets\)\s+add.*?"
                   r"stats:\s+replay-window (\d+) replay (\d+) failed (\d+)", re.DOTALL)


def kernel_states(text):
    """By SPI, what `ip -s xfrm state` says: packets, bytes, and the faults that should be 0."""
    states = {int(spi, 16): {"bytes": int(octets), "packets": int(packets), "faults": tuple(map(int, faults))}
              for spi, octets, packets, *faults in STATE.findall(text)}
    assert len(states) == text.count("proto esp"), text
    return states


def kernel_faults(text):
    """What is not 0 in /proc/net/xfrm_stat."""
    return {name: int(value) for name, value in map(str.split, text.splitlines()) if int(value)}
