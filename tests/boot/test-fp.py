#!/usr/bin/env python3
"""Floating point under Linux, 64-bit and 32-bit, one CPU and four: state of many processes, functions: as on the host.

usage: test-fp.py QUERN GUEST-FOLDER
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g       # noqa: E402
import programs         # noqa: E402

FLAGS = ('-O1', '-D_GNU_SOURCE', '-frounding-math')
# name, source, program, extra compiler flags, the guest's CPU, what the host must have
PROGRAMS = [
    ('64-bit processes', 'fp-state', 'fp-state', (), 'qemu64', ()),
    ('64-bit AVX2 processes', 'fp-state', 'fp-state-avx', ('-mavx2', '-mfma', '-mbmi', '-mbmi2'), 'max', ('avx2', 'fma', 'bmi1', 'bmi2')),
    ('32-bit x87 processes', 'fp-state', 'fp-state-x87', ('-m32', '-march=i686', '-msse', '-mfpmath=387'), 'qemu64', ()),
    ('64-bit long double functions', 'fp-functions', 'fp-functions', ('-O2',), 'qemu64', ()),
    ('32-bit functions', 'fp-functions', 'fp-functions-x87', ('-O2', '-m32', '-march=i686', '-mfpmath=387'), 'qemu64', ()),
]


def answers(text):
    return sorted(set(re.findall(r'^(?:process|unmasked|function) .*', text, re.M)))


def host_has(features):
    flags = set(re.search(r'^flags\s*:(.*)', Path('/proc/cpuinfo').read_text() + '\nflags:', re.M).group(1).split())
    return flags.issuperset(features)


def check(tap, emulator, guest, tmp, name, source, program, flags, cpu):
    source = Path(__file__).parent / f'{source}.c'
    binary = programs.build(source, tmp / program, *FLAGS, *flags)
    for smp in ('1', '4'):
        title = f'{name}, -smp {smp}'
        if not binary:
            tap.skip(title, 'this host makes no such static program')
            continue
        want = answers(subprocess.run([binary], capture_output=True, text=True, timeout=60).stdout)
        initrd = programs.initrd_with(guest, [binary], tmp / 'initrd.img')
        (tmp / 'vmlinuz').unlink(missing_ok=True)
        (tmp / 'vmlinuz').symlink_to((guest / 'vmlinuz').resolve())
        r = g.run(g.command(emulator, initrd.parent, f'/{program}', smp=smp, extra=('-cpu', cpu)), timeout=90)
        got = answers(r.output)
        if not r.script_ok:
            tap.result(False, title, r.why())
            continue
        wrong = [line for line in got if 'wrong 0' not in line and 'wrong' in line]
        differs = [f'#   host  {x}' for x in want if x not in got] + [f'#   guest {x}' for x in got if x not in want]
        tap.result(want and got == want and not wrong, title, '\n'.join(differs))


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    with tempfile.TemporaryDirectory() as tmp:
        for name, source, program, flags, cpu, needs in PROGRAMS:
            if not g.have_guest(guest):
                tap.skip(name, 'no test guest (scripts/make-guest)')
            elif not host_has(needs):
                tap.skip(name, 'this host has not the instructions to compare with')
            else:
                check(tap, emulator, guest, Path(tmp), name, source, program, flags, cpu)
    tap.done()


main()
