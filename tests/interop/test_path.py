#!/usr/bin/python3
"""What kernels learn of the way through the edge: traceroute, and path MTU (RFC 1191, RFC 8201) with TCP over it."""

import re

from lab import CLOUD, CUSTOMER, LINK, Circuit, lab
from live import check_conservation, main, own_namespace
from protection import Protection
from tcp import HEADERS, MANY_OCTETS, OCTETS, TIMESTAMPS, Transfer

MTU, ACCESS_MTU = 1500, 1300
CIRCUITS = [Circuit("contoso", 11, (100, 10), protection=Protection("aes-gcm-128", 11, esn=True)),
            Circuit("fabrikam", 12, (200,), protection=Protection("aes-cbc-256-hmac-sha256-128", 12, "transport")),
            Circuit("northwind", 13, (300,), 6)]
CLAMPED = [Circuit("contoso", 11, (100, 10), protection=Protection("aes-gcm-256", 11), mss_clamp=True),
           Circuit("fabrikam", 12, (200,), 6, Protection("aes-cbc-128-hmac-sha256-128", 12, "transport"),
                   mss_clamp=True)]


def route_mtu(peer, name, address):
    """What the kernel has learnt for a destination, or None."""
    said = peer.run(f"ip -n {name} route get {address}")
    found = re.search(r"\bmtu (\d+)", said)
    return int(found[1]) if found else None


def offer_large_segments(gateway, circuit):
    """Lets the gateway, which knows its own tunnel, say the MSS of a host behind it, which does not."""
    gateway.run("".join(f"ip -n {circuit.name} route change {prefix} dev g{circuit.number} advmss {MTU - header}\n"
                        for prefix, header in (("10.0.0.0/16", 40), ("2001:db8:10::/48", 60))))


def traceroute(it):
    """The edge is the one hop between them."""
    for family in (4, 6):
        jobs = [(one, targets[family], peer.begin(f"ip netns exec {one.name} traceroute -{family} -n -q 1 -N 1 "
                                                  f"-w 30,0,0 {targets[family]}"))
                for one in CIRCUITS for peer, targets in ((it.router, CLOUD), (it.gateway, CUSTOMER))]
        for one, target, job in jobs:
            said = job.wait()
            hops = re.findall(r"^ *\d+ +(\S+)", said, re.MULTILINE)
            assert hops == [LINK[family] + "2", target], (one.name, said)
    drops = it.drops()
    assert drops == {"ttl_expired": 4 * len(CIRCUITS)}, drops
    check_conservation(it.edge.show("ports"))


def path_mtu(program, directory):
    """From the customer the tunnel is narrow; the kernel is told how narrow, exactly, and TCP gets through."""
    with lab(program, directory, CIRCUITS, core_mtu=MTU) as it:
        traceroute(it)
        for one in CIRCUITS:
            offer_large_segments(it.gateway, one)
            expected = one.inner_mtu(MTU)
            assert {route_mtu(it.router, one.name, CLOUD[family]) for family in (4, 6)} == {None}
            running = {family: Transfer(it.gateway, it.router, one.name, CLOUD[family],
                                        MANY_OCTETS if (one, family) == (CIRCUITS[0], 4) else OCTETS)
                       for family in (4, 6)}
            for family in (4, 6):
                result = running[family].result()
                print(one.name, family, expected, result, flush=True)
                assert route_mtu(it.router, one.name, CLOUD[family]) == expected, result
                assert result["mss"] == expected - HEADERS[family] - TIMESTAMPS, (expected, result)
        drops = it.drops()
        assert set(drops) == {"ttl_expired", "too_big"}, drops
        check_conservation(it.edge.show("ports"))
        it.check_associations()


def path_mtu_of_the_access(program, directory):
    """From the cloud the access is narrow; the error comes through the tunnel, protected as everything else."""
    with lab(program, directory, CIRCUITS, access_mtu=ACCESS_MTU, router_mtu=MTU, core_mtu=MTU) as it:
        for one in CIRCUITS:
            running = {family: Transfer(it.router, it.gateway, one.name, CUSTOMER[family], OCTETS)
                       for family in (4, 6)}
            for family in (4, 6):
                result = running[family].result()
                print(one.name, family, result, flush=True)
                assert route_mtu(it.gateway, one.name, CUSTOMER[family]) == ACCESS_MTU, result
                assert result["mss"] == ACCESS_MTU - HEADERS[family] - TIMESTAMPS, result
        drops = it.drops()
        assert set(drops) == {"too_big"}, drops
        check_conservation(it.edge.show("ports"))
        it.check_associations()


def clamped(program, directory):
    """With mss_clamp nothing is ever too big, either way."""
    with lab(program, directory, CLAMPED, core_mtu=MTU) as it:
        for one in CLAMPED:
            for family in (4, 6):
                many = MANY_OCTETS if (one, family) == (CLAMPED[0], 4) else OCTETS
                running = [Transfer(it.gateway, it.router, one.name, CLOUD[family], many),
                           Transfer(it.router, it.gateway, one.name, CUSTOMER[family], OCTETS)]
                for one_way in running:
                    result = one_way.result()
                    print(one.name, family, one.inner_mtu(MTU), result, flush=True)
                    assert result["mss"] == one.inner_mtu(MTU) - HEADERS[family] - TIMESTAMPS, result
        assert it.drops() == {}, it.drops()
        check_conservation(it.edge.show("ports"))
        it.check_associations()


own_namespace()
main(path_mtu, path_mtu_of_the_access, clamped)
