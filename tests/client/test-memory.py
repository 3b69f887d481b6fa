#!/usr/bin/env python3
"""Memory backends and memory devices: what is refused and why, what QMP tells, what reaches the host."""
import os
import sys
import tempfile
import unittest

import quern
from quern import run

MIB = 1 << 20
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
                (memfd('size=512G,hugetlb=on,hugetlbsize=2M'), '262144 free huge pages of 2048 KiB are needed'),
            ])
            self.assertFalse(os.path.exists(new))


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
                    self.assertIn(want, mapping(q.process.pid, rom)[0])
                    q.command('object-del', {'id': name})
                q.command('object-add', {'qom-type': 'memory-backend-file', 'id': 'unnamed', 'size': MIB, 'mem-path': d})
                self.assertEqual(sorted(os.listdir(d)), ['made', 'rom'])
                q.command('object-del', {'id': 'made'})
                q.command('query-status')
                self.assertLess(os.stat(made).st_blocks, full // 4)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
