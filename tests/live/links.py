"""Links: veth pairs in a network namespace of the test's own, and frames on their far ends."""

import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from edge import PATIENCE

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8


def own_namespace():
    """Starts this program again where it may make interfaces, without being root and without touching the host's."""
    if os.environ.get("PEERLANE_NAMESPACE"):
        return
    os.environ["PEERLANE_NAMESPACE"] = "1"
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]  # a user namespace, where the system lets one have it
    os.execvp("unshare", ["unshare", "--net", *as_root, sys.executable, *sys.argv])


def make_links(*pairs):
    """`pairs` of interface names, both ends up."""
    for setting in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{setting}/disable_ipv6").write_text("1")  # no frames but the test's
    for near, far in pairs:
        subprocess.run(["ip", "link", "add", near, "mtu", "2000", "type", "veth", "peer", "name", far, "mtu", "2000"],
                       check=True)
        for name in (near, far):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)


class Wire:
    """The far end of a pair; without a name, all interfaces."""

    def __init__(self, interface=None):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        if interface:
            self.socket.bind((interface, 0))
        self.socket.settimeout(PATIENCE)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        """The next frame from the edge, with the tag that the kernel took off put back."""
        return self.receive_from()[1]

    def receive_from(self):
        """The interface it came by, and the frame."""
        while True:
            frame, auxiliary, _, address = self.socket.recvmsg(16384, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, data in auxiliary:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
            return address[0], frame

    def waiting(self):
        """Every frame that is there already."""
        self.socket.setblocking(False)
        try:
            while True:
                yield self.receive()
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(PATIENCE)
