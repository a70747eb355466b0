#!/usr/bin/python3
"""Golden captures: what comes out of `peerlane replay` is what came out when somebody last looked at it.

    golden_test.py PEERLANE

With PEERLANE_REGENERATE=1 the captures in golden/ are written anew, inputs (by scapy) and outputs: then look at the
difference, `tshark -r golden/out-core0.pcap`, before committing it.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

GOLDEN = pathlib.Path(__file__).resolve().parent / 'golden'
PORTS = ('access0', 'core0', 'access1')
OUTPUTS = [f'{port}.pcap' for port in PORTS] + ['counters.json']


def inputs():
    """(port, milliseconds, frame), by the test that has scapy at hand only when it regenerates."""
    from scapy.all import GRE, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, Raw
    mine = '02:00:00:00:01:01'
    pair = Ether(dst='02:00:00:00:00:00', src=mine, type=0x88a8) / Dot1Q(vlan=100, prio=5) / Dot1Q(vlan=10, prio=3)
    second = Ether(dst='02:00:00:00:00:02', src=mine, type=0x9100) / Dot1Q(vlan=100) / Dot1Q(vlan=10)
    single = Ether(dst='02:00:00:00:00:00', src='02:00:00:00:02:02') / Dot1Q(vlan=100)
    cloud = Ether(dst='02:00:00:00:00:01', src='02:00:00:00:00:fe')
    four = cloud / IP(src='198.51.100.7', dst='192.0.2.1', tos=1)
    six = cloud / IPv6(src='2001:db8:cafe::7', dst='2001:db8:ffff::1')
    up = IP(src='10.0.0.1', dst='10.100.0.1', id=7, tos=0x2a)
    up6 = IPv6(src='fd00:10::1', dst='fd00:100::1', tc=0x2a, fl=0xabcde)
    down = IP(src='10.100.0.1', dst='10.0.0.1', id=8, tos=2)
    down6 = IPv6(src='fd00:101::1', dst='fd00:10::1')
    data = UDP(sport=1000, dport=2000) / Raw(bytes(range(100)))
    big = UDP(sport=1000, dport=2000) / Raw(bytes(i % 251 for i in range(1540)))
    syn = TCP(sport=1000, dport=80, flags='S', options=[('NOP', None), ('MSS', 1460), ('WScale', 7)])
    ping = ICMP(id=1, seq=2) / Raw(b'ping')
    yield from (('access0', 1, pair / up / data), ('access0', 1, pair / up6 / data), ('access0', 1, pair / up / syn),
                ('access0', 2, pair / up / big), ('access0', 2, pair / IP(src='10.0.0.1', dst='10.101.0.1', flags='DF') / big),
                ('access0', 2, pair / IP(src='10.0.0.1', dst='10.100.0.1', flags='DF') / big),
                ('access0', 2, pair / IPv6(src='fd00:10::1', dst='fd00:101::1') / big),
                ('access0', 3, pair / IP(src='10.0.0.1', dst='10.100.0.1', ttl=1) / data),
                ('access0', 3, pair / IPv6(src='fd00:10::1', dst='fd00:100::1', hlim=1) / data),
                ('access0', 3, pair / IP(src='10.0.0.1', dst='203.0.113.1') / data),
                ('access0', 4, pair / IP(src='10.0.0.1', dst='172.16.0.2') / ping),
                ('access0', 4, pair / IPv6(src='fd00:10::1', dst='fd00:172::2') / ICMPv6EchoRequest(id=1, seq=2, data=b'ping')),
                ('access0', 4, pair / IP(src='10.0.0.1', dst='172.16.0.5') / data),
                ('access0', 5, pair / IP(src='11.0.0.1', dst='10.100.0.1') / data),
                ('access0', 5, single / up / data), ('access0', 5, single / up6 / data))
    for _ in range(4):
        yield 'access0', 6, single / IP(src='10.0.0.1', dst='10.100.0.1') / UDP(sport=1, dport=2) / Raw(bytes(600))
    for _ in range(9):
        yield 'access0', 7, pair / IP(src='10.0.0.1', dst='10.100.0.1', ttl=1) / data
    yield from (('access1', 1, second / up / data), ('access1', 8, second / IP(src='172.16.0.5', dst='10.101.0.1') / syn),
                ('core0', 1, four / GRE(key_present=1, key=0x2a01) / down / data),
                ('core0', 1, four / GRE(key_present=1, key=0x2a01, seqnum_present=1, sequence_number=9) / down / syn),
                ('core0', 1, four / GRE(chksum_present=1, key_present=1, key=0) / down / data),
                ('core0', 2, six / GRE() / down6 / data), ('core0', 2, six / GRE() / IP(src='10.101.0.1', dst='172.16.0.5') / UDP() / Raw(bytes(1400))),
                ('core0', 3, four / GRE(key_present=1, key=0x2a02) / down / data), ('core0', 3, four / GRE() / down / data),
                ('core0', 4, four / GRE(key_present=1, key=0x2a01) / IP(src='10.100.0.1', dst='10.0.0.1', ttl=1) / data),
                ('core0', 4, four / GRE(key_present=1, key=0x2a01) / IP(src='10.100.0.1', dst='172.16.0.2') / ping),
                ('core0', 4, four / GRE(key_present=1, key=0x2a01) / IP(src='10.100.0.1', dst='10.101.0.1') / data),
                ('core0', 5, cloud / IP(src='192.0.2.254', dst='192.0.2.1') / ping),
                ('core0', 5, cloud / IP(src='198.51.100.7', dst='192.0.2.1', tos=3, proto=47) / GRE(key_present=1, key=0x2a01)
                 / IP(src='10.100.0.1', dst='10.0.0.1', tos=0) / data))


def write_inputs():
    from scapy.all import wrpcap
    frames = {port: [] for port in PORTS}
    for port, milliseconds, frame in inputs():
        frame.time = milliseconds / 1000
        frames[port].append(frame)
    for port, list_ in frames.items():
        wrpcap(str(GOLDEN / f'in-{port}.pcap'), list_)


def replay(peerlane, directory):
    command = [peerlane, 'replay', '--config', str(GOLDEN / 'edge.yaml'), '--out-dir', str(directory), '--json',
               str(directory / 'counters.json')]
    for port in PORTS:
        command += ['--in', f'{port}={GOLDEN / f"in-{port}.pcap"}']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def main():
    regenerate = os.environ.get('PEERLANE_REGENERATE') == '1'
    if regenerate:
        write_inputs()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        replay(sys.argv[1], directory)
        wrong = []
        for output in OUTPUTS:
            golden = GOLDEN / f'out-{output}'
            got = (directory / output).read_bytes()
            if regenerate:
                golden.write_bytes(got)
            elif got != golden.read_bytes():
                wrong.append(output)
                print(f'{output} differs from {golden}')
        sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
