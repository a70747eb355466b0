"""dpdk-testpmd as a process: told what to do on its standard input, asked for counters over DPDK's telemetry."""

import json
import os
import shutil
import socket
import subprocess
import time

PATIENCE = 40  # seconds; a wait that takes so long has failed
MEGABYTES = 512
ANSWER = 65536  # octets, more than any answer has


def wait_until(what, done, patience=PATIENCE):
    end = time.monotonic() + patience
    while True:
        value = done()
        if value:
            return value
        if time.monotonic() > end:
            raise RuntimeError(f"waited {patience} s in vain: {what}")
        time.sleep(0.02)


def hugepages_free():
    """In megabytes, of the default size."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        values = dict(line.split(":", 1) for line in lines)
    return int(values["HugePages_Free"]) * int(values["Hugepagesize"].split()[0]) // 1024


class Testpmd:
    """Started on entry, killed on exit if it still lives. `devices` are PCI addresses or DPDK device strings; `cores`
    are its main thread's and its forwarding thread's; its files are in `directory`."""

    def __init__(self, directory, devices, cores=(), options=()):
        self.program = shutil.which("dpdk-testpmd")
        if not self.program:
            raise RuntimeError("there is no dpdk-testpmd: apt-get install dpdk-dev")
        self.directory = directory
        self.log_file = directory / "testpmd.log"
        self.arguments = [*self.eal(devices, cores or sorted(os.sched_getaffinity(0))), "--", "-i", "--no-flush-rx",
                          "--nb-cores=1", "--total-num-mbufs=16384", *options]
        self.process = None
        self.telemetry = None

    def eal(self, devices, cores):
        on_bus = [one for one in devices if not one.startswith("net_")]
        arguments = ["--file-prefix=lab", f"--lcores=0@{cores[0]},1@{cores[-1]}", "-m", str(MEGABYTES)]
        arguments += ["--in-memory"] if hugepages_free() > MEGABYTES else ["--no-huge", "--no-shconf", "--iova-mode=va"]
        for one in devices:
            arguments += ["-a" if one in on_bus else "--vdev", one]
        return arguments if on_bus else [*arguments, "--no-pci"]

    def __enter__(self):
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen([self.program, *self.arguments], stdin=subprocess.PIPE, stdout=log,
                                            stderr=subprocess.STDOUT, text=True,
                                            env=dict(os.environ, RUNTIME_DIRECTORY=str(self.directory)))
        try:
            wait_until("testpmd starts", self.started)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.telemetry:
            self.telemetry.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def log(self):
        return self.log_file.read_text(errors="replace")

    def started(self):
        """Telemetry answers before the ports have started; the prompt comes after."""
        if self.process.poll() is not None:
            raise RuntimeError("testpmd ended:\n" + self.log()[-2000:])
        log = self.log()
        if "Start ports failed" in log:
            raise RuntimeError("a port of testpmd does not start:\n" + log[-2000:])
        return "testpmd>" in log and self.connected()

    def connected(self):
        path = self.directory / "dpdk" / "lab" / "dpdk_telemetry.v2"
        if not path.exists():
            return False
        self.telemetry = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.telemetry.settimeout(PATIENCE)
        self.telemetry.connect(str(path))
        self.telemetry.recv(ANSWER)
        return True

    def ask(self, what):
        self.telemetry.send(what.encode())
        return json.loads(self.telemetry.recv(ANSWER))[what.split(",")[0]]

    def say(self, *commands):
        self.process.stdin.write("\n".join(commands) + "\n")
        self.process.stdin.flush()

    def numbers(self):
        """Of its ports, by the name of the device."""
        return {self.ask(f"/ethdev/info,{number}")["name"]: number for number in self.ask("/ethdev/list")}

    def received(self, port):
        return self.ask(f"/ethdev/stats,{port}")["ipackets"]

    def sent(self, port):
        return self.ask(f"/ethdev/stats,{port}")["opackets"]

    def link_up(self, port):
        return self.ask(f"/ethdev/link_status,{port}")["status"] == "UP"

    def forward(self, *ports):
        """Begins: what comes in by the first port goes out by the second and back, and so on; a full port is tried again
        for about ten milliseconds."""
        self.say("set fwd io retry", "set burst tx delay 1 retry 10000", "set portlist " + ",".join(map(str, ports)),
                 "start")

    def drain(self, *ports):
        """Stops what it does, and only receives."""
        self.say("stop", "set fwd rxonly", "set portlist " + ",".join(map(str, ports)), "start")

    def end(self):
        self.say("stop", "quit")
        self.process.wait(timeout=PATIENCE)
