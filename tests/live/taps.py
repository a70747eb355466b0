"""Taps: interfaces whose wire is a file of the test's, and the system's side of the same interfaces."""

import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from edge import PATIENCE
from traffic import IP, Ether
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6, in6_getnsma, in6_getnsmac
from scapy.layers.l2 import ARP
from scapy.utils6 import inet_pton

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETH_P_ALL = 3
PEER = "02:00:00:00:00:77"  # who asks the system's side


def own_network():
    """Starts this program again as root in a network namespace of its own: XDP programs are for root alone."""
    if os.environ.get("PEERLANE_NAMESPACE"):
        return
    os.environ["PEERLANE_NAMESPACE"] = "1"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-E"]
    command = [*as_root, "unshare", "--net", sys.executable, *sys.argv]
    os.execvp(command[0], command)


class Tap:
    """An interface, up, while this is open; what is sent here arrives there."""

    FLAGS = IFF_TAP | IFF_NO_PI

    def __init__(self, name, mac, *addresses):
        self.name, self.mac = name, mac
        self.file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.file, TUNSETIFF, struct.pack("16sH22x", name.encode(), self.FLAGS))
        # No duplicate address detection, no router solicitations.
        for setting in ("accept_dad", "router_solicitations", "accept_ra"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/{setting}").write_text("0")
        subprocess.run(["ip", "link", "set", name, "address", mac, "up"], check=True)
        for address in addresses:
            subprocess.run(["ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else [])],
                           check=True)

    def send(self, frame):
        os.write(self.file, frame)

    def receive(self, wanted=lambda frame: True):
        """The next frame that left by the interface and is wanted."""
        end = time.monotonic() + PATIENCE
        while True:
            left = end - time.monotonic()
            assert left > 0, f"no frame left by {self.name} in {PATIENCE} s"
            if select.select([self.file], [], [], left)[0]:
                frame = os.read(self.file, 4096)
                if wanted(frame):
                    return frame

    def close(self):
        """The interface is gone."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Kernel:
    """What reaches the system's own network stack by an interface."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, 0))
        self.socket.settimeout(PATIENCE)

    def receive(self, wanted=lambda frame: True):
        """The next received frame that is wanted."""
        while True:
            frame, address = self.socket.recvfrom(4096)
            if address[2] != socket.PACKET_OUTGOING and wanted(frame):
                return frame

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def answers(tap, address, source):
    """The system answers ARP and ping for its own address: two frames to it."""
    tap.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER) / ARP(op=1, hwsrc=PEER, psrc=source, pdst=address)))
    reply = Ether(tap.receive(lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02"))
    assert reply[ARP].hwsrc == tap.mac and reply[ARP].psrc == address, reply.summary()
    tap.send(bytes(Ether(dst=tap.mac, src=PEER) / IP(src=source, dst=address) / ICMP(id=7, seq=1) / b"ping"))
    echo = Ether(tap.receive(lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 1))
    return echo[ICMP].type == 0 and echo[IP].src == address


def solicit(tap, address, wait=True):
    """One neighbour solicitation (RFC 4861) to the group of `address`; the MAC of the answer."""
    group = in6_getnsma(inet_pton(socket.AF_INET6, address))
    tap.send(bytes(Ether(dst=in6_getnsmac(group), src=PEER) /
                   IPv6(src="2001:db8::77", dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255) /
                   ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=PEER)))
    if not wait:
        return None
    answer = Ether(tap.receive(lambda frame: ICMPv6ND_NA in Ether(frame)))
    assert answer[ICMPv6ND_NA].tgt == address, answer.summary()
    return answer.src


def xdp_of(interface):
    """What `ip link` says of the XDP program on an interface; None without one."""
    done = subprocess.run(["ip", "-j", "link", "show", "dev", interface], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0].get("xdp")


def program_of(directory, text):
    """An object file with an XDP program."""
    source, target = directory / "other.bpf.c", directory / "other.bpf.o"
    source.write_text(f'#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n{text}\n'
                      'const char other_license[] SEC("license") = "Apache-2.0";\n')
    subprocess.run(["clang-19", "-target", "bpf", "-g", "-O2", "-I/usr/include/x86_64-linux-gnu", "-c", str(source),
                    "-o", str(target)], check=True)
    return str(target)
