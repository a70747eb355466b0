"""Makes what clang-tidy reads of a unity build in the build directory given: its sources of ours, under new names.

The static analyzer goes only into functions of the main source file, or of what a file named UnifiedSource includes.
In DIRECTORY/tidy there are then such files and a compile_commands.json for them. Prints their names: first what took
the compiler longest, as clang-tidy does not begin with it by itself, and then one of two cores waits for the other.
"""

import json
import re
import sys
from pathlib import Path

build = Path(sys.argv[1]).resolve()
made = build / "tidy"
made.mkdir(exist_ok=True)
database = []
for one in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
    source = build / one["file"]
    library = re.fullmatch(r"(?:lib|config|dataplane)/.*/(.*)-unity(\d+)\.cpp", str(source.relative_to(build)))
    if library:
        unified = made / f"{library[1]}-UnifiedSource{library[2]}.cpp"
        unified.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        command = one["command"].replace(one["file"], str(unified))
        database.append({"directory": one["directory"], "file": str(unified), "command": command, "output": one["output"]})
assert database, f"no unity build of ours in {build}"
(made / "compile_commands.json").write_text(json.dumps(database), encoding="utf-8")

took = {}
for line in (build / ".ninja_log").read_text(encoding="utf-8").splitlines()[1:]:
    start, end, _, output, _ = line.split("\t")
    took[output] = int(end) - int(start)
database.sort(key=lambda one: took.get(one["output"], 0), reverse=True)
print("\n".join(one["file"] for one in database))
