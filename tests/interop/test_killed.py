#!/usr/bin/python3
"""However a test ends, no process of it stays; with the last one go its namespaces, its interfaces and its files."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from flows import Echoes
from lab import CLOUD, Circuit, lab
from live import main, own_namespace, wait_until

CIRCUITS = [Circuit("contoso", 11, (100,))]
MARK = "PEERLANE_MARK"  # in the environment of everything that the victim starts


def victim(program, directory):
    """Stays in the middle of a case, unless it is to fail there."""
    with lab(program, directory, CIRCUITS) as it:
        echoes = Echoes(it.router, CIRCUITS, CLOUD[4], lambda _: [84], 0)
        print("begun", flush=True)
        assert not os.environ.get("PEERLANE_FAILS"), "as it was told"
        echoes.answered()


def marked(mark):
    """How many processes have it."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            count += mark.encode() in (process / "environ").read_bytes()
        except OSError:
            pass  # gone meanwhile, or somebody else's
    return count


def ends(program, how, fails=False):
    mark = str(uuid.uuid4())
    environment = os.environ | {MARK: mark} | ({"PEERLANE_FAILS": "1"} if fails else {})
    with subprocess.Popen([sys.executable, __file__, program, "victim"], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == "begun\n", process.stderr.read()
        if not fails:
            assert marked(mark) > 6, marked(mark)  # two kernels and the edge, of several processes each
            how(process.pid)
        _, said = process.communicate(timeout=60)
        assert process.returncode != 0 and ("as it was told" in said) == fails, (process.returncode, said)
    wait_until("all processes are gone", lambda: marked(mark) == 0)


def by_a_failure(program, _directory):
    ends(program, None, fails=True)


def by_sigterm(program, _directory):
    ends(program, lambda group: os.killpg(group, signal.SIGTERM))  # as meson does it; unshare itself does not mind


def by_sigkill(program, _directory):
    ends(program, lambda process: os.kill(process, signal.SIGKILL))


if sys.argv[2:] == ["victim"]:
    own_namespace()
    main(victim)
else:
    main(by_a_failure, by_sigterm, by_sigkill)
