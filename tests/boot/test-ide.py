#!/usr/bin/env python3
"""Disks and CD drives as Debian's drivers use them: ahci on q35, ata_piix on pc, with one CPU and with two.

Data is compared by checksum on both sides; the disc is locked, ejected by the guest and by the host, and changed.
Then SeaBIOS boots a disk, and a disc by El Torito, on both boards.
"""
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402
from session import Console, wait_for   # noqa: E402

MIB = 1 << 20

SCRIPT = r'''
check() { if "$@"; then echo "PASS $what"; else echo "FAIL $what"; fi; }
same() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'"; false; }; }
sum() { sha256sum | cut -d' ' -f1; }
wait_for() { n=0; while ! "$@" 2>/dev/null; do n=$((n+1)); [ $n -gt 60 ] && return 1; sleep 0.25; done; }
disc() { [ "$(dd if=/dev/sr0 bs=64k 2>/dev/null | sum)" = "$1" ]; }
gone() { ! dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>/dev/null; }
cat() { busybox cat "$@"; }
what=drivers; check same "$(cat /sys/block/$d/device/model | tr -s ' ') $(cat /sys/block/sr0/device/vendor | tr -d ' ')" "QUERN HARDDISK  QUERN"
what=queue; check same "$(cat /sys/block/$d/device/queue_depth)" @DEPTH@
what=size; check same "$(cat /sys/block/$d/size) $(cat /sys/block/sr0/size)" "@SIZES@"
what=cache; check same "$(cat /sys/block/$d/queue/write_cache) $(cat /sys/block/$d/queue/rotational)" "write back 0"
what=read; check same "$(dd if=/dev/$d bs=64k 2>/dev/null | sum)" @SUM@
what=direct; check same "$(dd if=/dev/$d bs=1M iflag=direct 2>/dev/null | sum)" @SUM@
what=odd; check same "$(dd if=/dev/$d bs=3584 skip=11 count=7 iflag=direct 2>/dev/null | sum)" @ODD@
what=parallel
for i in 0 1 2 3 4 5 6 7; do dd if=/dev/$d bs=16k skip=$((i*64)) count=64 iflag=direct 2>/dev/null > /tmp/p$i & done; wait
check same "$(cat /tmp/p0 /tmp/p1 /tmp/p2 /tmp/p3 /tmp/p4 /tmp/p5 /tmp/p6 /tmp/p7 | sum)" @SUM@
rm /tmp/p?
echo "the guest wrote this" > /tmp/t
what=write; check dd if=/tmp/t of=/dev/$d bs=512 seek=2048 conv=notrunc,fsync,sync 2>/dev/null
what=big-write; check dd if=/dev/zero of=/dev/$d bs=1M seek=2 count=2 conv=notrunc,fsync 2>/dev/null
what=discard; check blkdiscard -o 4194304 -l 1048576 /dev/$d
what=disc; check disc @DISC1@
what=locked; exec 3</dev/sr0; echo LOCKED; sleep 4; exec 3<&-; check true
cdrom=/proc/sys/dev/cdrom; echo 0 > $cdrom/autoclose        # closing the device opens the tray, opening it shuts the tray
what=eject; echo 1 > $cdrom/autoeject; check disc @DISC1@; echo 0 > $cdrom/autoeject; what=empty; check gone; echo EJECTED
sleep 2; what=load; echo 1 > $cdrom/autoclose; check wait_for disc @DISC1@; echo 0 > $cdrom/autoclose; echo LOADED
what=change; check wait_for disc @DISC2@; echo CHANGED
what=removed; check wait_for gone; echo REMOVED
what=inserted; check wait_for disc @DISC1@
what=no-oops; dmesg | grep -i 'BUG:\|Oops\|Call Trace\|exception Emask\|failed command\|I/O error.*sda\|soft reset'; check test $? = 1
'''

CASES = [('q35', '1', '32'), ('q35', '2', '32'), ('pc', '1', '1'), ('pc', '2', '1')]

def boot_code(text, origin=0x7c00):
    """cli; mov si, text; mov dx, 0xe9; next: cs lodsb; or al, al; jz stop; out dx, al; jmp next; stop: hlt; jmp stop"""
    head = bytes.fromhex('fa') + b'\xbe\x00\x00' + bytes.fromhex('bae900 2eac 08c0 7403 ee ebf7 f4 ebfd'.replace(' ', ''))
    return head.replace(b'\xbe\x00\x00', b'\xbe' + (origin + len(head)).to_bytes(2, 'little')) + text.encode() + b'\0'


def boot_disk(text):
    return boot_code(text).ljust(510, b'\0') + b'\x55\xaa' + bytes(MIB - 512)


