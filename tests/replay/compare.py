"""Runs `peerlane replay` and holds what it says and writes against the prediction."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import wire
from edge_config import Edge
from model import Predictor

EXECUTABLE = None
COUNTS = ("received", "originated", "sent", "dropped", "punted", "held", "transmitted")
CIRCUIT_COUNTS = ("packets", "bytes", "policed_packets", "policed_bytes")


def in_order(frames, ports):
    """The order replay takes them in: by time, then by the order of the inputs, then of the file."""
    return sorted(frames, key=lambda item: (item[0], ports.index(item[1])))


def replay(config, frames, ports, directory, microsecond_ports=()):
    """Runs the product; returns ({port: [(ns, frame)]}, JSON document)."""
    command = [EXECUTABLE, "replay", "--config", config]
    for port in ports:
        path = os.path.join(directory, port + "-in.pcap")
        wire.write_pcap(path, [(now, frame) for now, name, frame in frames if name == port],
                        nanoseconds=port not in microsecond_ports)
        command += ["--in", "%s=%s" % (port, path)]
    out, counters = os.path.join(directory, "out"), os.path.join(directory, "counters.json")
    done = subprocess.run(command + ["--out-dir", out, "--json", counters], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise AssertionError("replay ended with %d:\n%s" % (done.returncode, done.stderr.decode()[-3000:]))
    with open(counters, encoding="utf-8") as source:
        document = json.load(source)
    return {name: wire.read_pcap(os.path.join(out, name + ".pcap")) for name in document["ports"]}, document


def show(frame):
    return "-" if frame is None else frame.hex()


def first_difference(name, want, got, causes, frames, fates):
    """One text about the first output of a port that is not the predicted one, or None."""
    for number in range(max(len(want), len(got))):
        expected = want[number] if number < len(want) else (None, None)
        actual = got[number] if number < len(got) else (None, None)
        if expected == actual:
            continue
        text = "%s: output %d of %d (got %d in all) differs\n" % (name, number, len(want), len(got))
        text += "  expected %s %s\n  actual   %s %s\n" % (expected[0], show(expected[1]), actual[0], show(actual[1]))
        if number < len(causes):
            cause = causes[number]
            text += "  caused by input %d on %s at %d, fate %s\n  input    %s\n" % (
                cause, frames[cause][1], frames[cause][0], fates[cause], show(frames[cause][2]))
        return text
    return None


def row_differences(kind, want, rows, keys):
    """Texts about the rows of one list of the JSON document; a row that is not predicted must count nothing."""
    found = []
    if kind == "tunnels":
        rows = {(wire.packed(row[0]), wire.packed(row[1])) + row[2:]: counts for row, counts in rows.items()}
    for name in sorted(set(want) | set(rows), key=str):
        for key in keys:
            expected, actual = want.get(name, {}).get(key, 0), rows.get(name, {}).get(key)
            if expected != (actual or 0):
                found.append("%s %s %s: expected %d, got %s" % (kind, name, key, expected, actual))
    return found


def counter_differences(predicted, document):
    """Texts about every counter of the contract that is not as predicted or does not balance."""
    found = []
    for name, counts in predicted.ports.items():
        actual = document["ports"][name]
        for key in COUNTS:
            if actual.get(key) != counts[key]:
                found.append("ports.%s.%s: expected %d, got %s" % (name, key, counts[key], actual.get(key)))
        if actual["received"] + actual["originated"] != sum(actual[k] for k in ("sent", "dropped", "punted", "held")):
            found.append("ports.%s does not balance: %s" % (name, actual))
    dropped = sum(counts["dropped"] for counts in predicted.ports.values())
    if sum(document["drops"].values()) != dropped:
        found.append("drops: expected %d in all, got %d" % (dropped, sum(document["drops"].values())))
    named = [("circuits", predicted.circuits, ("customer", "circuit", "link", "direction"), CIRCUIT_COUNTS),
             ("peerings", predicted.peerings, ("customer", "circuit", "peering", "link", "direction"),
              (*CIRCUIT_COUNTS[:2], "tpid_mismatches")),
             ("tunnels", predicted.tunnels, ("local", "remote", "key", "link", "direction"), CIRCUIT_COUNTS[:2])]
    for kind, want, identity, keys in named:
        found += row_differences(kind, want, {tuple(row[key] for key in identity): row for row in document[kind]}, keys)
    return found


def differences(predicted, frames, outputs, document):
    found = [] if set(outputs) == set(predicted.outputs) else ["ports: got files for %s" % sorted(outputs)]
    for name, want in predicted.outputs.items():
        text = first_difference(name, want, outputs.get(name, []), predicted.causes[name], frames, predicted.fates)
        if text:
            found.append(text)
    return found + counter_differences(predicted, document)


class ReplayCase(unittest.TestCase):
    """A test with a directory of its own and the executable named on the command line."""

    maxDiff = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="peerlane-replay-")
        self.addCleanup(scratch.cleanup)
        self.directory = scratch.name
        self.config = os.path.join(self.directory, "edge.yaml")

    def check(self, frames, ports, microsecond_ports=(), label=""):
        """Replays `frames` over self.config and compares everything; returns (prediction, outputs, JSON)."""
        frames = in_order(frames, ports)
        predicted = Predictor(Edge(self.config)).run(frames)
        outputs, document = replay(self.config, frames, ports, self.directory, microsecond_ports)
        found = differences(predicted, frames, outputs, document)
        if found:
            self.fail("%s: %d differences\n%s" % (label, len(found), "\n".join(found[:20])))
        return predicted, outputs, document


def main():
    global EXECUTABLE
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: %s PEERLANE [unittest arguments]" % sys.argv[0])
    # The tests import this file under its own name; that copy gets the path.
    sys.modules["compare"].EXECUTABLE = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__")
