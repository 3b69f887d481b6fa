#!/usr/bin/env python3
"""The arrows between rooms point down: fails on an #include that goes up.

Each room lists what it may include besides itself (docs/devel/tour.rst has the reasons).
"""
import re
import sys
from pathlib import Path

# Room -> prefixes of headers it may include.
ALLOWED = {
    'util':           ['util/'],
    'qapi':           ['util/', 'qapi/', 'qapi-'],
    'tcg':            ['util/', 'tcg/'],
    'hw/core':        ['util/', 'hw/core/', 'system/memory.h', 'system/hostmem.h', 'system/runstate.h', 'system/serial.h'],
    'system/memory':  ['util/', 'system/memory.h', 'system/hostmem.h', 'system/ram-discard.h'],
    'accel':          ['util/', 'tcg/', 'accel/', 'hw/core/', 'system/memory.h', 'system/runstate.h'],
    'target':         ['util/', 'tcg/', 'accel/', 'target/', 'hw/core/', 'system/memory.h', 'system/runstate.h'],
    'hw/i386/kvm':    ['util/', 'hw/', 'system/', 'accel/kvm/', 'target/i386/cpu-hw.h'],
    'hw':             ['util/', 'hw/', 'system/', 'qapi/', 'target/i386/cpu-hw.h'],
    'system':         None,         # everything
}
ROOMS = sorted(ALLOWED, key=len, reverse=True)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def room_of(path):
    return next((r for r in ROOMS if path == r or path.startswith(r + '/')), None)


def violations(root):
    for f in sorted(root.rglob('*.[ch]')):
        rel = f.relative_to(root).as_posix()
        if rel.startswith(('build', 'tests/')):
            continue
        room = room_of(rel.removeprefix('include/'))
        allowed = ALLOWED.get(room)
        if allowed is None:
            continue
        for inc in INCLUDE.findall(f.read_text()):
            local = (f.parent / inc).exists() or inc == 'config-host.h'
            if not local and not inc.startswith(tuple(allowed)):
                yield f'{rel} includes {inc}: {room} may include only {", ".join(allowed)}'
            if local and '..' in inc:
                yield f'{rel} includes {inc}: say the path from the top'


def main():
    bad = list(violations(Path(sys.argv[1])))
    print('TAP version 13\n1..1')
    for line in bad:
        print(f'# {line}')
    print(('not ok' if bad else 'ok') + ' 1 include graph points down')
    return 0


sys.exit(main())
