"""The lab's edge: its configuration, its process and its counters."""

import json
import subprocess

import frames
from testpmd import PATIENCE, wait_until


def configuration(directory, devices, customers, mtu, workers, cores, idle):
    """JSON, which is YAML too. `devices` are those of the access port and of the core port."""
    edge = {"name": "lab", "workers": workers, "idle": idle, "socket": str(directory / "edge.sock"),
            "announcements": 0}  # every frame is accounted for
    if cores:
        edge["cores"] = cores
    return json.dumps({
        "edge": edge,
        "ports": {
            "access0": {"role": "access", "device": devices[0], "mtu": mtu, "mac": frames.ACCESS_MAC},
            "core0": {"role": "core", "device": devices[1], "mtu": mtu + 100, "mac": frames.CORE_MAC,
                      "address": frames.LOCAL + "/24", "gateway": "192.0.2.254", "gateway_mac": frames.GATEWAY_MAC},
        },
        "customers": frames.customers(customers),
    }, indent=1)


class RunningEdge:
    """`peerlane run`, started on entry, killed on exit if it still lives."""

    def __init__(self, program, directory, text):
        self.program = program
        self.file = directory / "edge.yaml"
        self.log_file = directory / "edge.log"
        self.file.write_text(text)
        self.process = None

    def __enter__(self):
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen([self.program, "run", "--config", str(self.file)], stderr=log,
                                            stdout=subprocess.DEVNULL)
        try:
            wait_until("the edge starts", self.started)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_file.read_text()

    def started(self):
        if self.process.poll() is not None:
            raise RuntimeError("the edge ended:\n" + self.log())
        return "edge lab runs" in self.log()

    def show(self, what):
        done = subprocess.run([self.program, "show", what, "--json", "--config", str(self.file)], capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr + self.log())
        return json.loads(done.stdout)[what]

    def ports(self):
        """Those of access and core."""
        ports = self.show("ports")
        return ports["access0"], ports["core0"]

    def end(self):
        self.process.terminate()
        if self.process.wait(timeout=PATIENCE) != 0:
            raise RuntimeError("the edge did not end well:\n" + self.log())
