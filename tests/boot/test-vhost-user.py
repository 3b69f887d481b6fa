#!/usr/bin/env python3
"""Disks in other processes with Debian's kernel: QEMU's storage daemon, which follows memory that comes and goes, and a back end of
our own that breaks the rules.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from memory_guest import COMMON, GIB, MIB, Guest, run_cases    # noqa: E402
import vhost_user as vu    # noqa: E402

DAEMON = shutil.which('qemu-storage-daemon')
MEMORY = ['-object', 'memory-backend-memfd,id=m,size=512M,share=on', '-machine', 'q35,memory-backend=m']

# A file system in which all is checked, while memory comes; programs run from the disk.
# On the disk itself, in its last MiB: a kernel command line has no room for it.
GROW_SCRIPT = COMMON + r'''
cat /sys/block/vda/size; ls /sys/block/vda/mq
dd if=/dev/urandom of=/tmp/seed bs=1M count=8 2>/dev/null; want=$(md5sum < /tmp/seed)
copy() { dd if=/tmp/seed of=/dev/vda bs=128k seek=$(($1 * 64)) conv=fsync 2>/dev/null; }
good() { [ "$(dd if=/dev/vda bs=128k skip=$(($1 * 64)) count=64 2>/dev/null | md5sum)" = "$want" ]; }
i=0; while [ $i -lt 4 ]; do copy $i || exit 1; i=$((i+1)); done
echo WRITTEN
read line < /dev/ttyS1
n=0; until [ $(total) -gt 4200 ]; do echo 3 > /proc/sys/vm/drop_caches; good $((n % 4)) || { echo BAD $n; exit 1; }; n=$((n+1)); done
echo GROWN while $n files were read
mkdir /tmp/big; mount -t tmpfs -o size=90% big /tmp/big
i=0; while [ $i -lt 4 ]; do dd if=/dev/vda of=/tmp/big/$i bs=128k skip=$((i * 64)) count=64 iflag=direct 2>/dev/null; [ "$(md5sum < /tmp/big/$i)" = "$want" ] || exit 1; i=$((i+1)); done
umount /tmp/big
echo DIRECT
read line < /dev/ttyS1
until_total -lt 520; echo SHRUNK
i=0; while [ $i -lt 4 ]; do good $i || exit 1; i=$((i+1)); done
n=0; until [ $(cat /sys/block/vda/size) = 196608 ]; do sleep 0.1; n=$((n+1)); [ $n = 300 ] && exit 1; done
echo RESIZED
n=0; while [ -e /sys/block/vda ]; do sleep 0.1; n=$((n+1)); [ $n = 300 ] && exit 1; done
echo GONE
n=0; until [ -e /sys/block/vda/size ]; do sleep 0.1; n=$((n+1)); [ $n = 300 ] && exit 1; done
good 3 || exit 1
dmesg | grep -i 'BUG:\|Oops\|Call Trace' && exit 1
exit 0
'''

START_SCRIPT = 'dd if=/dev/vda bs=1M skip=63 count=1 | tr -d "\\0" > /tmp/rest; . /tmp/rest'

FAULTS_SCRIPT = r'''
ls /sys/block | grep vd | tr '\n' ' '; echo READY
read line < /dev/ttyS1
for d in /dev/vd?; do dd if=$d of=/tmp/${d##*/} bs=4k count=1 iflag=direct 2>/dev/null & done
n=0; until [ -s /tmp/vda -a -s /tmp/vdb ]; do sleep 0.1; n=$((n+1)); [ $n = 300 ] && { echo STUCK; exit 1; }; done
md5sum < /tmp/vda
echo ALIVE
read line < /dev/ttyS1
'''


class Daemon:
    """A disk of 64 MiB exported by QEMU's storage daemon."""

    def __init__(self, work):
        (work / 'disk').write_bytes(bytes(63 * MIB) + GROW_SCRIPT.encode().ljust(MIB, b'\0'))
        node = {'driver': 'file', 'node-name': 'f', 'filename': str(work / 'disk')}
        export = {'type': 'vhost-user-blk', 'id': 'e', 'node-name': 'f', 'addr': {'type': 'unix', 'path': str(work / 'vhost')},
                  'writable': True, 'num-queues': 2}
        self.process = subprocess.Popen([DAEMON, '--blockdev', json.dumps(node), '--export', json.dumps(export),
                                         '--chardev', f'socket,id=q,path={work / "daemon"},server=on,wait=off', '--monitor', 'q'],
                                        preexec_fn=vu.set_pdeathsig)
        end = time.monotonic() + 20
        while not ((work / 'vhost').exists() and (work / 'daemon').exists()) and time.monotonic() < end:
            time.sleep(0.02)
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(str(work / 'daemon'))
        self.lines = self.monitor.makefile('rb')
        self.lines.readline()
        self.ask('qmp_capabilities')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, name, **arguments):
        self.monitor.sendall(json.dumps({'execute': name, 'arguments': arguments}).encode())
        while True:
            reply = json.loads(self.lines.readline())
            if 'event' not in reply:
                assert 'return' in reply, reply
                return reply['return']

    def mappings(self):
        """How often it has guest memory mapped: once for each slot."""
        return Path(f'/proc/{self.process.pid}/maps').read_text().count('/memfd:')


