"""What the compiler and the linker were asked for is in the program that they made."""

import re
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)


def readelf(*options):
    return subprocess.run(["readelf", "--wide", *options, PROGRAM], capture_output=True, text=True, check=True).stdout


class Hardening(unittest.TestCase):
    def test_addresses_differ_from_run_to_run(self):
        self.assertRegex(readelf("-h"), r"Type:\s+DYN \(Position-Independent Executable file\)")

    def test_tables_of_addresses_are_read_only(self):
        """Full RELRO: the segment, and everything bound before it becomes read-only."""
        self.assertIn("GNU_RELRO", readelf("-l"))
        self.assertRegex(readelf("-d"), r"\((FLAGS|BIND_NOW)\).*BIND_NOW|\(BIND_NOW\)")

    def test_no_segment_is_both_written_and_run(self):
        flags = re.findall(r"^  (LOAD|GNU_STACK) .* ([R ][W ][E ]) 0x[0-9a-f]+$", readelf("-l"), re.MULTILINE)
        self.assertGreater(len(flags), 3)
        self.assertEqual([one for one in flags if "W" in one[1] and "E" in one[1]], [])

    def test_stacks_have_canaries_and_libc_checks_lengths(self):
        symbols = readelf("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        self.assertRegex(symbols, r"__(memcpy|memmove|snprintf|vsnprintf|read|recv|memset|fread)_chk")

    def test_stacks_do_not_jump_their_guard_pages(self):
        """-fstack-clash-protection touches each page of a large frame: a page is taken off and written to."""
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", PROGRAM], capture_output=True, text=True,
                              check=True).stdout
        self.assertRegex(code, r"sub +\$0x1000,%rsp\n[^\n]*orq +\$0x0,(0x0)?\(%rsp\)")
        self.assertGreater(len(re.findall(r">:\n[^\n]*endbr64", code)), 1000, "entries of functions are not marked")

    def test_indirect_branches_and_returns_are_guarded(self):
        """Intel CET. The compiler marks every entry; that the program says so is asked of the linker, as the C
        library's start files do not."""
        properties = readelf("-n")
        self.assertIn("IBT", properties)
        self.assertIn("SHSTK", properties)


if __name__ == "__main__":
    unittest.main()
