"""The shipped example: its captures are what its script makes, and replay does with them what the predictor says."""

import filecmp
import os
import subprocess
import sys
import unittest

import compare
import wire

EXAMPLE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                        "../../config/examples/three-customers"))
PORTS = ["access0", "core0"]


class Example(compare.ReplayCase):
    def test_captures_are_the_scripts(self):
        subprocess.run([sys.executable, os.path.join(EXAMPLE, "make_captures.py"), self.directory], check=True)
        for port in PORTS:
            name = port + ".pcap"
            self.assertTrue(filecmp.cmp(os.path.join(EXAMPLE, name), os.path.join(self.directory, name), False), name)

    def test_every_byte_and_counter(self):
        self.config = os.path.join(EXAMPLE, "edge.yaml")
        frames = [(now, port, frame) for port in PORTS
                  for now, frame in wire.read_pcap(os.path.join(EXAMPLE, port + ".pcap"))]
        _, _, document = self.check(frames, PORTS)
        policed = {(c["customer"], c["direction"]) for c in document["circuits"] if c["policed_packets"]}
        self.assertEqual(policed, {("fabrikam", "to_cloud")})
        drops = set(document["drops"])
        self.assertEqual(drops, {"policed", "unknown_vlan", "source_not_accepted", "no_route", "ttl_expired", "too_big",
                                 "unknown_tunnel"})


if __name__ == "__main__":
    compare.main()
