#!/usr/bin/env python3
"""The shell workload with code caches of several sizes, by turns: what a cache below the working set costs.

For each size the median CPU time of the emulator from the script's first line to its last, its ratio to the
largest size's of the same round, and the blocks translated meanwhile.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402

# Every line makes processes: fork, exec, page faults, pipes, exit.
SCRIPT = '''
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


def cpu_seconds(pid):
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


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


def measure(emulator, guest, size, rounds):
    """CPU seconds of the workload, blocks translated for it, KiB of blocks at its end."""
    with tempfile.TemporaryDirectory() as tmp:
        path = f'{tmp}/qmp'
        argv = g.command(emulator, guest, 'echo WORKLOAD READY\n' + SCRIPT % rounds,
                         extra=['-accel', f'tcg,tb-size={size}', '-qmp', f'unix:{path},server=on,wait=off'])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                wait_for(p, b'WORKLOAD READY')
                qmp = Qmp(path)
                blocks, start = count(qmp, 'blocks ever'), cpu_seconds(p.pid)
                p.stdin.write(b'\n')
                p.stdin.flush()
                wait_for(p, b'WORKLOAD DONE')
                return cpu_seconds(p.pid) - start, count(qmp, 'blocks ever') - blocks, count(qmp, 'in use')
            finally:
                p.kill()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--rounds', type=int, default=300, help='of the workload')
    ap.add_argument('--sizes', default='1024,32,16,8,4', help='tb-size in MiB, the first is compared with')
    args = ap.parse_args()
    sizes = [int(s) for s in args.sizes.split(',')]
    samples = {s: [] for s in sizes}
    for _ in range(args.runs):
        for s in sizes:
            samples[s].append(measure(f'{args.build}/quern', Path(args.build) / 'guest', s, args.rounds))
    for s in sizes:
        seconds = [r[0] for r in samples[s]]
        ratios = sorted(r[0] / first[0] for r, first in zip(samples[s], samples[sizes[0]]))
        print(f'shell workload, tb-size={s}: {statistics.median(seconds):.2f} s, ratio {statistics.median(ratios):.2f} '
              f'({ratios[0]:.2f}..{ratios[-1]:.2f}), {statistics.median(r[1] for r in samples[s]):.0f} blocks translated, '
              f'{samples[s][0][2]} KiB in use', flush=True)


main()
