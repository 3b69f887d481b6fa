#!/usr/bin/env python3
"""A guest that writes garbage everywhere neither crashes nor hangs the emulator.

usage: test-garbage.py QUERN ROM [SEEDS [ACCESSES]]

The ROM (garbage.s) is patched with a seed, a number of accesses and what to include.
"""
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARAMETERS = 0xff00
FINISHED = 0x10 << 1 | 1        # isa-debug-exit's status for the value the guest leaves with
LEFT = 0                        # under -no-reboot: reset or powered off
LOST = 'lost'                   # the guest runs wild (say, in SMM without a handler), the monitor still answers
TIMEOUT_S, LOST_S = 60, 3

CONFIG, ALL = 1, 3              # bits of the ROM's "more"
VARIANTS = [
    ('devices', 0, [FINISHED]),
    ('devices and configuration space', CONFIG, [FINISHED, LEFT]),
    ('everything', ALL, [FINISHED, LEFT, LOST]),
]
EXTRA = {
    'pc':      ['-device', 'pc-testdev', '-device', 'pci-serial', '-device', 'virtio-rng-pci'],
    'q35':     ['-device', 'pc-testdev', '-device', 'pci-serial', '-device', 'virtio-rng-pci',
                '-device', 'pcie-root-port,id=rp', '-device', 'pvpanic-pci'],
    'microvm': ['-device', 'pc-testdev'],
}


def run(quern, rom, machine, may_be_lost):
    argv = [quern, '-machine', machine, '-m', '64', '-bios', rom, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
            '-display', 'none', '-serial', 'null', '-monitor', 'stdio', '-no-reboot', *EXTRA[machine]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as p:
        lost = False
        try:
            p.wait(LOST_S if may_be_lost else TIMEOUT_S)
        except subprocess.TimeoutExpired:
            lost = True
        try:
            _, err = p.communicate('quit\n' if lost else None, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            p.kill()
            return 'does not answer', ''
        except BrokenPipeError:
            err = ''
    return LOST if lost and p.returncode == 0 else p.returncode, err


def main():
    quern, image = sys.argv[1], Path(sys.argv[2]).read_bytes()
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    accesses = int(sys.argv[4]) if len(sys.argv) > 4 else 300000
    known = subprocess.run([quern, '-machine', 'help'], capture_output=True, text=True, check=True).stdout
    n = 0
    print('TAP version 13', flush=True)
    with tempfile.TemporaryDirectory(prefix='quern-') as folder:
        for machine in EXTRA:
            for name, more, expected in VARIANTS:
                n += 1
                title = f'{n} {machine}: garbage to {name}'
                if f'\n{machine} ' not in known:
                    print(f'ok {title} # SKIP no such machine', flush=True)
                    continue
                start, bad = time.monotonic(), []
                # A run with everything is short: it soon writes a reset register.
                for seed in range(1, seeds * (10 if more == ALL else 1) + 1):
                    rom = bytearray(image)
                    struct.pack_into('<IIB', rom, PARAMETERS, seed, accesses, more)
                    path = Path(folder) / 'garbage.rom'
                    path.write_bytes(rom)
                    status, err = run(quern, str(path), machine, LOST in expected)
                    if status not in expected or 'runtime error' in err or 'Sanitizer' in err:
                        bad.append(f'# seed {seed}: status {status}\n# ' + '\n# '.join(err.splitlines()[-20:]))
                print(f'{"not ok" if bad else "ok"} {title} ({time.monotonic() - start:.1f} s)', flush=True)
                for text in bad:
                    print(text, flush=True)
    print(f'1..{n}', flush=True)


main()
