#!/usr/bin/python3
"""Real frames through the kernel: af_packet ports on veth pairs in a namespace of the test's own, reloads meanwhile."""

import threading

from edge import CUSTOMERS, Edge, changed, check_conservation, configuration, main, wait_until
from traffic import from_cloud, from_customer, to_access, to_core
from links import Wire, make_links, own_namespace

ROUNDS = 40
WINDOW = 16  # frames of each customer under way at once: no queue on the way can overflow


def exchange(customer_side, cloud_side, first, size):
    """A window each way; every frame must come out once. Returns the next number."""
    numbers = range(first, first + WINDOW)
    for number in numbers:
        for _, vlan, key in CUSTOMERS:
            customer_side.send(from_customer(vlan, number, size))
            cloud_side.send(from_cloud(key, number, size))
    out = sorted(to_core(cloud_side.receive(), size) for _ in range(WINDOW * len(CUSTOMERS)))
    assert out == sorted((key, number) for _, _, key in CUSTOMERS for number in numbers), out
    out = sorted(to_access(customer_side.receive(), size) for _ in range(WINDOW * len(CUSTOMERS)))
    assert out == sorted((vlan, number) for _, vlan, _ in CUSTOMERS for number in numbers), out
    return first + WINDOW


def forward(program, directory, options, idle):
    model = configuration(directory, f"net_af_packet0,iface=a0{options}", f"net_af_packet1,iface=c0{options}", idle=idle)
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    failures = []
    with Edge(program, directory, model) as edge:
        assert all(port["link"] == "up" for port in edge.show("ports").values()), edge.show("ports")
        done = threading.Event()

        def reload_all_the_time():
            step = 0
            while not done.is_set() or step < 4:
                edge.write(changed(model, step))
                status, _, said = edge.command("reload")
                if status != 0:
                    failures.append(said)
                step += 1

        reloading = threading.Thread(target=reload_all_the_time)
        reloading.start()
        try:
            number = 0
            for each in range(ROUNDS):
                number = exchange(customer_side, cloud_side, number, 1500 if each % 4 == 0 else 100)
        finally:
            done.set()
            reloading.join()
        assert not failures, failures
        ports = wait_until("counters", lambda: edge.show("ports"))
        check_conservation(ports)
        expected = number * len(CUSTOMERS)
        assert ports["access0"]["sent"] == ports["core0"]["sent"] == expected, (expected, ports)
        assert edge.show("drops") == {}, edge.show("drops")
        for name, _, _ in CUSTOMERS:
            assert edge.circuit(name, "to_cloud")["packets"] == number
            assert edge.circuit(name, "to_customer")["packets"] == number
        edge.end()


def one_queue(program, directory):
    forward(program, directory, "", "sleep")


def a_queue_for_each_worker(program, directory):
    forward(program, directory, ",qpairs=2", "sleep")


own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(one_queue, a_queue_for_each_worker)
