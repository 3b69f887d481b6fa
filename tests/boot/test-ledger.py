#!/usr/bin/env python3
"""The ledger against what is measured, while Linux runs and works on ten machines: no bound is ever exceeded."""
import socket
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


# Sends zeroes by many connections at once, which the host's end does not read: buffers fill.
CONNECTIONS_SCRIPT = r'''
ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
i=0; while [ $i -lt 30 ]; do (cat /dev/zero | nc 10.0.2.2 @PORT@ > /dev/null) & i=$((i+1)); done
echo STARTED; read line < /dev/ttyS1
'''


def connections(binary, guest, limit_mib):
    """What the guest opens is counted, and refused beyond the limit: what went wrong, and a text."""
    failed, accepted = [], []
    with tempfile.TemporaryDirectory() as d, socket.create_server(('127.0.0.1', 0), backlog=64) as server:
        server.settimeout(1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        console = Path(d) / 'console'
        console.write_text('')
        script = CONNECTIONS_SCRIPT.replace('@PORT@', str(server.getsockname()[1]))
        machine = f'q35,memory-limit={limit_mib}M' if limit_mib else 'q35'
        argv = g.command(binary, guest, script, machine, '1', '128')[1:]
        argv[argv.index('-serial') + 1] = f'file:{console}'
        with quern.Quern(*argv, '-serial', 'null', '-accel', 'tcg,tb-size=16', '-netdev', 'user,id=n', '-device',
                         'virtio-net-pci,netdev=n') as vm:
            start = vm.command('query-memory-ledger')
            end, held = time.monotonic() + 60, 0
            quiet = 0
            while time.monotonic() < end and len(accepted) < 30 and (not limit_mib or quiet < 8):
                try:
                    accepted.append(server.accept()[0])
                    quiet = 0
                except TimeoutError:
                    quiet += bool(accepted)
            ledger = vm.command('query-memory-ledger')
            account = next(a for a in ledger['accounts'] if a['name'] == 'net/user')
            while not account['present'] and time.monotonic() < end + 60:       # the host's own buffers fill first
                time.sleep(0.2)
                ledger = vm.command('query-memory-ledger')
                account = next(a for a in ledger['accounts'] if a['name'] == 'net/user')
            held = account['bound'] // (264 * 1024)
            if not 0 < account['present'] <= account['bound']:
                failed.append(f'account {account}')
            if ledger['host']['pss-anon'] + ledger['host']['pss-shmem'] > ledger['bound']:
                failed.append(f'{ledger["host"]} measured, bound {ledger["bound"]}')
            room = ((limit_mib << 20) - start['bound']) // (264 * 1024) if limit_mib else 30
            if held != len(accepted) or held != min(room, 30):
                failed.append(f'{held} connections counted, {len(accepted)} seen, there is room for {room}')
            if limit_mib and (ledger['bound'] > limit_mib << 20 or "account 'net/user' needs 264 KiB more" not in vm.last_words()):
                failed.append(f'bound {ledger["bound"]}, said {vm.last_words()}')
    for c in accepted:
        c.close()
    return failed, f'{held} connections hold {account["present"] / MIB:.1f} of {account["bound"] / MIB:.1f} MiB', start['bound']


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
        start = 0
        for name in 'connections of a user network', 'connections of a user network, limited':
            if only in name:
                failed, text, start = connections(binary, guest, start // MIB + 5 if start else 0)
                print(f'# {text}', flush=True)
                tap.result(not failed, name, '\n'.join('# ' + line for line in failed[:5]))
        with ThreadPoolExecutor(2) as pool:
            for case, (failed, text) in zip(cases, pool.map(lambda c: run_case(binary, guest, c), cases)):
                print(f'# {text}', flush=True)
                tap.result(not failed, case[0], '\n'.join('# ' + line for line in failed[:5]))
    tap.done()


main()
