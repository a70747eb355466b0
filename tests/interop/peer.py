"""A Linux kernel as one process (User-Mode Linux): somebody else's router on a tap interface of this namespace.

It boots in about two seconds, on the host's own root directory, read only, under a layer in memory. So it has every
program the host has, and python3 finds this directory's scripts under /run/peer, where the peer's directory is mounted.
"""

import contextlib
import fcntl
import itertools
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from live import PATIENCE, wait_until

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
NUDGE = 0.1  # seconds
INIT = Path(__file__).resolve().parent / "guest_init"
# Without it, it does not run on a processor with AMX.
PRELOADED = Path(sys.argv[1]).resolve().parent.parent / "tests/interop/wide-registers.so"


def make_tap(name):
    """A descriptor. Frames pass as they are on a wire: tags in place, checksums filled in, none above the MTU."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "mtu", "2000", "up"], check=True)
    return tap


class Job:
    """A script that runs inside a peer."""

    def __init__(self, peer, name, script):
        self.peer, self.file = peer, peer.directory / name
        self.status = self.file.with_suffix(".status")
        self.file.write_text(script)
        peer.tell(name)

    def ended(self):
        self.peer.check_alive()
        return self.status.exists()

    def text(self, ending):
        return self.file.with_suffix(ending).read_text()

    def wait(self, patience=PATIENCE):
        """Its standard output; fails if it did."""
        wait_until(f"a job of {self.peer.name} ends:\n{self.file.read_text()}", self.ended, patience)
        output, errors = self.text(".out"), self.text(".err")
        assert self.status.read_text() == "0\n", f"{self.peer.name}:\n{self.file.read_text()}\n{output}\n{errors}"
        return output


class Peer:
    """A running peer; its only Ethernet interface is vec0, and `interface` is the tap at the other end of the cable."""

    def __init__(self, directory, name, interface, memory="192M"):
        self.name, self.interface, self.memory = name, interface, memory
        self.directory = Path(directory) / name
        self.directory.mkdir()
        self.tap = make_tap(interface)  # ours: the cable stays when the peer goes
        self.numbers = itertools.count()
        self.process = None

    def power_on(self):
        """Returns at once; `run` waits until it has booted."""
        (self.directory / "ready").unlink(missing_ok=True)
        assert PRELOADED.exists(), f"there is no {PRELOADED}: build all"
        kernel = ["env", f"LD_PRELOAD={PRELOADED}",
                  "linux.uml", f"mem={self.memory}", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
                  "nohz=off",  # and an idle kernel sleeps through an interrupt until its next tick
                  # half a second of benchmarks each; and what waits, and is for nothing here
                  "initcall_blacklist=raid6_select_algo,calibrate_xor_blocks,strp_dev_init,init_zswap",
                  f"uml_dir={self.directory}/uml", "umid=peer", "con=null", "con0=null,fd:1", "ssl0=fd:0,null",
                  f"vec0:transport=fd,fd={self.tap},vec=0,gro=0", f"init={INIT}", f"peer_directory={self.directory}"]
        # In a PID namespace of its own, so that all its processes go when unshare does; the shell is PID 1 there
        # because the kernel could not abort if it were.
        command = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", 'ulimit -c 0; "$@"; exit', "sh", *kernel]
        with (self.directory / "console").open("wb") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=console, stderr=console,
                                            pass_fds=[self.tap])

        self.off = threading.Event()
        self.nudging = threading.Thread(target=self.nudge, daemon=True)
        self.nudging.start()

    def nudge(self):
        """Sends empty lines. The kernel now and then misses that a frame came; whatever comes next makes it look."""
        with contextlib.suppress(BrokenPipeError):
            while not self.off.wait(NUDGE):
                self.tell("")

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def power_off(self):
        """As if its plug were pulled."""
        self.off.set()
        self.nudging.join()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def __enter__(self):
        self.power_on()
        return self

    def __exit__(self, *_):
        self.power_off()
        os.close(self.tap)
        wait_until(f"all of {self.name} has ended",  # and with it the cable
                   lambda: self.interface not in [name for _, name in socket.if_nameindex()])

    def check_alive(self):
        if self.process.poll() is not None:
            console = (self.directory / "console").read_text(errors="replace")
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{console[-4000:]}")

    def booted(self):
        self.check_alive()
        return (self.directory / "ready").exists()

    def begin(self, script):
        """Begins a shell script inside, which ends at the first command that fails; several may run at once."""
        wait_until(f"{self.name} has booted", self.booted)
        return Job(self, f"job{next(self.numbers)}", script)

    def run(self, script, patience=PATIENCE):
        """Runs a shell script inside; returns what it printed."""
        return self.begin(script).wait(patience)

    def put(self, path):
        """Makes a file of the host readable inside; returns its name there."""
        path = Path(path)
        (self.directory / path.name).write_bytes(path.read_bytes())
        return f"/run/peer/{path.name}"
