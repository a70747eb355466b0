#!/usr/bin/python3
"""What keeps an edge from starting: `check --preflight` and `run` say the same, before anything of DPDK's does. Two edges
do not share an interface, nor an edge its addresses with the system, without a word."""

import os
import socket
import subprocess

from edge import PATIENCE, Edge, configuration, main, wait_until
from links import make_links
from sealed import inbound, outbound, protected
from taps import Tap, own_network


def run_says(program, edge):
    done = subprocess.run([program, "run", "--config", str(edge.file)], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    return done.stderr


def preflight_says(edge):
    status, said, _ = edge.command("check", "--preflight")
    return status, said


def both_say(program, directory, model, what):
    edge = Edge(program, directory, model)
    said = run_says(program, edge)
    assert what in said, (what, said)
    status, listed = preflight_says(edge)
    assert status == 1 and any(line.startswith("fail") and what in line for line in listed.splitlines()), (what, listed)


def devices(program, directory):
    (directory / "file").write_text("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(directory / "busy"))
        server.listen()
        for device, what in (
                ("net_af_pakcet0,iface=lo", "there is no driver for `net_af_pakcet0`"),
                ("net_af_packet0,iface=nosuch", "there is no interface `nosuch`"),
                ("net_af_packet0", "`net_af_packet0` names no interface"),
                (f"net_vhost0,iface={directory}/none/s", f"there is no directory `{directory}/none`"),
                (f"net_vhost0,iface={directory}/{'s' * 108}", "the socket's path is"),
                (f"net_vhost0,iface={directory}/busy", f"another process listens at `{directory}/busy`"),
                (f"net_vhost0,iface={directory}/file", f"`{directory}/file` is not a socket"),
                (f"net_virtio_user0,path={directory}/none", f"nobody listens at `{directory}/none`"),
                (f"net_memif0,role=server,socket={directory}/none/s,socket-abstract=no",
                 f"there is no directory `{directory}/none`"),
                (f"net_pcap0,rx_pcap={directory}/none", f"`{directory}/none` cannot be read"),
        ):
            both_say(program, directory, configuration(directory, device, "net_null1"), f"port access0: {what}")


def sockets(program, directory):
    (directory / "file").write_text("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(directory / "busy"))
        server.listen()
        for path, what in ((f"{directory}/none/s", "cannot listen"), (f"{directory}/{'s' * 108}", "a socket's path is"),
                           (f"{directory}/busy", "another edge answers there"),
                           (f"{directory}/file", "there is a file of another kind")):
            model = configuration(directory, "net_null0", "net_null1")
            model["edge"]["socket"] = path
            both_say(program, directory, model, what)


def cores_and_disks(program, directory):
    model = configuration(directory, "net_null0", "net_null1", workers=1)
    model["edge"]["cores"] = [4095]
    edge = Edge(program, directory, model)
    assert "4095" in run_says(program, edge)
    status, said = preflight_says(edge)
    assert status == 1 and "fail  edge.cores: there is no core 4095" in said and "isolated" not in said, said

    state = directory / "state"
    state.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(state)], check=True)
    try:
        with (state / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass
        model = protected(directory, "net_null0", "net_null1", {"suite": "aes-gcm-128", "outbound": outbound("A", 0x1001),
                                                                "inbound": inbound("B", 0x2001)})
        model["edge"].update(state_dir=str(state), state_dir_volatile=True)
        edge = Edge(program, directory, model)
        assert "No space left on device" in run_says(program, edge)
        status, said = preflight_says(edge)
        assert status == 1 and f"fail  state_dir: the disk of {state} is full" in said, said
    finally:
        subprocess.run(["umount", str(state)], check=True)


def one_edge_for_each_interface(program, directory):
    for driver in ("net_af_packet", "net_af_xdp"):
        with Tap("a0", "02:00:00:00:00:a0"), Tap("c0", "02:00:00:00:00:c1"):
            second = directory / "second"
            second.mkdir(exist_ok=True)
            other = configuration(second, f"{driver}0,iface=a0", "net_null1")
            for end in ("orderly", "killed"):
                with Edge(program, directory, configuration(directory, f"{driver}0,iface=a0", f"{driver}1,iface=c0")) as edge:
                    both_say(program, second, other, "port access0: interface a0 is taken: another edge runs on it (process "
                             f"{edge.process.pid})")
                    if end == "orderly":
                        edge.end()
                    else:
                        edge.process.kill()
                        edge.process.wait()
                with Edge(program, second, other) as edge:
                    edge.end()
                os.path.exists(directory / "edge.sock") and os.unlink(directory / "edge.sock")
    # In one configuration `check` says it.
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_xdp1,iface=a0")
    status, _, said = Edge(program, directory, model).command("check")
    assert status == 1 and "device: interface `a0` is the same as at" in said, said


def addresses_of_the_system(program, directory):
    """A warning, from both; on the port's tap they are as they should be."""
    with Tap("a0", "02:00:00:00:00:a0"), Tap("c0", "02:00:00:00:00:c1", "192.0.2.1/24"):
        model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")
        model["ports"]["access0"]["tap"] = "pl-a0"
        what = "interface c0: the system has the edge's own address 192.0.2.1 there"
        with Edge(program, directory, model) as edge:
            assert what in edge.log(), edge.log()
            subprocess.run(["ip", "address", "add", "172.16.0.2/30", "dev", "pl-a0"], check=True)
            subprocess.run(["ip", "address", "add", "172.16.0.2/30", "dev", "a0"], check=True)
            _, said = preflight_says(edge)
            assert f"warn  {what}" in said, said
            assert "warn  interface a0: the system has the edge's own address 172.16.0.2" in said, said
            assert "interface pl-a0" not in said, said
            edge.end()


def offloads(program, directory):
    """Linux leaves segmentation to a veth pair; the one who runs the edge is told, and DPDK's own lines are not there."""
    make_links(("a0", "a1"), ("c0", "c1"))
    what = "interface a1, the other end of a0, leaves segmentation to the device"
    with Edge(program, directory, configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")) as edge:
        assert f"port access0: {what}" in edge.log() and "ethtool -K a1" in edge.log(), edge.log()
        assert "Frame size" not in edge.log(), edge.log()
        _, said = preflight_says(edge)
        assert f"warn  port access0: {what}" in said, said
        edge.end()
    subprocess.run(["ip", "netns", "add", "far"], check=True)
    try:
        subprocess.run(["ip", "link", "set", "a1", "netns", "far"], check=True)
        _, said = preflight_says(edge)
        assert "warn  port access0: the other end of a0 is in another network namespace" in said, said
    finally:
        subprocess.run(["ip", "netns", "del", "far"], check=True)
        wait_until("the pair is gone", lambda: not os.path.exists("/proc/sys/net/ipv4/conf/a0"))
        subprocess.run(["ip", "link", "del", "c0"], check=True)


own_network()
main(devices, sockets, cores_and_disks, one_edge_for_each_interface, addresses_of_the_system, offloads)
