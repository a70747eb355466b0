"""Which link of a pair a packet takes: the lowest bit of CRC-32C (RFC 3720) over its flow."""

import wire

POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41, the lowest bit first


def table_entry(octet):
    for _ in range(8):
        octet = octet >> 1 ^ (POLYNOMIAL if octet & 1 else 0)
    return octet


TABLE = [table_entry(octet) for octet in range(256)]


def crc32c(octets):
    crc = 0xFFFFFFFF
    for octet in octets:
        crc = TABLE[(crc ^ octet) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def flow(packet):
    """The octets that all packets of a flow have in common; `packet` is a wire.Ip."""
    octets = packet.src + packet.dst + bytes([packet.protocol])
    whole = packet.version == 6 or not packet.fragment
    if packet.protocol in (wire.TCP, wire.UDP) and whole and len(packet.payload) >= 4:
        octets += packet.payload[:4]
    return octets


def link(pair, packet):
    """With both links alive, as they are in a replay."""
    return pair.secondary if crc32c(flow(packet)) & 1 else pair.primary
