#!/usr/bin/env python3
"""Memory backends and memory devices: what is refused and why, what QMP tells, what reaches the host."""
import json
import os
import sys
import tempfile
import unittest

import quern
from quern import run

MIB = 1 << 20
GIB = 1 << 30
BOARD = ['-machine', 'q35', '-display', 'none', '-nodefaults', '-S']
ROOMY = [*BOARD, '-m', '256M,slots=2,maxmem=4G']


def ram(name, size, **more):
    return {'qom-type': 'memory-backend-ram', 'id': name, 'size': size, **more}


def mapping(pid, text):
    """The lines of smaps of the first mapping whose header contains @text."""
    with open('/proc/%d/smaps' % pid, encoding='ascii') as f:
        lines = f.read().splitlines()
    start = next(i for i, line in enumerate(lines) if text in line)
    fields = {}
    for line in lines[start + 1:]:
        if '-' in line.split(' ')[0]:
            break
        key, value = line.split(':', 1)
        fields[key] = value.strip()
    return lines[start], fields


def size_of(line):
    """Of a mapping, by its line in /proc/PID/maps."""
    start, end = line.split(' ')[0].split('-')
    return int(end, 16) - int(start, 16)


def rss_kib(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))


class BadCommandLines(unittest.TestCase):
    def check(self, cases):
        for args, text in cases:
            with self.subTest(args):
                status, out, err = run(*args)
                self.assertEqual((status, out), (1, ''))
                self.assertIn(text, err)
                self.assertEqual(err.count('\n'), 1, err)

    def test_sizes_and_slots(self):
        self.check([
            ([*BOARD, '-m', '256M,slots=2,maxmem=128M'], 'is less than the initial memory'),
            ([*BOARD, '-m', '256M,slots=2,maxmem=256M'], 'is the initial memory: nothing is left for 2 slots'),
            ([*BOARD, '-m', '256M,slots=2'], "'slots' needs 'maxmem'"),
            ([*BOARD, '-m', '256M,slots=257,maxmem=1G'], 'takes at most 256 memory slots'),
            ([*BOARD, '-m', '256M,slots=1,maxmem=1100G'], 'phys-bits (40) are too low'),
            ([*BOARD, '-m', '256M,maxmem=8000000T'], 'exceeds what x86 CPUs can address'),
            (['-machine', 'microvm', '-m', '256M,slots=1,maxmem=1G'], 'has no memory slots'),
        ])

    def test_backends(self):
        with tempfile.TemporaryDirectory() as d:
            small, new = os.path.join(d, 'small'), os.path.join(d, 'new')
            with open(small, 'wb') as f:
                f.truncate(MIB)

            def file(options, path=small):
                return [*BOARD, '-object', 'memory-backend-file,id=m,mem-path=%s,%s' % (path, options)]

            def memfd(options):
                return [*BOARD, '-object', 'memory-backend-memfd,id=m,%s' % options]

            self.check([
                (file('size=2M'), "small' has 1048576 bytes, too few for size 2097152 at offset 0"),
                (file('size=1M,offset=4K'), 'too few for size 1048576 at offset 4096'),
                (file('size=64K,offset=100'), 'offset 0x64 must be a multiple of the page size 0x1000'),
                (file('size=64K,align=3000'), 'align 0xbb8 must be a power of two'),
                (file('size=64K,pmem=on'), 'memory-backend-file.pmem can only be off'),
                (file('size=64K,rom=on'), 'rom=on needs readonly=on'),
                (file('size=64K,rom=off,readonly=on,share=on'), 'rom=off is incompatible with readonly=on and share=on'),
                (file('size=64K,readonly=on,discard-data=on'), 'discard-data=on is incompatible with readonly=on'),
                (file('size=64K,readonly=on,prealloc=on'), 'prealloc=on needs memory that can be written'),
                (file('size=64K,readonly=on', os.path.join(d, 'none')), 'No such file or directory'),
                (file('size=64K,policy=bind', new), "policy 'bind' needs host-nodes"),
                ([*BOARD, '-object', 'memory-backend-file,id=m,size=64K'], "needs property 'mem-path'"),
                ([*BOARD, '-object', 'memory-backend-ram,id=m'], 'needs a size greater than 0'),
                ([*BOARD, '-object', 'memory-backend-ram,id=m,size=64K,prealloc=on,reserve=off'],
                 "'prealloc=on' and 'reserve=off' are incompatible"),
                ([*BOARD, '-object', 'memory-backend-ram,id=m,size=64K,prealloc-threads=0'], 'prealloc-threads must be 1..1024'),
                ([*BOARD, '-object', 'memory-backend-ram,id=m,size=64K,host-nodes=0'], 'needs a policy other than default'),
                ([*BOARD, '-object', 'memory-backend-ram,id=m,size=64K,policy=bind,host-nodes=63'],
                 'cannot bind memory to host NUMA nodes'),
                (memfd('size=2M,hugetlb=on,hugetlbsize=3M'), 'hugetlbsize must be a power of two'),
                (memfd('size=3M,hugetlbsize=2M'), 'needs hugetlb=on'),
                (memfd('size=3M,hugetlb=on,hugetlbsize=2M'), 'size must be a multiple of the huge page size 2097152, got 3145728'),
                (memfd('size=512G,hugetlb=on,hugetlbsize=2M'), '262144 free huge pages of 2048 KiB are needed'),
            ])
            self.assertFalse(os.path.exists(new))


    def test_virtio_mem(self):
        def mem(options, backend='memory-backend-ram,id=m0,size=1G,reserve=off', board=ROOMY):
            return [*board, '-object', backend, '-device', 'virtio-mem-pci,' + options]

        second = ['-object', 'memory-backend-ram,id=m1,size=1G,reserve=off', '-device', 'virtio-mem-pci,id=b,memdev=m1,']
        self.check([
            (mem('id=a'), "'memdev' property must be set"),
            (mem('memdev=nosuch'), 'nosuch'),
            (mem('memdev=m0,block-size=3M'), "'block-size' property has to be a power of two, got 0x300000"),
            (mem('memdev=m0,block-size=1M'), "'block-size' property has to be at least 0x200000"),
            (mem('memdev=m0', 'memory-backend-ram,id=m0,size=1025M,reserve=off'),
             "backend memory size has to be a multiple of 'block-size' (0x200000)"),
            (mem('memdev=m0,requested-size=3M'), "'requested-size' property has to be a multiple of 'block-size' (0x200000)"),
            (mem('memdev=m0,requested-size=1026M'), "'requested-size' property cannot exceed the memory backend size (0x40000000)"),
            (mem('memdev=m0,node=1'), "'node' property has value 1, the number of NUMA nodes is 1"),
            (mem('memdev=m0,size=1G'), 'virtio-mem-pci.size'),
            (mem('memdev=m0,dynamic-memslots=maybe'), 'must be on, off or auto'),
            (mem('memdev=m0,dynamic-memslots=on,unplugged-inaccessible=off'), "requires 'unplugged-inaccessible' to be 'on'"),
            (mem('memdev=m0', 'memory-backend-ram,id=m0,size=4M,prealloc=on'), "specify 'prealloc=on' for the virtio-mem device"),
            (mem('memdev=m0,memaddr=0x100001000'), 'must be aligned to 0x200000 bytes'),
            (mem('memdev=m0,memaddr=0x80000000'), 'usable range for memory devices [0x100000000:'),
            (mem('id=a,memdev=m0,memaddr=0x140000000') + second[:-1] + [second[-1] + 'memaddr=0x160000000'],
             "conflicts with memory device id='a'"),
            (mem('id=a,memdev=m0') + ['-device', 'virtio-mem-pci,memdev=m0'], "'memdev' property specifies a busy memdev: m0"),
            (mem('memdev=m0', 'memory-backend-ram,id=m0,size=8G,reserve=off'),
             'not enough space: 0x0 bytes are in use of 0xf0000000 for memory devices'),
            (mem('memdev=m0', board=[*BOARD, '-m', '256M']), 'is not prepared for memory devices: -m needs maxmem='),
            (mem('memdev=pc.ram'), 'busy memdev: pc.ram'),
        ])
        with tempfile.NamedTemporaryFile() as f:
            f.truncate(4 * MIB)
            self.check([(mem('memdev=m0', 'memory-backend-file,id=m0,size=4M,readonly=on,mem-path=' + f.name),
                         'cannot be written: m0')])


