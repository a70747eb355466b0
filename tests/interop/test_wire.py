#!/usr/bin/python3
"""The wire as tshark reads it, at the kernels' ends: well-formed, and with the keys what the edge says it carried."""

import collections
import contextlib
import subprocess

from flows import echo_both_ways
from lab import ACCESS, CLOUD, CORE, CUSTOMER, Circuit, lab
from live import main, own_namespace, wait_until
from protection import Protection

CIRCUITS = [Circuit("contoso", 11, (100, 10), protection=Protection("aes-gcm-256", 11)),
            Circuit("fabrikam", 12, (200,), protection=Protection("aes-cbc-128-hmac-sha256-128", 12, "transport")),
            Circuit("northwind", 13, (200, 10), 6)]
FROM_EDGE = "eth.src == 02:00:00:00:00:c0"
COMPLAINT = " || ".join(["_ws.malformed", "_ws.expert.severity >= 8388608", "ip.checksum.status == 0",
                         "udp.checksum.status == 0", "icmp.checksum.status == 0", "icmpv6.checksum.status == 0",
                         "gre.checksum.status == 0"])


@contextlib.contextmanager
def captured(*peers):
    """What passes meanwhile; the files are in the peers' directories. Without -s eight packets fill the queue."""
    jobs = [peer.begin("tcpdump -Z root -n -i vec0 --immediate-mode -U -s 2000 -w /run/peer/wire.pcap &\n"
                       "echo $! >/tmp/tcpdump.pid; wait $!; sync") for peer in peers]
    for peer in peers:
        wait_until("tcpdump runs", (peer.directory / "wire.pcap").exists)
    yield
    for peer, job in zip(peers, jobs):
        peer.run("kill -INT $(cat /tmp/tcpdump.pid)")
        job.wait()


def key_table(circuits):
    """tshark's, with both SAs of each."""
    for one in circuits:
        for sa in (one.protection.out, *one.protection.ins):
            material = sa.material(one.protection.suite).hex()
            entry = ("AES-GCM with 16 octet ICV [RFC4106]", material, "NULL", "")
            if "cbc" in one.protection.suite:
                entry = ("AES-CBC [RFC3602]", material[:-64], "HMAC-SHA-256-128 [RFC4868]", "0x" + material[-64:])
            yield "-o"
            yield 'uat:esp_sa:"IPv4","*","*","%#010x","%s","0x%s","%s","%s"' % (sa.spi, *entry)


def read(peer, condition, *fields):
    """The fields of the packets that meet the condition, as lists of lists."""
    command = ["tshark", "-n", "-r", peer.directory / "wire.pcap", "-Y", condition, "-T", "fields", "-o",
               "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE", *key_table(one for one in CIRCUITS if one.protection)]
    for field in ("frame.number", *fields):
        command += ["-e", field]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split("\t")[1:] for line in done.stdout.splitlines()]


def second_opinion(program, directory):
    with lab(program, directory, CIRCUITS) as it:
        with captured(it.router, it.gateway):
            for inner in (4, 6):
                it.expect(echo_both_ways(it, lambda one: [84, 1028, one.inner_mtu(1500)], inner, rounds=2))
            it.check_undisturbed()
        for peer in (it.router, it.gateway):
            assert read(peer, COMPLAINT, "_ws.col.Info") == [], peer.name

        # To the cloud: whose packets, under which key and SPI, from whom to whom inside.
        assert read(it.gateway, f"{FROM_EDGE} && esp && !gre", "esp.spi") == []  # tshark has opened them all
        assert read(it.gateway, "esp.icv_bad == 1 || esp.icv_good == 0", "esp.spi") == []
        for one in CIRCUITS:
            # Out of tunnel mode the kernel shows packets once more, as they are without ESP.
            protection = f"esp.spi == {one.protection.out.spi:#x}" if one.protection else "!esp"
            condition = f"{FROM_EDGE} && gre.key == {one.key:#x} && {protection}"
            assert len(read(it.gateway, condition)) == it.expected[one.name], one.name
            for inner, protocol in ((4, "icmp"), (6, "icmpv6")):
                field = "ip" if inner == 4 else "ipv6"
                pairs = {(source.split(",")[-1], destination.split(",")[-1]) for source, destination in
                         read(it.gateway, f"{condition} && {protocol}", f"{field}.src", f"{field}.dst")}
                assert pairs == {(CUSTOMER[inner], CLOUD[inner])}, pairs

        # To the customers: whose tags.
        seen = collections.Counter(map(tuple, read(
            it.router, f"eth.src == {ACCESS} && (icmp || icmpv6.type in {{128, 129}})", "ieee8021ad.id", "vlan.id")))
        tags = {(str(one.tags[0]) if len(one.tags) == 2 else "", str(one.tags[-1])): one.name for one in CIRCUITS}
        assert seen == {pair: it.expected[name] for pair, name in tags.items()}, (seen, it.expected)


own_namespace()
main(second_opinion)
