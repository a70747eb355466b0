"""How the edge's ports reach the peers' cables: the DPDK devices, the number of workers, and what is in between."""

import contextlib
import subprocess

from live import wait_until


@contextlib.contextmanager
def af_packet(_directory):
    yield ("net_af_packet0,iface=access", "net_af_packet1,iface=core"), 2


@contextlib.contextmanager
def af_xdp(_directory):
    yield ("net_af_xdp0,iface=access", "net_af_xdp1,iface=core"), 2


@contextlib.contextmanager
def memif(directory):
    """Somebody else's process has the cables and hands on, over shared memory, what comes by them."""
    sockets = [directory / f"{name}.memif" for name in ("access", "core")]
    devices = []
    for number, (interface, socket) in enumerate(zip(("access", "core"), sockets)):
        devices += [f"--vdev=net_af_packet{number},iface={interface}",  # testpmd pairs them in this order
                    f"--vdev=net_memif{number},role=server,id=0,socket={socket},socket-abstract=no"]
    command = ["stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m", "128", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0,1",
               "--file-prefix", f"memif-{directory.name}", *devices, "--", "--forward-mode=io", "--no-flush-rx",
               "--total-num-mbufs=8192", "--stats-period", "600"]  # without which the end of its input ends it
    log = directory / "testpmd.log"
    with log.open("wb") as output, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                                    stderr=output) as testpmd:
        try:
            # It listens before that, and refuses a client, which would try again in five seconds.
            wait_until("testpmd's ports have started",
                       lambda: "Checking link statuses" in log.read_text() or testpmd.poll() is not None)
            assert testpmd.poll() is None, log.read_text()
            yield tuple(f"net_memif{number},role=client,id=0,socket={socket},socket-abstract=no"
                        for number, socket in enumerate(sockets)), 1  # testpmd has one queue, and so must have the edge
        finally:
            testpmd.kill()


WIRES = {"af_packet": af_packet, "af_xdp": af_xdp, "memif": memif}