def grow(binary, guest, work, check):
    if not DAEMON:
        raise unittest.SkipTest('no qemu-storage-daemon')
    args = [*MEMORY, '-object', 'memory-backend-memfd,id=m0,size=8G,share=on,reserve=off',
            '-device', 'pcie-root-port,id=rp0,chassis=1', '-device', 'virtio-mem-pci,id=vm0,bus=rp0,memdev=m0',
            '-device', 'pcie-root-port,id=rp1,chassis=2', '-chardev', f'socket,id=c,path={work / "vhost"}',
            '-device', 'vhost-user-blk-pci,id=d0,chardev=c,bus=rp1']
    with Daemon(work) as daemon, Guest(binary, guest, work, START_SCRIPT, *args, memory='512M,slots=1,maxmem=16G', smp='2') as vm:
        check('guest writes', vm.says('WRITTEN'))
        at_start = daemon.mappings()
        check(f'the daemon has boot memory and the rings mapped ({at_start})', at_start == 2)
        vm.resize(4 * GIB)
        vm.send(work, b'go on')
        check('guest reads while it grows', vm.says('GROWN while'))
        grown = daemon.mappings()
        check(f'the daemon follows ({grown} mappings)', at_start + 2 <= grown <= at_start + 8)
        check('direct I/O to memory that came', vm.says('DIRECT'))
        vm.resize(0)
        vm.send(work, b'go on')
        check('guest gives it back', vm.says('SHRUNK'))
        check('so does the daemon', vm.until(lambda: daemon.mappings() == at_start))
        daemon.ask('block_resize', **{'node-name': 'f', 'size': 96 * MIB})
        check('guest sees a new size', vm.says('RESIZED'))
        vm.command('stop')
        vm.command('cont')
        vm.command('device_del', {'id': 'd0'})
        check('guest lets it go', vm.says('GONE') and vm.until(lambda: daemon.mappings() == 0))
        vm.command('chardev-remove', {'id': 'c'})
        vm.command('chardev-add', {'id': 'c', 'backend': {'type': 'socket', 'data': {
            'addr': {'type': 'unix', 'data': {'path': str(work / 'vhost')}}, 'server': False}}})
        vm.command('device_add', {'driver': 'vhost-user-blk-pci', 'id': 'd0', 'chardev': 'c', 'bus': 'rp1'})
        check('and takes it again; ends well', vm.says('QUERN-SCRIPT-STATUS 0'))


# What becomes of the back end: None = it is kept
FAULTS = [(None, None), ('huge-length', None), ('bogus-id', 'a request that it does not have'), ('huge-id', 'a request that it does not have'),
          ('index-jump', 'more than it was given'), ('die', 'it closed the connection'), ('unasked', 'it says something unasked'),
          ('silent', None)]


def faults(binary, guest, work, check):
    backends = [vu.Backend(str(work / f'v{i}'), size=MIB) for i in range(len(FAULTS))]
    args = [*MEMORY]
    for i, b in enumerate(backends):
        b.disk[:] = os.urandom(MIB)
        args += ['-chardev', f'socket,id=c{i},path={work / f"v{i}"}',
                 '-device', f'vhost-user-blk-pci,id=d{i},chardev=c{i},reply-timeout=700']
    with Guest(binary, guest, work, FAULTS_SCRIPT, *args, memory='512M') as vm:
        check('guest has the disks', vm.says('vda vdb vdc vdd vde vdf vdg vdh READY') and all(b.served for b in backends))
        check(f'they took boot memory and rings ({backends[0].most_regions} slots)', backends[0].most_regions == 2)
        for b, (fault, _) in zip(backends, FAULTS):
            b.ring_fault = fault
        vm.send(work, b'go on')
        check('guest goes on', vm.says('ALIVE'))
        for i, (fault, text) in enumerate(FAULTS):
            if text:
                check(f'{fault}: {text}', vm.until(lambda: f"vhost-user-blk 'd{i}': the back end is lost" in vm.last_words(), 10)
                      and text in vm.last_words())
        for i in (0, 1, 7):
            check(f'{FAULTS[i][0]} is kept', f"'d{i}': the back end is lost" not in vm.last_words())
        vm.command('system_reset')
        check('guest starts again', vm.says('READY', times=2))
        check('who does not complete what it has is lost at a reset', "'d7': the back end is lost: it does not complete" in vm.last_words())
        check('guest still has the others', vm.says('vda vdb READY') or 'vda vdb' in vm.text().rsplit('QUERN-GUEST-UP', 1)[1])
    for b in backends:
        b.__exit__()


CASES = [
    ('vhost-user-blk served by qemu-storage-daemon, virtio-mem beside it', grow),
    ('vhost-user-blk with back ends that break the rules', faults),
]


run_cases(CASES)
