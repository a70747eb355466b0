#!/usr/bin/python3
"""iperf3 both ways at once, for customers with the same addresses, over IPv4 and IPv6: nothing is lost on the way."""

from iperf import Iperf
from lab import CLOUD, Circuit, lab
from live import check_conservation, main, own_namespace
from protection import Protection

OCTETS = 5_000_000  # one way; about as much the other
CIRCUITS = [Circuit("contoso", 11, (100,), mss_clamp=True),
            Circuit("fabrikam", 12, (200, 10), 6, Protection("aes-gcm-128", 12, esn=True), mss_clamp=True)]


def both_ways(program, directory):
    with lab(program, directory, CIRCUITS) as it:
        for family in (4, 6):
            before = {(one.name, way): it.edge.circuit(one.name, way)["bytes"]
                      for one in CIRCUITS for way in ("to_cloud", "to_customer")}
            running = [Iperf(it.gateway, it.router, one.name, CLOUD[family], f"-n {OCTETS} --bidir")
                       for one in CIRCUITS]
            for one, iperf in zip(CIRCUITS, running):
                end = iperf.result()
                for way, said in (("to_cloud", "sum_received"), ("to_customer", "sum_received_bidir_reverse")):
                    assert end[said]["bytes"] > 0, end
                    print(f"{one.name} IPv{family} {way}: {end[said]['bytes']} octets, "
                          f"{end[said]['bits_per_second'] / 1e6:.0f} Mb/s", flush=True)
                    carried = it.edge.circuit(one.name, way)["bytes"] - before[one.name, way]
                    assert carried > end[said]["bytes"], (carried, end)
                assert end["sum_sent"]["bytes"] >= OCTETS or end["sum_sent_bidir_reverse"]["bytes"] >= OCTETS, end
        assert it.drops() == {}, it.drops()
        check_conservation(it.edge.show("ports"))
        it.check_associations()


own_namespace()
main(both_ways)
