"""Edges whose tunnels are protected, and the far end of ESP, opened and sealed by tests/replay/esp.py."""

import hashlib
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "replay"))

import esp  # noqa: E402
from edge import configuration, customer  # noqa: E402
from traffic import from_cloud, from_customer, to_access, to_core  # noqa: E402, F401

ETHERNET, IP = 14, 20
SUITE = "aes-gcm-128"


def material(name, suite=SUITE):
    return hashlib.shake_256(name.encode()).digest(esp.SUITES[suite].material)


def outbound(name, spi, suite=SUITE, **more):
    return {"spi": spi, "key": material(name, suite).hex(), **more}


def inbound(name, spi, suite=SUITE):
    return {"spi": spi, "key": material(name, suite).hex()}


def protected(directory, access, core, ipsec, **more):
    """One customer, whose only tunnel is protected as `ipsec` says."""
    one = customer("contoso", 100, 0x2A01)
    one["circuits"][0]["peerings"][0]["virtual_networks"][0]["ipsec"] = ipsec
    model = configuration(directory, access, core, customers=[one], **more)
    model["edge"].update(state_dir=str(Path(directory) / "state"), state_dir_volatile=True)
    return model


class FarEnd:
    """The gateway's side of one SA."""

    def __init__(self, name, spi, suite=SUITE):
        self.association = esp.Association(esp.SUITES[suite], material(name, suite), spi)
        self.sequence = 0

    def seal(self, number, size=100):
        """An Ethernet frame from the cloud in tunnel mode."""
        self.sequence += 1
        clear = from_cloud(0x2A01, number, size)
        packet = self.association.seal(self.sequence, 4, clear[ETHERNET:])
        return clear[:ETHERNET] + esp.carry(bytes([198, 51, 100, 7]), bytes([192, 0, 2, 1]), packet)

    def open(self, frame, size=100):
        """(sequence, number) of a frame to the gateway."""
        sequence, next_header, inside = self.association.open(frame[ETHERNET + IP:])
        assert next_header == 4, next_header
        key, number = to_core(frame[:ETHERNET] + inside, size)
        assert key == 0x2A01, key
        return sequence, number


def spi_of(frame):
    assert frame[ETHERNET + 9] == 50, "not ESP: " + frame.hex()
    return struct.unpack_from("!I", frame, ETHERNET + IP)[0]


def sequence_of(frame):
    return struct.unpack_from("!I", frame, ETHERNET + IP + 4)[0]


def iv_of(frame):
    return frame[ETHERNET + IP + 8:][:8]
