#!/usr/bin/env python3
"""The ledger against what is measured, while Linux runs and works on ten machines: no bound is ever exceeded."""
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

MIB = 1 << 20
# Programs, pipes and memory: what makes translated code, TLB entries and pages.
SCRIPT = r'''
mkdir /tmp/w; i=0
while [ $i -lt 12 ]; do
  tar c /bin/busybox | gzip -1 > /tmp/w/$i; zcat /tmp/w/$i | sha256sum | awk '{print $1}' | sed 's/a/b/' > /tmp/w/sum$i
  ls -l /bin | sort | grep -c busybox > /dev/null; i=$((i+1))
done
echo WORKED; read line < /dev/ttyS1
'''

MACHINES = [    # name, machine, memory, cpus, more
    ('q35', 'q35', '256', '1', []),
    ('q35, small translator', 'q35', '256', '1', ['-accel', 'tcg,tb-size=4']),
    ('q35, translator of 32 MiB', 'q35', '256', '1', ['-accel', 'tcg,tb-size=32']),
    ('q35, four CPUs', 'q35', '256', '4', []),
    ('q35, CPUs to come', 'q35', '192', '1,maxcpus=8', []),
    ('pc, VGA', 'pc', '192', '1', ['-device', 'VGA']),
    ('microvm', 'microvm', '192', '1', []),
    ('q35, memfd', 'q35,memory-backend=m', '192', '1', ['-object', 'memory-backend-memfd,id=m,size=192M']),
    ('q35, preallocated', 'q35', '192', '1', ['-mem-prealloc']),
    ('q35, virtio-mem', 'q35', '192,maxmem=4G', '1', ['-object', 'memory-backend-ram,id=m,size=2G,reserve=off', '-device',
                                                        'virtio-mem-pci,memdev=m,requested-size=256M']),
]


def run_case(binary, guest, case):
    name, machine, memory, cpus, extra = case
    failed = []
    with tempfile.TemporaryDirectory() as d:
        console = Path(d) / 'console'
        console.write_text('')
        argv = g.command(binary, guest, SCRIPT, machine, cpus, memory)[1:]
        argv[argv.index('-serial') + 1] = f'file:{console}'
        with quern.Quern(*argv, '-serial', 'null', *extra) as vm:
            ledger, end = {}, time.monotonic() + 200
            while True:
                done = 'WORKED' in console.read_text(errors='replace') or time.monotonic() > end
                ledger = vm.command('query-memory-ledger')
                own = ledger['host']['pss-anon'] + ledger['host']['pss-shmem']
                if own > ledger['bound']:
                    failed.append(f'{own} bytes measured, bound {ledger["bound"]}')
                for a in ledger['accounts']:
                    if a['present'] > a['bound']:
                        failed.append(f'account {a}')
                # the guest goes on while the two are read: a booting one takes megabytes meanwhile
                if abs(own - ledger['present']) > max(own * 0.05, 4 << 20):
                    failed.append(f'accounts sum up to {ledger["present"]}, the host says {own}')
                if done or failed:
                    break
                time.sleep(0.5)
            if 'WORKED' not in console.read_text(errors='replace'):
                failed.append('the guest did not get through its work')
    text = ', '.join(f'{a["name"]} {a["present"] / MIB:.1f}/{a["bound"] / MIB:.1f}' for a in ledger.get('accounts', []))
    return failed, f'{own / MIB:.1f} MiB of {ledger["bound"] / MIB:.1f}: {text}'


def main():
    binary, guest = sys.argv[1], Path(sys.argv[2])
    quern.BINARY = binary
    only = sys.argv[3] if len(sys.argv) > 3 else ''
    cases = [c for c in MACHINES if only in c[0]]
    tap = g.Tap()
    if not g.have_guest(guest):
        for case in cases:
            tap.skip(case[0], f'no guest in {guest} (scripts/make-guest)')
    else:
        with ThreadPoolExecutor(2) as pool:
            for case, (failed, text) in zip(cases, pool.map(lambda c: run_case(binary, guest, c), cases)):
                print(f'# {text}', flush=True)
                tap.result(not failed, case[0], '\n'.join('# ' + line for line in failed[:5]))
    tap.done()


main()
