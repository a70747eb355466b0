#!/usr/bin/python3
"""Keys change by `ip xfrm` at one end and by reload at the other, under traffic both ways: nothing is lost."""

from flows import Echoes
from lab import CLOUD, CUSTOMER, Circuit, batch, lab
from live import main, own_namespace, wait_until
from protection import Protection, Sa, kernel_states

GENERATIONS = 4
PAUSE = 0.02  # seconds
DRAINED = 40  # more than can be under way: after so many on the new keys the old ones are idle
CIRCUITS = [Circuit("contoso", 11, (100, 10), protection=Protection("aes-gcm-128", 11, esn=True)),
            Circuit("fabrikam", 12, (200,), protection=Protection("aes-cbc-128-hmac-sha256-128", 12, "transport")),
            Circuit("northwind", 13, (300,), 6, Protection("chacha20-poly1305", 13, esn=True, udp=True))]


def generation(circuit, number):
    """The SAs of a generation: that of the edge and that of the gateway."""
    return (Sa(0x1000 * number + circuit.number, f"out {circuit.number} {number}"),
            Sa(0x1000 * number + 0x800 + circuit.number, f"in {circuit.number} {number}"))


def change(it, number):
    """The three steps that docs/ipsec.md recommends."""
    old, new = ({one.name: generation(one, which) for one in it.circuits} for which in (number - 1, number))

    commands = []
    for one in it.circuits:  # both ends can receive
        edge, gateway = one.tunnel
        commands.append(one.protection.state(new[one.name][0], edge, gateway))
        one.protection.ins.append(new[one.name][1])
    it.gateway.run(batch(commands))
    it.reload()

    commands = []
    for one in it.circuits:  # both ends send
        edge, gateway = one.tunnel
        one.protection.out = new[one.name][0]
        commands += [one.protection.state(new[one.name][1], gateway, edge),
                     one.protection.policy("update", "out", one.tunnel)]
    it.reload()
    it.gateway.run(batch(commands))

    spis = {sa.spi for pair in new.values() for sa in pair}
    wait_until("all use the new keys", lambda: all(sa["packets"] >= DRAINED for sa in it.edge.show("sas")
                                                   if sa["spi"] in spis))
    retired = {sa.spi for pair in old.values() for sa in pair}
    kernel = kernel_states(it.gateway.run("ip -s xfrm state"))
    here = {sa["spi"]: sa["packets"] for sa in it.edge.show("sas") if sa["spi"] in retired}
    assert here == {spi: kernel[spi]["packets"] for spi in here}, (here, kernel)
    assert all(kernel[spi]["faults"] == (0, 0, 0) for spi in retired), kernel

    commands = []
    for one in it.circuits:  # the old ones go
        edge, gateway = one.tunnel
        one.protection.ins.pop(0)
        commands += [f"xfrm state delete src {edge} dst {gateway} proto esp spi {old[one.name][0].spi:#x}",
                     f"xfrm state delete src {gateway} dst {edge} proto esp spi {old[one.name][1].spi:#x}"]
    it.gateway.run(batch(commands))
    it.reload()


def nothing_is_lost(program, directory):
    for one in CIRCUITS:
        one.protection.out, one.protection.ins = (sa if i == 0 else [sa] for i, sa in enumerate(generation(one, 1)))
    with lab(program, directory, CIRCUITS) as it:
        def lengths(one):
            return [84, 1028, one.inner_mtu(1500)]
        flows = [Echoes(it.router, it.circuits, CLOUD[4], lengths, 0, PAUSE),
                 Echoes(it.gateway, it.circuits, CUSTOMER[4], lengths, 0, PAUSE)]
        for number in range(2, GENERATIONS + 2):
            change(it, number)
        for one in flows:
            one.stop()
        for one in flows:
            it.expect(one.answered())
        it.check_undisturbed()
        assert {sa["spi"] for sa in it.edge.show("sas")} == {sa.spi for one in it.circuits
                                                            for sa in generation(one, GENERATIONS + 1)}
        print(f"{it.expected.total()} packets each way, {GENERATIONS} changes of {2 * len(CIRCUITS)} keys")


own_namespace()
main(nothing_is_lost)
