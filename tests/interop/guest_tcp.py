"""Runs inside a peer: one TCP transfer.

`serve ADDRESS PORT` takes one and answers with its SHA-256. `send ADDRESS PORT OCTETS` sends, compares, and prints JSON
{"mss", "again", "seconds"}: what fits a segment in the end, how many were sent again, how long it took.
"""

import hashlib
import json
import socket
import struct
import sys
import time

TOTAL_RETRANS = 100  # where tcpi_total_retrans is in struct tcp_info
CHUNK = 1 << 16


def serve(address, port):
    with socket.create_server((address, int(port)), family=family(address)) as listening:
        connection, _ = listening.accept()
        with connection:
            digest = hashlib.sha256()
            while chunk := connection.recv(CHUNK):
                digest.update(chunk)
            connection.sendall(digest.digest())


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port):
    """Waits until the other peer listens."""
    while True:
        connection = socket.socket(family(address))
        connection.settimeout(120)
        try:
            connection.connect((address, port))
            return connection
        except ConnectionRefusedError:
            connection.close()
            time.sleep(0.05)


def send(address, port, octets):
    connection = connect(address, int(port))
    start = time.monotonic()
    pattern = bytes(i * 7 & 0xFF for i in range(CHUNK))
    digest, left = hashlib.sha256(), int(octets)
    while left:
        chunk = pattern[:left]
        connection.sendall(chunk)
        digest.update(chunk)
        left -= len(chunk)
    connection.shutdown(socket.SHUT_WR)
    answer = b""
    while chunk := connection.recv(CHUNK):
        answer += chunk
    if answer != digest.digest():
        sys.exit("what arrived is not what was sent")
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    print(json.dumps({
        "mss": connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG),
        "again": struct.unpack_from("I", info, TOTAL_RETRANS)[0], "seconds": time.monotonic() - start}))


{"serve": serve, "send": send}[sys.argv[1]](*sys.argv[2:])