def boot_disc(text):
    """El Torito 1.0, "no emulation": a boot record volume descriptor at 17, the catalogue at 20, the image at 21."""
    def both(n, size):
        return n.to_bytes(size, 'little') + n.to_bytes(size, 'big')
    disc = bytearray(2048 * 512)
    disc[16 * 2048:16 * 2048 + 7] = b'\x01CD001\x01'
    disc[16 * 2048 + 80:16 * 2048 + 88] = both(512, 4)
    disc[17 * 2048:17 * 2048 + 39] = b'\0CD001\x01' + b'EL TORITO SPECIFICATION'.ljust(32, b'\0')
    disc[17 * 2048 + 71:17 * 2048 + 75] = (20).to_bytes(4, 'little')
    disc[18 * 2048:18 * 2048 + 7] = b'\xffCD001\x01'
    entry = bytearray(32)
    entry[0], entry[30], entry[31] = 1, 0x55, 0xaa
    check = -sum(int.from_bytes(entry[i:i + 2], 'little') for i in range(0, 32, 2)) & 0xffff
    entry[28:30] = check.to_bytes(2, 'little')
    boot = b'\x88\0' + b'\0\0' + b'\0\0' + (4).to_bytes(2, 'little') + (21).to_bytes(4, 'little')
    disc[20 * 2048:20 * 2048 + 64] = bytes(entry) + boot.ljust(32, b'\0')
    code = boot_code(text)
    disc[21 * 2048:21 * 2048 + len(code)] = code
    return bytes(disc)


class Boot(Console):
    """One run; collects what the guest's console says."""

    def __init__(self, argv, qmp):
        super().__init__(argv)
        self.qmp = Qmp(qmp)

    def says(self, word, seconds=240):
        return super().says(word, seconds)

    def drive(self, name):
        return next(b for b in self.qmp.ask('query-block') if b['device'] == name)

    def trays(self):
        self.qmp.ask('query-status')                    # brings what has come meanwhile
        return [e['data']['tray-open'] for e in self.qmp.events if e['event'] == 'DEVICE_TRAY_MOVED']


def sha(data):
    return hashlib.sha256(data).hexdigest()


