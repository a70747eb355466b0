#!/usr/bin/python3
"""Reloads while traffic flows: nothing is lost, counters go on, a bad file changes nothing."""

import copy
import json
import signal
import socket

from scapy.utils import wrpcap

from edge import CUSTOMERS, Edge, changed, check_conservation, configuration, customer, main, wait_until
from traffic import from_cloud, from_customer

ROUNDS = 12


def endless(directory):
    """Both ports replay a capture of both customers for ever, as fast as the workers take it."""
    frames = [from_customer(vlan, number) for number in range(32) for _, vlan, _ in CUSTOMERS]
    wrpcap(str(directory / "up.pcap"), frames, linktype=1)
    frames = [from_cloud(key, number) for number in range(32) for _, _, key in CUSTOMERS]
    wrpcap(str(directory / "down.pcap"), frames, linktype=1)
    return configuration(directory, f"net_pcap0,rx_pcap={directory}/up.pcap,infinite_rx=1",
                         f"net_pcap1,rx_pcap={directory}/down.pcap,infinite_rx=1")


def passed(edge):
    return {(row["customer"], row["direction"]): row["packets"] for row in edge.show("circuits")}


def wait_for_traffic(edge, *names):
    """Every circuit named has passed more, both ways, than it had."""
    before = passed(edge)
    wait_until("traffic", lambda: all(now > before[what] for what, now in passed(edge).items() if what[0] in names))


def ask(path, request):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(40)
        client.connect(str(path))
        client.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(client.makefile().readline())


def nothing_is_lost(program, directory):
    model = endless(directory)
    with Edge(program, directory, model) as edge:
        wait_for_traffic(edge, "contoso", "fabrikam")
        for step in range(ROUNDS):
            before = passed(edge)
            edge.write(changed(model, step))
            status, _, said = edge.command("reload")
            assert status == 0, said
            after = passed(edge)
            for what, packets in before.items():
                assert what[0] == "northwind" or after[what] >= packets, ("a counter went back", what, packets, after)
            assert (("northwind", "to_cloud") in after) == bool(step % 2), after
            wait_for_traffic(edge, "contoso", "fabrikam")
            assert edge.show("drops") == {}, edge.show("drops")
        assert edge.log().count("peerlane: reloaded") == ROUNDS
        # The same by signal.
        edge.write(model)
        edge.process.send_signal(signal.SIGHUP)
        wait_until("SIGHUP reloads", lambda: edge.log().count("peerlane: reloaded") == ROUNDS + 1)
        # Traffic stops, then the sums are exact.
        summary = edge.end()
        assert "dropped for no circuit: -" in summary, summary


def a_bad_file_changes_nothing(program, directory):
    model = endless(directory)
    with Edge(program, directory, model) as edge:
        bad = copy.deepcopy(model)
        bad["customers"][0]["circuits"][0]["service_vlan"] = 5000
        bad["customers"][1]["circuits"][0]["bandwith"] = "1 Gbps"
        edge.write(bad)
        edge.process.send_signal(signal.SIGHUP)
        wait_until("SIGHUP is refused", lambda: "not reloaded" in edge.log())
        assert "5000" in edge.log() and "bandwith" in edge.log(), edge.log()
        status, _, said = edge.command("reload")
        assert status == 1 and "5000" in said and "bandwith" in said and "not reloaded" in said, said
        edge.file.write_text("{")
        assert ask(edge.socket, {"command": "reload"})["ok"] is False
        edge.file.unlink()
        answer = ask(edge.socket, {"command": "reload"})
        assert not answer["ok"] and "cannot be read" in answer["findings"][0]["what"], answer
        assert {row["customer"] for row in edge.show("circuits")} == {"contoso", "fabrikam"}
        wait_for_traffic(edge, "contoso", "fabrikam")
        assert edge.show("drops") == {}
        edge.end()


def what_needs_a_restart(program, directory):
    model = endless(directory)
    with Edge(program, directory, model) as edge:
        other = copy.deepcopy(model)
        other["edge"]["workers"] = 1
        other["edge"]["idle"] = "spin"
        other["edge"]["socket"] = str(directory / "other.sock")
        other["ports"]["core0"]["mtu"] = 1700
        other["ports"]["access0"]["device"] = "net_null0"
        other["ports"]["access1"] = {"role": "access", "device": "net_null1"}
        edge.write(other)
        answer = ask(edge.socket, {"command": "reload"})
        said = " ".join(finding["what"] for finding in answer["findings"])
        assert not answer["ok"], answer
        for what in ("edge.workers", "edge.idle", "edge.socket", "core0: mtu", "access0: device", "access1 is new"):
            assert what in said, (what, said)
        assert all("restart" in f["remedy"] for f in answer["findings"] if f["severity"] == "error"), answer
        edge.write(model)
        assert ask(edge.socket, {"command": "reload"})["ok"]
        edge.end()


def many_circuits(program, directory):
    """An answer of megabytes; the socket's clients may be slow and many."""
    customers = [customer(f"customer-{i:04}", 100 + i, 0x10000 + i, bandwidth="50 Mbps") for i in range(3900)]
    model = configuration(directory, "net_null0,no-rx=1", "net_null1,no-rx=1", customers=customers)
    with Edge(program, directory, model) as edge:
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(str(edge.socket))
        slow.sendall(b'{"command":"show","what":"circuits"}\n')  # and never reads
        rows = edge.show("circuits")
        assert len(rows) == 2 * len(customers), len(rows)
        assert rows[-1]["customer"] == customers[-1]["name"]
        status, _, said = edge.command("reload")
        assert status == 0, said
        slow.close()
        check_conservation(edge.show("ports"))
        edge.end()


main(nothing_is_lost, a_bad_file_changes_nothing, what_needs_a_restart, many_circuits)
