#!/usr/bin/env python3
"""System instructions, exceptions and debug traps: the ROM's lines against the expected ones.

usage: test-system.py QUERN ROM EXPECTED      (ROM: system.s)
"""
import subprocess
import sys

FINISHED = 0x10 << 1 | 1
TIMEOUT_S = 60


def run(quern, rom):
    return subprocess.run([quern, '-machine', 'pc', '-cpu', 'max', '-m', '64', '-bios', rom, '-device',
                           'isa-debug-exit,iobase=0xf4', '-display', 'none', '-monitor', 'none', '-serial', 'stdio',
                           '-no-reboot'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT_S)


def main():
    quern, rom, expected_file = sys.argv[1:4]
    with open(expected_file, encoding='ascii') as f:
        expected = f.read().splitlines()
    result = run(quern, rom)
    got = result.stdout.decode('ascii', 'replace').splitlines()
    print('TAP version 13')
    print(f'1..{len(expected) + 1}')
    failed = 0
    for n, line in enumerate(expected):
        ok = n < len(got) and got[n] == line
        failed += not ok
        print(('ok' if ok else 'not ok'), n + 1, '-', line)
        if not ok:
            print('# got:', got[n] if n < len(got) else 'nothing')
    ok = result.returncode == FINISHED and len(got) == len(expected)
    print(('ok' if ok else 'not ok'), len(expected) + 1, '- the ROM gets to its end')
    return failed or not ok


if __name__ == '__main__':
    sys.exit(main())
