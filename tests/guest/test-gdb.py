#!/usr/bin/env python3
"""GDB itself, on a small kernel with symbols and on Debian's.

usage: test-gdb.py QUERN DEBUGGEE GUESTDIR
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'boot'))

import guest as boot_guest                              # noqa: E402

TIMEOUT_S = 100

ON_DEBUGGEE = """
break leaf
continue
backtrace
print x
info threads
continue
print x
finish
delete
watch written
continue
print written
delete
thread 1
tbreak leaf
continue
set var read_only = 1000
rwatch read_only
continue
delete
hbreak *patched_code
continue
stepi
print $eax == *(int *)(patched_code + 1)
delete
print scaled / $xmm0.v2_double[0]
print $cr0
print $efer
print $st0
break work
continue
continue
info symbol $pc
set $rdi = 7
print $edi
delete
monitor info status
thread apply all info symbol $pc
"""

DEBUGGEE_SAYS = [
    r'Breakpoint 1, leaf \(x=.*10\)', r'#0 +leaf .*\n#1 .* in middle \(x=.*0\).*\n#2 .* in debuggee_main', r'\$1 = 10\n',
    r'Thread 1\.4 \(CPU#3', r'\$2 = 11\n', r'Value returned is \$3 = 23', r'Hardware watchpoint 2: written', r'Old value = 0\nNew value = 16',
    r'\$4 = 16', r'Temporary breakpoint 3, leaf', r'Hardware read watchpoint 4: read_only\n+Value = 1000',
    r'Breakpoint 5, .*patched_code', r'\$5 = 1\n', r'\$6 = 1\n', r'\[ PE MP ET WP PG \]', r'\[ LME LMA \]',
    r'Breakpoint 6, work', r'work in section', r'\$\d+ = 7\n', r'VM status: paused \(debug\)', r'Thread 4',
]


def run_gdb(path, script, *args):
    with tempfile.NamedTemporaryFile('w', suffix='.gdb') as f:
        f.write('set pagination off\nset confirm off\nset remotetimeout 20\ntarget remote %s\n%s' % (path, script))
        f.flush()
        done = subprocess.run(['gdb', '-nx', '-batch', '-x', f.name, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False)
    return done.stdout


def check(tap, name, text, wanted):
    at = 0
    for pattern in wanted:
        found = re.compile(pattern).search(text, at)
        if not found:
            tap.result(False, name, '# nothing like %r in\n' % pattern + '\n'.join('# ' + line for line in text[at:].splitlines()))
            return
        at = found.start()
    tap.result(True, name)


def test_debuggee(tap, quern, debuggee, folder):
    path = os.path.join(folder, 'gdb')
    with subprocess.Popen([quern, '-machine', 'q35', '-m', '64', '-smp', '4', '-kernel', debuggee, '-S', '-display', 'none',
                           '-gdb', f'unix:{path},server=on,wait=off']) as p:
        while not os.path.exists(path):
            time.sleep(0.01)
        try:
            check(tap, 'gdb: a kernel with symbols, 4 CPUs', run_gdb(path, ON_DEBUGGEE, debuggee), DEBUGGEE_SAYS)
        finally:
            p.kill()


# The guest prints where things are, then opens a file for ever.
GUEST_SCRIPT = """
grep -E ' (vfs_open|do_sys_openat2|jiffies_64)$' /proc/kallsyms
echo SYMBOLS-DONE
while :; do cat /proc/version > /dev/null; done
"""


def read_symbols(p):
    symbols = {}
    for line in p.stdout:
        found = re.match(r'([0-9a-f]{16}) . (\w+)\s*$', line.decode(errors='replace'))
        if found:
            symbols[found[2]] = int(found[1], 16)
        if b'SYMBOLS-DONE' in line:
            return symbols
    return symbols


def test_debian(tap, quern, guest, folder):
    name = 'gdb: Debian\'s kernel, 4 CPUs'
    path = os.path.join(folder, 'gdb2')
    if not boot_guest.have_guest(guest):
        tap.skip(name, 'no guest kernel (scripts/make-guest)')
        return
    argv = boot_guest.command(quern, guest, GUEST_SCRIPT, smp='4', extra=['-gdb', f'unix:{path},server=on,wait=off'])
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as p:
        try:
            at = read_symbols(p)
            script = '''
set architecture i386:x86-64
info threads
break *0x%(vfs_open)x
hbreak *0x%(do_sys_openat2)x
continue
print $rip == 0x%(do_sys_openat2)x || $rip == 0x%(vfs_open)x
delete 2
continue
print $rip == 0x%(vfs_open)x
print $cs
x/i $pc
stepi
stepi
print $rip - 0x%(vfs_open)x < 16
delete
watch *(unsigned long *)0x%(jiffies_64)x
continue
continue
delete
print $gs_base > 0xffff000000000000 || $k_gs_base > 0xffff000000000000
print $cr3 != 0
monitor info cpus
detach
''' % at
            text = run_gdb(path, script)
            check(tap, name, text, [r'Thread 1\.4 \(CPU#3', r'Breakpoint [12],', r'\$1 = 1\n', r'Breakpoint 1,', r'\$2 = 1\n', r'\$3 = 16\n',
                                    r'=> 0x', r'\$4 = 1\n', r'Hardware watchpoint 3', r'Old value = \d+\nNew value = \d+',
                                    r'Hardware watchpoint 3', r'\$5 = 1\n', r'\$6 = 1\n', r'CPU #3: thread_id=\d+', r'detached'])
        finally:
            p.kill()


def main():
    quern, debuggee, guest = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    tap = boot_guest.Tap()
    if not shutil.which('gdb'):
        tap.skip('gdb', 'gdb is not installed')
    else:
        with tempfile.TemporaryDirectory(prefix='quern-gdb-') as folder:
            test_debuggee(tap, quern, debuggee, folder)
            test_debian(tap, quern, guest, folder)
    tap.done()


main()
