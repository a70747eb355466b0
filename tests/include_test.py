#!/usr/bin/python3
"""Reads every #include line and keeps dependencies one way (docs/architecture.md).

base <- net <- {table, gre}; base <- {meter, config}; {lib, config} <- dataplane <- {tests, perf}. In dataplane a tower:
pipeline and tables, io, control, the commands. The last argument, if any, is another root to look at.
"""
import pathlib
import re
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
SOURCES = {'.hpp', '.cpp', '.inc', '.h'}
AREAS = ('lib', 'config', 'dataplane', 'tests', 'perf')

# What each library of lib/ may include of its fellows.
LIB = {
    'base': set(),
    'net': {'base'},
    'table': {'base', 'net'},
    'gre': {'base', 'net'},
    'meter': {'base'},
    'ipsec': {'base', 'net'},
    'steer': {'base', 'net'},
}
# What each floor of the tower may include of the others; tables and pipeline make one floor.
FLOORS = {
    'tables': {'pipeline'},
    'pipeline': {'tables'},
    'io': {'pipeline', 'tables'},
    'control': {'pipeline', 'tables', 'io'},
    '': {'pipeline', 'tables', 'io', 'control'},
}
# The only bridge to the configuration below io.
BRIDGE = re.compile(r'dataplane/tables/compile[a-z_]*\.(hpp|cpp)$')
# perf's hand-written floor shares nothing with what it is compared to.
PERF_FLOOR = re.compile(r'perf/(.*/)?floor[a-z0-9_]*\.(hpp|cpp)$')


def floor_of(path):
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else ''


def complaint(path, quoted, target):
    """Why `path` must not include `target`, or None."""
    area = path.split('/')[0]
    if target.endswith('.cpp'):
        return 'a source file is compiled, not included'
    if not quoted:
        if area == 'lib' and target.startswith('rte_'):
            return 'lib/ knows no DPDK'
        if area == 'config' and target.startswith('rte_'):
            return 'config/ knows no DPDK'
        return None
    to = target.split('/')[0]
    if to not in AREAS or '/' not in target:
        return 'includes are from the root of the repository'
    if area == 'lib':
        if to != 'lib':
            return 'lib/ knows only itself'
        own, other = path.split('/')[1], target.split('/')[1]
        if own not in LIB:
            return f'lib/{own} is not in this test: say what it may include'
        if other != own and other not in LIB[own]:
            return f'lib/{own} may include {sorted(LIB[own])} of lib/'
    elif area == 'config':
        if to not in ('lib', 'config'):
            return 'config/ knows lib/ and itself'
        if to == 'lib' and target.split('/')[1] not in ('base',) and target != 'lib/net/never_forwarded.hpp':
            return 'config/ may include base of lib/, and the table of addresses that are never forwarded'
    elif area == 'dataplane':
        own = floor_of(path)
        if to in ('tests', 'perf'):
            return 'the program knows neither its tests nor its measurements'
        if to == 'config' and own in ('pipeline', 'tables', 'io') and not BRIDGE.match(path):
            if own != 'io':
                return 'only tables/compile knows the configuration'
        if to == 'dataplane':
            other = floor_of(target)
            if other != own and other not in FLOORS[own]:
                return f'the floor above: dataplane/{own} may include {sorted(FLOORS[own])}'
            if own == 'tables' and other == 'pipeline' and not target.endswith('/fate.hpp'):
                return 'of the pipeline, tables know only the fates'
            if own == 'pipeline' and BRIDGE.match(target):
                return 'the pipeline takes a snapshot as it is'
    elif area == 'perf':
        if to == 'tests':
            return 'perf/ knows no tests'
        if to == 'dataplane' and PERF_FLOOR.match(path):
            return 'the floor is measured against the data plane and includes nothing of it'
    return None


def findings(root):
    found, ipsec_mb = [], {}
    for area in AREAS:
        for file in sorted((root / area).rglob('*')):
            if file.suffix not in SOURCES or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            text = file.read_text()
            for match in INCLUDE.finditer(text):
                target = match[2]
                line = text.count('\n', 0, match.start(2)) + 1
                if target == 'intel-ipsec-mb.h':
                    ipsec_mb.setdefault(area, []).append(path)
                why = complaint(path, match[1] == '"', target)
                if why is None and match[1] == '"' and not (root / target).is_file():
                    why = 'no such file'
                if why is not None:
                    found.append(f'{path}:{line}: {target}: {why}')
    for area, paths in ipsec_mb.items():
        if len(paths) > 1:
            found.append(f'intel-ipsec-mb.h is for one file of {area}/: {", ".join(paths)}')
    return found


def self_test():
    """The rules can be broken."""
    broken = {
        'lib/base/a.hpp': '#include "lib/net/b.hpp"',
        'lib/net/b.hpp': '#include <rte_mbuf.h>',
        'lib/net/c.hpp': '#include "config/d.hpp"',
        'lib/meter/e.hpp': '#include "lib/table/f.hpp"',
        'lib/table/f.hpp': '#include "f.inc"',
        'config/d.hpp': '#include "dataplane/io/g.hpp"',
        'dataplane/io/g.hpp': '#include "dataplane/control/h.hpp"',
        'dataplane/control/h.hpp': '#include "dataplane/replay.hpp"',
        'dataplane/replay.hpp': '#include "tests/i.hpp"',
        'dataplane/pipeline/j.hpp': '#include "config/d.hpp"',
        'dataplane/pipeline/k.hpp': '#include "dataplane/io/g.hpp"',
        'dataplane/tables/l.hpp': '#include "dataplane/pipeline/j.hpp"',
        'dataplane/tables/state.hpp': '#include "config/d.hpp"',
        'tests/i.hpp': '#include "dataplane/main.cpp"',
        'dataplane/main.cpp': '',
        'perf/pipeline/floor_up.cpp': '#include "dataplane/io/g.hpp"',
        'perf/m.hpp': '#include "tests/i.hpp"',
        'perf/n.hpp': '#include <intel-ipsec-mb.h>',
        'perf/o.hpp': '#include <intel-ipsec-mb.h>',
        'tests/p.hpp': '#include "lib/base/gone.hpp"',
    }
    right = {
        'lib/table/q.hpp': '#include "lib/net/b.hpp"\n#include "lib/base/a.hpp"\n#include <vector>',
        'dataplane/tables/compile_x.cpp': '#include "config/d.hpp"',
        'tests/r.cpp': '#include "dataplane/control/h.hpp"',
        'perf/pipeline/floor_down.cpp': '#include "lib/net/b.hpp"',
    }
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for path, text in {**broken, **right}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        lines = findings(root)
        accused = {line.split(':')[0] for line in lines}
        expected = {path for path, text in broken.items() if text and path not in ('perf/n.hpp', 'perf/o.hpp')}
        missed = expected - accused
        wrongly = accused & set(right)
        if not any('perf/n.hpp' in line and 'perf/o.hpp' in line for line in lines):
            missed.add('two files with intel-ipsec-mb.h')
        return [f'self-test: {path} should be a finding' for path in sorted(missed)] + \
               [f'self-test: {path} should be none' for path in sorted(wrongly)]


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = self_test() + findings(root)
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
