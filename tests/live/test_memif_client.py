#!/usr/bin/python3
"""The edge as a memif client: a server that dies, refuses, or says nothing; the edge connects to the next by itself."""

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


def link(edge, port="access0"):
    assert edge.process.poll() is None, (edge.process.returncode, edge.log())
    return edge.show("ports")[port]


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
                numbers = testpmd.numbers()
                wait_until("the links are up", lambda: links(edge) == {"up"})
                before = transmitted(edge)
                testpmd.forward(*(numbers[one.split(",")[0]] for pair in zip(sources, ports) for one in pair))
                wait_until("traffic both ways", lambda old=before: all(
                    now > was + BEHIND for now, was in zip(transmitted(edge), old)))
            wait_until("the links are down", lambda: links(edge) == {"down"})
            wait_until("the reason is said", lambda: {port["link_reason"] for port in edge.show("ports").values()}
                       == {"no server listens"})
            files.append(open_files(edge))
            wait_until("no file is left open", lambda: open_files(edge) <= files[0])
        assert set(edge.show("drops")) <= {"tx_full"}, edge.show("drops")
        check_conservation(edge.show("ports"))
        edge.end()
    finally:
        if running:
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
        assert link(edge)["link"] == "down" and link(edge)["link_reason"] == "", link(edge)
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


main(servers_of_testpmd, many_servers, a_server_that_does_not_greet)
