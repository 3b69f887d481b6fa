#!/usr/bin/env python3
"""PCI hotplug with a real kernel: plug, use, ask for removal, wait for it, plug again; by ACPI and by PCI Express ports."""
import subprocess
import sys
import tempfile
from pathlib import Path

from guest import Tap, command, have_guest
from qmp import Qmp

SCRIPT = '''
until_() { n=0; until eval "$1"; do sleep 0.1; n=$((n+1)); [ $n = 300 ] && echo "TIMED OUT: $1" && exit 1; done; }
for round in 1 2; do
  until_ '[ -b /dev/vda ] && grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
  [ $(dd if=/dev/vda bs=4k count=4 2>/dev/null | wc -c) = 16384 ] || exit 2
  [ $(dd if=/dev/hwrng bs=1 count=16 2>/dev/null | wc -c) = 16 ] || exit 3
  echo USED $round index=$(cat /sys/block/vda/device/../acpi_index 2>/dev/null) .
  [ $round = 2 ] && exit 0
  until_ '! [ -e /sys/block/vda ] && ! grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
  echo GONE
done
'''

# name, machine, command line, arguments of the disk's and of the generator's device_add, acpi-index seen
CASES = [
    ('ACPI, root ports', 'q35', ('-device', 'pcie-root-port,id=rp0,chassis=1,slot=1,addr=3.0,multifunction=on',
                                 '-device', 'pcie-root-port,id=rp1,chassis=2,slot=2,addr=3.1'),
     {'bus': 'rp0', 'acpi-index': 7}, {'bus': 'rp1'}, '7'),
    ('native, root ports', 'q35', ('-device', 'pcie-root-port,id=rp0,chassis=1,slot=1',
                                   '-device', 'pcie-root-port,id=rp1,chassis=2,slot=2',
                                   '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'),
     {'bus': 'rp0'}, {'bus': 'rp1'}, ''),
    ('ACPI, root bus and bridge', 'pc', ('-device', 'pci-bridge,id=br0,chassis_nr=1'),
     {'acpi-index': 3}, {'bus': 'br0', 'addr': '4'}, '3'),
]


def read_until(pipe, text):
    seen = ''
    for raw in pipe:
        seen += raw.decode(errors='replace')
        if text in seen:
            break
    return seen


def plug(q, disk, rng):
    return [q.ask('device_add', driver='virtio-blk-pci', id='d', drive='n0', **disk),
            q.ask('device_add', driver='virtio-rng-pci', id='r', **rng)]


def deleted(q, *devices):
    """Wait until all of these are gone; the events that told it."""
    left, events = set(devices), []
    while left:
        events.append(q.wait_event('DEVICE_DELETED'))
        left.discard(events[-1]['data'].get('device'))
    return events


def run_case(tap, argv, sock, name, disk, rng, index):
    def check(ok, what, why):
        tap.result(ok, f'{name}: {what}', f'# {why}')

    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            q = Qmp(sock)
            read_until(p.stdout, 'QUERN-GUEST-UP')
            replies = plug(q, disk, rng)
            out = read_until(p.stdout, 'USED 1')
            check(replies == [{}, {}] and f'USED 1 index={index} .' in out, 'the guest uses plugged devices',
                  f'{replies} {out[-300:]}')
            replies = [q.ask('device_del', id=i) for i in 'dr']
            events = deleted(q, 'd', 'r')
            paths = [e['data']['path'] for e in events if e['data']['path'].startswith('/machine/peripheral/d')]
            check(replies == [{}, {}]
                  and paths == ['/machine/peripheral/d/virtio-backend', '/machine/peripheral/d'],
                  'the guest lets them go', f'{replies} {events}')
            out = read_until(p.stdout, 'GONE')
            replies = plug(q, disk, rng)
            out += read_until(p.stdout, 'QUERN-SCRIPT-STATUS')
            check(replies == [{}, {}] and 'GONE' in out and 'QUERN-SCRIPT-STATUS 0' in out,
                  'the same ids and slots serve again', f'{replies} {out[-300:]}')
            check(p.wait(timeout=30) == 0, 'powers off', 'status')
        finally:
            p.kill()


def main():
    quern, guest = sys.argv[1], Path(sys.argv[2])
    tap = Tap()
    for name, machine, extra, disk, rng, index in CASES:
        if not have_guest(guest):
            tap.skip(name, f'no guest in {guest} (scripts/make-guest)')
            continue
        with tempfile.TemporaryDirectory() as d:
            Path(f'{d}/disk').write_bytes(bytes(1 << 20))
            argv = command(quern, guest, SCRIPT, machine=machine, smp='2',
                           extra=(*extra, '-blockdev', f'file,node-name=n0,filename={d}/disk', '-nodefaults',
                                  '-qmp', f'unix:{d}/qmp,server=on,wait=off'))
            run_case(tap, argv, f'{d}/qmp', name, disk, rng, index)
    tap.done()


main()
