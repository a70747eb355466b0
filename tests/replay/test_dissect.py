"""Other people's dissectors read what the edge writes: tshark without a complaint, scapy with the same fields."""

import os
import subprocess
import unittest

import compare
from cloud_traffic import CloudTraffic
from edge_config import Edge
from scenario import Scenario
from test_predict import PORTS, owner_numbers

# 8388608 is Wireshark's PI_ERROR.
COMPLAINT = " || ".join(["_ws.malformed", "_ws.expert.severity >= 8388608"] + [
    "%s.checksum.status == 0" % name for name in ("ip", "tcp", "udp", "icmp", "icmpv6", "gre")])
PREFERENCES = ["ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.defragment:FALSE",
               "ipv6.defragment:FALSE"]


class Dissect(compare.ReplayCase):
    def outputs(self):
        Scenario(31, 60).write(self.config)
        edge = Edge(self.config)
        frames = CloudTraffic(edge, owner_numbers(edge), 31, malformed=False).run(4000, 1000)
        return compare.replay(self.config, compare.in_order(frames, PORTS), PORTS, self.directory)

    def tshark(self, port, *arguments):
        command = ["tshark", "-n", "-r", os.path.join(self.directory, "out", port + ".pcap")]
        for preference in PREFERENCES:
            command += ["-o", preference]
        done = subprocess.run(command + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode().splitlines()

    def test_tshark_has_no_complaint(self):
        outputs, _ = self.outputs()
        for port in PORTS:
            lines = self.tshark(port, "-Y", COMPLAINT, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info",
                                "-e", "_ws.expert.message")
            self.assertEqual(lines, [], "%s: tshark complains" % port)
            counted = self.tshark(port, "-Y", "ip.checksum.status == 1 || ipv6", "-T", "fields", "-e", "frame.number")
            self.assertEqual(len(counted), len(outputs[port]), "%s: not every frame is IP" % port)
        complaints = self.tshark("core0", "-Y", "!gre && !icmp && !icmpv6", "-T", "fields", "-e", "frame.number")
        self.assertEqual(complaints, [], "core0: something else than GRE and the edge's echo replies")

    def test_scapy_builds_the_same_bytes(self):
        """A sample, dissected by scapy and built anew with every IP and ICMP checksum and length computed by it."""
        from scapy.layers.inet import ICMP, IP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import GRE, Ether

        outputs, _ = self.outputs()
        for port in PORTS:
            for _, frame in outputs[port][::9]:
                ether = Ether(frame)
                self.assertEqual(bytes(ether), frame)
                layer = ether.payload
                while not isinstance(layer, (IP, IPv6)):
                    layer = layer.payload
                if isinstance(layer.payload, GRE) and port.startswith("core") and isinstance(layer, IP):
                    self.assertEqual((layer.id, int(layer.flags), layer.ttl, layer.proto), (0, 2, 64, 47))
                while isinstance(layer, (IP, IPv6)):
                    self.rebuilt(layer, IP, ICMP, frame)
                    layer = layer.payload.payload if isinstance(layer.payload, GRE) else None

    def rebuilt(self, layer, ip, icmp, frame):
        if not isinstance(layer, ip):
            return
        fresh = layer.copy()
        del fresh.chksum, fresh.len
        self.assertEqual(bytes(fresh), bytes(layer), frame.hex())
        if isinstance(layer.payload, icmp):
            del fresh[icmp].chksum
            self.assertEqual(bytes(fresh), bytes(layer), frame.hex())


if __name__ == "__main__":
    compare.main()
