"""A token bucket (RFC 2697's single-rate meter with one colour) in exact fractions."""

from fractions import Fraction


class Bucket:
    """Holds at most `depth` tokens, starts full, gains `rate` tokens a second. Time in ns, any order."""

    def __init__(self, rate, depth):
        self.rate = Fraction(rate)
        self.depth = Fraction(depth)
        self.level = self.depth
        self.then = None

    def refill(self, now):
        if self.then is None:
            self.then = now
        if now > self.then:
            self.level = min(self.depth, self.level + self.rate * (now - self.then) / 10**9)
            self.then = now

    def take(self, now, cost):
        """Takes `cost` tokens and returns true, or takes none and returns false."""
        self.refill(now)
        if self.level < cost:
            return False
        self.level -= cost
        return True

    def refund(self, cost):
        self.level = min(self.depth, self.level + cost)
