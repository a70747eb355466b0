"""ESP from the RFCs alone (RFC 4303 with 3602, 4106, 4304, 4868, 7634, and 3948 for UDP), one packet at a time.

An association is what both ends share. Sequence numbers are 64 bits wide; only the lower half travels.
"""

import hmac
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

import wire

ESP, DUMMY = 50, 59
UDP_PORT = 4500


class Refused(Exception):
    """What is wrong with a packet, by the name of the drop."""


@dataclass(frozen=True)
class Suite:
    """Lengths in octets. The key material is cipher key, then salt, then authentication key."""

    name: str
    cipher: object
    key: int
    salt: int
    authentication: int
    iv: int
    block: int
    icv: int = 16

    @property
    def aead(self):
        return self.salt > 0

    @property
    def material(self):
        return self.key + self.salt + self.authentication


SUITES = {suite.name: suite for suite in (
    Suite("aes-gcm-128", AESGCM, 16, 4, 0, 8, 4),
    Suite("aes-gcm-256", AESGCM, 32, 4, 0, 8, 4),
    Suite("aes-cbc-128-hmac-sha256-128", algorithms.AES, 16, 0, 32, 16, 16),
    Suite("aes-cbc-256-hmac-sha256-128", algorithms.AES, 32, 0, 32, 16, 16),
    Suite("chacha20-poly1305", ChaCha20Poly1305, 32, 4, 0, 8, 4),
)}


def trailer(length, block, next_header):
    """Padding 1, 2, 3 … so that `length` octets and the trailer fill whole blocks (RFC 4303 section 2.4)."""
    pad = -(length + 2) % block
    return bytes(range(1, pad + 1)) + bytes([pad, next_header])


def split_trailer(text):
    """(payload, next header) of decrypted text; raises Refused as RFC 4303 sections 2.4 and 3.4.4.1 have it."""
    if len(text) < 2:
        raise Refused("esp_truncated")
    pad, next_header = text[-2:]
    if pad + 2 > len(text):
        raise Refused("esp_bad_pad_length")
    end = len(text) - 2 - pad
    if text[end:-2] != bytes(range(1, pad + 1)):
        raise Refused("esp_bad_padding")
    return text[:end], next_header


@dataclass(frozen=True)
class Association:
    suite: Suite
    material: bytes
    spi: int
    esn: bool = False

    @property
    def cipher_key(self):
        return self.material[: self.suite.key]

    @property
    def salt(self):
        return self.material[self.suite.key :][: self.suite.salt]

    def mac(self, data, sequence):
        """HMAC-SHA-256-128 over the packet, and the upper half behind it (RFC 4303 section 2.2.1)."""
        key = self.material[self.suite.key :]
        high = struct.pack("!I", sequence >> 32) if self.esn else b""
        return hmac.digest(key, data + high, "sha256")[:16]

    def aad(self, sequence):
        """RFC 4106 section 5, RFC 7634 section 2.1."""
        return struct.pack("!IQ", self.spi, sequence) if self.esn else struct.pack("!II", self.spi, sequence)

    def seal(self, sequence, next_header, payload, iv=None):
        """The packet from the SPI to the ICV. Without `iv`, that of lane 0 (counter suites only)."""
        return self.seal_text(sequence, payload + trailer(len(payload), self.suite.block, next_header), iv)

    def seal_text(self, sequence, text, iv=None):
        """`text` is encrypted as it is, right trailer or not; whole blocks if the cipher needs them."""
        head = struct.pack("!II", self.spi, sequence & 0xFFFFFFFF)
        if self.suite.aead:
            iv = struct.pack("!Q", sequence) if iv is None else iv
            return head + iv + self.suite.cipher(self.cipher_key).encrypt(self.salt + iv, text, self.aad(sequence))
        run = Cipher(self.suite.cipher(self.cipher_key), modes.CBC(iv)).encryptor()
        packet = head + iv + run.update(text) + run.finalize()
        return packet + self.mac(packet, sequence)

    def check(self, packet):
        """Raises Refused if a packet from the SPI to the ICV has a length or an SPI that cannot be."""
        length = len(packet) - 8 - self.suite.iv - self.suite.icv
        if length < 2:
            raise Refused("esp_truncated")
        if length % self.suite.block:
            raise Refused("esp_not_blocks")
        if int.from_bytes(packet[:4], "big") != self.spi:
            raise Refused("esp_unknown_spi")

    def open_text(self, packet, high=0):
        """(sequence, decrypted text) of a packet from the SPI to the ICV; `high` is the upper half with ESN."""
        self.check(packet)
        suite, low = self.suite, int.from_bytes(packet[4:8], "big")
        sequence = high << 32 | low if self.esn else low
        iv, body = packet[8 : 8 + suite.iv], packet[8 + suite.iv :]
        if suite.aead:
            try:
                text = suite.cipher(self.cipher_key).decrypt(self.salt + iv, bytes(body), self.aad(sequence))
            except InvalidTag as error:
                raise Refused("esp_bad_icv") from error
            return sequence, text
        if not hmac.compare_digest(self.mac(packet[:-16], sequence), packet[-16:]):
            raise Refused("esp_bad_icv")
        run = Cipher(suite.cipher(self.cipher_key), modes.CBC(iv)).decryptor()
        return sequence, run.update(body[:-16]) + run.finalize()

    def open(self, packet, high=0):
        """(sequence, next header, payload)."""
        sequence, text = self.open_text(packet, high)
        payload, next_header = split_trailer(text)
        return sequence, next_header, payload


def sealed_length(suite, payload):
    """Octets from the SPI to the ICV around `payload` octets."""
    return 8 + suite.iv + payload + len(trailer(payload, suite.block, 0)) + suite.icv


def udp(src, dst, packet):
    """RFC 3948 section 2.1: no checksum over IPv4; over IPv6 one must be there (RFC 8200 section 8.1)."""
    length = 8 + len(packet)
    head = struct.pack("!HHHH", UDP_PORT, UDP_PORT, length, 0)
    if len(src) == 16:
        value = wire.checksum(head + packet, wire.pseudo_sum(src, dst, wire.UDP, length)) or 0xFFFF
        head = head[:6] + struct.pack("!H", value)
    return head + packet


def carry(src, dst, packet, encapsulated=False, tos=0, **fields):
    """The IP packet that carries an ESP packet, with DF and ID 0, inside UDP if `encapsulated`."""
    protocol = wire.UDP if encapsulated else ESP
    body = udp(src, dst, packet) if encapsulated else packet
    build = wire.ipv4 if len(src) == 4 else wire.ipv6
    return build(src, dst, protocol, body, tos=tos, **fields)


def carried(packet):
    """(ESP packet, in UDP or not) of a parsed IP packet that carries one, UDP's own fields checked; None if none."""
    if packet.protocol == ESP:
        return packet.payload, False
    if packet.protocol != wire.UDP or len(packet.payload) < 8:
        return None
    source, target, length, value = struct.unpack_from("!HHHH", packet.payload)
    if (source, target, length) != (UDP_PORT, UDP_PORT, len(packet.payload)) or bool(value) != (packet.version == 6):
        return None
    if value and wire.ones_sum(packet.payload, wire.pseudo_sum(packet.src, packet.dst, wire.UDP, length)) != 0xFFFF:
        return None
    return packet.payload[8:], True
