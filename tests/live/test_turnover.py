#!/usr/bin/python3
"""Every port type whose buffers the kernel meets, in ordinary memory and in hugepages: all buffers are used many times over both ways, and none is lost
for good. Runs alone, since others would take its hugepages."""

import contextlib
import re
from pathlib import Path

from edge import Edge, configuration, main
from taps import own_network
from turnover import Hugepages, port_types, turn_over


def run(program, directory, kind):
    """Returns what the edge says of its memory."""
    with contextlib.ExitStack() as stack:
        ends = [stack.enter_context(contextlib.closing(make())) for make in kind.before]
        model = configuration(directory, kind.access, kind.core, workers=1, idle="spin")
        model["edge"]["punts_per_second"] = 1_000_000
        with Edge(program, directory, model) as edge:
            ends += [stack.enter_context(contextlib.closing(make())) for make in kind.after]
            ports = turn_over(edge, *ends)
            assert (ports["access0"]["xdp_statistics"] is not None) == (kind.name == "af_xdp"), ports
            assert "the kernel has lost" not in edge.log(), edge.log()
            edge.end()
        return next(line for line in edge.log().splitlines() if "packet buffers:" in line)


def all_types(program, directory):
    for kind in port_types():
        memory = run(program, directory, kind)
        assert "ordinary memory" in memory, memory
        print(f"    {kind.name}: ordinary memory", flush=True)
        with Hugepages(int(re.search(r"nr_hugepages=(\d+)", memory)[1])) as pages:
            if not pages.enough:
                print(f"    {kind.name}: this machine gives {pages.given} hugepages, too few; not run with them")
                continue
            memory = run(program, directory, kind)
            assert "MB of hugepages" in memory and "ordinary" not in memory, memory
            print(f"    {kind.name}: hugepages", flush=True)


own_network()
Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")  # no frames but the test's
main(all_types)
