#!/usr/bin/python3
"""One end protects the tunnel, the other does not: neither takes the other's packets, and both go on when both do."""

from flows import echo_both_ways
from lab import CLOUD, CUSTOMER, Circuit, batch, lab
from live import check_conservation, main, own_namespace, wait_until
from protection import Protection

PACKETS = 7
NAME = "contoso"


def circuit(mode):
    return Circuit(NAME, 11, (100,), protection=Protection("aes-gcm-256", 11, mode))


def datagrams(peer, target):
    """Sends some; nobody answers."""
    peer.run(f"ip netns exec {NAME} bash -c 'for i in $(seq {PACKETS}); do echo $i >/dev/udp/{target}/9; done'")


def drops(it, expected):
    wait_until(f"drops of {expected}", lambda: it.drops() == expected)
    check_conservation(it.edge.show("ports"))


def the_kernel_sends_clear(program, directory, mode):
    one = circuit(mode)
    with lab(program, directory, [one]) as it:
        it.gateway.run("ip xfrm policy flush")
        datagrams(it.gateway, CUSTOMER[4])
        drops(it, {"clear_refused": PACKETS})
        assert it.edge.circuit(NAME, "to_customer")["drops"] == {"clear_refused": PACKETS}
        assert it.edge.circuit(NAME, "to_customer")["packets"] == 0

        protection = one.protection
        it.gateway.run(batch([protection.policy("add", direction, one.tunnel) for direction in ("out", "in")]))
        it.expect(echo_both_ways(it, lambda _: [84]))
        drops(it, {"clear_refused": PACKETS})
        assert it.edge.circuit(NAME, "to_cloud")["packets"] == it.expected[NAME]
        it.check_associations()


def the_edge_sends_clear(program, directory, mode):
    one = circuit(mode)
    protection, one.protection = one.protection, None
    with lab(program, directory, [one]) as it:
        it.expect(echo_both_ways(it, lambda _: [84]))
        it.check_undisturbed()
        it.gateway.run(batch(protection.gateway(one.tunnel)))
        datagrams(it.router, CLOUD[4])
        wait_until("the kernel refuses", lambda: it.gateway_faults() == {"XfrmInTmplMismatch": PACKETS})
        punted = it.edge.show("ports")["core0"]["punted"]
        datagrams(it.gateway, CUSTOMER[4])
        wait_until("ESP is left to others",  # there is no SA at all
                   lambda: it.edge.show("ports")["core0"]["punted"] >= punted + PACKETS)

        one.protection = protection
        it.reload()
        echo_both_ways(it, lambda _: [84])
        drops(it, {})
        assert it.gateway_faults() == {"XfrmInTmplMismatch": PACKETS}


def tunnel_mode_the_kernel_sends_clear(program, directory):
    the_kernel_sends_clear(program, directory, "tunnel")


def transport_mode_the_kernel_sends_clear(program, directory):
    the_kernel_sends_clear(program, directory, "transport")


def tunnel_mode_the_edge_sends_clear(program, directory):
    the_edge_sends_clear(program, directory, "tunnel")


own_namespace()
main(tunnel_mode_the_kernel_sends_clear, transport_mode_the_kernel_sends_clear, tunnel_mode_the_edge_sends_clear)
