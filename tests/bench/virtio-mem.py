#!/usr/bin/env python3
"""A Linux guest plugs and unplugs 1 GiB of virtio-mem, beside QEMU by turns (both translate); --resizes: under load.

Latency is from qom-set to the first block, throughput over all blocks; both as query-memory-devices tells, asked every
millisecond.  The same command line for both; the ratio is of medians.

--resizes N: so many random sizes up to 1 GiB, the next as soon as this one is reached or after a second, while the guest
copies and checks files in memory.  What is shown: nothing lost, all memory back at its start.
"""
import argparse
import base64
import random
import re
import socket
import statistics
import tempfile
import time
from pathlib import Path

from emulator import GIB, MIB, Emulator, both

COMMON = ['-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1G,maxmem=8G', '-object', 'memory-backend-ram,id=m,size=2G,reserve=off',
          '-device', 'virtio-mem-pci,id=vm0,memdev=m,requested-size=0']
WAIT = 'echo READY; while :; do sleep 1000; done'
# The files lie in memory that may go: it is movable.  They are twice as many as fit into what never goes.
LOAD = r'''
mkdir /tmp/f; mount -t tmpfs -o size=80% f /tmp/f
dd if=/dev/urandom of=/tmp/seed bs=64k count=16 2>/dev/null; want=$(md5sum < /tmp/seed); n=0
(read word < /dev/ttyS1; touch /tmp/stop) & echo READY
check() { [ "$(md5sum < /tmp/f/$1)" = "$want" ] || { echo "LOST $1"; exit 1; }; rm /tmp/f/$1; }
while [ ! -e /tmp/stop ]; do
  i=$((n % 96)); [ -e /tmp/f/$i ] && check $i; cp /tmp/seed /tmp/f/$i || rm -f /tmp/f/$i; n=$((n+1))
  [ $((n % 200)) = 0 ] && echo "ROUND $n"
done
for f in /tmp/f/*; do check ${f##*/}; done; dmesg | grep -i 'BUG:\|Oops\|Out of memory' && echo LOST; echo "DONE $n"
while :; do sleep 1000; done
'''


class Linux(Emulator):
    """The test guest with a script; its console is a file."""

    def __init__(self, binary, guest, script):
        self.console = tempfile.NamedTemporaryFile()
        code = base64.b64encode(script.encode()).decode()
        super().__init__(binary, *COMMON, '-serial', f'file:{self.console.name}', '-chardev', 'socket,id=line,host=127.0.0.1,port=0,'
                         'server=on,wait=off', '-serial', 'chardev:line', '-kernel', f'{guest}/vmlinuz', '-initrd', f'{guest}/initrd.img', '-append',
                         f'console=ttyS0 panic=-1 memhp_default_state=online_movable quern.sh={code}')
        self.wait_console('READY', 120)

    def text(self):
        return Path(self.console.name).read_text(errors='replace')

    def wait_console(self, word, seconds):
        end = time.monotonic() + seconds
        while word not in self.text():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f'{self.name}: no {word}:\n{self.text()[-2000:]}')
            time.sleep(0.05)

    def say(self, word):
        line = next(c['filename'] for c in self.command('query-chardev') if c['label'] == 'line')
        with socket.create_connection(('127.0.0.1', int(re.search(r':(\d+),', line)[1]))) as s:
            s.sendall(word.encode() + b'\n')
            self.wait_console('DONE', 120)

    def rss_mib(self):
        status = Path(f'/proc/{self.process.pid}/status').read_text(encoding='ascii')
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith('VmRSS')) / 1024

    def measure(self, size):
        """Seconds until the first block, and until all are there."""
        before, first = self.plugged(), None
        begin = time.monotonic()
        self.request(size)
        while True:
            now = self.plugged()
            first = first or (now != before and time.monotonic() - begin)
            if now == size:
                return first, time.monotonic() - begin
            if time.monotonic() > begin + 120:
                raise SystemExit(f'{self.name}: {now // MIB} MiB are plugged after 120 s, {size // MIB} are requested')
            time.sleep(0.001)


def plug_and_unplug(binary, guest, times):
    with Linux(binary, guest, WAIT) as vm:
        vm.measure(GIB)                 # once for what only the first does
        vm.measure(0)
        for _ in range(times):
            yield {'plug': vm.measure(GIB), 'unplug': vm.measure(0)}


def compare(args):
    samples = {e: {'plug': [], 'unplug': []} for e in both(args.build)}
    for _ in range(args.runs):
        for e, values in samples.items():
            for one in plug_and_unplug(e, args.guest, args.times):
                for what, seconds in one.items():
                    values[what].append(seconds)
    for what in ('plug', 'unplug'):
        medians = {}
        for e, values in samples.items():
            latency, all_of_it = (statistics.median(s[i] for s in values[what]) for i in (0, 1))
            medians[e] = latency, all_of_it
            print(f'{what:7} 1 GiB, {Path(e).name:18}: first block after {latency * 1000:7.1f} ms, all after {all_of_it * 1000:7.1f} ms: '
                  f'{1 / all_of_it:5.2f} GiB/s', flush=True)
        if len(medians) == 2:
            ours, theirs = medians.values()
            print(f'{what:7} ratio: latency {ours[0] / theirs[0]:.2f}, time {ours[1] / theirs[1]:.2f}', flush=True)


def resizes(args):
    choose = random.Random(args.seed)
    with Linux(both(args.build)[0], args.guest, LOAD) as vm:
        reached, rss, most = 0, vm.rss_mib(), 0
        for _ in range(args.resizes):
            size = choose.randrange(0, GIB + 1, 2 * MIB)
            vm.request(size)
            end = time.monotonic() + 1
            while vm.plugged() != size and time.monotonic() < end:
                time.sleep(0.002)
            reached += vm.plugged() == size
            most = max(most, vm.rss_mib())
        vm.say('stop')
        vm.request(0)
        vm.wait_plugged(0, 120)
        ledger = {a['name']: a['present'] for a in vm.command('query-memory-ledger')['accounts']}
        lost, work = vm.text().count('LOST'), vm.text().split('DONE ')[1].split()[0]
        print(f'{args.resizes} sizes, {reached} reached within a second; {work} files copied and checked, {lost} lost; device memory '
              f'{ledger["ram//objects/m"] // 1024} KiB at the end; RSS {rss:.0f} MiB at first, {most:.0f} at most, {vm.rss_mib():.0f} at the end')
        raise SystemExit(1 if lost or ledger['ram//objects/m'] else 0)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--times', type=int, default=3, help='in each run')
    ap.add_argument('--resizes', type=int, default=0)
    ap.add_argument('--seed', type=int, default=1)
    args = ap.parse_args()
    args.guest = f'{args.build}/guest'
    (resizes if args.resizes else compare)(args)


main()
