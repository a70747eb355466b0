#!/usr/bin/python3
"""Output that nobody reads, or that has no room: the edge goes on, answers, and ends when it is told to."""

import fcntl
import os
import signal
import subprocess

from scapy.layers.l2 import ARP, Ether

from edge import PATIENCE, Edge, configuration, main, wait_until
from links import Wire, make_links, own_namespace
from station import frame

F_SETPIPE_SZ = 1031


class QuietEdge(Edge):
    """Whose standard output and error are not this test's to read."""

    def __init__(self, program, directory, streams, model=None):
        model = model or configuration(directory, "net_null0,no-rx=1", "net_null1,no-rx=1")
        super().__init__(program, directory, model)
        self.streams = streams

    def __enter__(self):
        output, error = self.streams
        self.process = subprocess.Popen([self.program, "run", "--config", str(self.file)], stdin=subprocess.DEVNULL,
                                        stdout=output, stderr=error)
        wait_until("the edge answers", lambda: self.process.poll() is not None or self.command("show", "ports")[0] == 0)
        assert self.process.poll() is None, self.process.returncode
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ends(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE) == 0
        assert not self.socket.exists()

    def goes_on(self):
        """A reload by command and one by signal, good and bad ones."""
        bad = {**self.model, "bogus": 1}
        for model, status in ((self.model, 0), (bad, 1), (self.model, 0)):
            self.write(model)
            self.process.send_signal(signal.SIGHUP)
            done = self.command("reload")
            assert done[0] == status and (done[1] == "reloaded\n") == (status == 0), done
        assert self.show("workers"), "it answers"
        assert self.process.poll() is None, self.process.returncode

    def says_much(self):
        """More than a pipe and the edge's own memory have room for."""
        self.write({**self.model, **{f"bogus{i}": 1 for i in range(300)}})
        for _ in range(20):
            status, _, said = self.command("reload")
            assert status == 1 and len(said) > 20_000, (status, len(said))


def nobody_reads(program, directory):
    reader, writer = os.pipe()
    with QuietEdge(program, directory, (writer, writer)) as edge:
        os.close(writer)
        os.close(reader)
        edge.goes_on()
        edge.ends()


def a_full_disk(program, directory):
    with open("/dev/full", "w", encoding="ascii") as full, QuietEdge(program, directory, (full, full)) as edge:
        edge.goes_on()
        edge.ends()


def answers_arp(wire):
    """Whether the edge says where its address on contoso's link is."""
    question = ARP(op="who-has", hwsrc="02:00:00:00:01:01", psrc="172.16.0.1", pdst="172.16.0.2")
    wire.send(frame("02:00:00:00:01:01", "ff:ff:ff:ff:ff:ff", (100, 10), question))
    while True:
        heard = Ether(wire.receive())
        if ARP in heard and heard[ARP].op == 2 and heard[ARP].psrc == "172.16.0.2":
            return True


def a_reader_that_stands_still(program, directory):
    make_links(("a0", "a1"), ("c0", "c1"))
    wire = Wire("a1")
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    os.set_blocking(reader, False)
    with QuietEdge(program, directory, (writer, writer), model) as edge:
        os.close(writer)
        edge.says_much()
        edge.goes_on()
        assert answers_arp(wire)
        said = b""

        def more():
            nonlocal said
            try:
                said += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            return b"lines of this output are lost: it was not read in time" in said

        wait_until("what was lost is told of", more)
        assert said.count(b"\n") > 10 and len(said) > room, said
        edge.says_much()
        edge.ends()
    os.close(reader)


own_namespace()
main(nobody_reads, a_full_disk, a_reader_that_stands_still)
