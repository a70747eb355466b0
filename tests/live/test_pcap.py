#!/usr/bin/python3
"""A capture through the running edge: two workers that sleep, no privilege, no hugepage needed."""

import signal

from scapy.utils import rdpcap, wrpcap

from edge import CUSTOMERS, Edge, check_conservation, configuration, main, wait_until
from traffic import from_cloud, from_customer, to_access, to_core

EACH = 500


def both_ways(program, directory):
    numbers = [(name, vlan, key, number) for number in range(EACH) for name, vlan, key in CUSTOMERS]
    up = [from_customer(vlan, number) for _, vlan, _, number in numbers]
    up += [from_customer(300, 0), from_customer(100, 0, source="192.168.7.7"), b"\x02" * 9]
    down = [from_cloud(key, number) for _, _, key, number in numbers] + [from_cloud(0x2A03, 0)]
    wrpcap(str(directory / "up.pcap"), up, linktype=1)
    wrpcap(str(directory / "down.pcap"), down, linktype=1)
    model = configuration(directory,
                          f"net_pcap0,rx_pcap={directory}/up.pcap,tx_pcap={directory}/access0.pcap",
                          f"net_pcap1,rx_pcap={directory}/down.pcap,tx_pcap={directory}/core0.pcap")
    with Edge(program, directory, model) as edge:
        def all_in():
            ports = edge.show("ports")
            return ports if (ports["access0"]["received"], ports["core0"]["received"]) == (len(up), len(down)) else None

        ports = wait_until("everything is received", all_in)
        ports = wait_until("counters agree", lambda: edge.show("ports"))
        check_conservation(ports)
        assert ports["access0"]["sent"] == ports["core0"]["sent"] == len(numbers), ports
        assert ports["access0"]["transmitted"] == ports["core0"]["transmitted"] == len(numbers), ports
        assert ports["access0"]["driver"] == "net_pcap" and ports["access0"]["mac"] == "02:00:00:00:00:a0", ports
        assert edge.show("drops") == {"runt": 1, "unknown_vlan": 1, "source_not_accepted": 1, "unknown_tunnel": 1}
        for name, _, _ in CUSTOMERS:
            for direction in ("to_cloud", "to_customer"):
                row = edge.circuit(name, direction)
                assert (row["packets"], row["bytes"], row["policed_packets"]) == (EACH, EACH * 100, 0), row
        assert edge.circuit("contoso", "to_cloud")["drops"] == {"source_not_accepted": 1}
        assert {(t["key"], t["direction"], t["packets"]) for t in edge.show("tunnels")} == {
            (key, direction, EACH) for _, _, key in CUSTOMERS for direction in ("to_cloud", "to_customer")}
        assert len(edge.show("peerings")) == 4 and edge.show("sas") == []
        workers = edge.show("workers")
        assert [worker["worker"] for worker in workers] == [0, 1]
        assert sum(worker["packets"] for worker in workers) == len(up) + len(down), workers
        assert all(worker["packets"] and worker["cycles_per_packet"] for worker in workers), workers
        status, table, _ = edge.command("show", "circuits")
        assert status == 0 and table.startswith("customer") and len(table.splitlines()) == 5, table
        summary = edge.end()
        assert "contoso/sea" in summary and "source_not_accepted 1" in summary, summary

    sent = [to_core(bytes(frame)) for frame in rdpcap(str(directory / "core0.pcap"))]
    assert sent == [(key, number) for _, _, key, number in numbers], "the order or the contents differ"
    sent = [to_access(bytes(frame)) for frame in rdpcap(str(directory / "access0.pcap"))]
    assert sent == [(vlan, number) for _, vlan, _, number in numbers], "the order or the contents differ"


def one_that_spins(program, directory):
    """One worker, no naps, and the other signal."""
    wrpcap(str(directory / "up.pcap"), [from_customer(100, number) for number in range(EACH)], linktype=1)
    model = configuration(directory, f"net_pcap0,rx_pcap={directory}/up.pcap,tx_pcap={directory}/access0.pcap",
                          f"net_pcap1,rx_pcap={directory}/up.pcap,tx_pcap={directory}/core0.pcap", workers=1,
                          idle="spin")
    with Edge(program, directory, model) as edge:
        wait_until("everything is sent", lambda: edge.show("ports")["core0"]["transmitted"] == EACH)
        wait_until("the foreign frames are in", lambda: edge.show("ports")["core0"]["dropped"] == EACH)
        check_conservation(edge.show("ports"))
        assert edge.show("drops") == {"not_for_us": EACH}
        edge.end(signal.SIGINT)
    assert len(rdpcap(str(directory / "core0.pcap"))) == EACH


main(both_ways, one_that_spins)
