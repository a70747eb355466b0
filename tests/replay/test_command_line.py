"""What `peerlane replay` says when it is called wrongly, and that nobody's captures are lost by it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import compare
import wire

EXAMPLE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                        "../../config/examples/three-customers"))


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.capture = os.path.join(self.directory, "access0.pcap")
        shutil.copy(os.path.join(EXAMPLE, "access0.pcap"), self.capture)
        self.out = os.path.join(self.directory, "out")

    def run_program(self, *arguments, stdout=subprocess.PIPE):
        return subprocess.run([compare.EXECUTABLE, *arguments], stdout=stdout, stderr=subprocess.PIPE, check=False)

    def replay(self, *arguments, port="access0", capture=None, out=None, **more):
        return self.run_program("replay", "--config", os.path.join(EXAMPLE, "edge.yaml"), "--in",
                                "%s=%s" % (port, capture or self.capture), "--out-dir", out or self.out, *arguments, **more)

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr.decode())

    def test_an_input_is_never_overwritten(self):
        with open(self.capture, "rb") as before:
            octets = before.read()
        self.refused(self.replay(out=self.directory), "would be overwritten", "--out-dir")
        self.refused(self.replay("--json", self.capture), "would be overwritten", "--json")
        with open(self.capture, "rb") as after:
            self.assertEqual(after.read(), octets)

    def test_inputs_that_cannot_be_read(self):
        self.refused(self.replay(port="access9"), "access9", "access0, core0")
        missing = os.path.join(self.directory, "none.pcap")
        self.refused(self.replay(capture=missing), missing)
        noise = os.path.join(self.directory, "noise.pcap")
        with open(noise, "wb") as file:
            file.write(b"no capture at all, but long enough for a header")
        self.refused(self.replay(capture=noise), noise)
        with open(self.capture, "r+b") as file:
            file.seek(20)
            file.write((101).to_bytes(4, "little"))  # LINKTYPE_RAW
        self.refused(self.replay(), "not a capture of Ethernet frames")

    def test_a_capture_cut_short_is_used_as_far_as_it_goes(self):
        whole = len(wire.read_pcap(self.capture))
        os.truncate(self.capture, os.path.getsize(self.capture) - 1)
        done = self.replay("--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"warning", done.stderr)
        self.assertEqual(json.loads(done.stdout)["ports"]["access0"]["received"], whole - 1)

    def test_an_empty_capture(self):
        wire.write_pcap(self.capture, [])
        done = self.replay("--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["ports"]["access0"]["received"], 0)
        for port in ("access0", "core0"):
            self.assertEqual(wire.read_pcap(os.path.join(self.out, port + ".pcap")), [])

    def test_outputs_that_cannot_be_written(self):
        self.refused(self.replay(out=os.path.join(self.capture, "below-a-file")), "--out-dir")
        self.refused(self.replay("--json", os.path.join(self.directory, "none", "counters.json")), "counters.json")
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.replay("--json", "-", stdout=full).returncode, 1)

    def test_commands_that_are_none(self):
        self.refused(self.run_program("bogus"), "there is no command `bogus`", "replay")
        done = self.run_program("--version")
        self.assertEqual((done.returncode, done.stdout.split()[0]), (0, b"peerlane"))


if __name__ == "__main__":
    compare.main()
