#!/usr/bin/python3
"""A memif peer that dies and comes back, many times and under traffic: the edge goes on, and needs no restart."""

import sys
from pathlib import Path

from edge import Edge, check_conservation, configuration, main, wait_until
from memif_case import BEHIND, captures, links, memif, open_files, transmitted
from memif_peer import MemifPeer
from traffic import from_cloud, from_customer, to_access, to_core

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "perf/lab"))

from testpmd import Testpmd  # noqa: E402

DEATHS = 4          # of testpmd
MANY_DEATHS = 250   # of a peer that is quick to start
WINDOW = 64


def times_logged(edge, text):
    return [edge.log().count(f"port {port}: link {text}") for port in ("access0", "core0")]


def deaths_of_testpmd(edge, directory):
    """Killed in full traffic both ways; the next one finds the edge as the first did."""
    sources, ports = captures(directory), memif(directory, "client")
    files = []
    for death in range(1, DEATHS + 1):
        with Testpmd(directory, [*sources, *ports]) as testpmd:
            numbers = testpmd.numbers()
            wait_until("the links are up", lambda: links(edge) == {"up"})
            wait_until("that is logged", lambda count=death: times_logged(edge, "up") == [count, count])
            before = transmitted(edge)
            testpmd.forward(*(numbers[one.split(",")[0]] for pair in zip(sources, ports) for one in pair))
            wait_until("traffic both ways", lambda old=before: all(
                now > was + BEHIND for now, was in zip(transmitted(edge), old)))
        wait_until("the links are down", lambda: links(edge) == {"down"})
        wait_until("that is logged", lambda count=death: min(times_logged(edge, "down")) >= count)
        files.append(open_files(edge))
        wait_until("no file is left open", lambda: open_files(edge) <= files[0])
    assert set(edge.show("drops")) <= {"tx_full", "link_down"}, edge.show("drops")
    check_conservation(edge.show("ports"))


def the_edge_is_the_server(program, directory):
    with Edge(program, directory, configuration(directory, *memif(directory, "server"))) as edge:
        deaths_of_testpmd(edge, directory)
        edge.end()


def no_server_yet(program, directory):
    edge = Edge(program, directory, configuration(directory, *memif(directory, "client")))
    try:
        with edge:
            raise RuntimeError("it started")
    except AssertionError:
        assert edge.process.returncode == 1, edge.process.returncode
        assert "port access0" in edge.log() and "role=server" in edge.log(), edge.log()


def many_deaths(program, directory):
    """Each with frames in the ring and workers that poll all the time: there is no moment at which a death hurts."""
    paths = [str(directory / f"{port}.memif") for port in ("access", "core")]
    frames = [from_customer(100, number) for number in range(WINDOW)]
    with Edge(program, directory, configuration(directory, *memif(directory, "server"), idle="spin")) as edge:
        files = open_files(edge)
        lived = 0
        while lived < MANY_DEATHS:
            assert edge.process.poll() is None, (lived, edge.process.returncode, edge.log())
            try:
                peers = [MemifPeer(path) for path in paths]
            except ConnectionError:  # the death before has not been noticed yet
                continue
            peers[0].send(*frames)
            for peer in peers:
                peer.die()
            lived += 1
        ends = []

        def connected():
            try:
                ends.append(MemifPeer(paths[len(ends)]))
            except ConnectionError:
                pass
            return len(ends) == 2

        wait_until("the last peers are connected", connected)
        wait_until("the links are up", lambda: all(port["link"] == "up" for port in edge.show("ports").values()))
        customer_side, cloud_side = ends
        # More than there are buffers: had deaths cost any, they would be missed now.
        for first in range(0, 160 * WINDOW, WINDOW):
            numbers = list(range(first, first + WINDOW))
            customer_side.send(*(from_customer(100, number) for number in numbers[:1]), *frames[1:])
            assert to_core(cloud_side.receive())[1] == numbers[0]
            for _ in frames[1:]:
                cloud_side.receive()
            cloud_side.send(from_cloud(0x2A01, first))
            got = to_access(customer_side.receive())
            assert got == (100, first), (got, first)
        assert set(edge.show("drops")) <= {"tx_full", "link_down"}, edge.show("drops")
        wait_until("no file is left open", lambda: open_files(edge) == files + 2 * 4)
        check_conservation(edge.show("ports"))
        for end in ends:
            end.die()
        edge.end()


def a_killed_edge_starts_again(program, directory):
    """Its sockets are still there."""
    model = configuration(directory, *memif(directory, "server"))
    with Edge(program, directory, model):
        pass  # leaving the block kills it
    assert (directory / "access.memif").exists()
    with Edge(program, directory, model) as edge:
        peer = MemifPeer(str(directory / "access.memif"))
        wait_until("the link is up", lambda: edge.show("ports")["access0"]["link"] == "up")
        # A second edge must not take the sockets of one that lives.
        (directory / "second").mkdir()
        second = Edge(program, directory / "second",
                      dict(model, edge=dict(model["edge"], socket=str(directory / "second.sock"))))
        try:
            with second:
                raise RuntimeError("it started")
        except AssertionError:
            assert "port access0" in second.log(), second.log()
        assert (directory / "access.memif").exists()
        peer.die()
        edge.end()


main(many_deaths, a_killed_edge_starts_again, no_server_yet, the_edge_is_the_server)
