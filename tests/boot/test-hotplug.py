#!/usr/bin/env python3
"""PCI Express native hotplug with a real kernel: plug, use, ask for removal, wait for it, plug again."""
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from guest import Tap, command, have_guest

SCRIPT = '''
D=/sys/bus/pci/devices/0000:01:00.0
for round in 1 2; do
  n=0; until [ -e $D ] || [ $n = 300 ]; do sleep 0.1; n=$((n+1)); done
  [ -e $D ] || exit 1
  echo PLUGGED $round
  [ $round = 2 ] && exit 0
  n=0; while [ -e $D ] && [ $n != 300 ]; do sleep 0.1; n=$((n+1)); done
  [ -e $D ] && exit 2
  echo GONE
done
'''


class Qmp:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.sock.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        self.sock.settimeout(40)
        self.file = self.sock.makefile('rw')
        self.file.readline()
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        self.file.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            reply = json.loads(self.file.readline())
            if 'event' not in reply:
                return reply

    def wait_event(self, name):
        while True:
            reply = json.loads(self.file.readline())
            if reply.get('event') == name:
                return reply


def read_until(pipe, text):
    seen = ''
    for raw in pipe:
        seen += raw.decode(errors='replace')
        if text in seen:
            return seen
    return seen


def main():
    quern, guest = sys.argv[1], Path(sys.argv[2])
    tap = Tap()
    if not have_guest(guest):
        tap.skip('hotplug', f'no guest in {guest} (scripts/make-guest)')
        tap.done()
        return
    with tempfile.TemporaryDirectory() as d:
        sock = f'{d}/qmp'
        argv = command(quern, guest, SCRIPT, smp='2', extra=('-device', 'pcie-root-port,id=rp0,chassis=1,slot=1',
                                                            '-qmp', f'unix:{sock},server=on,wait=off'))
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                q = Qmp(sock)
                read_until(p.stdout, 'QUERN-GUEST-UP')
                r = q.command('device_add', driver='virtio-rng-pci', id='r', bus='rp0')
                tap.result('return' in r and 'PLUGGED 1' in read_until(p.stdout, 'PLUGGED 1'), 'the guest sees a plugged device', f'# {r}')
                r = q.command('device_del', id='r')
                gone = q.wait_event('DEVICE_DELETED')
                tap.result('return' in r and gone['data'].get('device') == 'r', 'the guest lets it go', f'# {r} {gone}')
                r = q.command('device_add', driver='virtio-rng-pci', id='r', bus='rp0')
                out = read_until(p.stdout, 'QUERN-SCRIPT-STATUS 0')
                tap.result('return' in r and 'PLUGGED 2' in out, 'the same id and slot serve again', f'# {r}')
                tap.result(p.wait(timeout=30) == 0, 'powers off')
            finally:
                p.kill()
    tap.done()


main()
