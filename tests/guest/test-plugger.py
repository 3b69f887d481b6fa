#!/usr/bin/env python3
"""A guest that plugs and unplugs what it is asked to, a terabyte being possible: it costs what is plugged.

usage: test-plugger.py QUERN KERNEL
"""
import random
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
RESIZES = 300


def start(kernel, accel):
    return quern.Quern('-machine', 'q35', '-accel', accel, '-cpu', 'max,phys-bits=46', '-m', '4G,maxmem=2T', '-kernel', kernel, '-object',
                       'memory-backend-ram,id=m0,size=1T,reserve=off', '-device', 'virtio-mem-pci,id=vm0,memdev=m0,requested-size=1G')


def reach(q, size):
    q.command('qom-set', {'path': '/machine/peripheral/vm0', 'property': 'requested-size', 'value': size})
    end = time.monotonic() + 60
    while q.command('query-memory-devices')[0]['data']['size'] != size:
        assert time.monotonic() < end, f'{size // MIB} MiB are not reached: {q.command("query-memory-devices")}'
        time.sleep(0.001)


def account(q, name):
    return {a['name']: a for a in q.command('query-memory-ledger')['accounts']}.get(name, {'present': 0, 'bound': 0})


def slots(q):
    """How many are mapped."""
    return q.hmp('info mtree -f').count(' /objects/m0')


def check(kernel, accel):
    with start(kernel, accel) as q:
        reach(q, 0)
        mapped, pinned = slots(q), account(q, 'kernel/memslots')['present']
        assert mapped == 0, q.hmp('info mtree -f')
        reach(q, GIB)
        assert slots(q) == 1
        more = account(q, 'kernel/memslots')['present'] - pinned
        assert more <= GIB // 4096 * 10 + MIB, f'{more} bytes more for one GiB'
        reach(q, 5 * GIB + 2 * MIB)
        assert slots(q) == 6
        choose = random.Random(4)
        for _ in range(RESIZES):
            size = choose.choice((0, 2 * MIB, choose.randrange(0, 3 * GIB, 2 * MIB), choose.randrange(0, 64 * GIB, 2 * MIB)))
            reach(q, size)
            gib = -(-size // GIB)           # farther up slots have more than one
            assert slots(q) == gib if gib <= 16 else slots(q) <= gib, (size, slots(q))
            more = account(q, 'kernel/memslots')['present'] - pinned
            assert more <= size // 4096 * 10 * 1.1 + 4 * MIB, f'{more} bytes more for {size // MIB} MiB'
        reach(q, 0)
        assert (slots(q), account(q, 'kernel/memslots')['present'], account(q, 'ram//objects/m0')['present']) == (0, pinned, 0)
        assert q.command('query-status')['status'] == 'running'


def main():
    quern.BINARY, kernel = sys.argv[1:3]
    tap = g.Tap()
    for accel in ('tcg', 'kvm'):
        name = f'a terabyte under {accel}, {RESIZES} sizes'
        if accel == 'kvm' and not Path('/dev/kvm').exists():
            tap.skip(name, 'no /dev/kvm')
            continue
        try:
            check(kernel, accel)
            tap.result(True, name)
        except (AssertionError, OSError, EOFError) as e:
            tap.result(False, name, f'# {type(e).__name__}: {e}')
    tap.done()


main()
