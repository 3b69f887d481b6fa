#!/usr/bin/env python3
"""The workload table: each row natively, in our guest and in QEMU's (or another Quern's), by turns.

A turn boots each emulator once and runs all chosen rows in it; ratios are of one turn, and their
median is printed, with the median times.  See tests/bench/README.
"""
import argparse
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'boot'))
import debian           # noqa: E402
import guest as g       # noqa: E402
import programs         # noqa: E402

# What glibc, which chooses its functions by CPU, is kept from everywhere, so that all run the same ones.
PLAIN = '-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-FMA,-ERMS,-FSRM'
WITH_AVX = '-AVX512F,-AVX512VL,-AVX512BW'
PAUSE = 0.03                    # the program is idle for so long after BEGIN and END
# Rows of the geometric mean; those that workloads.c has beside them are printed only.
MEAN = ('recursion', 'sort', 'sieve', 'chase', 'copies', 'sha256', 'bytecode', 'matrix', 'n-body', 'mandelbrot', 'x87',
        'strings', 'avx2', 'syscall', 'fault', 'fork', 'exec', 'pipe', 'rewritten')
SHELL = '''/workloads run shell sh -c 'i=0
while [ $i -lt 300 ]; do ls -l /bin >/dev/null; cat /init | grep mount | sed s/mount/$i/; i=$((i+1)); done' '''

# Seconds by the guest's clock, by the host's, and of CPU, for each call of a row's work; @number: its result
Sample = namedtuple('Sample', 'guest host cpu calls number')
# least time for a row; what glibc is kept from
Settings = namedtuple('Settings', 'seconds hwcaps')


class Refused(Exception):
    pass


def cpu_seconds(pid):
    """CPU time of a process, all its threads (the clock of clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def follow(process, prefix=''):
    """Samples by row of a process that runs the program; and 'boot', once a guest says that it is up."""
    began, samples, text = time.monotonic(), {}, []
    start = None
    for line in process.stdout:
        at, cpu = time.monotonic(), cpu_seconds(process.pid)
        line = line.decode(errors='replace').strip()
        text.append(line)
        word = line.split()
        if line.startswith('QUERN-GUEST-UP'):
            samples['boot'] = Sample(at - began, at - began, cpu, 1, 'up')
        elif line.startswith('BEGIN ') and len(word) == 2:
            start = at, cpu
        elif line.startswith('END ') and len(word) == 6 and start:
            calls, guest, own_cpu = int(word[2]), float(word[3]), float(word[4])
            used = cpu - start[1] if prefix else own_cpu
            samples[word[1]] = Sample(guest / calls, (at - start[0] - PAUSE) / calls, used / calls, calls, word[5])
        elif line.startswith('WRONG '):
            raise Refused(line)
    return samples, text


class Native:
    """The program on one CPU of this host, as the guests have one."""
    name = 'native'

    def __init__(self, binary, root):
        self.binary, self.root, self.cpu = binary, root, min(os.sched_getaffinity(0))

    def samples_of(self, argv, **env):
        with subprocess.Popen(argv, env=dict(os.environ, **env), stdout=subprocess.PIPE,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu})) as p:
            return follow(p)[0]

    def turn(self, rows, settings):
        samples = {}
        small = [r for r in rows if kind(r) == 'small']
        if small:
            samples |= self.samples_of([self.binary, *small], GLIBC_TUNABLES=f'glibc.cpu.hwcaps={settings.hwcaps}',
                                       BENCH_SECONDS=str(settings.seconds))
        if self.root:
            samples |= self.samples_of(debian.native_argv(self.root, [r for r in rows if kind(r) == 'real'], self.binary))
        return samples


class Emulator:
    def __init__(self, name, path, folder, options, image):
        self.name, self.path, self.folder, self.options, self.image = name, path, folder, options, image

    def boot(self, script, **more):
        """Samples of one boot.  A second try for a kernel that gave up early, as it does if a busy host starves its timers."""
        argv = g.command(self.path, self.folder, script, append='no_timer_check', **more)
        samples, text = self.run(argv)
        if 'boot' not in samples:
            samples, text = self.run(argv)
        if 'QUERN-SCRIPT-STATUS 0' not in text:
            raise Refused(f'{self.path} did not run the rows; its last lines:\n' + '\n'.join(text[-20:]))
        return samples

    def run(self, argv):
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                return follow(p, self.name)
            except BaseException:
                p.kill()
                raise

    def turn(self, rows, settings):
        small = [r for r in rows if kind(r) == 'small']
        real = [r for r in rows if kind(r) == 'real']
        options = ('-cpu', 'max', *self.options)
        samples = {}
        if real:
            drive = ('-drive', f'file={self.image},format=raw,if=virtio,readonly=on')
            samples |= self.boot(debian.guest_script(real), memory='1024', extra=options + drive)
        if len(real) < len(rows):
            script = []
            if small:
                script.append(f'GLIBC_TUNABLES=glibc.cpu.hwcaps={settings.hwcaps} BENCH_SECONDS={settings.seconds} '
                              f'/workloads {" ".join(small)} || exit 1')
            if 'shell' in rows:
                script.append(SHELL)
            samples |= self.boot('\n'.join(script) or 'true', extra=options)
        return samples


def kind(row):
    """'small': a row of the program; 'guest': of the test guest; 'real': a program of Debian's."""
    return 'real' if row in debian.PROGRAMS else 'guest' if row in ('boot', 'shell') else 'small'


