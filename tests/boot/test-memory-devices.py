#!/usr/bin/env python3
"""Memory devices with Debian's kernel: virtio-mem grows, is used, goes back to the host; DIMMs come, go, and stay.

QUERN_TEST_FILL_MIB says how much the guest fills (default 384), QUERN_TEST_GROW_GIB to how much it grows (8).
"""
import os
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from memory_guest import COMMON, GIB, MIB, Guest, run_cases    # noqa: E402

FILL_MIB = int(os.environ.get('QUERN_TEST_FILL_MIB', 384))
GROW = int(os.environ.get('QUERN_TEST_GROW_GIB', 8)) * GIB

# Fill a tmpfs with copies of one random file, each checked; empty it; wait until the memory is gone.
GROW_SCRIPT = COMMON + r'''
until_total -gt 1300; echo HAS-1G
until_total -gt @GROWN@; echo HAS-ALL
mkdir /tmp/big; mount -t tmpfs -o size=90% big /tmp/big
dd if=/dev/urandom of=/tmp/seed bs=1M count=16 2>/dev/null
want=$(md5sum < /tmp/seed)
i=0; while [ $i -lt @COPIES@ ]; do cp /tmp/seed /tmp/big/$i || exit 1; i=$((i+1)); done
i=0; while [ $i -lt @COPIES@ ]; do [ "$(md5sum < /tmp/big/$i)" = "$want" ] || exit 1; i=$((i+1)); done
echo FILLED
read line < /dev/ttyS1
umount /tmp/big; rm /tmp/seed; echo 3 > /proc/sys/vm/drop_caches
echo EMPTIED
until_total -lt 520; echo HAS-NONE
dmesg | grep -i 'BUG:\|Oops\|Call Trace' && exit 1
read line < /dev/ttyS1
exit 0
'''

# Memory is pinned by a kernel that shall use it unmovably: blocks of the first DIMM onlined to the kernel zone and filled.
DIMM_SCRIPT = COMMON + r'''
until_total -gt 600; echo HAS-FIRST
until_total -gt 1100; echo HAS-SECOND
until_total -lt 900; echo SECOND-GONE
read line < /dev/ttyS1
for m in /sys/devices/system/memory/memory*; do
  [ $((0x$(cat $m/phys_index) * 0x$(cat /sys/devices/system/memory/block_size_bytes))) -ge 4294967296 ] || continue
  echo offline > $m/state; echo online_kernel > $m/state; cat $m/valid_zones
done
mkdir /tmp/many; i=0; while [ $i -lt 4000 ]; do mkdir /tmp/many/$i; i=$((i+1)); done
echo PINNED
read line < /dev/ttyS1
dmesg | grep -i 'BUG:\|Oops\|Call Trace' && exit 1
exit 0
'''

RESET_SCRIPT = COMMON + r'''
until_total -gt 600; echo HAS-256M
read line < /dev/ttyS1
'''


def devices(size, backend='memory-backend-ram', more='', **properties):
    text = ''.join(f',{key.replace("_", "-")}={value}' for key, value in properties.items())
    return ['-object', f'{backend},id=m0,size={size}{more}', '-device', 'pcie-root-port,id=rp0,chassis=1',
            '-device', f'virtio-mem-pci,id=vm0,bus=rp0,memdev=m0{text}']


