"""Writes the octets of a file as a C++ source: embed.py FILE SOURCE."""

import pathlib
import sys

octets = pathlib.Path(sys.argv[1]).read_bytes()
lines = [", ".join(map(str, octets[at:at + 32])) for at in range(0, len(octets), 32)]
pathlib.Path(sys.argv[2]).write_text(
    '#include "lib/steer/object.hpp"\n\nnamespace peerlane::steer {\nnamespace {\n'
    "alignas(8) constexpr unsigned char kObject[] = {\n" + ",\n".join(lines) + "};\n}  // namespace\n\n"
    "std::span<const unsigned char> object() noexcept {\n    return kObject;\n}\n}  // namespace peerlane::steer\n")