def clock_is_off(sample):
    """Whether guest and host disagree on how long a row took: by more than a late reader explains."""
    spent = sample.guest * sample.calls
    return abs(sample.host - sample.guest) * sample.calls > 0.05 * spent + 0.15


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def short(seconds):
    for limit, scale, unit in ((1e-3, 1e6, 'us'), (1, 1e3, 'ms')):
        if seconds < limit:
            return f'{seconds * scale:.3g} {unit}'
    return f'{seconds:.3g} s'


class Table:
    def __init__(self, names, clock):
        self.names, self.clock, self.turns = names, clock, []

    def seconds(self, turn, name, row):
        sample = turn.get(name, {}).get(row)
        return sample and getattr(sample, self.clock)

    def ratios(self, row, above, below):
        pairs = [(self.seconds(t, above, row), self.seconds(t, below, row)) for t in self.turns]
        return sorted(a / b for a, b in pairs if a and b)

    def median(self, name, row):
        values = [s for s in (self.seconds(t, name, row) for t in self.turns) if s]
        return statistics.median(values) if values else None

    def remarks(self, row):
        samples = [t[n][row] for t in self.turns for n in t if row in t[n]]
        if len({s.number for s in samples}) > 1:
            yield 'RESULTS DIFFER'
        if self.clock == 'guest' and any(map(clock_is_off, samples)):
            yield 'CLOCKS DIFFER'

    def print_row(self, row, ours, theirs):
        times = {n: self.median(n, row) for n in self.names}
        cells = ''.join(f'{short(times[n]) if times[n] else "-":>10}' for n in self.names)
        line = f'{row:11}{cells}'
        for name in ('native', theirs):
            r = self.ratios(row, *((ours, name) if name == 'native' else (name, ours))) if name else []
            cell = f'{statistics.median(r):.2f}x' + (f' {r[0]:.2f}..{r[-1]:.2f}' if name == theirs else '') if r else '-'
            line += f'{cell:>10}' if name == 'native' else f'  {cell}'
        remarks = ', '.join(self.remarks(row))
        print(line + (f'   {remarks}' if remarks else ''), flush=True)
        return 'RESULTS DIFFER' in remarks

    def print(self, rows, ours, theirs):
        print(f'{"":11}' + ''.join(f'{n:>10}' for n in self.names) + f'{"/native":>10}' + (f'  {theirs}/{ours}' if theirs else ''))
        wrong = sum([self.print_row(r, ours, theirs) for r in rows])
        for what, of in (('small rows', MEAN), ('real programs', debian.PROGRAMS)):
            for title, above, below in ((f'{ours}/native', ours, 'native'), (f'{theirs}/{ours}', theirs, ours)):
                medians = [statistics.median(r) for r in (self.ratios(row, above, below) for row in rows if row in of) if r]
                if medians:
                    print(f'geometric mean of {len(medians)} {what}, {title}: {geometric_mean(medians):.2f}')
        return wrong


