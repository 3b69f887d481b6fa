#!/usr/bin/env python3
"""Floating-point and SIMD loops: natively, in our guest and in QEMU's, by turns; ratios of times.

--avx: compiled for AVX2 and FMA, on CPUs that have them.
"""
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
# compiler flags, guest CPU, and what glibc, which chooses its functions by CPU, must keep from on the host
VARIANTS = {
    False: (('-mno-avx',), 'Nehalem', '-AVX2,-AVX512F,-AVX,-FMA,-ERMS,-FSRM,-AVX512VL,-AVX512BW'),
    True: (('-mavx2', '-mfma'), 'max', '-AVX512F,-AVX512VL,-AVX512BW'),
}


def parse(text):
    """{name: (seconds, result)}"""
    return {n: (float(t), r) for n, t, r in re.findall(r'^(\S+) (\d+\.\d+) (-?0x\S+)$', text, re.M)}


def native(binary, hwcaps):
    env = {'GLIBC_TUNABLES': f'glibc.cpu.hwcaps={hwcaps}'}
    return parse(subprocess.run([binary], env=env, capture_output=True, text=True).stdout)


def emulated(emulator, folder, cpu):
    r = g.run(g.command(emulator, folder, f'/{PROGRAM}', extra=('-cpu', cpu)))
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
    ap.add_argument('--avx', action='store_true')
    args = ap.parse_args()
    flags, cpu, hwcaps = VARIANTS[args.avx]
    guest = Path(args.build) / 'guest'
    emulators = {'quern': f'{args.build}/quern'}
    peer = shutil.which('qemu-system-x86_64')
    if peer:
        emulators['QEMU'] = peer
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        binary = programs.build(Path(__file__).parent / f'{PROGRAM}.c', tmp / PROGRAM, '-O2', *flags)
        if not binary:
            sys.exit('this host makes no static programs')
        programs.initrd_with(guest, [binary], tmp / 'initrd.img')
        (tmp / 'vmlinuz').symlink_to((guest / 'vmlinuz').resolve())
        runs = {who: [] for who in ('host', *emulators)}
        for _ in range(args.runs):
            runs['host'].append(native(binary, hwcaps))
            for who, emulator in emulators.items():
                runs[who].append(emulated(emulator, tmp, cpu))
        report(list(runs['host'][0]), runs)


main()