class Dimm(unittest.TestCase):
    def test_wrong_command_lines(self):
        def dimm(options, board=ROOMY):
            return [*board, '-object', 'memory-backend-ram,id=m0,size=256M', '-device', 'pc-dimm,' + options]

        BadCommandLines.check(self, [
            (dimm('id=a'), "'memdev' property must be set"),
            (dimm('memdev=m0,slot=2'), 'invalid slot number 2, valid range is [0-1]'),
            (dimm('memdev=m0,slot=-2'), 'invalid slot number -2'),
            (dimm('memdev=m0,node=1'), "'node' property has value 1"),
            (dimm('memdev=m0,addr=0x100001000'), 'must be aligned to 0x200000 bytes'),
            (dimm('memdev=m0,addr=0x1000'), 'must be aligned'),
            (dimm('memdev=m0,addr=0x80000000'), 'usable range for memory devices'),
            (dimm('memdev=m0', [*BOARD, '-m', '256M,maxmem=1G']), 'the machine has no memory slots: -m needs slots='),
            (dimm('memdev=m0') + ['-device', 'pc-dimm,memdev=m0'], 'busy memdev: m0'),
            (dimm('memdev=m0', [*BOARD, '-m', '256M,slots=1,maxmem=1G']) + ['-object', 'memory-backend-ram,id=m1,size=256M', '-device',
                                                                           'pc-dimm,memdev=m1'], 'no free memory slots are left'),
            (dimm('memdev=m0', [*BOARD, '-m', '256M,slots=1,maxmem=384M']), 'not enough space'),
            (dimm('memdev=m0', ['-machine', 'microvm', '-m', '256M']), 'no memory slots'),
        ])

    def test_plug_and_ask_to_unplug(self):
        with quern.Quern(*ROOMY, '-object', 'memory-backend-ram,id=m0,size=256M', '-device', 'pc-dimm,id=d0,memdev=m0,slot=1') as q:
            self.assertEqual(q.command('query-memory-devices'), [{'type': 'dimm', 'data': {
                'id': 'd0', 'addr': 4 * GIB, 'size': 256 * MIB, 'slot': 1, 'node': 0, 'memdev': '/objects/m0', 'hotplugged': False,
                'hotpluggable': True}}])
            q.command('object-add', ram('m1', 128 * MIB))
            self.assertIn('slot 1 is busy', q.error('device_add', {'driver': 'pc-dimm', 'id': 'd1', 'memdev': 'm1', 'slot': 1})[1])
            q.command('device_add', {'driver': 'pc-dimm', 'id': 'd1', 'memdev': 'm1'})
            got = q.command('query-memory-devices')[1]['data']
            self.assertEqual((got['slot'], got['addr'], got['hotplugged']), (0, 4 * GIB + 256 * MIB, True))
            self.assertIn('Memory device [dimm]: "d1"\r\n  addr: 0x110000000\r\n  slot: 0\r\n', q.hmp('info memory-devices'))
            self.assertEqual(q.command('query-memory-size-summary')['plugged-memory'], 384 * MIB)
            q.command('device_del', {'id': 'd1'})
            self.assertIn('already in the process of unplug', q.error('device_del', {'id': 'd1'})[1])
            self.assertIn('in use', q.error('object-del', {'id': 'm1'})[1])

    def test_without_acpi_nothing_comes_or_goes(self):
        with quern.Quern('-machine', 'q35,acpi=off', *ROOMY[5:], '-object', 'memory-backend-ram,id=m0,size=256M', '-device',
                         'pc-dimm,id=d0,memdev=m0') as q:
            q.command('object-add', ram('m1', 128 * MIB))
            self.assertIn('memory hotplug is not enabled', q.error('device_add', {'driver': 'pc-dimm', 'memdev': 'm1'})[1])
            self.assertIn('not supported without ACPI', q.error('device_del', {'id': 'd0'})[1])
            self.assertEqual(len(q.command('query-memory-devices')), 1)


