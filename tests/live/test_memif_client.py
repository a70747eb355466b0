#!/usr/bin/python3
"""The edge as a memif client: a server that dies, refuses, or says nothing; the edge connects to the next by itself."""

import os
import signal
import sys
import time
from pathlib import Path

from edge import Edge, check_conservation, configuration, main, wait_until
from memif_case import BEHIND, captures, links, memif, open_files, transmitted
from memif_peer import MemifPeer, MemifServer

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "perf/lab"))

from testpmd import Testpmd  # noqa: E402

DEATHS = 3         # of testpmd
MANY_DEATHS = 24   # of a server that is quick to start
MESSAGES = 5       # of a client until it is connected: INIT, ADD_REGION, two ADD_RINGs, CONNECT
LISTENS = "00010000"
STILL = 6          # seconds, more than the edge leaves a server that has hung up on it


def link(edge, port="access0"):
    assert edge.process.poll() is None, (edge.process.returncode, edge.log())
    return edge.show("ports")[port]


def traffic_both_ways(edge, testpmd, sources, ports):
    numbers = testpmd.numbers()
    wait_until("the links are up", lambda: links(edge) == {"up"})
    before = transmitted(edge)
    testpmd.forward(*(numbers[one.split(",")[0]] for pair in zip(sources, ports) for one in pair))
    wait_until("traffic both ways", lambda: all(now > was + BEHIND for now, was in zip(transmitted(edge), before)))


def servers_of_testpmd(program, directory):
    """Killed in full traffic both ways."""
    sources, ports = captures(directory), memif(directory, "server")
    edge = Edge(program, directory, configuration(directory, *memif(directory, "client")))
    files = []
    running = None
    try:
        for _ in range(DEATHS):
            for port in ("access", "core"):  # DPDK leaves them, and does not start while they are there
                (directory / f"{port}.memif").unlink(missing_ok=True)
            with Testpmd(directory, [*sources, *ports]) as testpmd:
                running = running or edge.__enter__()
                traffic_both_ways(edge, testpmd, sources, ports)
            wait_until("the links are down", lambda: links(edge) == {"down"})
            wait_until("the reason is said", lambda: {port["link_reason"] for port in edge.show("ports").values()}
                       == {"no server listens"})
            files.append(open_files(edge))
            wait_until("no file is left open", lambda: open_files(edge) <= files[0])
        assert set(edge.show("drops")) <= {"tx_full", "link_down"}, edge.show("drops")
        check_conservation(edge.show("ports"))
        edge.end()
    finally:
        if running:
            edge.__exit__()


class Still(Testpmd):
    """Stopped as soon as it listens, until the edge has knocked and waited for a while."""

    def __init__(self, edge, directory, devices):
        super().__init__(directory, devices)
        self.edge = edge
        self.stopped = False

    def started(self):
        if not self.stopped and self.listening() == 2:
            self.stopped = True
            self.process.send_signal(signal.SIGSTOP)
            os.waitpid(self.process.pid, os.WUNTRACED)  # until it stands; its threads run on meanwhile
            self.edge.__enter__()
            for wait in (0, STILL):
                time.sleep(wait)
                wait_until("the edge waits", lambda: {port["link_reason"] for port in self.edge.show("ports").values()}
                           == {"the server does not answer"})
            assert "opened again" not in self.edge.log(), self.edge.log()
            self.process.send_signal(signal.SIGCONT)
        return super().started()

    def listening(self):
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as sockets:
            return sum(f" {LISTENS} " in line and f"@{self.directory}" in line for line in sockets)


def a_testpmd_that_stands_still(program, directory):
    """As on a machine that has no time for it. A client that hangs up then, to try again, would be its ruin: it frees
    what it still listens with. Its names are abstract ones, which is what memif takes if it is told nothing."""
    sources, ports = captures(directory), memif(directory, "server", "yes")
    edge = Edge(program, directory, configuration(directory, *memif(directory, "client", "yes")))
    try:
        with Still(edge, directory, [*sources, *ports]) as testpmd:
            assert testpmd.stopped
            traffic_both_ways(edge, testpmd, sources, ports)
            assert set(edge.show("drops")) <= {"tx_full", "link_down"}, edge.show("drops")
            edge.end()
    finally:
        if edge.process:
            edge.__exit__()


def many_servers(program, directory):
    """At every step of their greeting, and after it, while workers poll all the time. The other port goes on."""
    client, other = memif(directory, "client")[0], memif(directory, "server")[1]
    path = str(directory / "access.memif")
    server = MemifServer(path)
    with Edge(program, directory, configuration(directory, client, other, idle="spin")) as edge:
        cloud_side = MemifPeer(str(directory / "core.memif"))
        files = []
        for death in range(MANY_DEATHS):
            server.accept()
            server.greet()
            if server.answer(None if death % 2 else death // 2 % MESSAGES):
                wait_until("the link is up", lambda: link(edge)["link"] == "up")
            server.die()
            if death % 2:
                wait_until("the link is down", lambda: link(edge)["link"] == "down")
                files.append(open_files(edge))
                wait_until("no file is left open", lambda: open_files(edge) <= files[0])
            server = MemifServer(path)
        assert link(edge, "core0")["link"] == "up"
        server.accept()
        server.greet()
        assert server.answer()
        wait_until("the link is up", lambda: link(edge)["link"] == "up")
        server.die()
        cloud_side.die()
        edge.end()


def a_server_that_does_not_greet(program, directory):
    """It is left time: a client that hangs up then is the end of a DPDK process. One that comes anew is asked at once."""
    path = str(directory / "access.memif")
    mute = MemifServer(path)
    with Edge(program, directory,
              configuration(directory, memif(directory, "client")[0], memif(directory, "server")[1])) as edge:
        mute.accept()
        mute.control.settimeout(2)
        try:
            heard = mute.control.recv(1)
        except TimeoutError:
            heard = None
        assert heard is None, "it hung up"
        wait_until("the reason is said", lambda: link(edge)["link_reason"] == "the server does not answer")
        assert link(edge)["link"] == "down"
        mute.die()
        speaking = MemifServer(path)
        start = time.monotonic()
        speaking.accept()
        speaking.greet()
        assert speaking.answer()
        wait_until("the link is up", lambda: link(edge)["link"] == "up")
        print(f"    a new server was found after {time.monotonic() - start:.1f} s")
        # The same one hangs up and goes on listening, as testpmd does whose port is stopped and started.
        speaking.control.close()
        speaking.accept()
        speaking.greet()
        assert speaking.answer()
        wait_until("the link is up again", lambda: link(edge)["link"] == "up")
        speaking.die()
        edge.end()


main(servers_of_testpmd, a_testpmd_that_stands_still, many_servers, a_server_that_does_not_greet)