def build(folder, cflags):
    binary = programs.build(sorted(map(str, (HERE / 'workloads').glob('*.c'))), folder / 'workloads', '-O2', *cflags.split())
    if not binary:
        raise Refused('this host makes no static programs (a compiler and a static C library are needed)')
    return binary


def list_of_rows(binary):
    text = subprocess.run([binary, 'list'], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in text.splitlines()] + ['boot', 'shell', *debian.PROGRAMS]


def choose(rows, wanted):
    groups = {'small': MEAN, 'real': tuple(debian.PROGRAMS), 'all': tuple(rows)}
    wanted = [r for w in wanted for r in groups.get(w, (w,))]
    unknown = [w for w in wanted if w not in rows]
    if unknown:
        raise Refused(f'no row {", ".join(unknown)}; there are {" ".join(rows)}')
    return [r for r in rows if r in wanted] or rows


def measure(args, tmp):
    binary = build(tmp, args.cflags)
    rows = choose(list_of_rows(binary), args.rows.split())
    programs.initrd_with(Path(args.build) / 'guest', [binary], tmp / 'initrd.img')
    (tmp / 'vmlinuz').symlink_to((Path(args.build) / 'guest' / 'vmlinuz').resolve())
    root, image = debian.make(Path(args.build) / 'bench-debian') if any(kind(r) == 'real' for r in rows) else (None, None)
    runners = [Emulator('quern', args.quern or f'{args.build}/quern', tmp, args.ours.split(), image)]
    peer = args.against or shutil.which('qemu-system-x86_64')
    if peer:
        runners.append(Emulator('other' if args.against else 'QEMU', peer, tmp, args.theirs.split(), image))
    ours, theirs = runners[0].name, runners[1].name if peer else None
    if not args.against:
        runners.insert(0, Native(binary, root))
    settings = Settings(args.seconds, WITH_AVX if '-mavx' in args.cflags else PLAIN)
    table = Table([r.name for r in runners], args.clock)
    for n in range(args.turns):
        print(f'turn {n + 1} of {args.turns}', file=sys.stderr)
        order = runners[::-1 if n % 2 else 1]       # who comes later finds the host's memory ready
        table.turns.append({r.name: r.turn(rows, settings) for r in order})
    return table.print(rows, ours, theirs)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--build', default='build')
    ap.add_argument('--quern', help='the binary to measure (default: the one in the build folder)')
    ap.add_argument('--against', metavar='BINARY', help='compare with this Quern instead of QEMU and the host')
    ap.add_argument('--rows', default='', help='names, or small, real, all (default: all)')
    ap.add_argument('--turns', type=int, default=5)
    ap.add_argument('--seconds', type=float, default=0.25, help='least time for a row')
    ap.add_argument('--clock', choices=('guest', 'cpu'), default='guest',
                    help='cpu: host CPU time of the emulator, for a busy machine')
    ap.add_argument('--cflags', default='', help='for all rows, as -mavx2 -mfma')
    ap.add_argument('--ours', default='', metavar='OPTIONS', help='more options for the binary measured')
    ap.add_argument('--theirs', default='', metavar='OPTIONS', help='more options for the other')
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        try:
            sys.exit(1 if measure(args, Path(tmp)) else 0)
        except (Refused, debian.Missing) as e:
            sys.exit(f'workloads: {e}')


main()