class WrongRequests(unittest.TestCase):
    """Whatever is refused while the machine runs leaves it as it was: devices, addresses, accounts, host resources."""

    MACHINE = ['-machine', 'q35', '-S', '-m', '256M,slots=1,maxmem=4G', '-device', 'pcie-root-port,id=rp', '-device',
               'pcie-root-port,id=rp0,chassis=1', '-object', 'memory-backend-ram,id=m0,size=1G,reserve=off', '-device',
               'virtio-mem-pci,id=vm0,bus=rp0,memdev=m0,requested-size=256M',
               '-object', 'memory-backend-ram,id=d0,size=64M', '-device', 'pc-dimm,id=dimm0,memdev=d0']
    FREE = ['-object', 'memory-backend-ram,id=m1,size=1G,reserve=off', '-object', 'memory-backend-ram,id=m3,size=3G,reserve=off',
            '-object', 'memory-backend-ram,id=odd,size=1025M,reserve=off', '-object', 'memory-backend-ram,id=ready,size=4M,prealloc=on']

    @staticmethod
    def picture(q):
        proc = '/proc/%d/' % q.process.pid
        with open(proc + 'maps', encoding='ascii') as f:
            maps = [line for line in f if ' rw' in line and size_of(line) >= 16 * MIB and '[heap]' not in line]
        ledger = q.command('query-memory-ledger')
        return {'devices': q.command('query-memory-devices'), 'tree': q.hmp('info mtree -f'), 'sizes': q.command('query-memory-size-summary'),
                'backends': q.command('query-memdev'), 'bounds': [(a['name'], a['bound']) for a in ledger['accounts']],
                'objects': sorted(o['name'] for o in q.command('qom-list', {'path': '/objects'})),
                'peripheral': sorted(o['name'] for o in q.command('qom-list', {'path': '/machine/peripheral'})),
                'files': len(os.listdir(proc + 'fd')), 'large mappings': maps,
                'status': q.command('query-status')['status']}

    def check(self, cases, *more):
        with quern.Quern(*self.MACHINE, *self.FREE, *more) as q:
            before = self.picture(q)
            for name, arguments, text in cases:
                with self.subTest(arguments):
                    self.assertIn(text, q.error(name, arguments)[1])
                    for _ in range(100):                # what goes after a grace period
                        if self.picture(q) == before:
                            break
                    self.assertEqual(self.picture(q), before)
            q.command('device_add', {'driver': 'virtio-mem-pci', 'id': 'vm1', 'bus': 'rp', 'memdev': 'm1', 'requested-size': 64 * MIB})

    def test_virtio_mem(self):
        def plug(text, **more):
            return 'device_add', {'driver': 'virtio-mem-pci', 'id': 'vm1', 'bus': 'rp', **more}, text

        self.check([
            plug('must be set'),
            plug('busy memdev: m0', memdev='m0'),
            plug('busy memdev: d0', memdev='d0'),
            plug("conflicts with memory device id='vm0'", memdev='m1', memaddr=5 * GIB - 2 * MIB),
            plug("conflicts with memory device id='dimm0'", memdev='m1', memaddr=5 * GIB),
            plug('must be aligned to 0x200000 bytes', memdev='m1', memaddr=6 * GIB + 4096),
            plug('usable range for memory devices', memdev='m1', memaddr=2 * GIB),
            plug('power of two, got 0x300000', memdev='m1', **{'block-size': 3 * MIB}),
            plug('has to be at least 0x200000', memdev='m1', **{'block-size': MIB}),
            plug("has to be a multiple of 'block-size' (0x400000), got 0x600000", memdev='m1',
                 **{'block-size': 4 * MIB, 'requested-size': 6 * MIB}),
            plug("multiple of 'block-size'", memdev='odd'),
            plug('cannot exceed the memory backend size', memdev='m1', **{'requested-size': GIB + 2 * MIB}),
            plug('not enough space', memdev='m3'),
            plug("specify 'prealloc=on' for the virtio-mem device", memdev='ready'),
            plug("'node' property has value 1", memdev='m1', node=1),
        ])

    def test_properties(self):
        def change(name, value, text):
            return 'qom-set', {'path': '/machine/peripheral/vm0', 'property': name, 'value': value}, text

        self.check([
            change('requested-size', 257 * MIB, "has to be a multiple of 'block-size' (0x200000), got 0x10100000"),
            change('requested-size', GIB + 2 * MIB, 'cannot exceed the memory backend size (0x40000000)'),
            change('requested-size', '256M', 'must be an integer'), change('requested-size', -1, 'size'),
            change('size', 0, 'size'), change('block-size', 4 * MIB, 'block-size'), change('node', 0, 'node'),
            change('memaddr', 0, 'memaddr'), change('dynamic-memslots', True, 'dynamic-memslots'),
            ('object-del', {'id': 'm0'}, 'in use'), ('object-del', {'id': 'd0'}, 'in use'),
            ('device_del', {'id': 'vm0'}, "cannot get unplugged while 'requested-size' != '0'"),
        ])

    def test_dimms(self):
        def plug(text, **more):
            return 'device_add', {'driver': 'pc-dimm', 'id': 'dimm1', **more}, text

        self.check([
            plug('must be set'), plug('busy memdev: m0', memdev='m0'), plug('no free memory slots are left, all 1 are in use', memdev='m1'),
            plug('slot 0 is busy', memdev='m1', slot=0), plug('invalid slot number 1, valid range is [0-0]', memdev='m1', slot=1),
        ])
        self.check([
            plug('not enough space', memdev='m3'), plug('slot 0 is busy', memdev='m1', slot=0),
            plug("conflicts with memory device id='vm0'", memdev='m1', addr=4 * GIB + 2 * MIB),
            plug('must be aligned', memdev='m1', addr=6 * GIB + MIB), plug('usable range', memdev='m1', addr=2 * MIB),
            plug("'node' property has value 7", memdev='m1', node=7),
        ], '-m', '256M,slots=2,maxmem=4G')

    def test_content_stays_when_a_device_is_refused(self):
        with tempfile.NamedTemporaryFile() as f, quern.Quern(*self.MACHINE) as q:
            f.truncate(64 * MIB)
            f.write(b'content')
            f.flush()
            q.command('object-add', {'qom-type': 'memory-backend-file', 'id': 'kept', 'size': 64 * MIB, 'share': True, 'mem-path': f.name})
            device = {'driver': 'virtio-mem-pci', 'id': 'vm1', 'bus': 'rp', 'memdev': 'kept'}
            self.assertIn('conflicts', q.error('device_add', {**device, 'memaddr': 4 * GIB})[1])
            self.assertEqual(os.pread(f.fileno(), 7, 0), b'content')
            q.command('device_add', device)
            self.assertEqual(os.pread(f.fileno(), 7, 0), bytes(7))

    def test_backends(self):
        with tempfile.TemporaryDirectory() as d:
            small = os.path.join(d, 'small')
            with open(small, 'wb') as f:
                f.truncate(MIB)

            def make(kind, text, **more):
                return 'object-add', {'qom-type': 'memory-backend-' + kind, 'id': 'new', **more}, text

            self.check([
                make('file', "small' has 1048576 bytes, too few for size 2097152", size=2 * MIB, **{'mem-path': small}),
                make('file', 'Not a directory', size=2 * MIB, **{'mem-path': small + '/none'}),
                make('memfd', 'free huge pages of 2048 KiB are needed', size=512 * GIB, hugetlb=True, hugetlbsize=2 * MIB),
                make('memfd', 'hugetlbsize must be a power of two', size=6 * MIB, hugetlb=True, hugetlbsize=3 * MIB),
                make('memfd', 'cannot create a memfd', size=8 * MIB, hugetlb=True, hugetlbsize=4 * MIB),
                make('ram', 'needs a size', size=0), make('ram', 'cannot have', size=(1 << 64) - 1),
                ('object-add', {'qom-type': 'memory-backend-ram', 'id': 'm1', 'size': MIB}, 'm1'),
            ])
            self.assertEqual(os.listdir(d), ['small'])


