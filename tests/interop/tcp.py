"""TCP transfers between the peers."""

import json

from flows import HERE

OCTETS, MANY_OCTETS = 10_000_000, 100_000_000
TIMESTAMPS = 12  # TCP's options in every segment (RFC 7323)
HEADERS = {4: 40, 6: 60}


def transfer(server, client, name, address, octets, port=5001):
    """From `client` to `server`, in one customer's namespace at either; what guest_tcp.py says of it."""
    program = HERE / "guest_tcp.py"
    serving = server.begin(f"ip netns exec {name} python3 -B {server.put(program)} serve {address} {port}")
    result = json.loads(client.run(f"ip netns exec {name} python3 -B {client.put(program)} "
                                   f"send {address} {port} {octets}", patience=150))
    serving.wait()
    return result
