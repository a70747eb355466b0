#!/usr/bin/python3
"""XDP steering: the edge gets its own frames of an interface, the system everything else, whatever happens to either."""

import subprocess

from edge import Edge, check_conservation, configuration, customer, main, wait_until
from sealed import inbound, outbound, protected
from taps import Kernel, Tap, answers, own_network, program_of, solicit, xdp_of
from traffic import from_cloud, from_customer, to_access, to_core
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether

EDGE_A, EDGE_C, ROUTER, GATEWAY = "02:00:00:00:00:a0", "02:00:00:00:00:c0", "02:00:00:00:01:01", "02:00:00:00:00:fe"
LLDP = bytes.fromhex("0180c200000e" "020000000101" "88cc") + bytes(46)


def octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def access_tap(name="a0", mac=EDGE_A):
    return Tap(name, mac, "10.9.0.1/24")


def core_tap():
    """The system has addresses in the same subnets as the edge, and another MAC."""
    return Tap("c0", "02:00:00:00:00:c1", "192.0.2.2/24", "2001:db8::12:3402/64")


def steered(directory, **more):
    model = configuration(directory, "net_af_xdp0,iface=a0", "net_af_xdp1,iface=c0", **more)
    model["ports"]["core0"]["address6"] = "2001:db8::1234:1/64"
    model["ports"]["core0"]["gateway6"] = "2001:db8::fe"
    return model


def forwards(access, core, vlan, key, number=7):
    """One packet each way through the edge."""
    access.send(from_customer(vlan, number))
    assert to_core(core.receive(lambda frame: frame[:6] == octets(GATEWAY))) == (key, number)
    core.send(from_cloud(key, number))
    assert to_access(access.receive(lambda frame: frame[:6] == octets(ROUTER))) == (vlan, number)


def flood(edge, core, key, frames, window=100):
    """So many frames from the cloud, all of which the edge receives: its own queue has room for a window."""
    before = edge.show("ports")["core0"]["received"]
    for number in range(frames):
        core.send(from_cloud(key, number))
        if (number + 1) % window == 0:
            wait_until("the edge has received them",
                       lambda sent=number + 1: edge.show("ports")["core0"]["received"] >= before + sent)


def reaches_kernel(tap, frame):
    with Kernel(tap.name) as kernel:  # it takes the outer tag off
        tap.send(frame)
        kernel.receive(lambda seen: frame[16:60] in seen)


def refused(program, directory, model, *before):
    """What the edge says when it does not start."""
    file = directory / "edge.yaml"
    Edge(program, directory, model)
    done = subprocess.run([*before, program, "run", "--config", str(file)], capture_output=True, text=True, timeout=40,
                          check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    return done.stderr


def to_each_its_own(program, directory):
    """Every frame is counted as what it is; the system's side of both interfaces answers as ever."""
    with access_tap() as access, core_tap() as core, Edge(program, directory, steered(directory)) as edge, \
            Kernel("a0") as kernel:
        for number in range(20):
            forwards(access, core, 100, 0x2A01, number)
            forwards(access, core, 200, 0x2A02, number)
        access.send(from_customer(101, 1))  # no such S-VID
        access.send(bytes(Ether(dst=EDGE_A, src=ROUTER) / Dot1Q(vlan=100) / IP() / UDP()))  # no such single tag
        access.send(LLDP)
        assert answers(access, "10.9.0.1", "10.9.0.7")
        seen = []
        kernel.receive(lambda frame: seen.append(frame) or (frame[12:14], frame[23]) == (b"\x08\x00", 1))  # the ping
        assert any(frame[12:14] == b"\x88\xcc" for frame in seen), "LLDP"
        assert sum(b"\x0a\x64\x00\x09" in frame for frame in seen) == 1, "of what is tagged, only what is not the edge's"

        assert answers(core, "192.0.2.2", "192.0.2.7")
        assert solicit(core, "2001:db8::12:3402"), "the system answers for its own address"
        core.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=GATEWAY) / ARP(op=1, hwsrc=GATEWAY, psrc="192.0.2.254",
                                                                            pdst="192.0.2.1")))
        solicit(core, "2001:db8::1234:1", wait=False)
        core.send(bytes(Ether(dst=EDGE_C, src=GATEWAY) / Dot1Q(vlan=5) / IP(dst="192.0.2.1") / UDP()))

        def counted():
            ports = edge.show("ports")
            return ports["core0"]["xdp"]["verdicts"].get("tagged") and ports["core0"]["received"] == 42 and ports
        ports = wait_until("all frames are counted", counted)
        first, second = ports["access0"]["xdp"], ports["core0"]["xdp"]
        for xdp in (first, second):
            assert (xdp["mode"], xdp["copy"]) == ("native", "copy"), xdp
            assert xdp["redirected"] + xdp["passed"] == sum(xdp["verdicts"].values()), xdp
        assert first["verdicts"] == {"to_peering": 40, "unknown_vlan": 2, "untagged": 3}, first
        assert second["verdicts"] == {"to_address": 40, "to_arp": 1, "to_solicited_node": 1, "tagged": 1,
                                      "other_address": 3}, second
        assert ports["access0"]["received"] == first["redirected"] == 40, ports
        check_conservation(ports)
        assert edge.show("drops") == {}, edge.show("drops")
        assert xdp_of("a0")["prog"]["name"] == xdp_of("c0")["prog"]["name"] == "peerlane_steer"
        edge.end()
        assert xdp_of("a0") is None and xdp_of("c0") is None


