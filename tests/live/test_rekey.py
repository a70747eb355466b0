#!/usr/bin/python3
"""Keys change under traffic: not a packet is lost, either way, and none leaves in clear."""

import threading

from edge import CUSTOMERS, Edge, check_conservation, main
from sealed import FarEnd, from_customer, inbound, outbound, protected, spi_of, to_access
from links import Wire, make_links, own_namespace

WINDOW = 16  # frames under way at once: no queue on the way can overflow
GENERATIONS = 10


def ipsec(generation):
    """We send with the newest key; what comes may still be sealed with the one before."""
    newest = range(max(generation - 1, 0), generation + 1)
    return {"suite": "aes-gcm-128", "outbound": outbound(f"out {generation}", 0x1000 + generation),
            "inbound": [inbound(f"in {one}", 0x2000 + one) for one in newest]}


def nothing_is_lost(program, directory):
    model = protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", ipsec(0))
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    gateway = {0x1000 + one: FarEnd(f"out {one}", 0x1000 + one) for one in range(GENERATIONS + 1)}
    sender = [FarEnd(f"in {one}", 0x2000 + one) for one in range(GENERATIONS + 1)]
    used = []
    name, vlan, _ = CUSTOMERS[0]
    with Edge(program, directory, model) as edge:
        number = 0

        def exchange(generation):
            nonlocal number
            numbers = list(range(number, number + WINDOW))
            for one in numbers:
                customer_side.send(from_customer(vlan, one))
                cloud_side.send(sender[generation].seal(one))
            frames = [cloud_side.receive() for _ in numbers]
            used.extend(map(spi_of, frames))
            assert sorted(gateway[spi_of(frame)].open(frame)[1] for frame in frames) == numbers
            assert sorted(to_access(customer_side.receive())[1] for _ in numbers) == numbers
            number += WINDOW

        networks = model["customers"][0]["circuits"][0]["peerings"][0]["virtual_networks"]
        for generation in range(1, GENERATIONS + 1):
            networks[0]["ipsec"] = ipsec(generation)
            edge.write(model)
            failures = []

            def reload(said=failures):
                status, _, error = edge.command("reload")
                if status != 0:
                    said.append(error)

            reloading = threading.Thread(target=reload)
            reloading.start()
            while reloading.is_alive():
                exchange(generation - 1)  # the other side has not changed yet
            reloading.join()
            assert not failures, failures
            exchange(generation - 1)
            exchange(generation)
        assert edge.show("drops") == {}, edge.show("drops")
        check_conservation(edge.show("ports"))
        assert edge.circuit(name, "to_cloud")["packets"] == number
        assert edge.circuit(name, "to_customer")["packets"] == number
        assert sorted(set(used)) == sorted(gateway), "some key was never used"
        assert used == sorted(used), "an old key after a new one"
        assert {sa["spi"] for sa in edge.show("sas")} == {0x1000 + GENERATIONS, 0x2000 + GENERATIONS - 1,
                                                          0x2000 + GENERATIONS}
        edge.end()


def what_is_clear_or_foreign_stays_out(program, directory):
    """Forged, replayed, tampered with, clear: each by its name, and the good ones in between pass."""
    model = protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", ipsec(0))
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    good, stranger = FarEnd("in 0", 0x2000), FarEnd("in 0", 0x2666)
    with Edge(program, directory, model) as edge:
        from traffic import from_cloud
        frames = [good.seal(number) for number in range(3)]
        spoilt = bytearray(good.seal(9))
        spoilt[-1] ^= 1
        for frame in (frames[0], from_cloud(0x2A01, 7), frames[0], bytes(spoilt), frames[1], stranger.seal(8), frames[2]):
            cloud_side.send(frame)
        assert [to_access(customer_side.receive())[1] for _ in frames] == [0, 1, 2]
        assert edge.show("drops") == {"esp_unknown_spi": 1, "esp_replayed": 1, "esp_bad_icv": 1, "clear_refused": 1}
        edge.end()


own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(nothing_is_lost, what_is_clear_or_foreign_stays_out)
