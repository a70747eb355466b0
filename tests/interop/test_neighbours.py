#!/usr/bin/python3
"""Neighbours that fall silent, change, or start again: traffic goes on by itself, and nobody else notices anything."""

import time

from flows import Echoes, echo_both_ways
from lab import ACCESS, CLOUD, CUSTOMER, GATEWAY, LINK, Circuit, gateway_script, lab
from live import check_conservation, main, own_namespace, wait_until

CIRCUITS = [Circuit("contoso", 11, (100,)), Circuit("fabrikam", 12, (200, 10)), Circuit("northwind", 13, (300,))]
SILENT, MOVED, UNDISTURBED = CIRCUITS
MOVES, AFTERWARDS = ("02:00:00:00:01:77", "02:00:00:00:01:78"), "02:00:00:00:00:77"
PACKETS, FORGOTTEN = 7, 5
EXPIRY = 60  # seconds: the edge asks again after 30, six times, a second apart; then every 5
OLDEST = 36_000  # milliseconds: what is known of a neighbour that answers one of these questions


def neighbour(it, customer, address):
    (found,) = [one for one in it.edge.show("neighbours") if (one["customer"], one["address"]) == (customer, address)]
    return found


def answered(it, port):
    return it.edge.show("ports")[port]["neighbours"]["answered"]


def becomes(it, one, family, **what):
    address = LINK[family] + "1"
    wait_until(f"{address} of {one.name} becomes {what}",
               lambda: what.items() <= neighbour(it, one.name, address).items(), EXPIRY)


def moves(mac, announced):
    """Commands that give the router's interface of MOVED another MAC."""
    device = f"c{MOVED.number}"
    return (f"for notify in ipv4/conf/{device}/arp_notify ipv6/conf/{device}/ndisc_notify; do "
            f"echo {int(announced)} | ip netns exec {MOVED.name} tee /proc/sys/net/$notify; done; "
            f"ip -n {MOVED.name} link set {device} address {mac}")


def time_outs(program, directory):
    """The edge asks again before it forgets, first the neighbour itself and then everybody; so do the kernels."""
    with lab(program, directory, CIRCUITS) as it:
        it.expect(echo_both_ways(it, lambda _: [84]))
        it.router.run(moves(MOVES[0], announced=True))
        for family in (4, 6):  # by gratuitous ARP and unsolicited advertisements
            becomes(it, MOVED, family, mac=MOVES[0], state="reachable", changes=1)
            assert neighbour(it, MOVED.name, LINK[family] + "1")["age_ms"] < neighbour(
                it, UNDISTURBED.name, LINK[family] + "1")["age_ms"]
        # One kernel no longer answers ARP and says nothing by itself; one has another MAC and does not say so; the
        # third and the gateway forget what they know, again and again.
        it.router.run(f"""
            echo 8 | ip netns exec {SILENT.name} tee /proc/sys/net/ipv4/conf/c{SILENT.number}/arp_ignore
            ip -n {SILENT.name} neigh replace {LINK[4]}2 lladdr {ACCESS} dev c{SILENT.number} nud permanent
            {moves(MOVES[1], announced=False)}""")
        flows = [Echoes(peer, [UNDISTURBED], target, lambda _: [84], 0, pause=0.2)
                 for peer, target in ((it.router, CLOUD[4]), (it.gateway, CUSTOMER[4]))]
        for _ in range(FORGOTTEN):
            asked = [answered(it, port) for port in ("access0", "core0")]
            it.router.run(f"ip -n {UNDISTURBED.name} neigh flush dev c{UNDISTURBED.number}")
            it.gateway.run("ip neigh flush dev vec0")
            wait_until("both ask again", lambda: all(answered(it, port) > before
                                                     for port, before in zip(("access0", "core0"), asked)))

        for family in (4, 6):
            becomes(it, MOVED, family, mac=MOVES[1], state="reachable", changes=2)
        becomes(it, SILENT, 4, state="unreachable")
        assert neighbour(it, SILENT.name, LINK[6] + "1")["state"] == "reachable"
        it.gateway.run(f"ip netns exec {SILENT.name} bash -c "
                       f"'for i in $(seq {PACKETS}); do echo $i >/dev/udp/{CUSTOMER[4]}/9; done'")
        wait_until("they are dropped", lambda: it.drops() == {"no_neighbour": PACKETS})
        it.router.run(f"echo 0 | ip netns exec {SILENT.name} tee /proc/sys/net/ipv4/conf/c{SILENT.number}/arp_ignore")
        becomes(it, SILENT, 4, state="reachable", changes=0)

        for one in flows:
            one.stop()
        undisturbed = sum(one.answered()[UNDISTURBED.name] for one in flows)
        print(f"{undisturbed} echoes beside that", flush=True)
        for family in (4, 6):
            age = neighbour(it, UNDISTURBED.name, LINK[family] + "1")
            assert age["age_ms"] < OLDEST and age["changes"] == 0, age
        echo_both_ways(it, lambda _: [84])
        echo_both_ways(it, lambda _: [104], inner=6)
        assert it.drops() == {"no_neighbour": PACKETS}, it.drops()
        check_conservation(it.edge.show("ports"))


def reboots(program, directory):
    """A gateway that starts again says nothing; one that was replaced says what its MAC is."""
    with lab(program, directory, CIRCUITS) as it:
        for mac in (GATEWAY, AFTERWARDS):
            wait_until("the gateway is known", lambda: gateway_mac(it))
            start = time.monotonic()
            it.gateway.power_off()
            it.gateway.power_on()
            it.gateway.run(gateway_script(CIRCUITS, mac=mac, announces=mac == AFTERWARDS))
            up = time.monotonic()
            echo_both_ways(it, lambda _: [84], rounds=1)
            echo_both_ways(it, lambda _: [104], inner=6, rounds=1)
            print(f"{mac}: up after {up - start:.1f} s, traffic after {time.monotonic() - up:.1f} s more", flush=True)
            assert gateway_mac(it) == mac
        check_conservation(it.edge.show("ports"))


def gateway_mac(it):
    """None while the two families differ."""
    macs = {one["mac"] for one in it.edge.show("neighbours") if one["port"] == "core0"}
    return macs.pop() if len(macs) == 1 else None


own_namespace()
main(reboots, time_outs)
