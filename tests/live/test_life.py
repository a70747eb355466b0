#!/usr/bin/python3
"""Starting, failing to start, and ending: what the edge says, and what it leaves behind."""

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

from edge import PATIENCE, Edge, configuration, main, wait_until


def idle_model(directory, **more):
    return configuration(directory, "net_null0,no-rx=1", "net_null1,no-rx=1", **more)


def refused(program, directory, model):
    """What an edge says that must not start."""
    edge = Edge(program, directory, model)
    done = subprocess.run([program, "run", "--config", str(edge.file)], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1, (done.returncode, done.stderr)
    return done.stderr


def bad_starts(program, directory):
    model = idle_model(directory)
    model["ports"]["core0"]["device"] = f"net_pcap1,rx_pcap={directory}/missing.pcap"
    said = refused(program, directory, model)
    assert "port core0" in said and "missing.pcap" in said and "cannot be read" in said, said

    model["ports"]["core0"]["device"] = "net_pcap1,nonsense=1"
    said = refused(program, directory, model)
    assert "port core0" in said and "nonsense" in said and "see DPDK's message" in said, said

    model["ports"]["core0"]["device"] = "lo"
    said = refused(program, directory, model)
    assert "port core0" in said and "net_af_packet0,iface=lo" in said, said

    model["ports"]["core0"]["device"] = "0000:ff:1f.7"
    said = refused(program, directory, model)
    assert "port core0" in said and "0000:ff:1f.7" in said and "vfio-pci" in said, said

    model = idle_model(directory, workers=1)
    model["edge"]["cores"] = [4095]
    said = refused(program, directory, model)
    assert "edge.cores" in said and "4095" in said, said

    del model["edge"]["cores"]
    del model["ports"]["core0"]["device"]
    said = refused(program, directory, model)
    assert "core0 has no `device`" in said, said

    model = idle_model(directory)
    model["edge"]["socket"] = str(directory / "missing" / "edge.sock")
    said = refused(program, directory, model)
    assert "cannot listen" in said and "edge.socket" in said, said

    done = subprocess.run([program, "run", "--config", str(directory / "none.yaml")], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1 and "cannot be read" in done.stderr, done.stderr
    done = subprocess.run([program, "show", "ports", "--socket", str(directory / "none.sock")], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1 and "no edge answers" in done.stderr, done.stderr


def two_edges(program, directory):
    model = idle_model(directory)
    with Edge(program, directory, model) as first:
        assert stat.S_IMODE(os.stat(first.socket).st_mode) == 0o660
        said = refused(program, directory, model)
        assert "another edge answers there" in said, said
        assert len(first.show("workers")) == 2  # it was not disturbed
        beside = directory / "beside"
        beside.mkdir()
        with Edge(program, beside, idle_model(beside, workers=1)) as second:
            assert len(second.show("workers")) == 1
            second.end()
        first.end()


def a_dead_edge_is_replaced(program, directory):
    model = idle_model(directory)
    with Edge(program, directory, model) as edge:
        edge.process.send_signal(signal.SIGKILL)
        edge.process.wait()
        assert edge.socket.exists()
    with Edge(program, directory, model) as edge:
        assert edge.show("drops") == {}
        edge.end()
    left = [path for path in Path("/run/dpdk").glob("peerlane-*") if path.name == f"peerlane-{edge.process.pid}"]
    assert left == [], left


def workers_and_pins(program, directory):
    core = min(os.sched_getaffinity(0))
    model = idle_model(directory, workers=1)
    model["edge"]["cores"] = [core]
    with Edge(program, directory, model) as edge:
        def affinities():
            tasks = Path(f"/proc/{edge.process.pid}/task").iterdir()
            return {(task / "comm").read_text().strip(): os.sched_getaffinity(int(task.name)) for task in tasks}

        pinned = [cores for name, cores in affinities().items() if "worker" in name]
        assert pinned == [{core}], affinities()
        before = edge.show("workers")[0]["idle_polls"]
        wait_until("the worker polls", lambda: edge.show("workers")[0]["idle_polls"] > before)
        edge.end()


def hostile_clients(program, directory):
    with Edge(program, directory, idle_model(directory)) as edge:
        def connect():
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            client.connect(str(edge.socket))
            return client

        for request in (b"\n", b"[]\n", b"{}\n", b'{"command":"show"}\n', b'{"command":7}\n', b"\xff\xfe{\n",
                        b'{"command":"show","what":"keys"}\n', b"[" * 60000 + b"\n", b"x" * 70000 + b"\n"):
            with connect() as client:
                client.sendall(request)
                answer = client.makefile("rb").readline()
                assert answer.startswith(b'{"ok":false,"error":'), (request[:20], answer)
        with connect() as client:  # in pieces, and two requests at once
            for piece in (b'{"comm', b'and":"show","what":"drops"', b'}\n{"command":"show","what":"sas"}\n'):
                client.sendall(piece)
            lines = client.makefile("rb")
            assert lines.readline() == b'{"ok":true,"drops":{}}\n'
            assert lines.readline() == b'{"ok":true,"sas":[]}\n'
        edge.end()


main(bad_starts, two_edges, a_dead_edge_is_replaced, workers_and_pins, hostile_clients)
