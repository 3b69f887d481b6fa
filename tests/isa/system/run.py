#!/usr/bin/env python3
"""Run self-checking ROMs (rom.inc) on an emulator and report which check of which ROM failed, as TAP."""
import subprocess
import sys

PASSED, FAILED = 0x08, 0x10
TIMEOUT_S = 60


def run(emulator, rom, cpus):
    """What isa-debug-exit was given, or a reason."""
    command = [emulator, '-M', 'pc', '-accel', 'tcg', '-cpu', 'max', '-smp', cpus, '-m', '64', '-display', 'none',
               '-nodefaults', '-no-reboot', '-bios', rom, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4']
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, f'no result in {TIMEOUT_S} s'
    if done.returncode < 0 or not done.returncode & 1 or done.stderr:
        return None, f'status {done.returncode}: {done.stderr.decode(errors="replace").strip()}'
    return done.returncode >> 1, None


def main():
    emulator, roms = sys.argv[1], sys.argv[2:]
    failures = 0
    print(f'1..{len(roms)}')
    for n, rom in enumerate(roms, 1):
        value, why = run(emulator, rom, '1')
        if value == PASSED:
            print(f'ok {n} - {rom}')
            continue
        failures += 1
        print(f'not ok {n} - {rom}: {why or f"check {value - FAILED} failed"}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
