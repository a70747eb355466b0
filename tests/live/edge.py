"""A running edge under test: its configuration, its process, its answers."""

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PATIENCE = 40  # seconds; a wait that takes so long has failed

CUSTOMERS = (("contoso", 100, 0x2A01), ("fabrikam", 200, 0x2A02))


def customer(name, service_vlan, key, bandwidth="100 Gbps", prefixes=("10.100.0.0/16",)):
    return {
        "name": name,
        "circuits": [{
            "name": "sea",
            "port": "access0",
            "service_vlan": service_vlan,
            "bandwidth": bandwidth,
            "peerings": [{
                "type": "private",
                "vlan": 10,
                "subnet": "172.16.0.0/30",
                "customer_mac": "02:00:00:00:01:01",
                "customer_prefixes": ["10.0.0.0/16"],
                "virtual_networks": [{
                    "name": "prod",
                    "prefixes": list(prefixes),
                    "tunnel": {"local": "192.0.2.1", "remote": "198.51.100.7", "key": key},
                }],
            }],
        }],
    }


def configuration(directory, access, core, workers=2, idle="sleep", customers=None):
    """As the YAML file will say it; MACs are set so that frames do not depend on the device."""
    return {
        "edge": {"name": "live", "workers": workers, "idle": idle, "socket": str(Path(directory) / "edge.sock"),
                 "announcements": 0},
        "ports": {
            "access0": {"role": "access", "device": access, "mac": "02:00:00:00:00:a0"},
            "core0": {"role": "core", "device": core, "mtu": 1600, "mac": "02:00:00:00:00:c0",
                      "address": "192.0.2.1/24", "gateway": "192.0.2.254", "gateway_mac": "02:00:00:00:00:fe"},
        },
        "customers": customers if customers is not None else [customer(*one) for one in CUSTOMERS],
    }


def changed(model, step):
    """Other bandwidths, a customer in front that comes and goes, another prefix; contoso stays what it is."""
    model = copy.deepcopy(model)
    step %= 64
    model["customers"][1]["circuits"][0]["bandwidth"] = f"{50 + step} Gbps"
    networks = model["customers"][1]["circuits"][0]["peerings"][0]["virtual_networks"]
    networks[0]["prefixes"].append(f"10.{110 + step}.0.0/16")
    if step % 2:
        model["customers"].insert(0, customer("northwind", 300 + step, 0x3000 + step))
    return model


def wait_until(what, done, patience=PATIENCE):
    """Polls; the bound is generous because nothing depends on when it happens."""
    end = time.monotonic() + patience
    while True:
        value = done()
        if value:
            return value
        assert time.monotonic() < end, f"waited {patience} s in vain: {what}"
        time.sleep(0.02)


class Edge:
    """`peerlane run`, started on entry and killed on exit if it still lives."""

    def __init__(self, program, directory, model, before=()):
        self.program = program
        self.before = before  # a command that runs it
        self.directory = Path(directory)
        self.file = self.directory / "edge.yaml"
        self.model = model
        self.socket = Path(model["edge"]["socket"])
        self.log_file = self.directory / "edge.log"
        self.process = None
        self.write(model)

    def write(self, model):
        self.file.write_text(yaml.safe_dump(model, sort_keys=False))

    def __enter__(self):
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen([*self.before, self.program, "run", "--config", str(self.file)],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        wait_until("the edge runs", lambda: "edge live runs" in self.log() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def log(self):
        return self.log_file.read_text()

    def command(self, *arguments):
        """Exit status, standard output, standard error."""
        done = subprocess.run([self.program, *arguments, "--config", str(self.file)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        return done.returncode, done.stdout, done.stderr

    def show(self, what):
        done = subprocess.run([self.program, "show", what, "--json", "--socket", str(self.socket)],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr + self.log()
        return json.loads(done.stdout)[what]

    def circuit(self, name, direction):
        rows = [row for row in self.show("circuits") if (row["customer"], row["direction"]) == (name, direction)]
        assert len(rows) == 1, rows
        return rows[0]

    def end(self, number=signal.SIGTERM):
        """Asks it to end; returns what it printed last."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, (self.process.returncode, self.log())
        assert not self.socket.exists(), "the socket is left behind"
        return output


def check_conservation(ports):
    """Received + originated = sent + dropped + punted + held, and every packet sent left by some port."""
    for name, port in ports.items():
        fates = port["sent"] + port["dropped"] + port["punted"] + port["held"]
        assert port["received"] + port["originated"] == fates, (name, port)
    assert sum(p["sent"] for p in ports.values()) == sum(p["transmitted"] for p in ports.values()), ports


@contextlib.contextmanager
def workplace():
    with tempfile.TemporaryDirectory(prefix="peerlane-live-", dir=os.environ.get("TMPDIR", "/tmp")) as directory:
        yield Path(directory)


def main(*cases):
    """Runs the cases with the program named on the command line."""
    program = sys.argv[1]
    for case in cases:
        with workplace() as directory:
            case(program, directory)
        print(f"{case.__name__}: ok", flush=True)
