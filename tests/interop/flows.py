"""Echoes between the peers: of every circuit at once, both ways at once."""

import json
import shlex
from pathlib import Path

from lab import CLOUD, CUSTOMER
from live import PATIENCE

HERE = Path(__file__).resolve().parent
WINDOW = 4  # of each circuit and way: all together fit the shortest queue on the way


class Echoes:
    """Requests from one peer in all its circuits, with the IP lengths `lengths(circuit)`, each `rounds` times.

    `pause`: seconds between the looks for answers, each of which may lead to more requests.
    """

    def __init__(self, peer, circuits, target, lengths, rounds, pause=0):
        order = json.dumps({"target": target, "circuits": {one.name: lengths(one) for one in circuits},
                            "rounds": rounds, "window": WINDOW, "patience": PATIENCE / 2, "pause": pause})
        self.peer = peer
        self.job = peer.begin(f"python3 -B {peer.put(HERE / 'guest_echo.py')} {shlex.quote(order)}")

    def stop(self):
        self.peer.run(": >/tmp/enough")

    def answered(self):
        """By circuit, how many were sent; each of them was answered once."""
        result = json.loads(self.job.wait(patience=3 * PATIENCE))
        for name, one in result.items():
            assert one["sent"] == one["answered"] > 0 and not one["wrong"], (self.peer.name, name, one)
        return {name: one["sent"] for name, one in result.items()}


def echo_both_ways(lab, lengths, inner=4, rounds=3):
    """Customers to clouds and clouds to customers; returns the packets that each circuit saw each way."""
    there = Echoes(lab.router, lab.circuits, CLOUD[inner], lengths, rounds)
    back = Echoes(lab.gateway, lab.circuits, CUSTOMER[inner], lengths, rounds)
    there, back = there.answered(), back.answered()
    assert len(there) == len(back) == len(lab.circuits)
    return {name: there[name] + back[name] for name in there}