def the_largest_frames(program, directory):
    """What `check` allows is carried, to the octet."""
    model = steered(directory)
    inside = 3300 - 28  # IPv4, GRE with a key
    model["ports"]["core0"]["mtu"] = 3300
    model["ports"]["access0"]["mtu"] = inside
    with access_tap() as access, core_tap() as core, Edge(program, directory, model) as edge:
        for size in (1514, inside - 1, inside):
            access.send(from_customer(100, size, size))
            got = to_core(core.receive(lambda frame: frame[:6] == octets(GATEWAY)), size)
            assert got == (0x2A01, size), got
            core.send(from_cloud(0x2A01, size, size))
            got = to_access(access.receive(lambda frame: frame[:6] == octets(ROUTER)), size)
            assert got == (100, size), got
        assert edge.show("drops") == {}, edge.show("drops")
        check_conservation(edge.show("ports"))
        edge.end()


def a_driver_without_xdp(program, directory):
    """The kernel steers in its place, more slowly; `show ports` says so. A bridge is such an interface."""
    with access_tap() as access, Tap("t0", GATEWAY) as core:
        for command in (f"link add c0 address {EDGE_C} type bridge", "link set t0 master c0", "link set c0 up"):
            subprocess.run(["ip", *command.split()], check=True)
        with Edge(program, directory, steered(directory)) as edge:
            wait_until("the bridge is up", lambda: edge.show("ports")["core0"]["link"] == "up")
            for number in range(5):
                forwards(access, core, 100, 0x2A01, number)
            xdp = edge.show("ports")["core0"]["xdp"]
            assert (xdp["mode"], xdp["copy"]) == ("generic", "copy"), xdp
            assert xdp["verdicts"]["to_address"] == 5, xdp
            edge.end()
        assert xdp_of("c0") is None
        subprocess.run(["ip", "link", "del", "c0"], check=True)


def reload_moves_a_vlan(program, directory):
    model = steered(directory)
    with access_tap() as access, core_tap() as core, Edge(program, directory, model) as edge:
        reaches_kernel(access, from_customer(300, 1))
        model["customers"].append(customer("northwind", 300, 0x2A03))
        edge.write(model)
        status, _, said = edge.command("reload")
        assert status == 0, said
        for vlan, key in ((300, 0x2A03), (100, 0x2A01)):
            forwards(access, core, vlan, key)
        model["customers"] = [one for one in model["customers"] if one["name"] != "fabrikam"]
        edge.write(model)
        assert edge.command("reload")[0] == 0
        reaches_kernel(access, from_customer(200, 1))
        forwards(access, core, 300, 0x2A03)
        model["ports"]["access0"]["steering"] = False
        edge.write(model)
        status, _, said = edge.command("reload")
        assert status == 1 and "steering has changed" in said, said
        edge.end()


