#!/usr/bin/python3
"""The edge's sockets: who gets in, what they cost the others, what a command means by a file, and what it says."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from edge import PATIENCE, Edge, configuration, customer, main, wait_until
from links import make_links, own_namespace


def idle_model(directory, **more):
    return configuration(directory, "net_null0,no-rx=1", "net_null1,no-rx=1", **more)


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(str(path))
    return client


def ask(path, request):
    with connect(path) as client:
        client.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(client.makefile().readline())


def silent_clients_keep_nobody_out(program, directory):
    with Edge(program, directory, idle_model(directory)) as edge:
        crowd = [connect(edge.socket) for _ in range(36)]
        for client in crowd[::2]:
            client.sendall(b'{"command":"sh')
        wait_until("the operator gets in", lambda: edge.command("show", "drops")[0] == 0)
        for client in crowd:
            client.close()
        edge.end()


class Busy(threading.Thread):
    """So many clients that ask for everything, again and again, as fast as they are answered."""

    def __init__(self, path, count):
        super().__init__()
        self.clients = [connect(path) for _ in range(count)]
        self.answers, self.ended = 0, False
        self.start()

    def run(self):
        for client in self.clients:
            client.sendall(b'{"command":"show","what":"circuits"}\n')
        while not self.ended:
            for client in select.select(self.clients, [], [], 0.1)[0]:
                if client.recv(1 << 20).endswith(b"\n"):
                    self.answers += 1
                    client.sendall(b'{"command":"show","what":"circuits"}\n')

    def end(self):
        self.ended = True
        self.join()
        for client in self.clients:
            client.close()


def busy_clients_hold_up_nothing(program, directory):
    make_links(("a0", "a1"), ("c0", "c1"))
    customers = [customer(f"customer-{i:04}", 100 + i, 0x10000 + i, bandwidth="50 Mbps") for i in range(3900)]
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", customers=customers)
    with Edge(program, directory, model) as edge:
        busy = Busy(edge.socket, 31)
        try:
            for number in (1, 2):
                before = busy.answers
                subprocess.run(["ip", "link", "set", "a1", "down"], check=True)
                wait_until("the link is seen to go", lambda n=number: edge.log().count("access0: link down") == n)
                subprocess.run(["ip", "link", "set", "a1", "up"], check=True)
                wait_until("the link is seen to come", lambda n=number: edge.log().count("access0: link up") == n + 1)
                status, said, _ = edge.command("show", "drops", "--timeout", str(PATIENCE))
                assert status == 0 and said, "the operator is answered meanwhile"
                wait_until("so are they", lambda n=before: busy.answers > n, patience=10 * PATIENCE)
        finally:
            busy.end()
        edge.end()


def a_socket_to_look_by(program, directory):
    model = idle_model(directory)
    model["edge"]["read_socket"] = str(directory / "read.sock")
    with Edge(program, directory, model) as edge:
        path = directory / "read.sock"
        assert ask(path, {"command": "show", "what": "drops"}) == {"ok": True, "drops": {}}
        answer = ask(path, {"command": "reload"})
        assert not answer["ok"] and "edge.socket" in answer["error"], answer
        assert "reloaded" not in edge.log(), edge.log()
        assert edge.command("reload")[0] == 0
        assert f"reloaded: 2 circuits; asked for by uid {os.getuid()}, process " in edge.log(), edge.log()
        edge.process.send_signal(signal.SIGHUP)
        wait_until("SIGHUP reloads", lambda: f"SIGHUP, asked for by uid {os.getuid()}, process {os.getpid()}" in edge.log())
        edge.end()
        assert not path.exists()


def a_file_is_used_or_refused(program, directory):
    model = idle_model(directory)
    with Edge(program, directory, model) as edge:
        other = directory / "other.yaml"
        shutil.copy(edge.file, other)

        def run(*arguments):
            done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
            return done.returncode, done.stdout, done.stderr

        for command in (("reload",), ("show", "drops"), ("show", "circuit", "contoso/sea")):
            status, said, why = run(*command, "--config", str(other))
            assert status == 1 and not said, (command, said)
            assert f"this edge runs with {edge.file}, not {other}" in why, why
        assert "reloaded" not in edge.log(), edge.log()
        link = directory / "link.yaml"
        link.symlink_to(edge.file)
        assert run("reload", "--config", str(link))[:2] == (0, "reloaded\n")
        for text in ("edge: { socket: [", "edge: { sockett: /tmp/x }\n", "edge: { socket: [1] }\n", "edge: 7\n"):
            other.write_text(text)
            for command in (("reload",), ("show", "drops")):
                status, said, why = run(*command, "--config", str(other))
                assert status == 1 and not said and "which socket is the edge's" in why and f"{other}:" in why, why
        # The socket is known whatever else is wrong: then the edge says what is.
        edge.write({**model, "bogus": 1})
        status, _, why = edge.command("reload")
        assert status == 1 and "bogus" in why and "not reloaded" in why, why
        assert edge.command("show", "drops")[0] == 0
        edge.end()


def commands_say_what_is_wrong(program, directory):
    with Edge(program, directory, idle_model(directory)) as edge:
        edge.socket.unlink()
        wait_until("the socket is made again", lambda: edge.command("show", "drops")[0] == 0)
        assert f"socket {edge.socket}: it was removed, and is made again" in edge.log(), edge.log()
        with open("/dev/full", "w", encoding="ascii") as full:
            for command in (("show", "ports"), ("show", "ports", "--json"), ("reload",), ("check",)):
                done = subprocess.run([program, *command, "--config", str(edge.file)], stdout=full, text=True,
                                      stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
                assert done.returncode == 1 and "No space left on device" in done.stderr, (command, done)
            for command in ("schema", "reference", "--help", "--version"):
                done = subprocess.run([program, command], stdout=full, text=True, stderr=subprocess.PIPE,
                                      timeout=PATIENCE, check=False)
                assert done.returncode == 1 and "standard output" in done.stderr, (command, done)
        assert edge.log().count("reloaded") == 1, "it was reloaded nevertheless"
        edge.process.send_signal(signal.SIGSTOP)
        for command in (("show", "drops"), ("reload",)):
            status, _, why = edge.command(*command, "--timeout", "1")
            assert status == 1 and "does not answer within 1 s" in why and "stopped" in why, why
        edge.process.send_signal(signal.SIGCONT)
        edge.end()


def nothing_is_left_by_a_killed_edge(program, directory):
    def left(edge):
        return [path for path in Path("/run/dpdk").glob("peerlane-*") if path.name == f"peerlane-{edge.process.pid}"]

    with Edge(program, directory, idle_model(directory)) as killed:
        assert left(killed)
        killed.process.kill()
        killed.process.wait()
    beside = directory / "beside"
    beside.mkdir()
    with Edge(program, beside, idle_model(beside)) as first, Edge(program, directory, idle_model(directory)) as second:
        assert not left(killed) and left(first) and left(second)
        second.end()
        assert not left(second) and left(first)
        first.end()


own_namespace()
main(silent_clients_keep_nobody_out, busy_clients_hold_up_nothing, a_socket_to_look_by, a_file_is_used_or_refused,
     commands_say_what_is_wrong, nothing_is_left_by_a_killed_edge)
