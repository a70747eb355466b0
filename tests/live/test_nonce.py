#!/usr/bin/python3
"""A nonce is used once, whatever happens to the process, the configuration or the state file."""

import itertools
import random
import threading

import yaml

from edge import Edge, main, wait_until
from sealed import FarEnd, from_customer, inbound, iv_of, outbound, protected, sequence_of, spi_of
from links import Wire, make_links, own_namespace

random.seed(4303)

# What is configured from one start, or reload, to the next. The key, not the SPI, says whose sequence it is.
PLANS = ({"name": "A", "spi": 0x1001}, {"name": "A", "spi": 0x1001}, {"name": "B", "spi": 0x1001},
         {"name": "A", "spi": 0x1777}, {"name": "A", "spi": 0x1001, "spi_count": 2},
         {"name": "A", "spi": 0x1000, "spi_count": 3, "first_lane": 1}, {"name": "B", "spi": 0x1999})


def ipsec(name, spi, **more):
    return {"suite": "aes-gcm-128", "outbound": outbound(name, spi, **more), "inbound": inbound("in", 0x2001)}


class Traffic:
    """Sends all the time, and notes every sealed frame that comes out: (key, IV)."""

    def __init__(self):
        self.customer_side, self.cloud_side = Wire("a1"), Wire("c1")
        self.numbers = itertools.count()
        self.done = threading.Event()
        self.seen = []
        self.threads = []

    def __enter__(self):
        self.done.clear()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.collect)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def send(self):
        while not self.done.is_set():
            for _ in range(16):
                self.customer_side.send(from_customer(100, next(self.numbers)))
            self.done.wait(0.001)

    def collect(self):
        while not self.done.is_set():
            self.seen.extend(self.cloud_side.waiting())
            self.done.wait(0.002)
        self.seen.extend(self.cloud_side.waiting())


def key_of(frame, plans):
    """The key of the plan that owns the SPI; plans in force together have SPIs of their own or the same key."""
    names = {plan["name"] for plan in plans
             if 0 <= spi_of(frame) - plan["spi"] < plan.get("spi_count", 1)}
    for name in names:
        try:
            FarEnd(name, spi_of(frame)).open(frame)
            return name
        except Exception:  # noqa: BLE001: the other key, then
            continue
    raise AssertionError(f"no key opens {frame.hex()}")


def kill_nine(program, directory):
    traffic = Traffic()
    pairs = set()
    last = {}
    for turn in range(len(PLANS) + 4):
        plan, following = PLANS[turn % len(PLANS)], PLANS[(turn + 1) % len(PLANS)]
        model = protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", ipsec(**plan))
        with traffic:
            with Edge(program, directory, model) as edge:
                enough = len(traffic.seen) + random.randrange(100, 600)
                wait_until("sealed frames", lambda count=enough: len(traffic.seen) >= count)
                if turn % 3 == 2:  # another key in the middle of it
                    edge.write(protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0",
                                         ipsec(**following)))
                    status, _, said = edge.command("reload")
                    assert status == 0, said
                    enough = len(traffic.seen) + random.randrange(100, 600)
                    wait_until("sealed frames", lambda count=enough: len(traffic.seen) >= count)
                if turn % 4 == 3:
                    edge.end()
                # else leaving the block kills it
        frames, traffic.seen = traffic.seen, []
        assert len(frames) > 100
        for frame in frames:
            key, iv = key_of(frame, (plan, following)), iv_of(frame)
            assert (key, iv) not in pairs, f"turn {turn}: key {key} met IV {iv.hex()} before"
            pairs.add((key, iv))
            assert int.from_bytes(iv[1:], "big") == sequence_of(frame)
            assert last.get((key, iv[0]), 0) < sequence_of(frame), "a sequence went back"
            last[key, iv[0]] = sequence_of(frame)
    assert {key for key, _ in pairs} == {"A", "B"} and {iv[0] for _, iv in pairs} >= {0, 1}, last


def a_clean_end_wastes_no_number(program, directory):
    traffic = Traffic()
    sequence = 0
    model = protected(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", ipsec("clean", 0x1001))
    for _ in range(3):
        with Edge(program, directory, model) as edge:
            for number in range(5):
                traffic.customer_side.send(from_customer(100, number))
                frame = traffic.cloud_side.receive()
                assert sequence_of(frame) == sequence + 1, "a number was left out or used again"
                sequence = sequence_of(frame)
            edge.end()


def one_state_one_edge(program, directory):
    model = protected(directory, "net_null0", "net_null1", ipsec("A", 0x1001))
    second = dict(model, edge=dict(model["edge"], socket=str(directory / "second.sock")))
    (directory / "second").mkdir()
    with Edge(program, directory, model) as edge:
        said = refused(program, directory / "second", second)
        assert "another edge" in said and str(edge.process.pid) in said and "state_dir" in said, said
        assert edge.show("sas")[0]["state"] == "active"
        edge.end()
    with Edge(program, directory / "second", second) as edge:
        edge.end()


def refused(program, directory, model):
    """What an edge says that does not start."""
    edge = Edge(program, directory, model)
    try:
        with edge:
            pass
    except AssertionError:
        assert edge.process.returncode == 1, edge.process.returncode
        assert "runs" not in edge.log()
        return edge.log()
    raise AssertionError("it started")


def without_a_directory(program, directory):
    (directory / "file").write_text("")
    model = protected(directory, "net_null0", "net_null1", ipsec("A", 0x1001))
    model["edge"]["state_dir"] = str(directory / "file" / "state")
    said = refused(program, directory, model)
    assert str(directory / "file") in said and "state directory" in said, said
    # CBC has no nonce to use twice.
    cbc = "aes-cbc-128-hmac-sha256-128"
    model = protected(directory, "net_null0", "net_null1",
                      {"suite": cbc, "outbound": outbound("A", 0x1001, cbc), "inbound": inbound("B", 0x2001, cbc)})
    model["edge"]["state_dir"] = str(directory / "file" / "state")
    with Edge(program, directory, model) as edge:
        assert "only CBC" in edge.log(), edge.log()
        # A key that needs the directory does not come in by a reload either.
        other = yaml.safe_load(edge.file.read_text())
        other["customers"][0]["circuits"][0]["peerings"][0]["virtual_networks"][0]["ipsec"] = ipsec("A", 0x1001)
        edge.write(other)
        status, _, said = edge.command("reload")
        assert status != 0 and "state directory" in said, said
        assert {sa["suite"] for sa in edge.show("sas")} == {cbc}
        edge.end()


def a_spoilt_state_is_refused(program, directory):
    model = protected(directory, "net_null0", "net_null1", ipsec("A", 0x1001))
    with Edge(program, directory, model) as edge:
        edge.end()
    state = directory / "state" / "sa-state"
    whole = state.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for spoilt in (whole[:-20], bytes(flipped), b""):
        state.write_bytes(spoilt)
        said = refused(program, directory, model)
        assert "sa-state" in said and "new keys" in said, said
    state.write_bytes(whole)
    with Edge(program, directory, model) as edge:
        edge.end()


own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(kill_nine, a_clean_end_wastes_no_number, one_state_one_edge, without_a_directory, a_spoilt_state_is_refused)
