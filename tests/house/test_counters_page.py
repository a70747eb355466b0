"""docs/counters.md against the list of drop reasons and against what `peerlane replay --json` really writes."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT, PEERLANE = sys.argv.pop(1), sys.argv.pop(1)
EXAMPLE = os.path.join(ROOT, "config/examples/three-customers")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        return source.read()


def keys(value):
    """Every name in a JSON document, but those of ports and drop reasons, which are values of the edge."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, inner in value.items():
        found.add(name)
        if name == "ports":
            found |= set().union(*map(keys, inner.values()))
        elif name != "drops":
            found |= keys(inner)
    return found


class CountersPage(unittest.TestCase):
    maxDiff = None

    def test_reasons_are_those_of_the_code(self):
        text = read("dataplane/pipeline/fate.hpp")
        listed = text[text.index("#define PEERLANE_DROP_REASONS"):text.index("// clang-format on")]
        code = re.findall(r'X\((\w+), (\w+), "([^"]*)"\)', listed)
        page = re.findall(r"^\| `(\w+)` \| (port|circuit) \| (.*) \|$", read("docs/counters.md"), re.MULTILINE)
        self.assertGreater(len(code), 20)
        self.assertEqual(page, code)

    def test_names_are_those_of_replay(self):
        page = set(re.findall(r"`(\w+)`", read("docs/counters.md")))
        with tempfile.TemporaryDirectory(prefix="peerlane-counters-") as out:
            command = [PEERLANE, "replay", "--config", EXAMPLE + "/edge.yaml", "--out-dir", out, "--json", "-"]
            for port in ("access0", "core0"):
                command += ["--in", "%s=%s/%s.pcap" % (port, EXAMPLE, port)]
            names = keys(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
        self.assertGreater(len(names), 20)
        self.assertEqual(sorted(names - page), [])


if __name__ == "__main__":
    unittest.main()
