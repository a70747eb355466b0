"""A VLAN of an interface as an interface of this namespace's kernel, on machines whose kernel has no module 8021q."""

import os
import select
import struct
import subprocess
import threading

from links import Wire
from peer import make_tap

LARGEST = 2018  # octets: a frame of the largest MTU of these taps


class VlanShim:
    """While this is open, `name` is what `ip link add link BELOW name NAME type vlan id VID` would make.

    It is a tap, and a packet socket on the interface below joins the two. The kernel takes the outer tag out of what
    comes in by a tap, 8021q or not, and tells it in PACKET_AUXDATA; so `Wire` puts it back. What is sent by a packet
    socket goes out with the tag as octets of the frame.
    """

    def __init__(self, below, name, vid, address):
        self.wire, self.tag = Wire(below), struct.pack("!HH", 0x8100, vid)
        self.tap = make_tap(name)
        mac = self.wire.socket.getsockname()[4].hex(":")  # such an interface has the MAC of the one below
        for command in (f"link set {name} address {mac}", f"address add {address} dev {name}"):
            subprocess.run(["ip", *command.split()], check=True)
        self.enough = os.eventfd(0)
        self.thread = threading.Thread(target=self.carry)

    def carry(self):
        while True:
            ready, _, _ = select.select([self.enough, self.tap, self.wire.socket], [], [])
            if self.enough in ready:
                return
            if self.tap in ready:
                frame = os.read(self.tap, LARGEST)
                self.wire.send(frame[:12] + self.tag + frame[12:])
            for frame in self.wire.waiting():
                if frame[12:16] == self.tag:
                    os.write(self.tap, frame[:12] + frame[16:])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.eventfd_write(self.enough, 1)
        self.thread.join()
        self.wire.socket.close()
        for descriptor in (self.enough, self.tap):
            os.close(descriptor)
