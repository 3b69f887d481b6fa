#!/usr/bin/env python3
"""Two vCPUs at once: one copy of the shell workload, then two side by side, in a guest with two CPUs.

For each tb-size: how many times as much work two copies do in the time of one (2 would be perfect, on a host with two idle
CPUs), how much more CPU time each of them takes (which does not need an idle host), and how long the vCPUs waited for
the code cache's lock and for the big lock meanwhile.
"""
import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402
from statistics import median   # noqa: E402

# Processes, pipes and page faults; with a small cache also translation all the time.
SCRIPT = '''
work() {
    n=0
    while [ $n -lt %d ]; do
        n=$((n+1))
        ls -l /bin > /dev/null
        cat /proc/cpuinfo /proc/meminfo | grep -v a | sed s/0/1/ > /dev/null
    done
}
work
for copies in 1 2; do
    echo WORKLOAD READY $copies
    read go < /dev/ttyS0
    [ $copies = 1 ] || work &
    work
    wait
    echo WORKLOAD DONE $copies
    read go < /dev/ttyS0
done
'''
LOCKS = 'cache lock taken', 'cache lock waited for', 'nanoseconds waiting for the cache lock', \
        'big lock taken', 'big lock waited for', 'nanoseconds waiting for the big lock', 'blocks ever'
Run = namedtuple('Run', 'wall cpu counts')


def cpu_seconds(pid):
    """CPU time of a process, all its threads (the clock of clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def wait_for(p, text):
    for line in p.stdout:
        if text in line:
            return
    sys.exit(f'the guest ended before {text!r}')


def counts(qmp):
    text = qmp.ask('human-monitor-command', **{'command-line': 'info jit'})
    return {name: int(re.search(rf'^{name} +(\d+)', text, re.M)[1]) for name in LOCKS}


def go_on(p):
    p.stdin.write(b'\n')
    p.stdin.flush()


def measure(emulator, guest, size, rounds):
    """A Run for each number of copies."""
    runs = {}
    with tempfile.TemporaryDirectory() as tmp:
        path = f'{tmp}/qmp'
        argv = g.command(emulator, guest, SCRIPT % rounds, smp='2',
                         extra=['-accel', f'tcg,tb-size={size}', '-qmp', f'unix:{path},server=on,wait=off'])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                qmp = None
                for copies in 1, 2:
                    wait_for(p, b'WORKLOAD READY %d' % copies)
                    qmp = qmp or Qmp(path)
                    before, cpu, wall = counts(qmp), cpu_seconds(p.pid), time.monotonic()
                    go_on(p)
                    wait_for(p, b'WORKLOAD DONE %d' % copies)
                    wall, cpu, after = time.monotonic() - wall, cpu_seconds(p.pid) - cpu, counts(qmp)
                    runs[copies] = Run(wall, cpu, {k: after[k] - before[k] for k in LOCKS})
                    go_on(p)
            finally:
                p.kill()
    return runs


def share(run, lock):
    """Of the CPU time: waiting for @lock."""
    return run.counts[f'nanoseconds waiting for the {lock}'] / run.cpu / 1e7


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--rounds', type=int, default=60, help='of the workload, in each copy')
    ap.add_argument('--sizes', default='128,4', help='tb-size in MiB; with 4 the workload translates all the time')
    args = ap.parse_args()
    for size in args.sizes.split(','):
        runs = [measure(f'{args.build}/quern', Path(args.build) / 'guest', size, args.rounds) for _ in range(args.runs)]
        both = [r[2] for r in runs]
        print(f'tb-size={size}: two copies do {median(2 * r[1].wall / r[2].wall for r in runs):.2f} times the work of one in its time; '
              f'each takes {median(r[2].cpu / 2 / r[1].cpu for r in runs):.2f} times the CPU time; '
              f'{median(r.counts["blocks ever"] / r.cpu for r in both):.0f} blocks translated a CPU second')
        for lock in 'cache lock', 'big lock':
            print(f'    {lock}: taken {median(r.counts[f"{lock} taken"] for r in both):.0f} times, waited for '
                  f'{median(r.counts[f"{lock} waited for"] for r in both):.0f} times, '
                  f'{median(share(r, lock) for r in both):.2f} % of the CPU time', flush=True)


main()