def nothing_is_left(program, directory):
    """After kill -9 the system has its interfaces back, and the next edge starts."""
    model = steered(directory)
    with access_tap() as access, core_tap() as core:
        for _ in range(2):
            with Edge(program, directory, model) as edge:
                forwards(access, core, 100, 0x2A01)
                edge.process.kill()
                edge.process.wait()
                assert xdp_of("a0") is None and xdp_of("c0") is None
                shown = subprocess.run(["ip", "-d", "link", "show"], capture_output=True, text=True, check=True).stdout
                assert "allmulti 1" not in shown and "promiscuity 1" not in shown, shown
                reaches_kernel(access, from_customer(100, 1))


def another_program(program, directory):
    """Somebody else's program is named and left alone; an edge's that was killed as it started is taken off."""
    model = steered(directory)
    with access_tap() as access, core_tap() as core:
        other = program_of(directory, 'SEC("xdp") int somebody(struct xdp_md* c) { return XDP_PASS; }')
        subprocess.run(["ip", "link", "set", "dev", "a0", "xdp", "obj", other, "sec", "xdp"], check=True)
        number = xdp_of("a0")["prog"]["id"]
        said = refused(program, directory, model)
        for text in ("port access0", f"number {number}", "`somebody`", "ip link set dev a0 xdp off"):
            assert text in said, (text, said)
        assert xdp_of("a0")["prog"]["id"] == number, "it is left alone"
        subprocess.run(["ip", "link", "set", "dev", "a0", "xdp", "off"], check=True)

        orphan = program_of(directory, 'SEC("xdp") int peerlane_steer(struct xdp_md* c) { return XDP_DROP; }')
        subprocess.run(["ip", "link", "set", "dev", "a0", "xdp", "obj", orphan, "sec", "xdp"], check=True)
        with Edge(program, directory, model) as edge:
            assert "killed as it started is taken off a0" in edge.log(), edge.log()
            forwards(access, core, 100, 0x2A01)
            second = steered(directory)
            second["edge"]["socket"] += "2"
            said = refused(program, directory, second)
            assert "another edge runs on it" in said, said
            forwards(access, core, 100, 0x2A01)
            edge.end()


def an_interface_goes(program, directory):
    """Down and up needs nothing; one that is removed leaves the others working."""
    model = steered(directory)
    model["ports"]["access1"] = {"role": "access", "device": "net_af_xdp2,iface=b0", "mac": "02:00:00:00:00:b0"}
    model["customers"][1]["circuits"][0]["port"] = "access1"
    with access_tap() as stays, access_tap("b0", "02:00:00:00:00:b0") as goes, core_tap() as core, \
            Edge(program, directory, model) as edge:
        forwards(stays, core, 100, 0x2A01)
        for state in ("down", "up"):
            subprocess.run(["ip", "link", "set", "a0", state], check=True)
        forwards(stays, core, 100, 0x2A01)
        core.send(from_cloud(0x2A02, 1))
        goes.receive(lambda frame: frame[:6] == octets(ROUTER))
        goes.close()
        wait_until("the edge says so", lambda: "interface b0 is gone" in edge.log())
        flood(edge, core, 0x2A02, 600)  # more than there is room for in the queue of the port that is gone
        for number in range(100):
            forwards(stays, core, 100, 0x2A01, number)
        ports = edge.show("ports")
        assert ports["access1"]["xdp"] is None and ports["access0"]["xdp"]["mode"] == "native", ports
        model["customers"][0]["circuits"][0]["service_vlan"] = 101
        model["customers"][1]["circuits"][0]["service_vlan"] = 201
        edge.write(model)
        status, _, said = edge.command("reload")
        assert status == 0, said
        forwards(stays, core, 101, 0x2A01)
        with access_tap("b0", "02:00:00:00:00:b0") as back:  # and steers what the reload has said meanwhile
            wait_until("the port is back", lambda: edge.show("ports")["access1"]["link"] == "up")
            wait_until("and steers", lambda: edge.show("ports")["access1"]["xdp"]["mode"] == "native")
            back.send(octets("02:00:00:00:00:b0") + from_customer(201, 7)[6:])
            assert to_core(core.receive(lambda frame: frame[:6] == octets(GATEWAY))) == (0x2A02, 7)
        edge.end()


