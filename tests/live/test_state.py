#!/usr/bin/python3
"""Where the state directory lies, who may write to it, which file is in it, and how old its keys are."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

from edge import Edge, main, wait_until
from links import Wire, make_links, own_namespace
from sealed import from_customer, inbound, outbound, protected, sequence_of

IPSEC = {"suite": "aes-gcm-128", "outbound": outbound("A", 0x1001), "inbound": inbound("B", 0x2001),
         "lifetime": {"hard": {"time": "9 h"}}}


def said_by(edge, *arguments):
    status, output, errors = edge.command(*arguments)
    return status, output + errors


def refused(program, directory, model, part, by_check=True, before=()):
    """`run`, `check --preflight` and, where no privilege is needed for it, `check` all say `part`."""
    edge = Edge(program, directory, model, before)
    try:
        with edge:
            pass
    except AssertionError:
        assert edge.process.returncode == 1, (edge.process.returncode, edge.log())
        assert part in edge.log(), edge.log()
    else:
        raise AssertionError("it started: " + edge.log())
    if before:
        return
    status, said = said_by(edge, "check", "--preflight")
    assert status == 1 and part in said, said
    status, said = said_by(edge, "check")
    assert (status == 1 and part in said) == by_check, said


def null(directory, **edge):
    model = protected(directory, "net_null0", "net_null1", IPSEC)
    model["edge"].update(edge)
    return model


def others_may_not_write(program, directory):
    model = null(directory)
    state = directory / "state"
    with Edge(program, directory, model) as edge:
        edge.end()
    state.chmod(0o777)
    refused(program, directory, model, f"state directory {state}: it is writable by others than its owner (mode 0777)")
    state.chmod(0o700)
    (state / "sa-state").chmod(0o666)
    refused(program, directory, model, "sa-state in it is writable by others", by_check=False)
    (state / "sa-state").chmod(0o600)
    directory.chmod(0o777)
    refused(program, directory, model, f"{directory}, on the way to it, is writable by others")
    directory.chmod(0o700)
    with Edge(program, directory, model) as edge:
        edge.end()


def a_relative_or_forgetful_place(program, directory):
    refused(program, directory, null(directory, state_dir="state"), "state_dir: `state` is relative")
    memory = Path(tempfile.mkdtemp(prefix="peerlane-live-", dir="/dev/shm"))
    try:
        model = null(directory, state_dir=str(memory / "state"), state_dir_volatile=False)
        refused(program, directory, model, f"state directory {memory / 'state'}: it lies in memory")
        model["edge"]["state_dir_volatile"] = True
        with Edge(program, directory, model) as edge:
            assert "lies in memory: after a reboot every SA needs new keys" in edge.log(), edge.log()
            assert edge.command("check", "--preflight")[0] in (0, 1)  # the state is in use
            edge.write(null(directory, state_dir=str(memory / "state"), state_dir_volatile=False))
            status, said = said_by(edge, "reload")
            assert status == 1 and "lies in memory" in said, said
            edge.end()
    finally:
        shutil.rmtree(memory)


def another_path_is_the_same_state(program, directory):
    model = null(directory)
    state, link, mount = directory / "state", directory / "link", directory / "mount"
    mount.mkdir()
    second = directory / "second"
    second.mkdir()
    with Edge(program, directory, model) as edge:
        link.symlink_to(state)
        other = dict(socket=str(directory / "second.sock"))
        refused(program, second, null(directory, state_dir=str(link), **other), "another edge, process", by_check=False)
        bound = ("unshare", "--mount", "sh", "-c", f'mount --bind {state} {mount} && exec "$@"', "sh")
        refused(program, second, null(directory, state_dir=str(mount), **other), "another edge, process", before=bound)
        edge.end()


def an_older_file_put_back(program, directory):
    state = directory / "state" / "sa-state"
    model = null(directory)
    with Edge(program, directory, model) as edge:
        state.rename(directory / "older")
        wait_until("it is written again", state.exists)
        wait_until("that is said", lambda: "moved away or written to by somebody else" in edge.log())
        edge.process.send_signal(signal.SIGKILL)
        edge.process.wait()
    newer = state.read_bytes()
    (directory / "older").rename(state)
    refused(program, directory, model, "it is an older one that was put back", by_check=False)
    state.write_bytes(newer)
    with Edge(program, directory, model) as edge:
        edge.end()


def a_keys_age_is_set(program, directory):
    model = protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", IPSEC)
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    with Edge(program, directory, model) as edge:
        status, said = said_by(edge, "sa-age", "--spi", "0x1001", "--age", "3 h")
        assert status == 1 and "has not been used yet" in said, said
        customer_side.send(from_customer(100, 1))
        first = sequence_of(cloud_side.receive())
        for age, state in (("10 h", "expired"), ("90 min", "active")):
            status, said = said_by(edge, "sa-age", "--spi", "0x1001", "--age", age)
            assert status == 0 and "seconds old now" in said, said
            out = next(sa for sa in edge.show("sas") if sa["spi"] == 0x1001)
            assert out["state"] == state, out
        assert "SPI 0x1001: its key is 5400 seconds old by command" in edge.log(), edge.log()
        customer_side.send(from_customer(100, 2))
        assert sequence_of(cloud_side.receive()) == first + 1
        status, said = said_by(edge, "sa-age", "--spi", "7", "--age", "3 h")
        assert status == 1 and "no SA has SPI 0x7" in said, said
        edge.end()
    with Edge(program, directory, model) as edge:
        out = next(sa for sa in edge.show("sas") if sa["spi"] == 0x1001)
        assert 5400 <= out["age_seconds"] < 9000, out
        edge.end()


os.umask(0o022)
own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(others_may_not_write, a_relative_or_forgetful_place, another_path_is_the_same_state, an_older_file_put_back,
     a_keys_age_is_set)
