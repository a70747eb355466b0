"""Captures that others wrote: pcapng of one and of several interfaces, other link types, damaged files."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import compare
import wire

EXAMPLE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                        "../../config/examples/three-customers"))
SLL2, ETHERNET = 276, 1


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order, link_type, resolution=None, offset=None):
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset is not None:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options + struct.pack(order + "HH", 0, 0))


def packet(order, index, stamp, frame):
    return block(order, 6, struct.pack(order + "IIIII", index, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
                 + frame)


class Captures(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.access = os.path.join(EXAMPLE, "access0.pcap")
        self.frames = wire.read_pcap(self.access)

    def path(self, name, content=None):
        path = os.path.join(self.directory, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def replay(self, capture, *arguments):
        out = self.path("out")
        done = subprocess.run([compare.EXECUTABLE, "replay", "--config", os.path.join(EXAMPLE, "edge.yaml"), "--in",
                               "access0=" + capture, "--out-dir", out, *(arguments or ("--json", "-"))],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return done, out

    def outcome(self, capture):
        """The counters, and every packet that left with its time."""
        done, out = self.replay(capture)
        self.assertEqual(done.returncode, 0, done.stderr)
        sent = {port: wire.read_pcap(os.path.join(out, port + ".pcap")) for port in ("access0", "core0")}
        self.assertGreater(len(sent["core0"]), 100)
        return json.loads(done.stdout), sent, done.stderr

    def test_pcapng_that_wireshark_wrote_is_as_good_as_pcap(self):
        converted = self.path("converted.pcapng")
        subprocess.run(["editcap", "-F", "pcapng", self.access, converted], check=True)
        counters, sent, said = self.outcome(converted)
        self.assertEqual((counters, sent), self.outcome(self.access)[:2])
        self.assertEqual(said, b"")

    def test_only_the_ethernet_frames_of_several_interfaces_are_replayed(self):
        other = self.path("other.pcap", struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, SLL2)
                          + struct.pack("<IIII", 1, 0, 40, 40) + bytes(40))
        mixed = self.path("mixed.pcapng")
        subprocess.run(["mergecap", "-F", "pcapng", "-w", mixed, other, self.access], check=True)
        counters, sent, said = self.outcome(mixed)
        self.assertEqual((counters, sent), self.outcome(self.access)[:2])
        for word in (b"warning", b"1 packets are not Ethernet", b"LINUX_SLL2 (276)"):
            self.assertIn(word, said)

    def test_byte_orders_resolutions_and_sections(self):
        """One packet a section; the times are the same, said in other units."""
        wanted = self.outcome(self.access)
        content = b""
        for number, (time, frame) in enumerate(self.frames):
            order = "<>"[number % 2]
            seconds, rest = divmod(time, 10**9)
            # Nanoseconds, those since the second, and 1/2^32 s, rounded up so that they are the same when cut.
            stamp, resolution, offset = [(time, 9, None), (rest, 9, seconds),
                                         (-(-rest * 2**32 // 10**9), 0x80 | 32, seconds)][number % 3]
            content += section(order) + interface(order, SLL2) + interface(order, ETHERNET, resolution, offset)
            content += packet(order, 1, stamp, frame)
        self.assertEqual(self.outcome(self.path("sections.pcapng", content))[:2], wanted[:2])

    def test_what_has_no_ethernet_frame_fails(self):
        content = section("<") + interface("<", SLL2) + packet("<", 0, 1, bytes(60))
        done, _ = self.replay(self.path("none.pcapng", content))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"none.pcapng: 1 packets are not Ethernet but LINUX_SLL2 (276); no packet can be replayed",
                      done.stderr)
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, SLL2)
        done, _ = self.replay(self.path("sll2.pcap", header + struct.pack("<IIII", 1, 0, 40, 40) + bytes(40)))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"LINUX_SLL2", done.stderr)

    def test_damaged_files(self):
        whole = section("<") + interface("<", ETHERNET, 9)
        first = packet("<", 0, 10**9, self.frames[0][1])
        # Nothing of it can be used.
        unused = [whole + first[:-5], whole + packet("<", 7, 1, bytes(60)), section("<")[:20],
                  whole + struct.pack("<II", 6, 13) + bytes(60), whole + struct.pack("<II", 6, 0xFFFFFFF0) + bytes(60)]
        for number, content in enumerate(unused):
            done, _ = self.replay(self.path("damaged%d.pcapng" % number, content))
            self.assertEqual(done.returncode, 1, number)
            self.assertIn(b"no packet can be read", done.stderr)
        done, _ = self.replay(self.path("half.pcap", struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET)
                                        + bytes(9)))
        self.assertEqual(done.returncode, 1)
        # What stands before the damage is replayed.
        done, _ = self.replay(self.path("cut.pcapng", whole + first + first[:-1]))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"the packets before that are used", done.stderr)
        self.assertEqual(json.loads(done.stdout)["ports"]["access0"]["received"], 1)

    def test_counters_that_cannot_be_written_are_noticed_first(self):
        done, out = self.replay(self.access, "--json", self.path("none") + "/counters.json")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"counters.json", done.stderr)
        self.assertEqual(wire.read_pcap(os.path.join(out, "core0.pcap")), [])


if __name__ == "__main__":
    compare.main()
