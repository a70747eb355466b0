#!/usr/bin/python3
"""The edge as an ordinary user with the capabilities that `check --preflight` names: with all of them it runs, with one
less the preflight says which, and the edge does not start."""

import os
import shutil
import subprocess
from pathlib import Path

from edge import PATIENCE, Edge, configuration, main
from taps import Tap, own_network

NOBODY = "65534"
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


def ordinary(capabilities, locked="8192"):
    """What stands before a command to run it so; `locked` in kB."""
    names = ",".join(["-all", *(f"+{name}" for name in sorted(capabilities))])
    return ["sh", "-c", f'ulimit -l {locked}; exec "$@"', "sh", "setpriv", "--reuid", NOBODY, "--regid", NOBODY,
            "--clear-groups", "--inh-caps", names, "--ambient-caps", names]


class Case:
    """One configuration, where an ordinary user may read and write, and a program that it may run."""

    def __init__(self, program, directory, access, core, **ports):
        os.chmod(directory, 0o777)
        self.program = directory / "peerlane"
        shutil.copy(program, self.program)
        self.directory = directory
        self.model = configuration(directory, access, core, workers=1)
        for port in self.model["ports"].values():
            port.update(ports)
        Edge(self.program, directory, self.model)
        (directory / "edge.yaml").chmod(0o644)

    def preflight(self, before):
        done = subprocess.run([*before, self.program, "check", "--preflight", "--config", self.directory / "edge.yaml"],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        failed = [line for line in done.stdout.splitlines() if line.startswith("fail")]
        assert done.returncode == (1 if failed else 0), (done.returncode, done.stdout, done.stderr)
        return failed

    def starts(self, before):
        for name in ("edge.log", "edge.sock"):  # of another user
            Path(self.directory / name).unlink(missing_ok=True)
        edge = Edge(self.program, self.directory, self.model, before)
        try:
            with edge:
                status = Path(f"/proc/{edge.process.pid}/status").read_text()
                assert f"Uid:\t{NOBODY}\t" in status, status
                edge.end()
                return True
        except AssertionError:
            assert edge.process.returncode == 1 and " runs: " not in edge.log(), (edge.process.returncode, edge.log())
            return False


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
