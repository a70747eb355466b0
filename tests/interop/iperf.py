"""iperf3 between the peers."""

import json


class Iperf:
    """From `client` to `server`, in one customer's namespace at either, begun at once."""

    def __init__(self, server, client, name, address, options):
        serving = f"ip netns exec {name} iperf3"
        self.served = server.begin(f"{serving} -s -1 -B {address}")
        server.run(f"until ip netns exec {name} ss -Hltn sport = :5201 | grep -q .; do sleep 0.05; done")
        self.job = client.begin(f"{serving} -J -c {address} {options}")

    def result(self, patience=60):
        """What it says of the end, by the client's report."""
        result = json.loads(self.job.wait(patience))
        self.served.wait()
        return result["end"]
