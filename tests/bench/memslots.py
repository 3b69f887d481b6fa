#!/usr/bin/env python3
"""Kernel memory and start-up time of a 1 TiB virtio-mem under KVM, of which a guest plugs 1 GiB, beside QEMU by turns.

For each emulator: the VM without the device, with dynamic-memslots on, and off; 4 GiB of boot memory.  The guest is
tests/guest/plugger.c: some hosts run no Linux under KVM.  Pinned is the growth of VmallocUsed, where KVM's arrays for
memory slots are; other programs' are in it too: best on a machine that is idle.

What is to be shown with dynamic slots, beyond the VM without the device: nothing before the guest plugs, 2.5 MiB (10 bytes
for each 4 KiB page) afterwards, nothing when it is unplugged again, each within 1 MiB; QMP answers within 20 ms more.
"""
import argparse
import statistics
from pathlib import Path

from emulator import GIB, Emulator, both, settled_kib, vmalloc_kib

KINDS = ['without', 'dynamic-memslots=on', 'dynamic-memslots=off']
STEPS = ['ready', 'plugged', 'unplugged']
MAY_KIB = {'ready': 1024, 'plugged': 2560 + 1024, 'unplugged': 1024}


def arguments(kind, kernel):
    argv = ['-machine', 'q35', '-accel', 'kvm', '-cpu', 'qemu64,phys-bits=46', '-S', '-m', '4G,maxmem=2T', '-kernel', kernel]
    if kind != KINDS[0]:
        argv += ['-object', 'memory-backend-ram,id=m,size=1T,reserve=off', '-device',
                 f'virtio-mem-pci,id=vm0,memdev=m,requested-size=1G,{kind}']
    return argv


def measure(binary, kind, kernel):
    """KiB pinned at each step, seconds until QMP answers, KiB that the ledger says when plugged."""
    before = settled_kib()
    with Emulator(binary, *arguments(kind, kernel)) as vm:
        result = {'seconds': vm.ready_s, 'ready': vmalloc_kib() - before}
        vm.command('cont')
        if kind != KINDS[0]:
            vm.wait_plugged(GIB)
        result['plugged'] = vmalloc_kib() - before
        accounts = (vm.command('query-memory-ledger') or {}).get('accounts', [])
        result['ledger'] = sum(a['present'] // 1024 for a in accounts if a['name'] == 'kernel/memslots')
        if kind != KINDS[0]:
            vm.request(0)
            vm.wait_plugged(0)
            settled_kib()
        result['unplugged'] = vmalloc_kib() - before
    return result


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    args = ap.parse_args()
    emulators, kernel = both(args.build), f'{args.build}/tests/guest/plugger.elf'
    samples = {(e, k): [] for e in emulators for k in KINDS}
    for _ in range(args.runs):
        for key, values in samples.items():
            values.append(measure(*key, kernel))
    for e in emulators:
        for k in KINDS:
            of, base = ({s: statistics.median(r[s] for r in samples[e, kind]) for s in [*STEPS, 'seconds', 'ledger']}
                        for kind in (k, KINDS[0]))
            more = ', '.join(f'{s} {of[s] / 1024:8.1f} MiB ({(of[s] - base[s]) / 1024:+8.1f})' for s in STEPS)
            late = (of['seconds'] - base['seconds']) * 1000
            line = f'{Path(e).name:18} {k:20} pinned: {more}; QMP after {of["seconds"] * 1000:5.0f} ms ({late:+5.0f})'
            if e == emulators[0]:
                line += f'; ledger {of["ledger"] / 1024:.1f} MiB'
                if k == KINDS[1]:
                    ok = all(of[s] - base[s] <= MAY_KIB[s] for s in STEPS) and late <= 20
                    line += '; as it should be' if ok else '; MORE THAN IT SHOULD BE'
            print(line, flush=True)


main()
