#!/usr/bin/python3
"""vhost-user, as virtual machines and containers have it: the edge at either end, and peers that die under traffic."""

import subprocess
import sys
import time
from pathlib import Path

from edge import PATIENCE, Edge, check_conservation, configuration, main, wait_until
from memif_case import BEHIND, captures, links, open_files, transmitted

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "perf/lab"))

from testpmd import Testpmd  # noqa: E402

DEATHS = 3
SEVERAL_LOOKS = 0.5  # seconds; the edge looks at a link ten times in one


def vhost(directory):
    return [f"net_vhost{number},iface={directory}/{port}.sock" for number, port in enumerate(("access", "core"))]


def virtio(directory):
    return [f"net_virtio_user{number},path={directory}/{port}.sock" for number, port in enumerate(("access", "core"))]


def traffic(edge, directory, theirs):
    """From captures both ways, until the peer is killed in its midst."""
    sources = captures(directory)
    with Testpmd(directory, [*sources, *theirs]) as testpmd:
        numbers = testpmd.numbers()
        if edge.process is None:
            edge.__enter__()
        wait_until("the links are up", lambda: links(edge) == {"up"})
        before = transmitted(edge)
        testpmd.forward(*(numbers[one.split(",")[0]] for pair in zip(sources, theirs) for one in pair))
        wait_until("traffic both ways", lambda: all(
            now > was + BEHIND for now, was in zip(transmitted(edge), before)))
    wait_until("the links are down", lambda: links(edge) == {"down"})


def end(edge):
    assert set(edge.show("drops")) <= {"tx_full", "link_down"}, edge.show("drops")
    check_conservation(edge.show("ports"))
    edge.end()


def the_edge_is_the_server(program, directory):
    with Edge(program, directory, configuration(directory, *vhost(directory))) as edge:
        files = open_files(edge)
        for _ in range(DEATHS):
            traffic(edge, directory, virtio(directory))
            wait_until("no file is left open", lambda: open_files(edge) <= files)
        end(edge)


def guests_do_their_own_checksums(program, directory):
    with Edge(program, directory, configuration(directory, *vhost(directory))) as edge:
        with Testpmd(directory, virtio(directory)) as testpmd:
            wait_until("the links are up", lambda: links(edge) == {"up"})
            testpmd.say("show port 0 tx_offload capabilities", "show port 1 tx_offload capabilities")
            testpmd.end()
            assert testpmd.log().count("Tx Offloading Capabilities of port") == 2, testpmd.log()
            assert "CKSUM" not in testpmd.log() and "TSO" not in testpmd.log(), testpmd.log()
        edge.end()


def the_edge_is_the_client(program, directory):
    """It connects to each server that follows."""
    edge = Edge(program, directory, configuration(directory, *virtio(directory)))
    files = []
    try:
        for _ in range(DEATHS):
            for port in ("access", "core"):  # DPDK leaves them, and does not start while they are there
                (directory / f"{port}.sock").unlink(missing_ok=True)
            traffic(edge, directory, vhost(directory))
            wait_until("the reason is said", lambda: {port["link_reason"] for port in edge.show("ports").values()}
                       == {"no server listens"})
            files.append(open_files(edge))
            wait_until("no file is left open", lambda: open_files(edge) <= files[0])
            said = edge.log()
            time.sleep(SEVERAL_LOOKS)
            assert edge.log() == said, "the driver is asked no more: " + edge.log()
        end(edge)
    finally:
        if edge.process:
            edge.__exit__()


def a_killed_edge_starts_again(program, directory):
    model = configuration(directory, *vhost(directory))
    with Edge(program, directory, model):
        pass  # leaving the block kills it
    assert (directory / "access.sock").is_socket()
    with Edge(program, directory, model) as edge:
        traffic(edge, directory, virtio(directory))
        edge.end()


def nobody_listens(program, directory):
    """Said at once, by the preflight too."""
    edge = Edge(program, directory, configuration(directory, *virtio(directory)))
    for command in (["check", "--preflight"], ["run"]):
        done = subprocess.run([program, *command, "--config", edge.file], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "nobody listens at" in said and f"net_vhost0,iface={directory}/access.sock" in said, said


main(the_edge_is_the_server, guests_do_their_own_checksums, the_edge_is_the_client, a_killed_edge_starts_again,
     nobody_listens)
