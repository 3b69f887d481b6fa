#!/usr/bin/env python3
"""The virtio devices as Debian's drivers use them: each transport, ring layout and set of ring features.

One boot per case: disks (read, write with fsync, read-only, snapshot, discard), entropy, a serial
port both ways, a console, the balloon with its statistics and reports of free pages.
"""
import base64
import gzip
import hashlib
import os
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402
from session import Console, wait_for   # noqa: E402

MIB = 1 << 20

# Disks are told apart by the serial number, ports by their name.
SCRIPT = r'''
disk() { for d in /sys/block/vd*; do [ "$(cat $d/serial)" = "$1" ] && echo "/dev/${d##*/}"; done; }
check() { if "$@"; then echo "PASS $what"; else echo "FAIL $what"; fi; }
same() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'"; false; }; }
port() { for p in /sys/class/virtio-ports/*; do [ "$(cat $p/name)" = "$1" ] && echo "/dev/${p##*/}"; done; }
sum() { sha256sum | cut -d' ' -f1; }
what=features; check same "$(cut -c29,30,33,35 /sys/bus/virtio/drivers/virtio_blk/virtio*/features | sort -u)" @FEATURES@
rw=$(disk rw) ro=$(disk ro) snap=$(disk snap)
what=disk-read; check same "$(dd if=$rw bs=64k 2>/dev/null | sum)" @SUM@
what=disk-direct; check same "$(dd if=$rw bs=64k iflag=direct 2>/dev/null | sum)" @SUM@
echo "the guest wrote this" > /tmp/t
what=disk-write; check dd if=/tmp/t of=$rw bs=512 seek=2048 conv=notrunc,fsync,sync 2>/dev/null
what=disk-big-write; check dd if=/dev/zero of=$rw bs=1M seek=2 count=2 conv=notrunc,fsync 2>/dev/null
what=disk-discard; check blkdiscard -o 4194304 -l 1048576 $rw
what=disk-read-only; check same "$(blockdev --getro $ro) $(dd if=/tmp/t of=$ro bs=512 conv=sync,fsync 2>/dev/null && echo written)" "1 "
what=disk-snapshot; dd if=/tmp/t of=$snap bs=512 conv=sync,fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
check same "$(dd if=$snap bs=20 count=1 2>/dev/null)" "the guest wrote this"
what=rng; check same "$(cut -c1-10 /sys/class/misc/hw_random/rng_current) $(dd if=/dev/hwrng bs=1k count=16 iflag=fullblock 2>/dev/null | wc -c)" "virtio_rng 16384"
p=$(port test.port)
what=port-read; read line < $p; check same "$line" "host says hello"
seq 1 20000 > $p
what=console; check sh -c 'echo "hello from hvc" > /dev/hvc0'
what=balloon-inflate; echo READY-FOR-BALLOON; read line < $p; check test $(awk '/MemTotal/ {print $2}' /proc/meminfo) -lt 200000
what=balloon-deflate; echo DEFLATE; read line < $p; check test $(awk '/MemTotal/ {print $2}' /proc/meminfo) -gt 200000
what=free-pages; mkdir /tmp/big; mount -t tmpfs -o size=120m big /tmp/big; dd if=/dev/urandom of=/tmp/big/x bs=1M count=96 2>/dev/null
echo FILLED; read line < $p; umount /tmp/big; echo 3 > /proc/sys/vm/drop_caches; echo FREED; read line < $p; check true
what=no-oops; dmesg | grep -i 'BUG:\|Oops\|Call Trace\|I/O error.*\(vd\)' | grep -v "I/O error, dev ${ro##*/}"; check test $? = 1
'''

# name, machine, device suffix, options of every device, indirect + event index + version 1 + packed as negotiated
CASES = [
    ('pc transitional', 'pc', '-pci', '', '1110'),
    ('pc transitional, no event index, no indirect', 'pc', '-pci', ',event_idx=off,indirect_desc=off', '0010'),
    ('pc legacy only', 'pc', '-pci', ',disable-modern=on', '1100'),
    ('q35 root ports', 'q35', '-pci', '', '1110'),
    ('q35 root ports, packed', 'q35', '-pci', ',packed=on', '1111'),
    ('q35 root ports, packed, no event index, no indirect', 'q35', '-pci', ',packed=on,event_idx=off,indirect_desc=off', '0011'),
    ('microvm mmio', 'microvm', '-device', '', '1110'),
    ('microvm mmio, packed', 'microvm', '-device', ',packed=on', '1111'),
]


class Boot(Console):
    """One run of the emulator; collects what the guest's serial console and port say."""

    def __init__(self, argv, work):
        self.port_text = b''
        super().__init__(argv)
        if not wait_for(lambda: (work / 'port').exists() and (work / 'qmp').exists()
                        or self.process.poll() is not None, 10) or self.process.poll() is not None:
            self.process.kill()
            self.reader.join(2)
            raise RuntimeError(f'did not start: {self.text.strip()}')
        self.qmp = Qmp(work / 'qmp')
        self.port = socket.socket(socket.AF_UNIX)
        self.port.connect(str(work / 'port'))
        threading.Thread(target=self.read_port, daemon=True).start()

    def read_port(self):
        try:
            for data in iter(lambda: self.port.recv(65536), b''):
                self.port_text += data
        except OSError:
            pass

    def answer(self, line):
        self.port.sendall(line + b'\n')

    def resident_kib(self):
        for line in Path(f'/proc/{self.process.pid}/status').read_text().splitlines():
            if line.startswith('VmRSS'):
                return int(line.split()[1])
        return 0


def disks(work):
    data = os.urandom(8 * MIB)
    for name in ('rw', 'ro', 'snap'):
        (work / name).write_bytes(data)
    return data


