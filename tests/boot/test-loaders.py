#!/usr/bin/env python3
"""Kernels of a few instructions by Multiboot and PVH: what they are handed, and that a reset loads them anew."""
import subprocess
import sys
import tempfile
from pathlib import Path

from guest import Tap

PASSED = 0x10 << 1 | 1
HERE = Path(__file__).parent


def build(cc, where, name, *flags):
    """Assemble tiny-kernel.S to a 32-bit ELF at 1 MiB; None if the compiler cannot."""
    out = where / name
    r = subprocess.run([cc, '-m32', '-nostdlib', '-static', '-no-pie', '-Wl,-Ttext-segment=0x100000', '-Wl,--build-id=none',
                        *flags, '-o', out, HERE / 'tiny-kernel.S'], capture_output=True, text=True)
    return out if r.returncode == 0 else None


def run(quern, machine, kernel, initrd):
    argv = [quern, '-machine', machine, '-m', '64', '-display', 'none', '-serial', 'null', '-monitor', 'none',
            '-device', 'isa-debug-exit,iobase=0x501,iosize=4', '-kernel', kernel, '-initrd', initrd, '-append', 'hello!']
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return None


def main():
    quern, cc = sys.argv[1:3]
    tap = Tap()
    with tempfile.TemporaryDirectory() as d:
        where = Path(d)
        (where / 'one').write_text('one')
        (where / 'two').write_text('second')
        modules = f'{where}/one with arguments,{where}/two'
        for protocol, initrd, flags in (('multiboot', modules, []), ('pvh', str(where / 'one'), ['-DPVH'])):
            kernel = build(cc, where, protocol, *flags)
            for machine in ('pc', 'q35', 'microvm'):
                name = f'{protocol} on {machine}'
                if not kernel:
                    tap.skip(name, f'{cc} does not make 32-bit executables')
                    continue
                r = run(quern, machine, kernel, initrd)
                tap.result(r is not None and r.returncode == PASSED, name,
                           f'# status {r.returncode}: {r.stderr}' if r else '# timed out')
    tap.done()


main()
