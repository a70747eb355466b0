#!/usr/bin/python3
"""The testpmd lab: an edge between two ports of dpdk-testpmd, which sends to both and takes back what comes; who sent and
got how many, what was lost and where, how fast. docs/lab.md says what the figures mean."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import frames
from report import Phase, table
from running_edge import RunningEdge, configuration
from testpmd import Testpmd, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
WAYS = {"to_cloud": ("to_cloud",), "to_customer": ("to_customer",), "both": ("to_cloud", "to_customer")}
MADE = {"to_cloud": frames.to_cloud, "to_customer": frames.to_customer}
ENDLESS = 4096   # frames of a capture that is sent again and again
STILL = 1.0      # seconds without a change, after which nothing more is on its way
WARM = 0.5       # seconds of traffic before the rate is taken


def parse():
    parser = argparse.ArgumentParser(description="an edge between two ports of dpdk-testpmd")
    parser.add_argument("--peerlane", default=str(ROOT / "build/dataplane/peerlane"), help="the program")
    parser.add_argument("--way", choices=[*WAYS, "all"], default="all", help="all: one after the other, then both at once")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=5, help="of traffic for each way")
    length.add_argument("--packets", type=int, help="send just so many each way instead")
    parser.add_argument("--size", type=int, default=64, help="octets of the inner IP packet, 28 to 1500")
    parser.add_argument("--customers", type=int, default=16, help="1 to 1000, with the same addresses")
    parser.add_argument("--workers", type=int, default=1, help="of the edge")
    parser.add_argument("--idle", choices=("spin", "sleep"), default="spin", help="edge.idle")
    parser.add_argument("--edge-cores", type=cores, help="one for each worker, as 2,3; without it they float")
    parser.add_argument("--generator-cores", type=cores, help="two, or one for both threads of testpmd")
    for port in ("access", "core"):
        parser.add_argument(f"--edge-{port}", help="the edge's device instead of memif")
        parser.add_argument(f"--generator-{port}", help="testpmd's device at the other end of it")
    parser.add_argument("--json", action="store_true", help="print that instead of the table")
    arguments = parser.parse_args()
    if not frames.SMALLEST <= arguments.size <= 1500 or not 1 <= arguments.customers <= 1000:
        parser.error("--size is 28 to 1500 and --customers 1 to 1000")
    for port in ("access", "core"):
        if bool(getattr(arguments, f"edge_{port}")) != bool(getattr(arguments, f"generator_{port}")):
            parser.error(f"--edge-{port} and --generator-{port} are the two ends of one link: give both or none")
    return arguments


def cores(text):
    return [int(one) for one in text.split(",")]


def links(arguments, directory):
    """(edge's device, testpmd's) of the access and of the core port."""
    for number, port in enumerate(("access", "core")):
        shared = f"id=0,socket={directory}/{port}.memif,socket-abstract=no"
        memif = f"net_memif{number},role=server,{shared}", f"net_memif{number},role=client,{shared}"
        yield (getattr(arguments, f"edge_{port}") or memif[0], getattr(arguments, f"generator_{port}") or memif[1])


def sources(arguments, directory, ways):
    """testpmd's devices behind the access and the core port: a capture, or nothing."""
    for number, way in enumerate(("to_cloud", "to_customer")):
        capture = directory / f"{way}.pcap"
        if way not in ways:
            yield f"net_null{number},no-rx=1"
            continue
        frames.write_capture(capture, MADE[way], arguments.packets or ENDLESS, arguments.customers, arguments.size)
        yield f"net_pcap{number},rx_pcap={capture}" + ("" if arguments.packets else ",infinite_rx=1")


def run_phase(arguments, directory, edge, name, outer):
    """Traffic one way or both, from the first frame until the last is in."""
    inner = list(sources(arguments, directory, WAYS[name]))
    before = Phase.counters(edge)
    # Virtual devices take frames as long as a buffer anyway, and some refuse to be told.
    options = [] if all(one.startswith("net_") for one in outer) else ["--max-pkt-len=1622"]
    with Testpmd(directory, [*inner, *outer], arguments.generator_cores or (), options) as testpmd:
        numbers = testpmd.numbers()
        source = [numbers[one.split(",")[0]] for one in inner]
        port = [numbers[one.split(",")[0]] for one in outer]
        wait_until("all links are up", lambda: all(one["link"] == "up" for one in edge.ports()) and
                   all(testpmd.link_up(one) for one in port))
        testpmd.forward(source[0], port[0], source[1], port[1])
        started = time.monotonic()
        if arguments.packets:
            wait_until("the captures are sent", lambda: sum(map(testpmd.received, source)) ==
                       arguments.packets * len(WAYS[name]), patience=max(60, arguments.packets / 10000))
            rate_from, rate_to = (started, before), (time.monotonic(), Phase.counters(edge))
        else:
            time.sleep(WARM)
            rate_from = time.monotonic(), Phase.counters(edge)
            time.sleep(arguments.seconds)
            rate_to = time.monotonic(), Phase.counters(edge)
        testpmd.drain(*port)

        phase = Phase(name, WAYS[name], before, rate_from, rate_to)

        def look():
            counts = phase.take(edge, testpmd, source, port)
            return counts, phase.balanced()

        wait_until_still(look)
        testpmd.end()
    return phase


def wait_until_still(look):
    """Until every counter agrees with every other, or none has moved for some time."""
    last, since = None, time.monotonic()
    while True:
        counts, agree = look()
        if counts != last:
            last, since = counts, time.monotonic()
        elif agree or time.monotonic() - since > STILL:
            return
        time.sleep(0.1)


def main():
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="peerlane-lab-") as name:
        directory = Path(name)
        pairs = list(links(arguments, directory))
        text = configuration(directory, [edge for edge, _ in pairs], arguments.customers, 1500, arguments.workers,
                             arguments.edge_cores, arguments.idle)
        with RunningEdge(arguments.peerlane, directory, text) as edge:
            phases = [run_phase(arguments, directory, edge, way, [other for _, other in pairs])
                      for way in (WAYS if arguments.way == "all" else [arguments.way])]
            edge.end()
    if arguments.json:
        print(json.dumps([phase.json() for phase in phases], indent=1))
    else:
        print(table(phases))
    # Over memif nothing can be lost between the two programs; over wires it can, and the table says so.
    return 0 if arguments.edge_access or arguments.edge_core or all(phase.balanced() for phase in phases) else 1


if __name__ == "__main__":
    os.umask(0o077)
    try:
        sys.exit(main())
    except RuntimeError as failure:
        sys.exit(f"lab: {failure}")
