"""ESP as scapy does it: a second implementation, to hold against esp.py and the product."""

import struct

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AUTH_ALGOS, ESP, AuthAlgo, SecurityAssociation

ALGORITHMS = {"aes-gcm-128": "AES-GCM", "aes-gcm-256": "AES-GCM", "chacha20-poly1305": "CHACHA20-POLY1305",
              "aes-cbc-128-hmac-sha256-128": "AES-CBC", "aes-cbc-256-hmac-sha256-128": "AES-CBC"}


class HighHalf:
    """A MAC that ends with the upper half of the sequence number (RFC 4303 section 2.2.1)."""

    def __init__(self, mac, high):
        self.mac, self.high = mac, high

    def update(self, data):
        self.mac.update(data)

    def finalize(self):
        self.mac.update(self.high)
        return self.mac.finalize()


class ExtendedAuth(AuthAlgo):
    """scapy's ESP authentication knows no ESN unless the cipher authenticates; only this octet string is added."""

    def __init__(self, algorithm, high):
        super().__init__(algorithm.name, algorithm.mac, algorithm.digestmod, algorithm.icv_size)
        self.high = struct.pack("!I", high)

    def new_mac(self, key):
        return HighHalf(super().new_mac(key), self.high)


def association(sa, src, dst, transport, encapsulated, high=0, tos=0):
    """scapy's SecurityAssociation for the packets of `sa` whose upper half is `high`."""
    header = IP if "." in src else IPv6
    fields = {"tos": tos, "flags": "DF", "id": 0, "ttl": 64} if header is IP else {"tc": tos, "hlim": 64}
    # With AEAD the salt belongs to scapy's key; behind a cipher of its own, the key ends with the cipher's.
    key = sa.cipher_key + sa.salt
    made = SecurityAssociation(ESP, spi=sa.spi, crypt_algo=ALGORITHMS[sa.suite.name], crypt_key=key,
                               auth_algo=None if sa.suite.aead else "SHA2-256-128",
                               auth_key=None if sa.suite.aead else sa.material[sa.suite.key :],
                               tunnel_header=None if transport else header(src=src, dst=dst, **fields),
                               nat_t_header=UDP(sport=4500, dport=4500) if encapsulated else None,
                               esn_en=sa.esn, esn=high)
    if sa.esn and not sa.suite.aead:
        made.auth_algo = ExtendedAuth(AUTH_ALGOS["SHA2-256-128"], high)
    return made


def parse(raw):
    return (IP if raw[0] >> 4 == 4 else IPv6)(raw)


def seal(sa, src, dst, raw, sequence, iv, *, transport=False, encapsulated=False, tos=0):
    """The IP packet scapy makes of the IP packet `raw`."""
    made = association(sa, src, dst, transport, encapsulated, sequence >> 32, tos)
    return bytes(made.encrypt(parse(raw), seq_num=sequence & 0xFFFFFFFF, iv=iv))


def open_packet(sa, src, dst, raw, *, transport=False, high=0):
    """The IP packet inside the IP packet `raw`; raises IPSecIntegrityError or TypeError (another SPI)."""
    made = association(sa, src, dst, transport, False, high)
    layer = parse(raw)
    if UDP in layer:
        # In transport mode over IPv6 scapy would leave the UDP header where it is.
        layer[UDP].underlayer.remove_payload()
        bare = layer / parse(raw)[ESP]
        if bare.version == 4:
            bare.proto, bare.len, bare.chksum = 50, None, None
        else:
            bare.nh, bare.plen = 50, None
        layer = parse(bytes(bare))
    return bytes(made.decrypt(layer))
