"""What these tests share with those of the live edge, and a namespace that takes everything along when it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "live"))

from edge import PATIENCE, Edge, check_conservation, configuration, main, wait_until  # noqa: E402, F401

FILES = "/run"  # where DPDK also leaves directories behind


def own_namespace(as_root=False):
    """Starts this program again as PID 1 of namespaces of its own, root there without being root outside.

    `as_root`: root outside too, which the system wants for XDP programs.

    When it ends or is killed, the kernel ends every process it started and removes every interface and every file it
    made: those are in a file system of its own.
    """
    if not os.environ.get("PEERLANE_NAMESPACE"):
        stranger = os.geteuid() != 0
        os.environ["PEERLANE_NAMESPACE"] = "1"
        command = [*(["sudo", "-E"] if stranger and as_root else []), "unshare", "--net", "--mount", "--pid", "--fork",
                   "--kill-child", *(["--map-root-user"] if stranger and not as_root else []),
                   sys.executable, *sys.argv]
        os.execvp(command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # PID 1 has no default for it
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", FILES], check=True)
    tempfile.tempdir = os.environ["TMPDIR"] = FILES
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for setting in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{setting}/disable_ipv6").write_text("1")  # this side of the taps is the edge's
