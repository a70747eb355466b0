"""Runs inside a peer: opens UDP port 4500 for ESP (RFC 3948), as an IKE daemon would, and stays."""

import os
import signal
import socket

UDP_ENCAP, UDP_ENCAP_ESPINUDP = 100, 2

doors = []
for family in (socket.AF_INET, socket.AF_INET6):
    door = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    door.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
    door.bind(("", 4500))
    doors.append(door)
if os.fork() == 0:
    signal.pause()
