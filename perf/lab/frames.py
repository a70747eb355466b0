"""What the lab sends: an edge's customers, all with the same addresses, and captures of their packets both ways."""

import struct

ACCESS_MAC, CORE_MAC = "02:00:00:00:00:a0", "02:00:00:00:00:c0"  # the edge's
CUSTOMER_MAC, GATEWAY_MAC = "02:00:00:00:01:01", "02:00:00:00:00:fe"
LOCAL, REMOTE = "192.0.2.1", "198.51.100.7"
C_VID = 10
FLOWS = 64  # of each customer
VLAN, IPV4, UDP, GRE = 0x8100, 0x0800, 17, 47
SMALLEST = 28  # octets of an IPv4 packet with UDP header


def service_vlan(customer):
    return 100 + customer


def key(customer):
    return 0x2A00 + customer


def customers(count):
    """As a configuration has them: a QinQ circuit each, whose only tunnel has a key of its own."""
    return [{
        "name": f"customer{number}",
        "circuits": [{
            "name": "lab", "port": "access0", "service_vlan": service_vlan(number), "bandwidth": "100 Gbps",
            "peerings": [{
                "type": "private", "vlan": C_VID, "subnet": "172.16.0.0/30", "customer_mac": CUSTOMER_MAC,
                "customer_prefixes": ["10.0.0.0/16"],
                "virtual_networks": [{
                    "name": "lab", "prefixes": ["10.100.0.0/16"],
                    "tunnel": {"local": LOCAL, "remote": REMOTE, "key": key(number)},
                }],
            }],
        }],
    } for number in range(count)]


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return bytes(map(int, text.split(".")))


def ipv4(source, destination, protocol, payload):
    """RFC 791, without options, DF set."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0, source, destination)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack("!H", checksum) + header[12:] + payload


def inner(source, destination, flow, size):
    """`size` octets of IP: UDP without checksum."""
    datagram = struct.pack("!HHHH", 1024 + flow, 9, size - 20, 0) + bytes(size - SMALLEST)
    return ipv4(address(source), address(destination), UDP, datagram)


def to_cloud(customer, flow, size):
    """A customer's frame to the access port."""
    tags = struct.pack("!HHHHH", VLAN, service_vlan(customer), VLAN, C_VID, IPV4)
    host = flow % 250 + 1
    return mac(ACCESS_MAC) + mac(CUSTOMER_MAC) + tags + inner(f"10.0.0.{host}", f"10.100.1.{host}", flow, size)


def to_customer(customer, flow, size):
    """The cloud's frame to the core port: GRE with a key (RFC 2890)."""
    host = flow % 250 + 1
    packet = inner(f"10.100.1.{host}", f"10.0.0.{host}", flow, size)
    carried = struct.pack("!HHI", 0x2000, IPV4, key(customer)) + packet
    return mac(CORE_MAC) + mac(GATEWAY_MAC) + struct.pack("!H", IPV4) + ipv4(address(REMOTE), address(LOCAL), GRE, carried)


def write_capture(path, frame, count, customers_count, size):
    """`count` frames made by `frame`, customer after customer; a pcap file of Ethernet."""
    with open(path, "wb") as capture:
        capture.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        made = {}
        for number in range(count):
            which = number % customers_count, number // customers_count % FLOWS
            if which not in made:
                octets = frame(*which, size)
                made[which] = struct.pack("=IIII", 0, 0, len(octets), len(octets)) + octets
            capture.write(made[which])
