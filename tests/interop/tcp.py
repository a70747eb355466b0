"""TCP transfers between the peers."""

import json

from flows import HERE

OCTETS, MANY_OCTETS = 3_000_000, 100_000_000
TIMESTAMPS = 12  # TCP's options in every segment (RFC 7323)
HEADERS = {4: 40, 6: 60}


class Transfer:
    """From `client` to `server`, in one customer's namespace at either, begun at once."""

    def __init__(self, server, client, name, address, octets, port=5001):
        program = HERE / "guest_tcp.py"
        self.serving = server.begin(f"ip netns exec {name} python3 -B {server.put(program)} serve {address} {port}")
        self.sending = client.begin(f"ip netns exec {name} python3 -B {client.put(program)} "
                                    f"send {address} {port} {octets}")

    def result(self):
        """What guest_tcp.py says of it."""
        result = json.loads(self.sending.wait(patience=150))
        self.serving.wait()
        return result
