"""The rules of the house over the text of the repository: files stay small, nothing is put off, links lead somewhere."""

import os
import re
import sys
import unittest

ROOT = sys.argv.pop(1)
LIMIT = 450


def files(*endings):
    """(path, text) of every file with such a name outside build directories."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "build", "__pycache__"))]
        for name in sorted(names):
            if name.endswith(endings):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as source:
                    yield os.path.relpath(path, ROOT), source.read()


class Source(unittest.TestCase):
    def test_files_stay_small(self):
        sizes = {path: text.count("\n") for path, text in files(".cpp", ".hpp", ".inc", ".py")}
        self.assertGreater(len(sizes), 100)
        self.assertEqual({path: lines for path, lines in sizes.items() if lines > LIMIT}, {})

    def test_nothing_is_put_off(self):
        marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|GTEST_" r"SKIP|DIS" r"ABLED_")
        found = [path for path, text in files(".cpp", ".hpp", ".inc", ".py", ".md", ".yaml") if marks.search(text)]
        self.assertEqual(found, [])

    def test_links_lead_somewhere(self):
        missing = []
        for path, text in files(".md"):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                    missing.append("%s: %s" % (path, target))
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
