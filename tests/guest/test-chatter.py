#!/usr/bin/env python3
"""A serial port's reader may be fast, slow, or asleep: the guest loses nothing, waits, or goes on.

usage: test-chatter.py QUERN ROM      (ROM: chatter.s)
"""
import subprocess
import sys
import time

FINISHED = 0x10 << 1 | 1
EXPECTED = ''.join(f'{i:04x}' + '.' * 45 + '\n' for i in range(4000)).encode()
TIMEOUT_S = 60


def start(quern, rom):
    return subprocess.Popen([quern, '-machine', 'pc', '-m', '64', '-bios', rom, '-device', 'isa-debug-exit,iobase=0xf4',
                             '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_fast(quern, rom):
    with start(quern, rom) as p:
        out, _ = p.communicate(timeout=TIMEOUT_S)
    return p.returncode == FINISHED and out == EXPECTED, f'status {p.returncode}, {len(out)} bytes'


def test_slow(quern, rom):
    """4 KiB each 20 ms: a second in all, so the pipe is full most of the time."""
    out = b''
    with start(quern, rom) as p:
        while True:
            time.sleep(0.02)
            piece = p.stdout.read1(4096)
            if not piece:
                break
            out += piece
        status = p.wait(TIMEOUT_S)
    return status == FINISHED and out == EXPECTED, f'status {status}, {len(out)} bytes'


def test_asleep(quern, rom):
    """Nobody reads: the pipe fills, the port waits its few seconds, then drops, and the guest gets to its end."""
    begin = time.monotonic()
    with start(quern, rom) as p:
        try:
            status = p.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            p.kill()
            return False, 'the guest hangs'
        out = p.stdout.read()
    took = time.monotonic() - begin
    ok = status == FINISHED and EXPECTED.startswith(out) and 0 < len(out) < len(EXPECTED) and took < TIMEOUT_S / 2
    return ok, f'status {status}, {len(out)} bytes, {took:.1f} s'


def main():
    tests = [('a fast reader gets every byte', test_fast), ('a slow reader gets every byte', test_slow),
             ('a sleeping reader does not hold the guest', test_asleep)]
    print('TAP version 13')
    for n, (name, fn) in enumerate(tests, 1):
        ok, why = fn(sys.argv[1], sys.argv[2])
        print(f'{"ok" if ok else "not ok"} {n} {name}' + ('' if ok else f'\n# {why}'), flush=True)
    print(f'1..{len(tests)}')


main()
