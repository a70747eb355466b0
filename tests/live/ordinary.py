"""The edge as an ordinary user with chosen capabilities."""

import os
import shutil
import subprocess
from pathlib import Path

from edge import PATIENCE, Edge, configuration

NOBODY = "65534"


def ordinary(capabilities, locked="8192"):
    """What stands before a command to run it so; `locked` in kB."""
    names = ",".join(["-all", *(f"+{name}" for name in sorted(capabilities))])
    return ["sh", "-c", f'ulimit -l {locked}; exec "$@"', "sh", "setpriv", "--reuid", NOBODY, "--regid", NOBODY,
            "--clear-groups", "--inh-caps", names, "--ambient-caps", names]


class Case:
    """One configuration, where an ordinary user may read and write, and a program that it may run."""

    def __init__(self, program, directory, access, core, **ports):
        os.chmod(directory, 0o777)
        self.program = directory / "peerlane"
        shutil.copy(program, self.program)
        self.directory = directory
        self.model = configuration(directory, access, core, workers=1)
        for port in self.model["ports"].values():
            port.update(ports)
        Edge(self.program, directory, self.model)
        (directory / "edge.yaml").chmod(0o644)

    def preflight(self, before):
        done = subprocess.run([*before, self.program, "check", "--preflight", "--config", self.directory / "edge.yaml"],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        failed = [line for line in done.stdout.splitlines() if line.startswith("fail")]
        assert done.returncode == (1 if failed else 0), (done.returncode, done.stdout, done.stderr)
        return failed

    def starts(self, before):
        for name in ("edge.log", "edge.sock"):  # of another user
            Path(self.directory / name).unlink(missing_ok=True)
        edge = Edge(self.program, self.directory, self.model, before)
        try:
            with edge:
                status = Path(f"/proc/{edge.process.pid}/status").read_text()
                assert f"Uid:\t{NOBODY}\t" in status, status
                edge.end()
                return True
        except AssertionError:
            assert edge.process.returncode == 1 and " runs: " not in edge.log(), (edge.process.returncode, edge.log())
            return False
