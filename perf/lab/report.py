"""What one phase of the lab counted at both ends, whether it adds up, and how it is printed."""

HEADINGS = ("way", "offered", "refused", "sent", "received", "forwarded", "returned", "lost", "Mpps", "cycles",
            "dropped by the edge")
INLET = {"to_cloud": 0, "to_customer": 1}  # of (access, core)


def less(now, before):
    """Counter by counter; what did not move is left out."""
    return {name: value - before.get(name, 0) for name, value in now.items() if value != before.get(name, 0)}


class Phase:
    def __init__(self, name, ways, before, rate_from, rate_to):
        self.name, self.ways, self.before = name, ways, before
        seconds = rate_to[0] - rate_from[0]
        forwarded = sum(new["transmitted"] - old["transmitted"]
                        for new, old in zip(rate_to[1]["ports"], rate_from[1]["ports"]))
        self.mpps = forwarded / seconds / 1e6
        packets, cycles = (rate_to[1][what] - rate_from[1][what] for what in ("packets", "cycles"))
        self.cycles = cycles / packets if packets else 0
        self.rows, self.drops, self.conserved = [], {}, False

    @staticmethod
    def counters(edge):
        workers = edge.show("workers")
        return {"ports": edge.ports(), "drops": edge.show("drops"),
                "packets": sum(one["packets"] for one in workers),
                "cycles": sum(one["busy_cycles"] for one in workers)}

    def take(self, edge, testpmd, source, port):
        """Reads both ends anew. `source` and `port` are testpmd's numbers, access first."""
        now = self.counters(edge)
        own = [{what: new[what] - old[what] for what in
                ("received", "originated", "sent", "dropped", "punted", "held", "transmitted")}
               for new, old in zip(now["ports"], self.before["ports"])]
        self.drops = less(now["drops"], self.before["drops"])
        self.conserved = all(
            one["received"] + one["originated"] == one["sent"] + one["dropped"] + one["punted"] + one["held"]
            for one in own)
        self.rows = []
        for way in self.ways:
            inlet, outlet = INLET[way], 1 - INLET[way]
            offered, sent = testpmd.received(source[inlet]), testpmd.sent(port[inlet])
            self.rows.append({
                "way": way, "offered": offered, "refused": offered - sent, "sent": sent,
                "received": own[inlet]["received"], "forwarded": own[outlet]["transmitted"],
                "returned": testpmd.received(port[outlet]), "dropped": own[inlet]["dropped"]})
        return self.rows

    def balanced(self):
        """What one end sent the other got, both ways, and the edge has kept nothing."""
        return self.conserved and all(
            one["sent"] == one["received"] and one["forwarded"] == one["returned"] and
            one["received"] == one["forwarded"] + one["dropped"] for one in self.rows)

    def json(self):
        return {"name": self.name, "rows": self.rows, "drops": self.drops, "mpps": self.mpps,
                "cycles_per_packet": self.cycles, "balanced": self.balanced()}


def table(phases):
    lines = [HEADINGS]
    for phase in phases:
        for index, row in enumerate(phase.rows):
            first = index == 0
            lines.append((row["way"], *(str(row[what]) for what in HEADINGS[1:7]), str(row["sent"] - row["returned"]),
                          f"{phase.mpps:.3f}" if first else "\"", f"{phase.cycles:.0f}" if first else "\"",
                          (", ".join(f"{name} {count}" for name, count in phase.drops.items()) or "-")
                          if first else "\""))
        if not phase.balanced():
            lines.append((f"{phase.name}: the counts of both ends do not agree",) + ("",) * (len(HEADINGS) - 1))
    widths = [max(len(line[column]) for line in lines if line[1]) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(text.ljust(width) if column in (0, len(HEADINGS) - 1) else text.rjust(width)
                               for column, (text, width) in enumerate(zip(line, widths))).rstrip() for line in lines)