def one_that_refuses(program, directory):
    """A port that may not steer what it should holds up none that comes back."""
    model = steered(directory)
    model["ports"]["access1"] = {"role": "access", "device": "net_af_xdp2,iface=b0", "mac": "02:00:00:00:00:b0"}
    model["customers"][1]["circuits"][0]["port"] = "access1"
    with access_tap(), access_tap("b0", "02:00:00:00:00:b0") as goes, core_tap() as core, \
            Edge(program, directory, model) as edge:
        goes.close()
        wait_until("the edge says so", lambda: "interface b0 is gone" in edge.log())
        subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "c0"], check=True)
        with access_tap("b0", "02:00:00:00:00:b0") as back:
            wait_until("the port steers", lambda: (edge.show("ports")["access1"]["xdp"] or {}).get("mode") == "native")
            wait_until("and is up", lambda: edge.show("ports")["access1"]["link"] == "up")
            back.send(octets("02:00:00:00:00:b0") + from_customer(200, 7)[6:])
            assert to_core(core.receive(lambda frame: frame[:6] == octets(GATEWAY))) == (0x2A02, 7)
            wait_until("the core's address is named", lambda: "interface c0 has the edge's own address" in edge.log())
        edge.end()


def clear_refusals(program, directory):
    model = steered(directory)
    with access_tap() as access, core_tap():
        for without, name in (("-bpf,-sys_admin", "CAP_BPF"), ("-net_admin", "CAP_NET_ADMIN"),
                              ("-net_raw", "CAP_NET_RAW")):
            said = refused(program, directory, model, "setpriv", "--bounding-set", without)
            assert "port access0" in said and f"XDP needs {name}" in said and "AmbientCapabilities" in said, said
        subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "c0"], check=True)
        said = refused(program, directory, model)
        assert "port core0: interface c0 has the edge's own address 192.0.2.1" in said, said
        assert "ip address del 192.0.2.1 dev c0" in said, said
        assert xdp_of("a0") is None and xdp_of("c0") is None
        # The preflight says it too, of every address.
        subprocess.run(["ip", "address", "add", "192.0.2.99/24", "dev", "c0"], check=True)
        sealed = protected(directory, "net_af_xdp0,iface=a0", "net_af_xdp1,iface=c0",
                           {"suite": "aes-gcm-128", "local": "192.0.2.99", "remote": "198.51.100.99",
                            "outbound": outbound("A", 0x1001), "inbound": inbound("B", 0x2001)})
        _, said, _ = Edge(program, directory, sealed).command("check", "--preflight")
        for address in ("192.0.2.1", "192.0.2.99"):
            assert f"fail  port core0: interface c0 has the edge's own address {address} in" in said, said
        model["ports"]["access0"]["device"] = "net_af_xdp0,iface=missing0"
        said = refused(program, directory, model)
        assert "port access0: there is no interface `missing0`" in said, said


def without_steering(program, directory):
    """Every frame is the edge's."""
    model = steered(directory)
    for port in model["ports"].values():
        port["steering"] = False
    with access_tap() as access, core_tap() as core, Edge(program, directory, model) as edge:
        forwards(access, core, 100, 0x2A01)
        access.send(from_customer(101, 1))
        wait_until("it is dropped", lambda: edge.show("drops").get("unknown_vlan") == 1)
        assert edge.show("ports")["access0"]["xdp"] is None
        edge.end()


own_network()
main(to_each_its_own, the_largest_frames, a_driver_without_xdp, reload_moves_a_vlan, nothing_is_left, another_program,
     an_interface_goes, one_that_refuses, clear_refusals, without_steering)
