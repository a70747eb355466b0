#!/usr/bin/python3
"""Neighbours and local delivery of the real program: nobody's MAC is configured, customers have the same addresses."""

import fcntl
import signal
import struct
import subprocess
import time

from edge import CUSTOMERS, PATIENCE, Edge, check_conservation, configuration, main, wait_until
from traffic import from_cloud, from_customer, number_of
from links import Wire, make_links, own_namespace
from station import Station, frame, tags_of
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, GRE, Ether

EDGE = {"access0": "02:00:00:00:00:a0", "core0": "02:00:00:00:00:c0"}
ROUTER = {"contoso": "02:00:00:00:01:01", "fabrikam": "02:00:00:00:02:02"}
GATEWAY, EVIL = "02:00:00:00:00:fe", "02:00:00:00:0e:0e"
TAGS = {name: (vlan, 10) for name, vlan, _ in CUSTOMERS}
KEY = {name: key for name, _, key in CUSTOMERS}
HOSTS = {(TAGS[name], address): ROUTER[name] for name in TAGS for address in ("172.16.0.1", "fd00:172::1")}
WINDOW = 16  # frames of each kind under way at once: no queue on the way can overflow
QUESTIONS = 8  # of a flood, beside each of them


def model_of(directory, **ports):
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")
    del model["ports"]["core0"]["gateway_mac"]
    for name, settings in ports.items():
        model["ports"][name].update(settings)
    for one in model["customers"]:
        peering = one["circuits"][0]["peerings"][0]
        del peering["customer_mac"]
        peering["subnet6"] = "fd00:172::/126"
    return model


def neighbours(edge):
    """{(customer or port, address): row}"""
    return {(row["customer"] or row["port"], row["address"]): row for row in edge.show("neighbours")}


def wait_for(edge, state, *names, address="172.16.0.1"):
    def all_are():
        rows = neighbours(edge)
        return all(rows[name, address]["state"] == state for name in names) and rows
    return wait_until(f"{names} are {state}", all_are)


def know_all(edge):
    wait_until("everybody is known", lambda: all(row["state"] == "reachable" for row in edge.show("neighbours")))
    return neighbours(edge)


def question(source, tags, psrc, pdst):
    return frame(source, "ff:ff:ff:ff:ff:ff", tags, ARP(op="who-has", hwsrc=source, psrc=psrc, pdst=pdst))


def claim(source, tags, address):
    """An announcement (RFC 5227 §3)."""
    return question(source, tags, address, address)


def data(station):
    """The next packet that is not an ICMP error: who does not answer is unreachable, and the sender is told."""
    while True:
        packet = Ether(station.next())
        if UDP in packet:
            return packet


def exchange(customers, cloud, names, first):
    """A window each way for each name; every frame comes out once, with the MAC of whom it is for."""
    numbers = range(first, first + WINDOW)
    for number in numbers:
        for name in names:
            customers.wire.send(from_customer(TAGS[name][0], number))
            cloud.wire.send(from_cloud(KEY[name], number))
    expected = sorted((name, number) for name in names for number in numbers)
    up, down = [], []
    for _ in expected:
        packet = data(cloud)
        assert (packet.src, packet.dst) == (EDGE["core0"], GATEWAY), packet.summary()
        up.append((next(name for name in KEY if KEY[name] == packet[GRE].key), number_of(packet[GRE].payload)))
        packet = data(customers)
        name = next(name for name in TAGS if TAGS[name] == tags_of(packet))
        assert (packet.src, packet.dst) == (EDGE["access0"], ROUTER[name]), packet.summary()
        down.append((name, number_of(packet)))
    assert sorted(up) == expected and sorted(down) == expected, (up, down)
    return first + WINDOW


def each_in_its_peering(program, directory):
    with Station("a1", HOSTS) as customers, Station("c1", {((), "192.0.2.254"): GATEWAY}) as cloud, \
            Edge(program, directory, model_of(directory)) as edge:
        rows = know_all(edge)
        assert len(rows) == 5, rows
        for name in TAGS:
            for address in ("172.16.0.1", "fd00:172::1"):
                row = rows[name, address]
                assert row["mac"] == ROUTER[name] and row["port"] == "access0" and row["link"] == "primary", row
                assert row["age_ms"] is not None and row["age_ms"] < 1000 * PATIENCE and row["changes"] == 0, row
        assert rows["core0", "192.0.2.254"]["mac"] == GATEWAY
        assert {one[:2] for one in customers.asked} == set(HOSTS), "nobody else is asked for, no other VLAN used"
        number = 0
        for _ in range(4):
            number = exchange(customers, cloud, TAGS, number)
        # The edge's own address is answered for in each.
        for name, tags in TAGS.items():
            customers.wire.send(question(ROUTER[name], tags, "172.16.0.1", "172.16.0.2"))
            answer = Ether(customers.next())
            assert tags_of(answer) == tags and answer.dst == ROUTER[name], answer.summary()
            assert (answer[ARP].op, answer[ARP].psrc, answer[ARP].hwsrc) == (2, "172.16.0.2", EDGE["access0"])
            customers.wire.send(question(ROUTER[name], tags, "172.16.0.1", "172.16.0.3"))
            customers.wire.send(frame(ROUTER[name], EDGE["access0"], tags,
                                      IP(src="172.16.0.1", dst="172.16.0.2"), ICMP(id=number)))
            assert Ether(customers.next())[ICMP].type == 0, "the question before it had no answer"
        assert edge.show("drops") == {}, edge.show("drops")
        for name in TAGS:
            for direction in ("to_cloud", "to_customer"):
                assert edge.circuit(name, direction)["drops"] == {}
        check_conservation(edge.show("ports"))
        edge.end()


