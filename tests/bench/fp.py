#!/usr/bin/env python3
"""Floating-point and SIMD loops: natively, in our guest and in QEMU's, by turns; ratios of times."""
import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import guest as g       # noqa: E402
import programs         # noqa: E402

PROGRAM = 'fp-workloads'
CPU = 'Nehalem'         # no AVX: the same code everywhere


def parse(text):
    """{name: (seconds, result)}"""
    return {n: (float(t), r) for n, t, r in re.findall(r'^(\S+) (\d+\.\d+) (-?0x\S+)$', text, re.M)}


def native(binary):
    # glibc chooses its functions by CPU: keep it from what the guest's CPU has not.
    tunables = 'glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX,-FMA,-ERMS,-FSRM,-AVX512VL,-AVX512BW'
    return parse(subprocess.run([binary], env={'GLIBC_TUNABLES': tunables}, capture_output=True, text=True).stdout)


def emulated(emulator, folder):
    r = g.run(g.command(emulator, folder, f'/{PROGRAM}', extra=('-cpu', CPU)))
    if not r.script_ok:
        sys.exit(f'{emulator} did not run the program:\n{r.why()}')
    return parse(r.output)


def report(names, runs):
    """@runs: {who: [parsed, ...]}, the host's first."""
    print(f'{"":12}' + ''.join(f'{who:>18}' for who in runs))
    for name in names:
        medians = {who: statistics.median(p[name][0] for p in parsed) for who, parsed in runs.items()}
        base = medians['host']
        results = {p[name][1] for parsed in runs.values() for p in parsed}
        cells = ''.join(f'{s * 1000:9.1f} ms {s / base:4.1f}x' for s in medians.values())
        print(f'{name:12}{cells}{"" if len(results) == 1 else "   RESULTS DIFFER"}', flush=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    args = ap.parse_args()
    guest = Path(args.build) / 'guest'
    emulators = {'quern': f'{args.build}/quern'}
    peer = shutil.which('qemu-system-x86_64')
    if peer:
        emulators['QEMU'] = peer
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        binary = programs.build(Path(__file__).parent / f'{PROGRAM}.c', tmp / PROGRAM, '-O2', '-mno-avx')
        if not binary:
            sys.exit('this host makes no static programs')
        programs.initrd_with(guest, [binary], tmp / 'initrd.img')
        (tmp / 'vmlinuz').symlink_to((guest / 'vmlinuz').resolve())
        runs = {who: [] for who in ('host', *emulators)}
        for _ in range(args.runs):
            runs['host'].append(native(binary))
            for who, emulator in emulators.items():
                runs[who].append(emulated(emulator, tmp))
        report(list(runs['host'][0]), runs)


main()
