#!/usr/bin/env python3
"""Firmware made for QEMU's boards runs on ours: SeaBIOS to its boot menu's end, and from a disk's boot sector.

usage: test-firmware.py QUERN
"""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402

SEABIOS = Path('/usr/share/seabios/bios-256k.bin')
TIMEOUT_S = 60
FINISHED = 0x10 << 1 | 1

# What SeaBIOS says on its debug port when it has found each device and table.
EXPECTED = [
    'Found QEMU fw_cfg', 'QEMU fw_cfg DMA interface supported', 'Found 1 cpu(s)', 'PS2 keyboard initialized',
    'Found 2 serial ports', 'All threads complete.', 'ACPI: parse DSDT', 'No bootable device.',
]


def boot_sector(code):
    """mov dx, 0xf4; mov al, CODE; out dx, al; hlt; jmp $-1: leaves through isa-debug-exit."""
    return bytes([0xba, 0xf4, 0x00, 0xb0, code, 0xee, 0xf4, 0xeb, 0xfd]).ljust(510, b'\0') + b'\x55\xaa'


def seabios(quern, machine, folder, *extra, until=None):
    """Run with the debug port in a file; returns (status or None if stopped, text)."""
    log = Path(folder) / 'debug.log'
    log.write_text('')
    argv = [quern, '-machine', machine, '-m', '128', '-bios', str(SEABIOS), '-display', 'none', '-monitor', 'none',
            '-serial', 'null', '-serial', 'null', '-no-reboot', '-chardev', f'file,id=d,path={log}',
            '-device', 'isa-debugcon,iobase=0x402,chardev=d', *extra]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        status = None
        for _ in range(TIMEOUT_S * 10):
            try:
                status = p.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                if until and until in log.read_text(errors='replace'):
                    break
        p.kill()
        return status, log.read_text(errors='replace') + p.stdout.read().decode(errors='replace')


def comments(text):
    return '\n'.join('# ' + line for line in text.splitlines()[-30:])


def main():
    quern = sys.argv[1]
    tap = g.Tap()
    with tempfile.TemporaryDirectory(prefix='quern-') as folder:
        disk = Path(folder) / 'disk.img'
        disk.write_bytes(boot_sector(0x10).ljust(1 << 20, b'\0'))
        other = Path(folder) / 'other.img'
        other.write_bytes(boot_sector(0x11).ljust(1 << 20, b'\0'))
        for machine in 'pc', 'q35':
            if not SEABIOS.exists():
                tap.skip(f'SeaBIOS on {machine}', f'no {SEABIOS} (package seabios)')
                continue
            status, text = seabios(quern, machine, folder, until='No bootable device.')
            missing = [e for e in EXPECTED if e not in text]
            tap.result(status is None and not missing, f'SeaBIOS finds its devices on {machine}',
                       f'# status {status}, not seen: {missing}\n' + comments(text))
            status, text = seabios(quern, machine, folder, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
                                   '-drive', f'file={disk},format=raw,if=virtio')
            tap.result(status == FINISHED, f'SeaBIOS boots a virtio disk on {machine}',
                       f'# status {status}\n' + comments(text))
            status, text = seabios(quern, machine, folder, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
                                   '-blockdev', f'file,node-name=a,filename={other}', '-blockdev', f'file,node-name=b,filename={disk}',
                                   '-device', 'virtio-blk-pci,drive=a,bootindex=2', '-device', 'virtio-blk-pci,drive=b,bootindex=1')
            tap.result(status == FINISHED, f'SeaBIOS boots the disk of the lower bootindex on {machine}',
                       f'# status {status}\n' + comments(text))
    tap.done()


main()
