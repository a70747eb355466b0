"""Rare packets, subject by subject, against the predictor: what random traffic meets too seldom."""

import os
import unittest

import compare
from cloud_traffic import CloudTraffic
from edge_config import Edge
from rare_traffic import Rare

PORTS = ["access0", "core0", "access1"]


class RareCases(compare.ReplayCase):
    def test_subjects(self):
        self.config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corners.yaml")
        edge = Edge(self.config)
        traffic = CloudTraffic(edge, {"contoso": 0, "fabrikam": 1}, 5)
        rare = Rare(traffic, edge.attachments[("access0", 100, 10)], {t.network: t for t in edge.tunnels.values()})
        for subject in Rare.SUBJECTS:
            with self.subTest(subject=subject.__name__):
                frames = [(10**18 + number * 10**7, *named) for number, named in enumerate(subject(rare))]
                predicted, _, _ = self.check(frames, PORTS, (), subject.__name__)
                self.assertEqual(len(predicted.fates), len(frames))


if __name__ == "__main__":
    compare.main()
