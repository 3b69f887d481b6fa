#!/usr/bin/env python3
"""Start-up without a kernel: exec to the first guest instruction to exit, beside QEMU by turns."""
import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

# A ROM that runs at the reset vector and writes 0 to isa-debug-exit: status 1 ends the process.
ROM = bytes([0xb0, 0x00, 0xba, 0xf4, 0x00, 0xee, 0xf4, 0xeb, 0xfd])     # mov al,0; mov dx,0xf4; out dx,al; hlt; jmp $-1


def rom_seconds(emulator, rom):
    start = time.monotonic()
    status = subprocess.run([emulator, '-machine', 'q35,accel=tcg', '-nodefaults', '-display', 'none', '-bios', str(rom),
                             '-device', 'isa-debug-exit,iobase=0xf4,iosize=1'], timeout=30).returncode
    if status != 1:
        sys.exit(f'{emulator}: the ROM should end with status 1, got {status}')
    return time.monotonic() - start


def report(title, unit, ours, theirs):
    text = f'{title}: {statistics.median(ours) * unit[1]:.2f} {unit[0]}'
    if theirs:
        ratios = sorted(a / b for a, b in zip(ours, theirs))
        text += f', QEMU {statistics.median(theirs) * unit[1]:.2f} {unit[0]}, ratio {statistics.median(ratios):.2f}' \
                f' ({ratios[0]:.2f}..{ratios[-1]:.2f})'
    print(text, flush=True)


def by_turns(runs, measure, emulators):
    samples = [[] for _ in emulators]
    for n in range(runs + 1):
        for i, e in enumerate(emulators):
            s = measure(e)
            if n:       # the first round warms caches
                samples[i].append(s)
    return samples + [[]] * (2 - len(samples))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=20)
    args = ap.parse_args()
    emulators = [f'{args.build}/quern']
    peer = shutil.which('qemu-system-x86_64')
    if peer:
        emulators.append(peer)
    else:
        print('qemu-system-x86_64 is not installed: no ratios')
    rom = Path(args.build) / 'bench-rom.bin'
    image = bytearray(b'\xf4' * 65536)
    image[0xf000:0xf000 + len(ROM)] = ROM
    image[0xfff0:0xfff3] = b'\xe9\x0d\xf0'      # jmp 0xf000
    rom.write_bytes(image)
    report('exec to first guest instruction to exit', ('ms', 1000), *by_turns(args.runs, lambda e: rom_seconds(e, rom), emulators))


main()