class VirtioMem(unittest.TestCase):
    def test_libvirt_form_and_what_is_told(self):
        device = {'driver': 'virtio-mem-pci', 'node': 0, 'block-size': 2 * MIB, 'memdev': 'memvirtiomem0', 'dynamic-memslots': True,
                  'id': 'virtiomem0', 'bus': 'pcie.0', 'addr': '0x4'}
        with quern.Quern(*ROOMY, '-object', json.dumps(ram('memvirtiomem0', GIB, reserve=False)), '-device', json.dumps(device)) as q:
            self.assertEqual(q.command('query-memory-devices'), [{'type': 'virtio-mem', 'data': {
                'id': 'virtiomem0', 'memaddr': 4 * GIB, 'requested-size': 0, 'size': 0, 'max-size': GIB, 'block-size': 2 * MIB,
                'node': 0, 'memdev': '/objects/memvirtiomem0'}}])
            self.assertIn('Memory device [virtio-mem]: "virtiomem0"\r\n  memaddr: 0x100000000\r\n', q.hmp('info memory-devices'))
            self.assertEqual(q.hmp('info memory_size_summary'), 'base memory: 268435456\r\nplugged memory: 0\r\n')
            path = '/machine/peripheral/virtiomem0'
            q.command('qom-set', {'path': path, 'property': 'requested-size', 'value': 64 * MIB})
            for name, value in [('requested-size', 64 * MIB), ('size', 0), ('memaddr', 4 * GIB), ('dynamic-memslots', True)]:
                self.assertEqual(q.command('qom-get', {'path': path, 'property': name}), value)
            kinds = {p['name']: p['type'] for p in q.command('device-list-properties', {'typename': 'virtio-mem-pci'})}
            self.assertEqual([kinds[n] for n in ('dynamic-memslots', 'prealloc', 'size', 'requested-size', 'block-size')],
                             ['bool', 'bool', 'size', 'size', 'size'])
            names = {t['name'] for t in q.command('qom-list-types')}
            self.assertIn('virtio-mem-pci', names)
            self.assertNotIn('virtio-mem-pci-transitional', names)

    def test_a_terabyte_costs_nothing(self):
        with quern.Quern(*BOARD, '-cpu', 'max,phys-bits=46', '-m', '256M,maxmem=1048832M', '-object',
                         'memory-backend-ram,id=m0,size=1T,reserve=off', '-device', 'virtio-mem-pci,id=vm0,memdev=m0,requested-size=1G') as q, \
             quern.Quern(*BOARD, '-cpu', 'max,phys-bits=46', '-m', '256M') as plain:
            self.assertEqual(q.command('query-memory-devices')[0]['data']['max-size'], 1 << 40)
            self.assertIn(q.hmp('info mtree -D').count('alias virtio-mem-slot @/objects/m0'), range(240, 257))
            self.assertNotIn('/objects/m0', q.hmp('info mtree -f'))
            more = rss_kib(q.process.pid) - rss_kib(plain.process.pid)
            self.assertLess(more, 4096, 'KiB more than without the device')


