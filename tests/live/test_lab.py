#!/usr/bin/python3
"""The testpmd lab of docs/lab.md: each way and both at once, counts compared on both ends of both wires."""

import json
import subprocess
import sys
from pathlib import Path

from edge import main

LAB = Path(__file__).resolve().parents[2] / "perf" / "lab" / "lab.py"
PACKETS, CUSTOMERS = 20_000, 16


def nothing_is_unaccounted_for(program, _directory):
    done = subprocess.run([sys.executable, "-B", str(LAB), "--peerlane", program, "--packets", str(PACKETS),
                           "--customers", str(CUSTOMERS), "--idle", "sleep", "--json"],
                          capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, (done.stdout, done.stderr)
    phases = json.loads(done.stdout)
    assert [phase["name"] for phase in phases] == ["to_cloud", "to_customer", "both"], phases
    for phase in phases:
        assert phase["balanced"], phase
        for row in phase["rows"]:
            assert row["offered"] == PACKETS and row["sent"] == row["received"] > 0, phase
            assert row["received"] == row["forwarded"] + row["dropped"] and row["forwarded"] == row["returned"], phase
        assert set(phase["drops"]) <= {"tx_full"}, phase  # a generator that cannot keep up with what comes back


main(nothing_is_unaccounted_for)
