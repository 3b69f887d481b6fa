#!/usr/bin/env python3
"""Debian's kernel to a busybox script and power-off, on every board, with one and four CPUs."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402

# Integer, floating-point, memory, processes, pipes, and every CPU busy at once.
SCRIPT = r'''
set -e
test "$(nproc)" = {cpus}
i=0; while [ $i -lt {cpus} ]; do (n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done) & i=$((i+1)); done; wait
test "$(seq 1 1000 | awk '{{ s += 1 / $1 }} END {{ printf "%.6f", s }}')" = 7.485471
test "$(dd if=/dev/zero bs=1M count=8 2>/dev/null | sha256sum | cut -c1-16)" = 2daeb1f36095b44b
ls -l /bin | grep -c busybox >/dev/null
test "$(echo aGVsbG8= | base64 -d)" = hello
dmesg | grep -q -i 'BUG:\|Oops\|soft lockup\|Call Trace' && exit 9
true
'''

CASES = [(machine, cpus) for machine in ('q35', 'pc', 'microvm') for cpus in (1, 4)]


def slots_are_announced(tap, emulator, guest):
    """-m slots=,maxmem=: Linux learns from the SRAT where memory may come later."""
    name = 'q35 -m 512,slots=2,maxmem=4G'
    if not g.have_guest(guest):
        tap.skip(name, f'no guest in {guest} (scripts/make-guest)')
        return
    r = g.run(g.command(emulator, guest, "dmesg | grep -q 'SRAT: Node 0 PXM 0 .mem 0x100000000-0x27fffffff. hotplug'",
                        memory='512,slots=2,maxmem=4G'))
    tap.result(r.script_ok, name, r.why())


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    tap = g.Tap()
    for machine, cpus in CASES:
        for n in range(rounds):
            name = f'{machine} -smp {cpus}' + (f' round {n + 1}' if rounds > 1 else '')
            if not g.have_guest(guest):
                tap.skip(name, f'no guest in {guest} (scripts/make-guest)')
                continue
            r = g.run(g.command(emulator, guest, SCRIPT.format(cpus=cpus), machine, str(cpus)))
            tap.result(r.script_ok, name, r.why())
    slots_are_announced(tap, emulator, guest)
    tap.done()


main()
