#!/usr/bin/env python3
"""No C code uses the x87 but what works for a guest's: its registers may be in the host's while C code runs (tcg/ir.h).

usage: x87-free.py QUERN
"""
import re
import shutil
import subprocess
import sys

# Helpers of x87 instructions, which find the register stack empty, and what loads control words.
ALLOWED = re.compile(r'helper_|x87_|x86_fpu_reset|env_from_image|tcg_env_init$|tcg_fp_leave$')
FUNCTION = re.compile(r'^[0-9a-f]+ <([^>]+)>:$')
X87 = re.compile(r'^ *[0-9a-f]+:\s+(f[a-z0-9]+)\b')
# Instructions with an f that are others'.
OTHER = re.compile(r'f(x(save|rstor)|s$|emms)')


def uses(binary):
    """Function -> x87 instructions, of all the binary's text."""
    found = {}
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', '-j', '.text', binary], capture_output=True, text=True, check=True).stdout
    function = None
    for line in text.splitlines():
        m = FUNCTION.match(line)
        if m:
            function = m.group(1)
            continue
        m = X87.match(line)
        if m and not OTHER.match(m.group(1)):
            found.setdefault(function, []).append(m.group(1))
    return found


def main():
    print('TAP version 13\n1..1')
    if not shutil.which('objdump'):
        print('ok 1 C code is free of x87 instructions # SKIP no objdump')
        return 0
    found = uses(sys.argv[1])
    bad = {f: i for f, i in found.items() if not ALLOWED.match(f)}
    for function, instructions in sorted(bad.items()):
        print(f'# {function}: {" ".join(instructions[:5])}')
    if 'x87_stub_call' not in found:
        print('# not even x87_stub_call() was found: is this a binary with symbols?')
    print(('not ok' if bad or 'x87_stub_call' not in found else 'ok') + ' 1 C code is free of x87 instructions')
    return 0


sys.exit(main())
