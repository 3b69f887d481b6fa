#!/usr/bin/env python3
"""Limits with Debian's kernel: what passes -machine memory-limit or tb-size is refused, and what is allowed is safe to use.

The guest fills all the memory it has while the limit is reached; in a control group nothing of it is killed.
"""
import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import programs     # noqa: E402
from memory_guest import COMMON, MIB, Guest, run_cases     # noqa: E402
from cgroup import Cgroup   # noqa: E402

LIMIT_SCRIPT = COMMON + r'''
mkdir /tmp/big; exec 3< /dev/ttyS1; echo READY
fill() {
  mount -t tmpfs -o size=100% big /tmp/big; dd if=/dev/urandom of=/tmp/big/seed bs=1M count=8 2>/dev/null; i=0
  while [ $(awk '/MemAvailable/ {print int($2/1024)}' /proc/meminfo) -gt 56 ]; do cp /tmp/big/seed /tmp/big/$i; i=$((i+1)); done
}
while read word <&3; do
  case $word in
    fill) fill; echo FILLED;;
    empty) umount /tmp/big; echo 3 > /proc/sys/vm/drop_caches; echo EMPTIED;;
    end) dmesg | grep -i 'Out of memory\|BUG:\|Oops' && exit 1; exit 0;;
  esac
done
exit 1
'''

MACHINE = ['-accel', 'tcg,tb-size=16', '-object', 'memory-backend-ram,id=m0,size=1G,reserve=off', '-device',
           'pcie-root-port,id=rp0,chassis=1', '-device', 'virtio-mem-pci,id=vm0,bus=rp0,memdev=m0', '-object',
           'memory-backend-ram,id=d64,size=64M', '-object', 'memory-backend-ram,id=d128,size=128M']
MORE = 256 * MIB        # that may be plugged


def measured(vm):
    """What the host says the emulator has of its own, as the ledger reads it."""
    host = vm.command('query-memory-ledger')['host']
    return host['pss-anon'] + host['pss-shmem']


def budget(binary, *args):
    out = subprocess.run([binary, '-display', 'none', '-nodefaults', *args, '-memory-budget'], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)['bound']


class Edge:
    """A guest at the limit: what is allowed, what is refused, and that neither harms it."""

    def __init__(self, vm, work, check, limit):
        self.vm, self.work, self.check, self.limit = vm, work, check, limit
        self.filled = self.emptied = 0

    def fill(self, at_least):
        self.filled += 1
        self.vm.send(self.work, b'fill')
        self.check('guest fills its memory', self.vm.says('FILLED', 200, self.filled))
        own = measured(self.vm)
        self.check(f'{own / MIB:.0f} MiB are used, {self.limit / MIB:.0f} allowed', at_least < own <= self.limit)

    def empty(self):
        self.emptied += 1
        self.vm.send(self.work, b'empty')
        self.check('guest lets go of it', self.vm.says('EMPTIED', 60, self.emptied))

    def refused(self, what, name, arguments, need_mib, left_mib, account):
        before = self.vm.command('query-memory-devices'), self.vm.command('query-memory-ledger')['bound']
        text = self.vm.error(name, arguments)[1]
        self.check(f'{what} is refused: {text}', f"memory-limit: account 'ram//objects/{account}' needs {need_mib * 1024} KiB more, "
                   f'{left_mib * 1024} KiB of {self.limit // 1024} KiB are left' in text)
        self.check('nothing changed', before == (self.vm.command('query-memory-devices'), self.vm.command('query-memory-ledger')['bound']))

    def size(self, size):
        self.vm.resize(size)
        self.check(f'guest has {size // MIB} MiB', self.vm.until(lambda: self.vm.device()['size'] == size, 120))

    def request(self, size):
        return 'qom-set', {'path': '/machine/peripheral/vm0', 'property': 'requested-size', 'value': size}

    def run(self):
        vm, dimm = self.vm, {'driver': 'pc-dimm', 'id': 'dimm'}
        self.check('guest is up', vm.says('READY'))
        self.refused('a block too much', *self.request(MORE + 2 * MIB), 258, 256, 'm0')
        self.size(MORE)
        self.refused('one block more', *self.request(MORE + 2 * MIB), 2, 0, 'm0')
        self.refused('a DIMM', 'device_add', {**dimm, 'memdev': 'd64'}, 64, 0, 'd64')
        self.refused('memory that is there at once', 'object-add',
                     {'qom-type': 'memory-backend-ram', 'id': 'now', 'size': 32 * MIB, 'prealloc': True}, 32, 0, 'now')
        self.fill(360 * MIB)
        self.empty()
        self.size(128 * MIB)
        self.refused('a DIMM beyond what came back', 'device_add', {**dimm, 'memdev': 'm1'}, 256, 128, 'm1')
        vm.command('device_add', {**dimm, 'memdev': 'd128'})
        self.check('one that fits comes', vm.wait_event('ACPI_DEVICE_OST')['data']['info']['status'] == 0)
        self.refused('one block more', *self.request(130 * MIB), 2, 0, 'm0')
        self.fill(360 * MIB)
        vm.send(self.work, b'end')
        self.check('guest ends well', vm.says('QUERN-SCRIPT-STATUS 0'))


