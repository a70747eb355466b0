#!/usr/bin/python3
"""The unit that is installed: systemd takes it, and the edge does all it has to with no more than the unit allows."""

import os
import re
import subprocess
from pathlib import Path

from confine import allowed_calls, settings
from edge import CUSTOMERS, Edge, changed, check_conservation, main, wait_until
from ordinary import NOBODY, Case, ordinary
from taps import Tap, own_network
from traffic import from_cloud, from_customer, to_access, to_core

UNIT = os.environ["PEERLANE_UNIT"]
EXPOSURE = 29  # tenths; systemd-analyze calls 3.0 and more "medium"


def verified(program, directory):
    """What `ninja install` puts where the unit says it is. Units of the system are not there to be loaded."""
    named = dict(settings(UNIT))
    wanted = {value.split()[0] for name, value in settings(UNIT) if name.startswith("Exec")}
    assert len(wanted) == 1, wanted
    unit = directory / "usr/local/lib/systemd/system/peerlane.service"
    unit.parent.mkdir(parents=True)
    unit.write_bytes(Path(UNIT).read_bytes())

    def verify():
        return subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={directory}",
                               unit.name], capture_output=True, text=True, check=False)

    done = verify()
    assert done.returncode != 0 and "is not executable" in done.stderr, "a unit whose program is missing passes"
    installed = directory / wanted.pop().lstrip("/")
    installed.parent.mkdir(parents=True, exist_ok=True)
    os.link(program, installed) if os.stat(program).st_dev == os.stat(directory).st_dev else installed.symlink_to(program)
    done = verify()
    assert (done.returncode, done.stderr) == (0, ""), done
    assert named["User"] == "peerlane"
    users = directory / "usr/local/lib/sysusers.d"
    users.mkdir(parents=True)
    (users / "peerlane.conf").write_bytes(Path(os.environ["PEERLANE_SYSUSERS"]).read_bytes())
    (directory / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={directory}"], check=True)
    assert "\npeerlane:" in "\n" + (directory / "etc/passwd").read_text()


def exposed_little(program, directory):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", UNIT],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print("    ", re.search(r"exposure level.*?: ([0-9.]+)", done.stdout).group(1))
    refused = {"ptrace", "mount", "init_module", "kexec_load", "reboot", "chroot", "setuid", "keyctl", "perf_event_open"}
    assert not refused & allowed_calls(UNIT), refused & allowed_calls(UNIT)


def confined(program):
    """What stands before a command to run it as the unit does: an ordinary user, these capabilities, these calls."""
    named = dict(settings(UNIT))
    assert named["AmbientCapabilities"] == named["CapabilityBoundingSet"], "not exactly what is needed"
    capabilities = {name.removeprefix("CAP_").lower() for name in named["AmbientCapabilities"].split()}
    place = Path(program).parent  # which that user may read
    for file in (Path(__file__).with_name("confine.py"), Path(UNIT)):
        (place / file.name).write_bytes(file.read_bytes())
    return [*ordinary(capabilities), "/usr/bin/python3", str(place / "confine.py"),
            str(place / Path(UNIT).name)]


def an_edge_at_work(program, directory, access, core, a0, c0):
    case = Case(program, directory, access, core)
    for name in ("edge.log", "edge.sock"):
        Path(directory / name).unlink(missing_ok=True)
    with Edge(case.program, directory, case.model, confined(case.program)) as edge:
        for number in range(8):
            for _, vlan, key in CUSTOMERS:
                a0.send(from_customer(vlan, number, 100))
                assert to_core(c0.receive(lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 47), 100) == (key, number)
                c0.send(from_cloud(key, number, 100))
                assert to_access(a0.receive(lambda frame: frame[12:14] in (b"\x81\x00", b"\x88\xa8")), 100) == (vlan, number)
        edge.write(changed(case.model, 1))
        status, _, said = edge.command("reload")
        assert status == 0, said
        subprocess.run(["ip", "link", "set", a0.name, "down"], check=True)
        wait_until("the link is down", lambda: edge.show("ports")["access0"]["link"] == "down")
        subprocess.run(["ip", "link", "set", a0.name, "up"], check=True)
        wait_until("the link is up", lambda: edge.show("ports")["access0"]["link"] == "up")
        check_conservation(edge.show("ports"))
        check_memory(edge.process.pid, access.split(",")[0].rstrip("0"))
        assert "EPERM" not in edge.log() and "not permitted" not in edge.log(), edge.log()
        edge.end()


def check_memory(pid, driver):
    """Only the drivers of its ports, no core dump, and nothing that is both written to and run."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    drivers = set(re.findall(r"/librte_(net_[a-z0-9_]+)\.so", maps.replace("/librte_net.so", "")))
    assert driver in drivers and len(drivers) <= 2, drivers
    assert not re.search(r"/librte_(crypto|raw|event|compress|baseband|regex|vdpa|dma)_", maps), "drivers of no use"
    assert not [line for line in maps.splitlines() if line.split()[1].startswith("rwx")]
    assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())
    # The files of a process that is not dumpable are root's, whoever runs it (proc(5)).
    assert f"Uid:\t{NOBODY}\t" in Path(f"/proc/{pid}/status").read_text()
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0


def at_work(program, directory):
    with Tap("a0", "02:00:00:00:00:a0") as a0, Tap("c0", "02:00:00:00:00:c1") as c0:
        for kind in ("net_af_packet", "net_af_xdp"):
            an_edge_at_work(program, directory, f"{kind}0,iface=a0", f"{kind}1,iface=c0", a0, c0)
            print("    ", kind)


own_network()
main(verified, exposed_little, at_work)
