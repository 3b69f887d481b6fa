#!/usr/bin/env python3
"""qmp.py [--build DIR] [--runs N] [--commands N]: QMP beside QEMU's, by turns.

From exec to the greeting, for machine none and q35; then so many commands through one socket, one at a time and in
batches of 64, with the resident memory before and after.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time


class Emulator:
    def __init__(self, binary, *args):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-bench-')
        path = os.path.join(self.folder.name, 'qmp')
        listener = socket.socket(socket.AF_UNIX)        # it connects to us: no time is lost looking for it
        listener.bind(path)
        listener.listen(1)
        begin = time.perf_counter()
        self.process = subprocess.Popen([binary, '-nodefaults', '-display', 'none', '-S', *args, '-qmp', 'unix:' + path],
                                        stdin=subprocess.DEVNULL)
        self.socket, _ = listener.accept()
        self.lines = self.socket.makefile('rb')
        self.lines.readline()
        self.greeting_s = time.perf_counter() - begin
        listener.close()

    def rss_kib(self):
        with open('/proc/%d/status' % self.process.pid, encoding='ascii') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))

    def command(self, name):
        self.socket.sendall(json.dumps({'execute': name}).encode() + b'\r\n')
        return self.lines.readline()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.lines.close()
        self.socket.close()
        self.folder.cleanup()


def time_greeting(binary, *args):
    e = Emulator(binary, *args)
    e.stop()
    return e.greeting_s * 1000


def time_commands(binary, n, batch):
    """Commands a second, and by how many KiB memory grew after a first tenth."""
    e = Emulator(binary, '-machine', 'none')
    e.command('qmp_capabilities')
    text = b'{"execute":"query-status","id":"libvirt-1"}\r\n' * batch

    def send(count):
        for _ in range(count // batch):
            e.socket.sendall(text)
            for _ in range(batch):
                e.lines.readline()

    send(n // 10)
    before, begin = e.rss_kib(), time.perf_counter()
    send(n)
    rate, grown = n / (time.perf_counter() - begin), e.rss_kib() - before
    e.stop()
    return rate, grown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default='build')
    parser.add_argument('--runs', type=int, default=15)
    parser.add_argument('--commands', type=int, default=100000)
    args = parser.parse_args()
    binaries = {'quern': os.path.abspath(os.path.join(args.build, 'quern'))}
    if shutil.which('qemu-system-x86_64'):
        binaries['qemu'] = shutil.which('qemu-system-x86_64')

    for machine in (['-machine', 'none'], ['-machine', 'q35', '-m', '1G']):
        times = {name: [] for name in binaries}
        for _ in range(args.runs):
            for name, binary in binaries.items():
                times[name].append(time_greeting(binary, *machine))
        print('exec to greeting, %-22s' % ' '.join(machine[1:]),
              '   '.join('%s %.1f ms (best %.1f)' % (name, statistics.median(t), min(t)) for name, t in times.items()))
    for batch in (1, 64):
        results = {name: [] for name in binaries}
        for _ in range(3):
            for name, binary in binaries.items():
                results[name].append(time_commands(binary, args.commands, batch))
        print('%d commands, %2d at a time    ' % (args.commands, batch), '   '.join(
            '%s %.0f/s (memory +%d KiB)' % (name, max(r for r, _ in rs), max(g for _, g in rs)) for name, rs in results.items()))


if __name__ == '__main__':
    main()
