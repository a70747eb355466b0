"""Runs inside a peer: ICMP echo requests of several customers at once. Each must be answered, unaltered and once.

ping(8) gives a late answer up for lost, and on a busy machine answers are late. Here only the patience counts.
Argument: JSON {"target", "circuits": {NAME: [IP lengths]}, "rounds", "window", "patience", "pause"}; rounds 0 goes on
until the file /tmp/enough is there. Output: JSON {NAME: {"sent", "answered", "wrong"}}.
"""

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2
SOL_RAW, ICMP_FILTER, ICMPV6_FILTER = 255, 1, 1  # what is 1 there is not for this socket: no requests fill its queue
REQUEST, REPLY, HEADERS = {4: 8, 6: 128}, {4: 0, 6: 129}, {4: 28, 6: 48}  # RFC 792, RFC 4443


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Flow:
    """The echoes of one customer."""

    def __init__(self, name, target, lengths):
        self.lengths, self.target, self.family = lengths, target, 6 if ":" in target else 4
        with open(f"/run/netns/{name}", encoding="ascii") as namespace:
            if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(f"cannot enter the namespace {name}")
        if self.family == 4:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            self.socket.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("I", ~(1 << REPLY[4]) & 0xFFFFFFFF))
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        else:
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            blocked = ((1 << 256) - 1) ^ (1 << REPLY[6])
            self.socket.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, blocked.to_bytes(32, "little"))
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
        self.socket.setblocking(False)
        self.identifier = os.getpid() & 0xFFFF
        self.sent, self.answered, self.wrong = 0, 0, []
        self.waiting = {}

    def send(self):
        length = self.lengths[self.sent % len(self.lengths)] - HEADERS[self.family]
        text = struct.pack("!I", self.sent) + bytes((self.sent + i) & 0xFF for i in range(length - 4))
        head = struct.pack("!BBHHH", REQUEST[self.family], 0, 0, self.identifier, self.sent & 0xFFFF)
        if self.family == 4:  # the kernel does it for ICMPv6
            head = head[:2] + struct.pack("!H", checksum(head + text)) + head[4:]
        self.socket.sendto(head + text, (self.target, 0))
        self.waiting[self.sent] = text
        self.sent += 1

    def receive(self):
        while True:
            try:
                packet, sender = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            message = packet[(packet[0] & 15) * 4:] if self.family == 4 else packet
            kind, _, _, identifier = struct.unpack_from("!BBHH", message)
            if kind != REPLY[self.family] or identifier != self.identifier:
                continue
            number = struct.unpack_from("!I", message, 8)[0]
            if sender[0] == self.target and self.waiting.pop(number, None) == message[8:]:
                self.answered += 1
            else:
                self.wrong.append(message.hex())


def run(target, circuits, rounds, window, patience, pause):
    flows = {name: Flow(name, target, lengths) for name, lengths in circuits.items()}
    poll = select.poll()
    for one in flows.values():
        poll.register(one.socket, select.POLLIN)
    by_number = {one.socket.fileno(): one for one in flows.values()}
    heard = time.monotonic()
    while time.monotonic() - heard < patience:
        enough = rounds == 0 and os.path.exists("/tmp/enough")
        for one in flows.values():
            wanted = rounds * len(one.lengths) or (0 if enough else one.sent + window)
            while one.sent < wanted and len(one.waiting) < window:
                one.send()
        if not any(one.waiting for one in flows.values()):
            break
        time.sleep(pause)
        for number, _ in poll.poll(1000):
            by_number[number].receive()
            heard = time.monotonic()
    return {name: {"sent": one.sent, "answered": one.answered, "wrong": one.wrong} for name, one in flows.items()}


print(json.dumps(run(**json.loads(sys.argv[1]))))
