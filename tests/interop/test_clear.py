#!/usr/bin/python3
"""One end protects the tunnel, the other does not: neither takes the other's packets, and both go on when both do."""

from flows import echo_both_ways
from lab import CLOUD, CUSTOMER, Circuit, batch, lab
from live import check_conservation, main, own_namespace, wait_until
from protection import Protection

PACKETS = 7


def circuits():
    """One of each mode."""
    return [Circuit("contoso", 11, (100,), protection=Protection("aes-gcm-256", 11, "tunnel")),
            Circuit("fabrikam", 12, (200,), protection=Protection("aes-gcm-256", 12, "transport"))]


def datagrams(peer, name, target):
    """Sends some; nobody answers."""
    peer.run(f"ip netns exec {name} bash -c 'for i in $(seq {PACKETS}); do echo $i >/dev/udp/{target}/9; done'")


def drops(it, expected):
    wait_until(f"drops of {expected}", lambda: it.drops() == expected)
    check_conservation(it.edge.show("ports"))


def the_kernel_sends_clear(program, directory):
    both = circuits()
    with lab(program, directory, both) as it:
        it.gateway.run("ip xfrm policy flush")
        for one in both:
            datagrams(it.gateway, one.name, CUSTOMER[4])
        refused = {"clear_refused": PACKETS * len(both)}
        drops(it, refused)
        for one in both:
            assert it.edge.circuit(one.name, "to_customer")["drops"] == {"clear_refused": PACKETS}
            assert it.edge.circuit(one.name, "to_customer")["packets"] == 0

        it.gateway.run(batch([one.protection.policy("add", direction, one.tunnel)
                              for one in both for direction in ("out", "in")]))
        it.expect(echo_both_ways(it, lambda _: [84]))
        drops(it, refused)
        for one in both:
            assert it.edge.circuit(one.name, "to_cloud")["packets"] == it.expected[one.name]
        it.check_associations()


def the_edge_sends_clear(program, directory):
    one = circuits()[0]
    protection, one.protection = one.protection, None
    with lab(program, directory, [one]) as it:
        it.expect(echo_both_ways(it, lambda _: [84]))
        it.check_undisturbed()
        it.gateway.run(batch(protection.gateway(one.tunnel)))
        datagrams(it.router, one.name, CLOUD[4])
        wait_until("the kernel refuses", lambda: it.gateway_faults() == {"XfrmInTmplMismatch": PACKETS})
        punted = it.edge.show("ports")["core0"]["punted"]
        datagrams(it.gateway, one.name, CUSTOMER[4])
        wait_until("ESP is left to others",  # there is no SA at all
                   lambda: it.edge.show("ports")["core0"]["punted"] >= punted + PACKETS)

        one.protection = protection
        it.reload()
        echo_both_ways(it, lambda _: [84])
        drops(it, {})
        assert it.gateway_faults() == {"XfrmInTmplMismatch": PACKETS}


own_namespace()
main(the_kernel_sends_clear, the_edge_sends_clear)
