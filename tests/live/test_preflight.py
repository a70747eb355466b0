#!/usr/bin/python3
"""The edge as an ordinary user with the capabilities that `check --preflight` names: with all of them it runs, with one
less the preflight says which, and the edge does not start."""

from edge import main
from ordinary import Case, ordinary
from taps import Tap, own_network

PACKET = {"net_raw", "net_admin"}
XDP = {"net_admin", "net_raw", "bpf", "ipc_lock"}
# Devices, what they need, and that without which there is a way all the same.
KINDS = {
    "captures": (("net_null0", "net_null1"), set()),
    "vhost": (("net_vhost0,iface={0}/access.sock", "net_vhost1,iface={0}/core.sock"), set()),
    "taps": (("net_tap0,iface=t0", "net_tap1,iface=t1"), {"net_admin"}),
    "packet sockets": (("net_af_packet0,iface=a0", "net_af_packet1,iface=c0"), PACKET),
    "xdp, steered": (("net_af_xdp0,iface=a0", "net_af_xdp1,iface=c0"), XDP),
    "xdp, whole": (("net_af_xdp0,iface=a0", "net_af_xdp1,iface=c0"), XDP - {"bpf"} | {"sys_admin"}),
}


def one_less(program, directory):
    with Tap("a0", "02:00:00:00:00:a0"), Tap("c0", "02:00:00:00:00:c1"):
        for kind, (devices, needed) in KINDS.items():
            ports = {"steering": False} if kind == "xdp, whole" else {}
            case = Case(program, directory, *(device.format(directory) for device in devices), **ports)
            failed = case.preflight(ordinary(needed))
            assert not failed, (kind, failed)
            assert case.starts(ordinary(needed)), kind
            for without in sorted(needed):
                failed = case.preflight(ordinary(needed - {without}))
                assert failed and all(f"CAP_{without.upper()}" in line for line in failed), (kind, without, failed)
                assert not case.starts(ordinary(needed - {without})), (kind, without)
            print(f"    {kind}: {', '.join(sorted(needed)) or 'nothing'}")


def a_tap_beside(program, directory):
    case = Case(program, directory, "net_null0", "net_null1", tap="pl0")
    case.model["ports"]["core0"]["tap"] = "pl1"
    assert case.starts(ordinary({"net_admin"}))
    assert len(case.preflight(ordinary(set()))) == 2
    assert not case.starts(ordinary(set()))


def locked_memory(program, directory):
    with Tap("a0", "02:00:00:00:00:a0"), Tap("c0", "02:00:00:00:00:c1"):
        case = Case(program, directory, *KINDS["packet sockets"][0])
        few = ordinary(PACKET, locked="2047")
        assert case.preflight(few) == ["fail  locked memory: 2048 kB are needed, 2047 kB are allowed"]
        assert not case.starts(few)
        enough = ordinary(PACKET, locked="2048")
        assert not case.preflight(enough)
        assert case.starts(enough)


own_network()
main(one_less, a_tap_beside, locked_memory)