class Backends(unittest.TestCase):
    def test_query_memdev_tells_what_was_asked_for(self):
        with quern.Quern(*ROOMY) as q:
            q.command('object-add', ram('a', 8 * MIB, share=True, merge=False, dump=False, reserve=False))
            q.command('object-add', ram('b', 8 * MIB, policy='preferred', **{'host-nodes': [0]}))
            q.command('object-add', {'qom-type': 'memory-backend-memfd', 'id': 'c', 'size': 4 * MIB, 'prealloc': True,
                                     'prealloc-threads': 2, 'x-use-canonical-path-for-ramblock-id': False})
            got = {m['id']: m for m in q.command('query-memdev')}
            self.assertEqual(got['pc.ram']['size'], 256 * MIB)
            self.assertEqual(got['a'], {'id': 'a', 'size': 8 * MIB, 'merge': False, 'dump': False, 'prealloc': False,
                                        'share': True, 'reserve': False, 'host-nodes': [], 'policy': 'default'})
            self.assertEqual((got['b']['policy'], got['b']['host-nodes']), ('preferred', [0]))
            self.assertEqual((got['c']['share'], got['c']['prealloc']), (True, True))
            self.assertIn('memory backend: b\r\n  size:  8388608\r\n', q.hmp('info memdev'))
            q.command('object-del', {'id': 'a'})
            self.assertNotIn('a', [m['id'] for m in q.command('query-memdev')])
            self.assertIn('in use', q.error('object-del', {'id': 'pc.ram'})[1])

    def test_preallocated_memory_is_there(self):
        with quern.Quern(*ROOMY) as q:
            q.command('object-add', {'qom-type': 'memory-backend-memfd', 'id': 'full', 'size': 16 * MIB, 'prealloc': True,
                                     'prealloc-threads': 3})
            q.command('object-add', {'qom-type': 'memory-backend-memfd', 'id': 'idle', 'size': 16 * MIB})
            self.assertEqual(mapping(q.process.pid, '/memfd:full')[1]['Rss'], '16384 kB')
            self.assertEqual(mapping(q.process.pid, '/memfd:idle')[1]['Rss'], '0 kB')
            q.command('qom-set', {'path': '/objects/idle', 'property': 'prealloc', 'value': True})
            self.assertEqual(mapping(q.process.pid, '/memfd:idle')[1]['Rss'], '16384 kB')

    def test_only_some_properties_change_once_made(self):
        with quern.Quern(*ROOMY) as q:
            q.command('object-add', ram('a', 8 * MIB, prealloc=True))
            for name, value, text in [('size', 4096, 'cannot be changed'), ('share', True, 'cannot be changed'),
                                      ('prealloc', False, 'cannot be taken back')]:
                self.assertIn(text, q.error('qom-set', {'path': '/objects/a', 'property': name, 'value': value})[1])
            for name in ('merge', 'dump'):
                q.command('qom-set', {'path': '/objects/a', 'property': name, 'value': False})
                self.assertIs(q.command('qom-get', {'path': '/objects/a', 'property': name}), False)

    def test_file_backend_files(self):
        with tempfile.TemporaryDirectory() as d:
            made, rom = os.path.join(d, 'made'), os.path.join(d, 'rom')
            with open(rom, 'wb') as f:
                f.write(b'r' * MIB)
            with quern.Quern(*ROOMY) as q:
                q.command('object-add', {'qom-type': 'memory-backend-file', 'id': 'made', 'size': 2 * MIB, 'share': True,
                                         'mem-path': made, 'offset': 65536, 'align': 64 * MIB, 'prealloc': True,
                                         'discard-data': True})
                self.assertEqual(os.stat(made).st_size, 2 * MIB + 65536)
                full = os.stat(made).st_blocks
                self.assertGreater(full, 2 * MIB // 512 - 1)
                header, _ = mapping(q.process.pid, made)
                self.assertEqual(int(header.split('-')[0], 16) % (64 * MIB), 0)
                self.assertIn('rw-s', header)
                for name, more, want in [('rom', {}, 'r--p'), ('shared', {'share': True}, 'r--s'), ('copy', {'rom': 'off'}, 'rw-p')]:
                    q.command('object-add', {'qom-type': 'memory-backend-file', 'id': name, 'size': MIB, 'mem-path': rom,
                                             'readonly': True, **more})
                    with open('/proc/%d/maps' % q.process.pid, encoding='ascii') as f:     # an older one may go late
                        self.assertTrue(any(want in line for line in f if rom in line), want)
                    q.command('object-del', {'id': name})
                q.command('object-add', {'qom-type': 'memory-backend-file', 'id': 'unnamed', 'size': MIB, 'mem-path': d})
                self.assertEqual(sorted(os.listdir(d)), ['made', 'rom'])
                q.command('object-del', {'id': 'made'})
                q.command('query-status')
                self.assertLess(os.stat(made).st_blocks, full // 4)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