def arguments(emulator, guest, work, case, data):
    machine, smp, depth = case
    words = {'@DEPTH@': depth, '@SUM@': sha(data['disk']), '@ODD@': sha(data['disk'][11 * 3584:18 * 3584]), '@DISC1@': sha(data['disc1']),
             '@DISC2@': sha(data['disc2']), '@SIZES@': '%d %d' % (len(data['disk']) // 512, len(data['disc1']) // 512)}
    script = SCRIPT
    for word, value in words.items():
        script = script.replace(word, value)
    # The kernel's command line is too short for it: the script lies on a second disk.
    (work / 'script').write_bytes(script.encode().ljust(64 * 1024, b'\n'))
    extra = ['-drive', f'file={work / "disk"},format=raw,index=0,id=disk,discard=unmap',
             '-drive', f'file={work / "script"},format=raw,index=1,id=script', '-cdrom', str(work / 'disc1'),
             '-global', 'ide-hd.rotation_rate=1', '-qmp', f'unix:{work / "qmp"},server=on,wait=off']
    return g.with_pc_kernel(g.command(emulator, guest, 's=sda d=sdb; [ $(cat /sys/block/$s/size) = 128 ] || s=sdb d=sda; d=$d sh /dev/$s', machine, smp=smp, memory='256', extra=extra))


def talk(boot, cd, work, check):
    """The host's half of the script."""
    check('guest locks the tray', boot.says('LOCKED'))
    check('lock is seen', boot.drive(cd)['locked'])
    refused = boot.qmp.ask('eject', device=cd)
    check('eject is refused', 'is locked and force was not specified' in refused.get('error', {}).get('desc', ''))
    check('guest ejects', boot.says('EJECTED'))
    check('tray moved', wait_for(lambda: boot.trays() == [True], 5))
    info = boot.drive(cd)
    check('disc is in the open tray', info['tray_open'] and 'inserted' in info and not info['locked'])
    check('guest loads', boot.says('LOADED'))
    check('tray moved back', wait_for(lambda: boot.trays()[-1] is False, 5))
    check('change', boot.qmp.ask('blockdev-change-medium', device=cd, filename=str(work / 'disc2'), format='raw', force=True) == {})
    check('guest sees the other disc', boot.says('CHANGED'))
    check('host ejects', boot.qmp.ask('eject', device=cd, force=True) == {})
    check('guest sees it gone', boot.says('REMOVED'))
    boot.qmp.ask('blockdev-add', driver='file', node_name='again', read_only=True, filename=str(work / 'disc1'))
    check('insert', boot.qmp.ask('blockdev-insert-medium', id=boot.drive(cd)['qdev'], node_name='again') == {})
    check('close', boot.qmp.ask('blockdev-close-tray', device=cd) == {})
    check('guest ends', boot.says('QUERN-SCRIPT-STATUS 0') and wait_for(lambda: boot.process.poll() == 0, 20))


def run_case(emulator, guest, case):
    """Returns what failed, as lines; empty if nothing did."""
    failed = []

    def check(what, ok):
        if not ok:
            failed.append(what)

    with tempfile.TemporaryDirectory(prefix='quern-ide-') as folder:
        work = Path(folder)
        data = {'disk': os.urandom(8 * MIB), 'disc1': os.urandom(3 * MIB), 'disc2': os.urandom(2 * MIB)}
        for name, content in data.items():
            (work / name).write_bytes(content)
        boot = Boot(arguments(emulator, guest, work, case, data), work / 'qmp')
        try:
            talk(boot, 'ide2-cd0' if case[0] == 'q35' else 'ide1-cd0', work, check)
        except (OSError, EOFError, IndexError) as e:
            check(f'the emulator went: {e!r}', False)
        finally:
            boot.process.kill()
            boot.process.wait()
            boot.reader.join(5)
        expected = bytearray(data['disk'])
        expected[MIB:MIB + 512] = b'the guest wrote this\n'.ljust(512, b'\0')
        expected[2 * MIB:5 * MIB] = bytes(3 * MIB)
        check('host file holds what was written', (work / 'disk').read_bytes() == bytes(expected))
        failed += [line for line in boot.text.splitlines() if line.startswith(('FAIL', 'got ')) or 'Emask' in line or 'can\'t open' in line]
        check('every step was taken', boot.text.count('PASS ') == SCRIPT.count('check '))
        return failed + (['console:'] + boot.text.splitlines()[-25:] if failed else [])


def boots_from(emulator, machine, options, work, word):
    """Does SeaBIOS start it, so that it says @word?"""
    out = work / 'said'
    with subprocess.Popen([emulator, '-machine', machine, '-m', '64', '-display', 'none', '-vga', 'none', '-nodefaults', '-chardev', f'file,id=d,path={out}',
                           '-device', 'isa-debugcon,iobase=0xe9,chardev=d', *options], stdin=subprocess.DEVNULL) as p:
        ok = wait_for(lambda: p.poll() is not None or (out.exists() and word in out.read_text()), 40)
        p.kill()
    return ok and out.exists() and word in out.read_text()


def firmware_cases(work):
    disk, disc = work / 'bootdisk', work / 'bootdisc'
    disk.write_bytes(boot_disk('DISK-BOOTED'))
    disc.write_bytes(boot_disc('DISC-BOOTED'))
    plain = ['-drive', f'file={disk},format=raw']
    cdrom = ['-drive', f'file={disc},format=raw,media=cdrom,index=2']
    named = ['-drive', f'file={disk},format=raw,if=none,id=a', '-drive', f'file={disc},format=raw,if=none,id=b,media=cdrom',
             '-device', 'ide-hd,drive=a,bus=ide.0,bootindex=2', '-device', 'ide-cd,drive=b,bus=ide.1,bootindex=1']
    for machine in ('pc', 'q35'):
        yield machine, 'disk', plain, 'DISK-BOOTED'
        yield machine, 'disc', cdrom, 'DISC-BOOTED'
        yield machine, 'disk before disc', plain + cdrom, 'DISK-BOOTED'
        yield machine, '-boot d', [*plain, *cdrom, '-boot', 'd'], 'DISC-BOOTED'
        yield machine, 'bootindex', named, 'DISC-BOOTED'


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    with tempfile.TemporaryDirectory(prefix='quern-ide-') as folder:
        for machine, name, options, word in firmware_cases(Path(folder)):
            tap.result(boots_from(emulator, machine, options, Path(folder), word), f'SeaBIOS on {machine}: {name}')
            (Path(folder) / 'said').unlink(missing_ok=True)
    for case in CASES if len(sys.argv) < 4 else [c for c in CASES if c[0] + c[1] in sys.argv[3:]]:
        name = f'{case[0]}, {case[1]} CPU(s)'
        if not (guest / 'vmlinuz-pc').exists():
            tap.skip(name, 'no guest (scripts/make-guest)')
            continue
        failed = run_case(emulator, guest, case)
        tap.result(not failed, name, '\n'.join('# ' + line for line in failed))
    tap.done()


if __name__ == '__main__':
    main()