def nobody_speaks_for_another(program, directory):
    with Station("a1", HOSTS) as customers, Station("c1", {((), "192.0.2.254"): GATEWAY}) as cloud, \
            Edge(program, directory, model_of(directory)) as edge:
        know_all(edge)
        for tags in ((100, 11), (999, 10), (100,), (10, 100)):
            customers.wire.send(claim(EVIL, tags, "172.16.0.1"))
        for address in ("172.16.0.1", "172.16.0.2"):
            cloud.wire.send(claim(EVIL, (), address))
        customers.wire.send(claim(EVIL, TAGS["fabrikam"], "192.0.2.254"))
        number = exchange(customers, cloud, TAGS, 0)
        # The edge's own address is defended.
        customers.wire.send(claim(EVIL, TAGS["contoso"], "172.16.0.2"))
        answer = Ether(customers.next())
        assert answer.dst == EVIL and answer[ARP].hwsrc == EDGE["access0"], answer.summary()
        assert edge.show("ports")["access0"]["neighbours"]["conflicts"] == 1
        rows = neighbours(edge)
        assert all(row["changes"] == 0 and row["mac"] != EVIL for row in rows.values()), rows
        exchange(customers, cloud, TAGS, number)
        # Another router of fabrikam's takes over: of fabrikam's only.
        ROUTER["fabrikam"] = "02:00:00:00:02:03"
        customers.hosts.update({one: ROUTER["fabrikam"] for one in HOSTS if one[0] == TAGS["fabrikam"]})
        customers.wire.send(claim(ROUTER["fabrikam"], TAGS["fabrikam"], "172.16.0.1"))
        wait_until("the change", lambda: neighbours(edge)["fabrikam", "172.16.0.1"]["changes"] == 1)
        wait_for(edge, "reachable", "fabrikam", "contoso")
        exchange(customers, cloud, TAGS, number + WINDOW)
        assert neighbours(edge)["contoso", "172.16.0.1"]["changes"] == 0
        ROUTER["fabrikam"] = "02:00:00:00:02:02"
        check_conservation(edge.show("ports"))
        edge.end()


def silence_and_return(program, directory):
    quiet = {one: mac for one, mac in HOSTS.items() if one[0] != TAGS["contoso"]}
    with Station("a1", quiet) as customers, Station("c1", {((), "192.0.2.254"): GATEWAY}) as cloud, \
            Edge(program, directory, model_of(directory)) as edge:
        wait_for(edge, "reachable", "fabrikam")
        wait_for(edge, "unreachable", "contoso")
        for number in range(WINDOW):
            cloud.wire.send(from_cloud(KEY["contoso"], number))
        exchange(customers, cloud, ["fabrikam"], 0)
        assert edge.show("drops") == {"no_neighbour": WINDOW}, edge.show("drops")
        row = edge.circuit("contoso", "to_customer")
        assert row["drops"] == {"no_neighbour": WINDOW} and row["packets"] == 0, row
        # Its router comes back, unannounced; and a packet that comes while it is asked for is not sent elsewhere.
        customers.hosts.update(HOSTS)
        wait_for(edge, "reachable", "contoso")
        exchange(customers, cloud, TAGS, WINDOW)
        assert customers.waiting() == []
        check_conservation(edge.show("ports"))
        edge.end()


def floods_are_their_owners(program, directory):
    quiet = {one: mac for one, mac in HOSTS.items() if one[0] != TAGS["contoso"]}
    with Station("a1", quiet) as customers, Station("c1", {((), "192.0.2.254"): GATEWAY}) as cloud, \
            Edge(program, directory, model_of(directory)) as edge:
        wait_for(edge, "reachable", "fabrikam")
        number = rounds = 0
        began = time.monotonic()
        flood = question(ROUTER["contoso"], TAGS["contoso"], "172.16.0.9", "172.16.0.77")
        for rounds in range(1, 61):
            for each in range(WINDOW):
                for _ in range(QUESTIONS):
                    customers.wire.send(flood)
                cloud.wire.send(from_cloud(KEY["contoso"], each))
            number = exchange(customers, cloud, ["fabrikam"], number)
        wait_for(edge, "unreachable", "contoso")
        drops = wait_until("what waited is dropped", lambda: edge.show("ports")["core0"]["held"] == 0
                           and edge.show("drops"))
        sent = rounds * WINDOW
        assert set(drops) == {"no_neighbour", "punt_limited"} and drops["no_neighbour"] == sent, (drops, sent)
        taken = sent * QUESTIONS - drops["punt_limited"]
        assert 0 < taken <= 100 * (2 + time.monotonic() - began), "a hundred at once, and a hundred a second"
        assert edge.circuit("contoso", "to_customer")["drops"] == {"no_neighbour": sent}
        assert edge.circuit("contoso", "to_cloud")["drops"] == {"punt_limited": drops["punt_limited"]}
        for direction in ("to_cloud", "to_customer"):
            row = edge.circuit("fabrikam", direction)
            assert row["packets"] == number and row["drops"] == {}, row
        check_conservation(edge.show("ports"))
        print(f"    {sent * QUESTIONS} ARP requests, {taken} to control; {sent} packets for who does not answer; "
              f"{2 * number} of another customer, none lost")
        edge.end()


