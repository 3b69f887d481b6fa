#!/usr/bin/env python3
"""run.py ISA-RANDOM SECONDS SEED: random sequences for about SECONDS, with every kind of host by turns.

Each turn is a process: it pretends a host (see tcg_host_pretend()) and has a large or a small code cache.
Prints TAP; a failure shows how to repeat it.
"""
import subprocess
import sys
import time

TURNS = [(host, size) for size in (8, 1) for host in
         ('host', 'minimal', 'host', 'x86-64', 'no-bmi', 'x86-64-v2', 'host', 'no-avx', 'no-avx2')]


def main():
    program, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    end = time.monotonic() + seconds
    turn = max(1, min(60, round(seconds / len(TURNS))))
    n = failed = programs = 0
    print(f'# seed {seed}')
    while n == 0 or time.monotonic() + turn / 2 < end:
        host, size = TURNS[n % len(TURNS)]
        args = [program, '-s', str(seed + n), '-t', str(turn), '-H', host, '-b', str(size)]
        r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        last = r.stdout.strip().splitlines()[-1] if r.stdout.strip() else f'died with status {r.returncode}'
        n += 1
        skip = ' # SKIP' if r.returncode == 77 else ''
        failed += r.returncode not in (0, 77)
        programs += int(last.split(' programs')[0].split()[-1]) if ' programs' in last else 0
        print(f"{'ok' if r.returncode in (0, 77) else 'not ok'} {n} - {last}{skip}", flush=True)
        if r.returncode not in (0, 77):
            print('\n'.join('# ' + line for line in [' '.join(args)] + r.stdout.splitlines()), flush=True)
    print(f'1..{n}')
    print(f'# {programs} programs, {failed} of {n} turns failed')
    return failed != 0


sys.exit(main())