def arguments(emulator, guest, work, case, data):
    _, machine, suffix, options, features = case
    ports = [word for n in range(6) for word in ('-device', f'pcie-root-port,id=rp{n},chassis={n + 1}')]
    on_port = iter(range(6))

    def device(kind, more=''):
        bus = f',bus=rp{next(on_port)}' if machine == 'q35' else ''
        return ['-device', f'{kind}{suffix}{options}{bus}{more}']

    extra = ports if machine == 'q35' else []
    for name, how in (('rw', ',discard=unmap'), ('ro', ',readonly=on'), ('snap', ',snapshot=on')):
        extra = extra + ['-drive', f'if=none,id={name},format=raw,file={work / name}{how}',
                         *device('virtio-blk', f',drive={name},serial={name}')]
    extra = extra + [*device('virtio-rng'), *device('virtio-serial', ',id=vs'),
                     *device('virtio-balloon', ',id=balloon,free-page-reporting=on'),
                     '-chardev', f'socket,id=port,path={work / "port"},server=on,wait=off',
                     '-device', 'virtserialport,bus=vs.0,chardev=port,name=test.port',
                     '-chardev', f'file,id=hvc,path={work / "hvc"}', '-device', 'virtconsole,bus=vs.0,chardev=hvc',
                     '-qmp', f'unix:{work / "qmp"},server=on,wait=off']
    script = SCRIPT.replace('@SUM@', hashlib.sha256(data).hexdigest()).replace('@FEATURES@', features)
    packed = base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode()     # the kernel takes 2047 bytes
    return g.command(emulator, guest, f'echo {packed}|base64 -d|gunzip|sh', machine, memory='256', extra=extra)


def talk(boot, check):
    """The host's half of the script; each step is one line of the report."""
    boot.answer(b'host says hello')
    check('guest reaches the balloon', boot.says('READY-FOR-BALLOON'))
    want = b''.join(b'%d\n' % n for n in range(1, 20001))
    check('port brings 20000 lines', wait_for(lambda: len(boot.port_text) >= len(want), 10) and boot.port_text == want)
    boot.qmp.ask('balloon', value=160 * MIB)
    check('balloon inflates to 160 MiB',
          wait_for(lambda: boot.qmp.ask('query-balloon')['actual'] == 160 * MIB))
    boot.answer(b'inflated')
    check('guest asks to deflate', boot.says('DEFLATE'))
    boot.qmp.ask('balloon', value=256 * MIB)
    check('balloon deflates', wait_for(lambda: boot.qmp.ask('query-balloon')['actual'] == 256 * MIB))
    boot.answer(b'deflated')
    check('guest fills memory', boot.says('FILLED'))
    boot.qmp.ask('qom-set', path='/machine/peripheral/balloon', property='guest-stats-polling-interval', value=1)
    check('statistics come', wait_for(lambda: 0 < boot.qmp.ask(
        'qom-get', path='/machine/peripheral/balloon', property='guest-stats')['stats']['stat-free-memory'] < 256 * MIB))
    full = boot.resident_kib()
    boot.answer(b'go on')
    check('guest frees memory', boot.says('FREED'))
    shrunk = wait_for(lambda: boot.resident_kib() < full - 64 * 1024, 15)
    check(f'free pages go back to the host ({full} to {boot.resident_kib()} KiB)', shrunk)
    boot.answer(b'end')
    check('guest ends', boot.says('QUERN-SCRIPT-STATUS 0') and wait_for(lambda: boot.process.poll() == 0, 10))


def host_files(work, data, check):
    rw = (work / 'rw').read_bytes()
    expected = bytearray(data)
    expected[MIB:MIB + 512] = b'the guest wrote this\n'.ljust(512, b'\0')
    expected[2 * MIB:5 * MIB] = bytes(3 * MIB)
    check('host file holds what was written', rw == bytes(expected))
    check('discard punched a hole', os.stat(work / 'rw').st_blocks * 512 <= 7 * MIB + 65536)
    check('read-only and snapshot files are untouched',
          (work / 'ro').read_bytes() == data and (work / 'snap').read_bytes() == data)
    check('console arrived', (work / 'hvc').read_bytes().replace(b'\r', b'') == b'hello from hvc\n')


def run_case(emulator, guest, case):
    """Returns what failed, as lines; empty if nothing did."""
    failed = []

    def check(what, ok):
        if not ok:
            failed.append(what)

    with tempfile.TemporaryDirectory() as where:
        work = Path(where)
        data = disks(work)
        try:
            boot = Boot(arguments(emulator, guest, work, case, data), work)
        except (OSError, RuntimeError) as e:
            return [str(e)]
        try:
            talk(boot, check)
        except (OSError, EOFError, RuntimeError) as e:
            check(f'host side: {e}', False)
        finally:
            boot.process.kill()
            boot.process.wait()
            boot.reader.join(2)
        host_files(work, data, check)
    lines = boot.text.splitlines()
    failed += [line for line in lines if line.startswith(('FAIL', 'got '))]
    passed, want = sum(line.startswith('PASS') for line in lines), SCRIPT.count('what=')
    check(f'{passed} guest checks passed, want {want}', passed == want)
    return failed and failed + lines[-12:]


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    only = sys.argv[3] if len(sys.argv) > 3 else ''
    tap = g.Tap()
    cases = [case for case in CASES if only in case[0]]
    if not g.have_guest(guest):
        for case in cases:
            tap.skip(case[0], f'no guest in {guest} (scripts/make-guest)')
    else:
        with ThreadPoolExecutor(2) as pool:     # the guests mostly wait
            for case, failed in zip(cases, pool.map(lambda case: run_case(emulator, guest, case), cases)):
                tap.result(not failed, case[0], '\n'.join('# ' + line for line in failed))
    tap.done()


main()
