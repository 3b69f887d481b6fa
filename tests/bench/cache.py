#!/usr/bin/env python3
"""A workload with code caches of several sizes, by turns: what a cache below the working set costs.

"shell" makes processes that live shortly, "gcc" is one compilation (debian.py).  For each size the median CPU time of the emulator from the script's first line to its last, its ratio to the
largest size's of the same round, and the blocks translated meanwhile.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import debian   # noqa: E402
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402

# Every line makes processes: fork, exec, page faults, pipes, exit.
SHELL = '''
echo WORKLOAD READY
read start < /dev/ttyS0
n=0
while [ $n -lt %d ]; do
    n=$((n+1))
    ls -l /bin > /dev/null
    cat /proc/cpuinfo /proc/interrupts /proc/meminfo | grep -v a | sed s/0/1/ > /dev/null
done
echo WORKLOAD DONE
read end < /dev/ttyS0
'''


GCC = '''
mkdir /debian
mount -t ext4 -o ro /dev/vda /debian || exit 1
mount -t tmpfs tmp /debian/tmp
mount -o bind /dev /debian/dev
mount -t proc proc /debian/proc
echo WORKLOAD READY
read start < /dev/ttyS0
n=0
while [ $n -lt %d ]; do
    n=$((n+1))
    chroot /debian /bin/sh /bench/gcc.sh > /dev/null || exit 1
done
echo WORKLOAD DONE
read end < /dev/ttyS0
'''
# Script and rounds of each.
WORKLOADS = {'shell': (SHELL, 300), 'gcc': (GCC, 1)}


def cpu_seconds(pid):
    """Of all threads (the clock of clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def wait_for(p, text):
    seen = b''
    while text not in seen:
        got = os.read(p.stdout.fileno(), 4096)
        if not got:
            sys.exit(f'the guest ended before {text!r}:\n{seen[-2000:].decode(errors="replace")}')
        seen = seen[-200:] + got


def count(qmp, name):
    m = re.search(rf'^{name} +(\d+)', qmp.ask('human-monitor-command', **{'command-line': 'info jit'}), re.M)
    return int(m.group(1))


def measure(emulator, guest, size, script, options):
    """CPU seconds of the workload, blocks translated for it, KiB of blocks at its end."""
    with tempfile.TemporaryDirectory() as tmp:
        path = f'{tmp}/qmp'
        argv = g.command(emulator, guest, script, memory='1024',
                         extra=['-accel', f'tcg,tb-size={size}', '-qmp', f'unix:{path},server=on,wait=off', *options])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                wait_for(p, b'WORKLOAD READY')
                qmp = Qmp(path)
                blocks, start = count(qmp, 'blocks ever'), cpu_seconds(p.pid)
                p.stdin.write(b'\n')
                p.stdin.flush()
                wait_for(p, b'WORKLOAD DONE')
                return cpu_seconds(p.pid) - start, count(qmp, 'blocks ever') - blocks, count(qmp, 'gen code size') // 1024
            finally:
                p.kill()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--workload', choices=WORKLOADS, default='shell')
    ap.add_argument('--rounds', type=int, help='of the workload (shell: 300, gcc: 1)')
    ap.add_argument('--sizes', default='1024,32,16,8,4', help='tb-size in MiB, the first is compared with')
    args = ap.parse_args()
    sizes = [int(s) for s in args.sizes.split(',')]
    samples = {s: [] for s in sizes}
    options = []
    script, rounds = WORKLOADS[args.workload]
    if args.workload == 'gcc':
        options = ['-drive', f'file={debian.make(Path(args.build) / "bench-debian")[1]},format=raw,if=virtio,readonly=on']
    for _ in range(args.runs):
        for s in sizes:
            samples[s].append(measure(f'{args.build}/quern', Path(args.build) / 'guest', s, script % (args.rounds or rounds), options))
    for s in sizes:
        seconds = [r[0] for r in samples[s]]
        ratios = sorted(r[0] / first[0] for r, first in zip(samples[s], samples[sizes[0]]))
        print(f'{args.workload}, tb-size={s}: {statistics.median(seconds):.2f} s, ratio {statistics.median(ratios):.2f} '
              f'({ratios[0]:.2f}..{ratios[-1]:.2f}), {statistics.median(r[1] for r in samples[s]):.0f} blocks translated, '
              f'{samples[s][0][2]} KiB in use', flush=True)


main()