def grow_and_shrink(binary, guest, work, check, extra):
    script = GROW_SCRIPT.replace('@GROWN@', str(GROW // MIB + 200)).replace('@COPIES@', str(FILL_MIB // 16))
    with Guest(binary, guest, work, script, *extra, memory='512M,slots=1,maxmem=16G') as vm:
        check('guest takes the first GiB', vm.says('HAS-1G'))
        check('its size is told', vm.device()['size'] == GIB)
        vm.resize(GROW)
        check('guest takes all', vm.says('HAS-ALL'))
        check('all is plugged', vm.device()['size'] == GROW
              and vm.command('query-memory-size-summary') == {'base-memory': 512 * MIB, 'plugged-memory': GROW})
        check('an event told of it', vm.wait_event('MEMORY_DEVICE_SIZE_CHANGE')['data']['qom-path'] == '/machine/peripheral/vm0')
        check('guest fills and checks its memory', vm.says('FILLED', 600))
        full = vm.rss_mib()
        check(f'the host gave it ({full} MiB resident)', full > FILL_MIB)
        vm.send(work, b'go on')
        check('guest lets go', vm.says('EMPTIED'))
        vm.resize(0)
        check('guest gives all back', vm.says('HAS-NONE', 120))
        check('nothing is plugged', vm.until(lambda: vm.device()['size'] == 0))
        shrunk = vm.until(lambda: vm.rss_mib() < full - FILL_MIB)
        check(f'and the host has it again ({vm.rss_mib()} MiB resident)', shrunk)
        time.sleep(1.1)
        vm.command('query-status')
        sizes = [e['data']['size'] for e in vm.events if e['event'] == 'MEMORY_DEVICE_SIZE_CHANGE']
        check(f'the last event tells the last size, and there are few ({len(sizes)})', sizes and sizes[-1] == 0 and len(sizes) < 100)
        check('memory that is gone is not mapped', ' m0' not in vm.hmp('info mtree -f'))
        vm.send(work, b'end')
        check('guest ends well', vm.says('QUERN-SCRIPT-STATUS 0'))


def reset_and_unplug(binary, guest, work, check, extra):
    with Guest(binary, guest, work, RESET_SCRIPT, *extra, memory='512M,slots=1,maxmem=4G') as vm:
        check('guest takes its memory', vm.says('HAS-256M') and vm.device()['size'] == 256 * MIB)
        check('the device cannot go', "while 'size' != '0'" in vm.error('device_del', {'id': 'vm0'})[1])
        vm.command('system_reset')
        vm.wait_event('RESET')
        check('a reset takes all of it', vm.device()['size'] == 0 and vm.device()['requested-size'] == 256 * MIB)
        check('which still cannot go', "while 'requested-size' != '0'" in vm.error('device_del', {'id': 'vm0'})[1])
        check('the guest takes it again', vm.says('HAS-256M', times=2) and vm.device()['size'] == 256 * MIB)
        vm.resize(0)
        check('and gives it back', vm.until(lambda: vm.device()['size'] == 0))
        vm.command('device_del', {'id': 'vm0'})
        gone = vm.wait_event('DEVICE_DELETED')['data']
        while 'device' not in gone:         # first what it is made of
            gone = vm.wait_event('DEVICE_DELETED')['data']
        check('now it can go', gone['device'] == 'vm0')
        check('and is told no more', vm.command('query-memory-devices') == [])
        vm.command('object-del', {'id': 'm0'})
        vm.command('object-add', {'qom-type': 'memory-backend-ram', 'id': 'm0', 'size': 512 * MIB})
        vm.command('device_add', {'driver': 'virtio-mem-pci', 'id': 'vm0', 'memdev': 'm0', 'bus': 'rp0', 'requested-size': 128 * MIB})
        check('another can come', vm.until(lambda: vm.device()['size'] == 128 * MIB))


def dimms(binary, guest, work, check, extra):
    """One at the start, one plugged, given back by the guest; one kept while the guest uses it."""
    args = ['-object', 'memory-backend-ram,id=m0,size=256M', '-device', 'pc-dimm,id=d0,memdev=m0']
    with Guest(binary, guest, work, DIMM_SCRIPT, *args, *extra, memory='512M,slots=2,maxmem=4G') as vm:
        check('guest has the first', vm.says('HAS-FIRST'))
        vm.command('object-add', {'qom-type': 'memory-backend-ram', 'id': 'm1', 'size': 512 * MIB})
        vm.command('device_add', {'driver': 'pc-dimm', 'id': 'd1', 'memdev': 'm1'})
        ost = vm.wait_event('ACPI_DEVICE_OST')['data']['info']
        check(f'guest reports the second: {ost}', ost['device'] == 'd1' and ost['slot-type'] == 'DIMM' and ost['status'] == 0)
        check('guest has it', vm.says('HAS-SECOND'))
        check('QMP tells both', [d['data']['id'] for d in vm.command('query-memory-devices')] == ['d0', 'd1']
              and vm.command('query-memory-size-summary')['plugged-memory'] == 768 * MIB)
        vm.command('device_del', {'id': 'd1'})
        check('it goes', vm.wait_event('DEVICE_DELETED')['data']['device'] == 'd1' and vm.says('SECOND-GONE'))
        vm.command('object-del', {'id': 'm1'})
        vm.send(work, b'pin')
        check('guest keeps the first from going', vm.says('PINNED'))
        vm.command('device_del', {'id': 'd0'})
        check('which is told', vm.wait_event('MEM_UNPLUG_ERROR')['data']['device'] == 'd0'
              and vm.wait_event('DEVICE_UNPLUG_GUEST_ERROR')['data']['device'] == 'd0')
        check('it is still there', [d['data']['id'] for d in vm.command('query-memory-devices')] == ['d0'])
        status = {s['slot']: s['status'] for s in vm.command('query-acpi-ospm-status') if s['slot-type'] == 'DIMM'}
        check(f'and its status says why ({status})', status['0'] != 0)
        vm.send(work, b'end')
        check('guest ends well', vm.says('QUERN-SCRIPT-STATUS 0'))


HUGE_SCRIPT = COMMON + r'''
until_total -gt 620; echo HAS-ALL
mkdir /tmp/big; mount -t tmpfs -o size=90% big /tmp/big; dd if=/dev/zero of=/tmp/big/f bs=1M count=400 2>/dev/null; umount /tmp/big
read line < /dev/ttyS1
until_total -lt 520; echo HAS-NONE
read line < /dev/ttyS1
'''


def huge_pages():
    return {key: int(value.split()[0]) for key, value in (line.split(':') for line in Path('/proc/meminfo').read_text().splitlines())
            if key.startswith('HugePages')}


def huge(binary, guest, work, check, extra):
    """Of 140 huge pages that the host has, the guest takes 128, and gives them back one by one; more than there are it is not given."""
    pool = Path('/proc/sys/vm/nr_hugepages')
    before = pool.read_text()
    try:
        pool.write_text('140')
    except OSError as e:
        raise unittest.SkipTest(f'huge pages cannot be reserved: {e}') from None
    try:
        if huge_pages()['HugePages_Free'] < 140:
            raise unittest.SkipTest('the host has no 140 huge pages')
        with Guest(binary, guest, work, HUGE_SCRIPT, *extra, memory='512M,slots=1,maxmem=4G') as vm:
            check('guest takes 256 MiB', vm.says('HAS-ALL', 120) and vm.until(lambda: vm.device()['size'] == 256 * MIB))
            check(f'of huge pages, there when it takes them ({huge_pages()})', huge_pages()['HugePages_Free'] == 12)
            check('a block is a huge page', vm.device()['block-size'] == 2 * MIB)
            vm.resize(512 * MIB)
            time.sleep(2)
            check('it gets no more than the host has', 256 * MIB <= vm.device()['size'] <= 280 * MIB)
            vm.resize(0)
            vm.send(work, b'go on')
            check('guest gives all back', vm.says('HAS-NONE', 120) and vm.until(lambda: vm.device()['size'] == 0))
            check('the host has them', vm.until(lambda: huge_pages()['HugePages_Free'] == 140))
            vm.send(work, b'end')
            check('guest ends well', vm.says('QUERN-SCRIPT-STATUS 0'))
    finally:
        pool.write_text(before)


CASES = [
    ('virtio-mem grows and shrinks, anonymous memory, dynamic slots', grow_and_shrink,
     devices('8G', more=',reserve=off', requested_size='1G')),
    ('virtio-mem grows and shrinks, memfd, one slot, readable when unplugged', grow_and_shrink,
     devices('8G', 'memory-backend-memfd', requested_size='1G', dynamic_memslots='off', unplugged_inaccessible='auto')),
    ('pc-dimm on q35', dimms, []),
    ('pc-dimm on pc', dimms, ['-machine', 'pc']),
    ('virtio-mem of huge pages', huge, devices('1G', 'memory-backend-memfd', ',hugetlb=on,hugetlbsize=2M,reserve=off',
                                               requested_size='256M')),
    ('virtio-mem over reset and device_del', reset_and_unplug, devices('1G', requested_size='256M', prealloc='on')),
]


run_cases(CASES)
