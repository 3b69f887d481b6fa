#!/usr/bin/env python3
"""Kernel memory and start-up time of an empty 1 TiB virtio-mem under KVM, beside QEMU by turns.

For each emulator: the VM without the device, with dynamic-memslots on, and off.  Pinned is the growth of VmallocUsed,
where KVM's arrays for memory slots are; other programs' are in it too: best on a machine that is idle.
"""
import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KINDS = ['without', 'dynamic-memslots=on', 'dynamic-memslots=off']


def vmalloc_kib():
    return int(re.search(r'VmallocUsed: +(\d+) kB', Path('/proc/meminfo').read_text(encoding='ascii'))[1])


def settled_kib():
    """Memory of a VM that ended is freed a little later."""
    last = -1
    for _ in range(50):
        now = vmalloc_kib()
        if now == last:
            break
        last = now
        time.sleep(0.2)
    return last


def arguments(emulator, kind, path):
    argv = [emulator, '-nodefaults', '-display', 'none', '-machine', 'q35', '-accel', 'kvm', '-cpu', 'qemu64,phys-bits=46', '-S',
            '-m', '4G,maxmem=2T', '-qmp', f'unix:{path},server=on,wait=off']
    if kind != KINDS[0]:
        argv += ['-object', 'memory-backend-ram,id=m,size=1T,reserve=off',
                 '-device', f'virtio-mem-pci,memdev=m,requested-size=0,{kind}']
    return argv


def connect(path, process):
    s = socket.socket(socket.AF_UNIX)
    while process.poll() is None:
        try:
            s.connect(path)
            return s.makefile('rw')
        except OSError:
            time.sleep(0.001)
    sys.exit('the emulator ended')


def command(f, name):
    f.write(json.dumps({'execute': name}) + '\n')
    f.flush()
    while True:
        answer = json.loads(f.readline())
        if 'event' not in answer:
            return answer


def measure(emulator, kind):
    """(KiB pinned, seconds until QMP answers, KiB that the ledger says)."""
    with tempfile.TemporaryDirectory(prefix='quern-memslots-') as folder:
        path = f'{folder}/qmp'
        before = settled_kib()
        start = time.monotonic()
        with subprocess.Popen(arguments(emulator, kind, path), stderr=subprocess.DEVNULL) as p:
            try:
                f = connect(path, p)
                json.loads(f.readline())
                command(f, 'qmp_capabilities')
                seconds = time.monotonic() - start
                pinned = vmalloc_kib() - before
                accounts = command(f, 'query-memory-ledger').get('return', {}).get('accounts', [])
            finally:
                p.kill()
    ledger = [a['present'] / 1024 for a in accounts if a['name'] == 'kernel/memslots']
    return pinned, seconds, ledger[0] if ledger else None


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    args = ap.parse_args()
    emulators = [e for e in (f'{args.build}/quern', shutil.which('qemu-system-x86_64')) if e]
    samples = {(e, k): [] for e in emulators for k in KINDS}
    for _ in range(args.runs):
        for key, values in samples.items():
            values.append(measure(*key))
    for e in emulators:
        base = [statistics.median(s[i] for s in samples[e, KINDS[0]]) for i in (0, 1)]
        for k in KINDS:
            pinned, seconds = (statistics.median(s[i] for s in samples[e, k]) for i in (0, 1))
            line = f'{Path(e).name:20} {k:20} pinned {pinned / 1024:8.1f} MiB ({(pinned - base[0]) / 1024:+8.1f}), ' \
                   f'QMP after {seconds * 1000:6.0f} ms ({(seconds - base[1]) * 1000:+6.0f})'
            says = samples[e, k][-1][2]
            print(line + (f', ledger {says / 1024:.1f} MiB' if says is not None else ''), flush=True)


main()
