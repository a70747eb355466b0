#!/usr/bin/python3
"""Where keys are in a running edge: in locked memory that no dump gets, and nowhere once they are retired."""

import array
import re

from edge import Edge, main
from sealed import SUITE, inbound, material, outbound, protected


PAGE = 4096
LARGEST = 1 << 34  # what is larger is a sanitizer's shadow, which holds no copies


def runs(pagemap, start, end):
    """The parts of a mapping that are in memory: [first octet, octet behind the last)."""
    pagemap.seek(start // PAGE * 8)
    present = array.array("Q", pagemap.read((end - start) // PAGE * 8))
    first = None
    for number, entry in enumerate(present):
        if entry >> 63 and first is None:
            first = number
        elif not entry >> 63 and first is not None:
            yield start + first * PAGE, start + number * PAGE
            first = None
    if first is not None:
        yield start + first * PAGE, start + len(present) * PAGE


def holds(memory, pagemap, start, end, secret):
    """Whether the mapping has it. Keys do not cross pages where one is in memory and the next is not."""
    for first, last in runs(pagemap, start, end):
        try:
            memory.seek(first)
            if secret in memory.read(last - first):
                return True
        except (OSError, OverflowError, ValueError):
            return False  # the kernel's own pages
    return False


def places(process, secret):
    """Flags (as in /proc/PID/smaps) of every mapping that holds `secret`."""
    smaps = open(f"/proc/{process}/smaps").read()
    mappings = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) r.*?^Rss: +([0-9]+).*?^VmFlags:([^\n]*)$", smaps, re.M | re.S)
    found = []
    with open(f"/proc/{process}/mem", "rb", 0) as memory, open(f"/proc/{process}/pagemap", "rb", 0) as pagemap:
        for first, last, resident, flags in mappings:
            start, end = int(first, 16), int(last, 16)
            if int(resident) and end - start < LARGEST and holds(memory, pagemap, start, end, secret):
                found.append(set(flags.split()))
    return found


def ipsec(generation):
    return {"suite": SUITE, "outbound": outbound(f"out {generation}", 0x1001 + generation),
            "inbound": inbound(f"in {generation}", 0x2001 + generation)}


def only_where_they_belong(program, directory):
    model = protected(directory, "net_null0", "net_null1", ipsec(0))
    networks = model["customers"][0]["circuits"][0]["peerings"][0]["virtual_networks"]
    with Edge(program, directory, model) as edge:
        for generation in range(3):
            for name in (f"out {generation}", f"in {generation}"):
                held = places(edge.process.pid, material(name)[:16])
                assert held, "a key that is in use is nowhere"
                for flags in held:
                    assert {"lo", "dd", "dc"} <= flags, (name, flags)
                assert not places(edge.process.pid, material(name).hex().encode()), f"{name} is there as text"
            for name in (f"out {generation - 1}", f"in {generation - 1}"):
                assert not places(edge.process.pid, material(name)[:16]), f"{name} is there, though nobody uses it"
            networks[0]["ipsec"] = ipsec(generation + 1)
            edge.write(model)
            status, _, said = edge.command("reload")
            assert status == 0, said
        edge.end()


main(only_where_they_belong)