def run_edge(binary, guest, work, check, wrap=lambda b: b, spare=0):
    size = ['-m', '256M,slots=1,maxmem=4G', *MACHINE, '-object', 'memory-backend-ram,id=m1,size=256M']
    kernel = ['-machine', 'q35']
    limit = budget(binary, *kernel, *size, '-device', 'isa-serial') + MORE + spare
    done = subprocess.run([binary, '-display', 'none', '-nodefaults', '-machine', f'q35,memory-limit={limit - MORE - 1}', *size],
                          capture_output=True, text=True, check=False)
    check(f'a byte too little is refused at the start: {done.stderr.strip()}', done.returncode == 1 and 'memory-limit: ' in done.stderr)
    with Guest(wrap(binary), guest, work, LIMIT_SCRIPT, *size[2:], machine=f'q35,memory-limit={limit}', memory=size[1]) as vm:
        Edge(vm, work, check, limit).run()


def memory_limit(binary, guest, work, check):
    run_edge(binary, guest, work, check)


# What the group holds besides: page tables, kernel stacks, slabs.
KERNEL_SHARE = 16 * MIB


def control_group(binary, guest, work, check):
    size = ['-machine', 'q35', '-m', '256M,slots=1,maxmem=4G', *MACHINE]
    limit = budget(binary, *size) + MORE + KERNEL_SHARE
    with Cgroup(limit) as group:
        run_edge(binary, guest, work, check, lambda b: group.wrap(b, work))
        check(f'nothing was killed; the group had up to {group.peak() / MIB:.0f} of {limit / MIB:.0f} MiB', group.oom_kills() == 0)


# --- tb-size=32: a kernel boots, a compiler runs ---

COMPILE_SCRIPT = r'''
chmod +x /cc1 /ld-linux-x86-64.so.2
for o in -O0 -O2; do /ld-linux-x86-64.so.2 --library-path / /cc1 -quiet -fpreprocessed $o /work.i -o /tmp/work.s || exit 1; wc -l < /tmp/work.s; done
echo COMPILED; read line < /dev/ttyS1
'''


def compiler_files(work):
    """This host's compiler proper with its libraries and something to compile; None if there is none that can be taken along."""
    cc = programs.compiler()
    cc1 = cc and subprocess.run([cc, '-print-prog-name=cc1'], capture_output=True, text=True, check=False).stdout.strip()
    if not cc1 or not os.path.isabs(cc1) or not shutil.which('ldd'):
        return None
    ldd = subprocess.run(['ldd', cc1], capture_output=True, text=True, check=False).stdout.split()
    libraries = [Path(word) for word in ldd if word.startswith('/')]
    if not any(lib.name == 'ld-linux-x86-64.so.2' for lib in libraries):
        return None
    source = work / 'work.i'
    source.write_text('typedef unsigned long u; struct s { u a, b; double d; struct s *n; };\n' + ''.join(
        f'u f{i}(struct s *p, u x) {{ u r = {i}; while (p) {{ switch (x % {3 + i % 7}) {{ case 0: r += p->a * {i + 3}; break; '
        f'case 1: r ^= p->b >> {i % 31}; break; case 2: p->d = p->d * {i}.5 + (double)r; break; default: r = r << {i % 13} | x; }} '
        f'p = p->n; }} return r + {"f%d(0, r)" % (i - 1) if i else 0}; }}\n' for i in range(60)))
    return [Path(cc1), *libraries, source]


def mapped_kib(pid, name):
    """KiB in memory of the mappings with that name; pages mapped twice count once."""
    present, ours = 0, False
    for line in Path(f'/proc/{pid}/smaps').read_text(encoding='ascii').splitlines():
        if '-' in line.split(' ')[0]:
            ours = name in line
        elif ours and line.startswith('Pss:'):
            present += int(line.split()[1])
    return present


def translator(binary, guest, work, check):
    files = compiler_files(work)
    if not files:
        raise unittest.SkipTest('no x86-64 compiler on this host to run in the guest')
    initrd = programs.initrd_with(guest, files, work / 'initrd', 0)
    (work / 'vmlinuz').symlink_to((guest / 'vmlinuz').resolve())
    initrd.rename(work / 'initrd.img')
    with Guest(binary, work, work, COMPILE_SCRIPT, '-accel', 'tcg,tb-size=32', memory='640M') as vm:
        worst, limit = 0, 32 * MIB
        while not vm.says('COMPILED', 1) and vm.process.poll() is None:
            worst = max(worst, *(a['present'] for a in vm.command('query-memory-ledger')['accounts'] if a['name'] == 'translator/code'))
        check('a kernel booted and a compiler ran', 'COMPILED' in vm.text())
        vm.command('stop')
        ledger = vm.command('query-memory-ledger')
        account = {a['name']: a for a in ledger['accounts']}
        said, bound = account['translator/code']['present'], account['translator/code']['bound']
        pss = sum(mapped_kib(vm.process.pid, name) for name in ('quern-code', 'quern-translator')) * 1024
        check(f'code and tables: {max(worst, said) / MIB:.1f} MiB at most, bound {bound / MIB:.0f}', max(worst, said) <= bound == limit)
        check('and nearly all is used', said > limit // 2)
        check(f'smaps says {pss / MIB:.2f} MiB, the ledger {said / MIB:.2f}', abs(pss - said) <= 0.05 * said)
        own = ledger['host']['pss-anon'] + ledger['host']['pss-shmem']
        check(f'all accounts: {ledger["present"] / MIB:.1f} MiB, the host {own / MIB:.1f}', abs(own - ledger['present']) <= 0.05 * own)


CASES = [
    ('memory-limit: refused at the edge, safe up to it', memory_limit),
    ('control group: refused at the edge, nothing is killed', control_group),
    ('tb-size=32: a boot and a compiler', translator),
]


run_cases(CASES)
