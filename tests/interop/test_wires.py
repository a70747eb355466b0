#!/usr/bin/python3
"""The same edge between the same kernels on other kinds of ports: AF_XDP, and memif with testpmd at its other end."""

import socket
import subprocess

from flows import Echoes, echo_both_ways
from lab import Circuit, batch, lab
from links import Wire
from live import PATIENCE, main, own_namespace
from protection import Protection
from vlan_shim import VlanShim

CIRCUITS = [Circuit("contoso", 11, (100,)), Circuit("fabrikam", 12, (200, 10), 6),
            Circuit("northwind", 13, (200, 11), protection=Protection("aes-gcm-256", 13, esn=True))]

# What the edge has nothing to do with: a subnet without tags, and one with the tag of a circuit that it does not know.
UNTAGGED, TAGGED = "192.168.7.", "192.168.8."
STRANGER = Circuit("stranger", 14, (999,))
TEXT, TPIDS = b"is still here", (b"\x81\x00", b"\x88\xa8")


def exchange(it):
    for inner in (4, 6):
        it.expect(echo_both_ways(it, lambda one: [84, 1028, one.inner_mtu(1500)], inner))
    it.check_undisturbed()


def over_memif(program, directory):
    # net_af_packet at testpmd's other side says 802.1Q of every outer tag it receives.
    with lab(program, directory, CIRCUITS, wire="memif", service_tpid=0x8100) as it:
        exchange(it)


def system_answers(it):
    """TCP, untagged, from the router's kernel to this one, by the interface that the edge has its access port on."""
    with socket.create_server((UNTAGGED + "1", 7)) as listening:
        asking = it.router.begin(f"exec 3<>/dev/tcp/{UNTAGGED}1/7; cat <&3")
        listening.settimeout(PATIENCE)
        connection, (sender, _) = listening.accept()
        with connection:
            connection.sendall(TEXT)
        assert (sender, asking.wait()) == (UNTAGGED + "2", TEXT.decode())


def stranger_answered(it):
    """ARP and ICMP, in a VLAN that the edge does not know."""
    it.router.run(batch([f"netns add {STRANGER.name}",
                         f"link add link vec0 name other type vlan id {STRANGER.tags[0]}",
                         f"link set other netns {STRANGER.name}"]) +
                  batch([f"addr add {TAGGED}2/24 dev other", "link set other up"], STRANGER.name))
    with VlanShim("access", "other", STRANGER.tags[0], TAGGED + "1/24"):
        sent = Echoes(it.router, [STRANGER], TAGGED + "1", lambda _: [84, 1028, 1500], 3).answered()[STRANGER.name]
    verdicts = it.edge.show("ports")["access0"]["xdp"]["verdicts"]
    assert verdicts["unknown_vlan"] >= sent, (verdicts, sent)


def over_af_xdp(program, directory):
    """Steered: this namespace's kernel goes on having, and answering, what is not the edge's."""
    with lab(program, directory, CIRCUITS, wire="af_xdp") as it:
        subprocess.run(["ip", "addr", "add", UNTAGGED + "1/24", "dev", "access"], check=True)
        it.router.run(f"ip addr add {UNTAGGED}2/24 dev vec0")
        wire = Wire("access")
        exchange(it)
        assert [frame.hex() for frame in wire.waiting() if frame[12:14] in TPIDS] == []
        system_answers(it)
        stranger_answered(it)
        exchange(it)
        print(it.edge.show("ports")["access0"]["xdp"], flush=True)


own_namespace(as_root=True)
main(over_memif, over_af_xdp)
