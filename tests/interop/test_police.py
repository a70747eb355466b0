#!/usr/bin/python3
"""What a circuit has bought, TCP gets: eight flows of iperf3 through a policer with the default burst.

Between the kernels themselves a round trip takes about a millisecond, and eight flows would have less than one segment
each under way. So each adds the delay of a wire.
"""

import contextlib
import os

from iperf import Iperf
from lab import CLOUD, CUSTOMER, Circuit, lab
from live import check_conservation, main, own_namespace
from tcp import HEADERS, TIMESTAMPS

FLOWS, SECONDS = 8, 6
BOUGHT = 50_000_000  # bits per second, of IP
ENOUGH = 0.9
DELAY = 5  # ms, each way
CIRCUIT = Circuit("contoso", 11, (100, 10), mss_clamp=True, bandwidth=f"{BOUGHT} bps")


def measure(it, way):
    """What arrived, in bits of IP per second as the bucket counts them, and the mean round trip in ms."""
    before = it.edge.circuit(CIRCUIT.name, way)
    ends, address = ((it.gateway, it.router), CLOUD[4]) if way == "to_cloud" else ((it.router, it.gateway), CUSTOMER[4])
    end = Iperf(*ends, CIRCUIT.name, address, f"-P {FLOWS} -t {SECONDS} -O 1").result()
    after = it.edge.circuit(CIRCUIT.name, way)
    octets, packets = (after[what] - before[what] for what in ("bytes", "packets"))
    payload = 1 - (HEADERS[4] + TIMESTAMPS) * packets / octets  # of all that passed
    trips = [one["sender"]["mean_rtt"] / 1000 for one in end["streams"]]
    return end["sum_received"]["bits_per_second"] / payload, sum(trips) / len(trips)


def eight_flows(program, directory):
    with lab(program, directory, [CIRCUIT]) as it:
        for peer in (it.router, it.gateway):
            peer.run(f"tc qdisc replace dev vec0 root netem delay {DELAY}ms limit 5000")
        for way in ("to_cloud", "to_customer"):
            for last in (False, True):
                rate, trip = measure(it, way)
                policed = it.edge.circuit(CIRCUIT.name, way)["policed_packets"]
                print(f"{way}: {rate / 1e6:.1f} Mb/s, {rate / BOUGHT:.1%} of what was bought, at a round trip of "
                      f"{trip:.1f} ms; {policed} packets policed", flush=True)
                if rate >= ENOUGH * BOUGHT:
                    break
                assert not last, f"less than {ENOUGH:.0%}, twice, at a round trip of {trip:.1f} ms"
            assert rate < 1.05 * BOUGHT and policed > 0, (rate, policed)
        assert set(it.drops()) == {"policed"}, it.drops()
        check_conservation(it.edge.show("ports"))


# Where this may be had, other work on the machine does not make round trips longer.
with contextlib.suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
own_namespace()
main(eight_flows)