def interface_exists(name):
    return subprocess.run(["ip", "link", "show", name], capture_output=True, check=False).returncode == 0


def taps(program, directory):
    model = model_of(directory, access0={"tap": "pl-a"}, core0={"tap": "pl-c"})
    with Station("a1", HOSTS) as customers, Station("c1", {((), "192.0.2.254"): GATEWAY}) as cloud, \
            Edge(program, directory, model) as edge:
        know_all(edge)
        near_customers, near_cloud = Wire("pl-a"), Wire("pl-c")
        # To the edge's own addresses: on the tap, as they came.
        for name, tags in TAGS.items():
            syn = frame(ROUTER[name], EDGE["access0"], tags, IP(src="172.16.0.1", dst="172.16.0.2"),
                        TCP(sport=40000, dport=179, flags="S"))
            customers.wire.send(question(ROUTER[name], tags, "172.16.0.1", "172.16.0.2"))
            customers.wire.send(syn)
            # With its original tags. The ARP request, which came first, is the edge's own.
            got = near_customers.receive()
            assert got == syn, (Ether(got), Ether(syn))
            assert ARP in Ether(customers.next())
        ike = frame(GATEWAY, EDGE["core0"], (), IP(src="198.51.100.7", dst="192.0.2.1"), UDP(sport=500, dport=500),
                    b"ike!")
        cloud.wire.send(ike)
        assert near_cloud.receive() == ike
        # What the system sends leaves by the port; under tags of nobody it does not.
        for tags in ((999, 10), (100,), ()):
            near_customers.send(frame(EDGE["access0"], ROUTER["contoso"], tags,
                                      IP(src="172.16.0.2", dst="172.16.0.1"), TCP(dport=179)))
        reply = frame(EDGE["access0"], ROUTER["contoso"], TAGS["contoso"], IP(src="172.16.0.2", dst="172.16.0.1"),
                      TCP(sport=179, dport=40000, flags="SA"))
        near_customers.send(reply)
        assert customers.next() == reply
        near_cloud.send(frame(EDGE["core0"], GATEWAY, (), IP(src="192.0.2.1", dst="198.51.100.7"),
                              UDP(dport=500)))
        assert Ether(cloud.next())[UDP].dport == 500
        # The system asks for its neighbour by itself, and hears the answer.
        near_customers.send(question(EDGE["access0"], TAGS["fabrikam"], "172.16.0.2", "172.16.0.1"))
        answer = Ether(near_customers.receive())
        assert (answer[ARP].op, answer[ARP].hwsrc) == (2, ROUTER["fabrikam"]) and tags_of(answer) == TAGS["fabrikam"]
        exchange(customers, cloud, TAGS, 0)
        ports = edge.show("ports")
        check_conservation(ports)
        assert ports["access0"]["from_tap"] == 2 and ports["access0"]["from_tap_refused"] == 3, ports["access0"]
        assert ports["access0"]["tap_refused"] == 0 and ports["core0"]["from_tap"] == 1, ports
        assert edge.show("drops") == {}, edge.show("drops")
        edge.process.send_signal(signal.SIGKILL)
        edge.process.wait()
        assert not interface_exists("pl-a") and not interface_exists("pl-c"), "nothing is left behind"


def a_tap_that_cannot_be(program, directory):
    """The name of an interface that is there, and that of another edge's tap."""
    def refused(name):
        model = model_of(directory, access0={"tap": name})
        model["edge"]["socket"] = str(directory / "second.sock")
        second = Edge(program, directory, model)
        done = subprocess.run([program, "run", "--config", str(second.file)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == 1, done.stderr
        assert "port access0" in done.stderr and f"tap `{name}` cannot be made" in done.stderr, done.stderr
        return done.stderr

    assert "that no other interface has" in refused("a1")
    subprocess.run(["ip", "tuntap", "add", "dev", "pl-used", "mode", "tap"], check=True)
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        hold_tap(tun, "pl-used")
        assert "choose another, or end that process" in refused("pl-used")
    subprocess.run(["ip", "link", "del", "pl-used"], check=True)


def hold_tap(file, name):
    """As another edge would."""
    fcntl.ioctl(file, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI


own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(each_in_its_peering, nobody_speaks_for_another, silence_and_return, floods_are_their_owners, taps,
     a_tap_that_cannot_be)
