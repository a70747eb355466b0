#!/usr/bin/python3
"""ESP between the edge and `ip xfrm` of a kernel: every suite, both modes, with and without ESN, over IPv4, IPv6, UDP.

Each combination is a customer of its own, all with the same addresses, and all at once on one edge.
"""

import itertools

from flows import echo_both_ways
from lab import CORE, Circuit, batch, gateway_address, lab
from live import main, own_namespace
from protection import SUITES, Protection

MTU = 1500


def circuits(outer, first):
    """Every suite × mode × ESN, and for each mode one in UDP. `first` of their numbers."""
    kinds = [*itertools.product(SUITES, ("tunnel", "transport"), (False, True), (False,)),
             ("aes-gcm-128", "tunnel", True, True), ("aes-cbc-256-hmac-sha256-128", "transport", False, True)]
    for number, (suite, mode, esn, udp) in enumerate(kinds, first):
        name = "-".join([f"ipv{outer}", suite[:11], mode, *(["esn"] if esn else []), *(["udp"] if udp else [])])
        yield Circuit(name, number, (100 + number // 2, number), outer, Protection(suite, number, mode, esn, udp))


def mixed(first):
    """GRE over one family inside ESP over the other."""
    for number, (outer, esp) in enumerate(((4, 6), (6, 4)), first):
        ends = (CORE[esp], gateway_address(esp, 100 + number))
        yield Circuit(f"gre{outer}-esp{esp}", number, (number,), outer, Protection("aes-gcm-256", number, ends=ends))


def every_combination(program, directory):
    all_of_them = [*circuits(4, 10), *circuits(6, 40), *mixed(70)]
    with lab(program, directory, all_of_them, core_mtu=MTU) as it:
        def lengths(one):
            return [84, 1028, one.inner_mtu(MTU)]
        it.expect(echo_both_ways(it, lengths))
        it.expect(echo_both_ways(it, lengths, inner=6, rounds=1))
        it.check_undisturbed()


def the_epoch_turns(program, directory):
    """Extended sequence numbers of the kernel run over 2^32, which only the two ends can tell from going back."""
    turning = [Circuit(suite[:11], number, (number,), protection=Protection(suite, number, esn=True))
               for number, suite in enumerate(SUITES, 10)]
    with lab(program, directory, turning) as it:
        it.expect(echo_both_ways(it, lambda _: [84]))
        for last_sent in (0xF0000000, 0xFFFFFFF0):  # the edge follows a jump of less than 2^32 only
            commands = []
            for one in turning:
                edge, gateway = one.tunnel
                sa = one.protection.ins[0]
                commands += [f"xfrm state delete src {gateway} dst {edge} proto esp spi {sa.spi:#x}",
                             one.protection.state(sa, gateway, edge) + f" replay-oseq {last_sent:#x}"]
            it.gateway.run(batch(commands))
            it.expect(echo_both_ways(it, lambda _: [84], rounds=20))
        it.check_forwarded()
        reached = {sa["spi"]: sa["sequence"] for sa in it.edge.show("sas") if sa["direction"] == "to_customer"}
        assert set(reached.values()) == {0xFFFFFFF0 + 40}, reached
        assert it.gateway_faults() == {}


own_namespace()
main(every_combination, the_epoch_turns)
