#!/usr/bin/env python3
"""Block nodes and drives by QMP, HMP and command line; the guest's side is in tests/qtest."""
import os
import sys
import time
import tempfile
import unittest

import quern

EMPTY = ('-machine', 'none')
PC = ('-machine', 'q35', '-S', '-m', '64')


class Block(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-block-')
        self.addCleanup(folder.cleanup)
        self.disk, self.other = (os.path.join(folder.name, name) for name in ('disk', 'other'))
        for path in (self.disk, self.other):
            with open(path, 'wb') as f:
                f.truncate(1 << 20)

    def test_blockdev_json_and_keys(self):
        with quern.Quern(*EMPTY, '-blockdev', '{"driver":"file","filename":"%s","node-name":"f0","cache":{"direct":false}}' % self.disk,
                         '-blockdev', 'raw,node-name=r0,file=f0,offset=4096,read-only=on',
                         '-blockdev', 'driver=raw,node-name=r1,file.driver=null-co,file.size=1M,detect-zeroes=on,cache.no-flush=on') as q:
            nodes = {n['node-name']: n for n in q.command('query-named-block-nodes', {'flat': True})}
            self.assertEqual(nodes['f0'], {
                'file': self.disk, 'node-name': 'f0', 'ro': False, 'drv': 'file', 'backing_file_depth': 0, 'active': True,
                'encrypted': False, 'detect_zeroes': 'off', 'bps': 0, 'bps_rd': 0, 'bps_wr': 0, 'iops': 0, 'iops_rd': 0,
                'iops_wr': 0, 'write_threshold': 0, 'cache': {'writeback': True, 'direct': False, 'no-flush': False},
                'image': {'filename': self.disk, 'format': 'file', 'dirty-flag': False, 'actual-size': 0,
                          'virtual-size': 1 << 20, 'format-specific': {'type': 'file', 'data': {}}}})
            self.assertEqual((nodes['r0']['ro'], nodes['r0']['image']['virtual-size']), (True, (1 << 20) - 4096))
            self.assertTrue(nodes['r0']['file'].startswith('json:{"driver": "raw"'))
            self.assertEqual((nodes['r1']['detect_zeroes'], nodes['r1']['cache']['no-flush']), ('on', True))
            child = nodes['#block000']
            self.assertEqual((child['drv'], child['cache']['no-flush']), ('null-co', True))     # inherited
            self.assertIn('f0', q.error('blockdev-del', {'node-name': 'f0'})[1])
            self.assertIn('r9', q.error('blockdev-add', {'driver': 'raw', 'node-name': 'x', 'file': 'r9'})[1])
            q.command('blockdev-del', {'node-name': 'r1'})
            self.assertNotIn('#block000', {n['node-name'] for n in q.command('query-named-block-nodes')})

    def test_what_the_command_line_refuses(self):
        for option, message in [
                ('driver=qcow2,node-name=n,file=x', 'qcow2'),
                ('driver=file,node-name=n,filename=/nowhere/x', "Could not open '/nowhere/x': No such file or directory"),
                ('driver=null-co', 'node-name'), ('driver=null-co,node-name=n,size=1x', 'size'),
                ('driver=null-co,node-name=n,x=1', "'x' is unexpected"),
                ('driver=null-co,node-name=n,cache.direct=maybe', 'cache.direct'),
                ('{"driver":"null-co","node-name":"n","size":"1"}', 'size'),
                ('driver=file,node-name=n,filename=%s,aio=native' % self.disk, 'aio=native'),
                ('driver=throttle,node-name=n,throttle-group=g,file.driver=null-co', "'g' does not exist")]:
            with self.subTest(option):
                status, _, stderr = quern.run(*EMPTY, '-blockdev', option)
                self.assertEqual((status, stderr.count('\n')), (1, 1), stderr)
                self.assertIn(message, stderr)

    def test_blockdev_from_a_descriptor(self):
        with open(self.disk, 'r+b') as f, quern.Quern(
                *EMPTY, '-add-fd', 'fd=%d,set=4' % f.fileno(), '-blockdev', 'file,node-name=n,filename=/dev/fdset/4',
                pass_fds=[f.fileno()]) as q:
            self.assertEqual(q.command('query-named-block-nodes')[0]['image']['virtual-size'], 1 << 20)
            self.assertIn("Could not open '/dev/fdset/4': Permission denied", q.error(
                'blockdev-add', {'driver': 'file', 'node-name': 'ro', 'filename': '/dev/fdset/4', 'read-only': True})[1])

    def test_a_drive_and_its_device(self):
        with quern.Quern(*PC, '-drive', 'if=none,id=dr,format=raw,file=%s,cache=none,aio=io_uring,werror=stop,discard=unmap,'
                         'throttling.iops-total=70,throttling.group=g' % self.disk if self.direct_works() else
                         'if=none,id=dr,format=raw,file=%s,cache=unsafe,werror=stop,throttling.iops-total=70,throttling.group=g'
                         % self.disk, '-device', 'virtio-blk-pci,drive=dr,id=d0') as q:
            block, = q.command('query-block')
            self.assertEqual((block['device'], block['qdev'], block['io-status'], block['removable'], block['type']),
                             ('dr', '/machine/peripheral/d0/virtio-backend', 'ok', False, 'unknown'))
            self.assertEqual((block['inserted']['iops'], block['inserted']['group']), (70, 'g'))
            self.assertEqual(block['inserted']['cache']['direct'], self.direct_works())
            self.assertIn('dr (#block', q.hmp('info block'))
            self.assertIn('Attached to:      /machine/peripheral/d0/virtio-backend\r\n', q.hmp('info block dr'))
            self.assertIn('I/O throttling:   bps=0', q.hmp('info block -v dr'))
            self.assertIn('virtual size: 1 MiB (1048576 bytes)', q.hmp('info block -v dr'))
            self.assertIn('dr: rd_bytes=0 wr_bytes=0 rd_operations=0', q.hmp('info blockstats'))
            self.assertIn("Device 'zz' not found", q.hmp('info block zz'))
            stats, = q.command('query-blockstats')
            self.assertEqual((stats['device'], stats['stats']['rd_bytes'], stats['stats']['account_failed']), ('dr', 0, True))
            self.assertEqual(stats['parent']['driver-specific'], {'driver': 'file', 'discard-nb-ok': 0, 'discard-nb-failed': 0,
                                                                  'discard-bytes-ok': 0})
            self.assertEqual({s['node-name'] for s in q.command('query-blockstats', {'query-nodes': True})},
                             {n['node-name'] for n in q.command('query-named-block-nodes')})
            q.command('block_resize', {'device': 'dr', 'size': 2 << 20})
            self.assertEqual(os.path.getsize(self.disk), 2 << 20)
            self.assertEqual(q.hmp('block_resize dr 3'), '')
            self.assertEqual(os.path.getsize(self.disk), 3 << 20)
            self.assertIn('multiple of 512', q.error('block_resize', {'device': 'dr', 'size': 1000})[1])

    def direct_works(self):
        try:
            os.close(os.open(self.disk, os.O_RDWR | os.O_DIRECT))
            return True
        except OSError:
            return False

    def test_limits(self):
        with quern.Quern(*PC, '-blockdev', 'file,node-name=f,filename=%s' % self.disk,
                         '-device', 'virtio-blk-pci,drive=f,id=d0') as q:
            none = dict.fromkeys(('bps', 'bps_rd', 'bps_wr', 'iops', 'iops_rd', 'iops_wr'), 0)
            self.assertEqual(q.error('block_set_io_throttle', {'id': 'zz', **none})[0], 'DeviceNotFound')
            self.assertIn('at the same time', q.error('block_set_io_throttle', {'id': 'd0', **none, 'bps': 5, 'bps_rd': 5})[1])
            self.assertIn("exactly one of 'device' and 'id'", q.error('block_set_io_throttle', none)[1])
            q.command('block_set_io_throttle', {'id': 'd0', **none, 'iops': 100, 'iops_max': 200, 'iops_max_length': 5,
                                                'iops_size': 4096})
            now = q.command('query-block')[0]['inserted']
            self.assertEqual((now['iops'], now['iops_max'], now['iops_max_length'], now['iops_size'], now['group']),
                             (100, 200, 5, 4096, 'd0'))
            self.assertNotIn('bps_max', now)
            q.command('block_set_io_throttle', {'id': 'd0', **none})
            self.assertNotIn('group', q.command('query-block')[0]['inserted'])
            self.assertEqual(q.hmp('block_set_io_throttle d0 1000 0 0 0 0 0'), '')
            self.assertEqual(q.command('query-block')[0]['inserted']['bps'], 1000)

    def test_throttle_groups(self):
        with quern.Quern(*EMPTY, '-object', 'throttle-group,id=a,x-bps-read=1000',
                         '-object', '{"qom-type":"throttle-group","id":"b","limits":{"iops-total":5}}') as q:
            get = lambda name: q.command('qom-get', {'path': '/objects/' + name, 'property': 'limits'})     # noqa: E731
            self.assertEqual((get('a')['bps-read'], get('b')['iops-total'], get('b')['iops-total-max-length']), (1000, 5, 1))
            q.command('qom-set', {'path': '/objects/a', 'property': 'limits', 'value': {'iops-write': 7}})
            self.assertEqual((get('a')['bps-read'], get('a')['iops-write']), (0, 7))
            self.assertIn('at the same time', q.error('qom-set', {'path': '/objects/a', 'property': 'limits',
                                                                  'value': {'iops-write': 7, 'iops-total': 7}})[1])
            self.assertIn('at the same time', q.error('object-add', {'qom-type': 'throttle-group', 'id': 'c',
                                                                     'limits': {'bps-total': 1, 'bps-read': 1}})[1])
            q.command('blockdev-add', {'driver': 'throttle', 'node-name': 't', 'throttle-group': 'b',
                                       'file': {'driver': 'null-co', 'size': 4096}})
            self.assertIn('in use', q.error('object-del', {'id': 'b'})[1])
            q.command('blockdev-reopen', {'options': [{'driver': 'throttle', 'node-name': 't', 'throttle-group': 'a',
                                                       'file': '#block000'}]})
            q.command('object-del', {'id': 'b'})
            self.assertIn('in use', q.error('object-del', {'id': 'a'})[1])

    def test_one_writer_among_processes(self):
        device = ('-device', 'virtio-blk-pci,drive=f,id=d0')
        writer = ('-blockdev', 'file,node-name=f,filename=%s' % self.disk)
        with quern.Quern(*PC, *writer) as first:         # a node that nobody uses locks nothing
            with quern.Quern(*PC, *writer, *device):
                status, _, stderr = quern.run(*PC, *writer, *device)
                self.assertEqual(status, 1)
                self.assertIn('Failed to get "write" lock: is another process using the image [%s]?' % self.disk, stderr)
                reader = ('-blockdev', 'file,node-name=f,filename=%s,read-only=on' % self.disk)
                self.assertEqual(quern.run(*PC, *reader, *device)[0], 1)
                with quern.Quern(*PC, '-blockdev', 'file,node-name=f,filename=%s,read-only=on,force-share=on' % self.disk, *device):
                    pass
            first.command('query-status')

    def test_iothread_of_a_device(self):
        with quern.Quern(*PC, '-object', 'iothread,id=io1', '-blockdev', 'file,node-name=f,filename=%s' % self.disk,
                         '-device', '{"driver":"virtio-blk-pci","drive":"f","id":"d0","iothread":"io1","num-queues":2}') as q:
            self.assertIn('in use', q.error('object-del', {'id': 'io1'})[1])
        status, _, stderr = quern.run(*PC, '-blockdev', 'null-co,node-name=n', '-device', 'virtio-blk-pci,drive=n,iothread=io9')
        self.assertEqual(status, 1)
        self.assertIn('io9', stderr)

    def test_device_options_out_of_range(self):
        for option, message in [('num-queues=0', 'num-queues'), ('num-queues=2000', 'num-queues'), ('queue-size=3', 'queue-size'),
                                ('rerror=enospc', 'rerror'), ('werror=x', 'werror'), ('opt_io_size=100', 'opt_io_size'),
                                ('discard_granularity=100', 'discard_granularity')]:
            with self.subTest(option):
                status, _, stderr = quern.run(*PC, '-blockdev', 'null-co,node-name=n', '-device', 'virtio-blk-pci,drive=n,' + option)
                self.assertEqual((status, stderr.count('\n')), (1, 1), stderr)
                self.assertIn(message, stderr)


class MainLoop(unittest.TestCase):
    def test_limits_and_that_there_is_one(self):
        with quern.Quern('-machine', 'none', '-object', 'main-loop,id=ml,aio-max-batch=4,thread-pool-min=2,thread-pool-max=2') as q:
            path = {'path': '/objects/ml'}
            self.assertEqual(q.error('object-add', {'qom-type': 'main-loop', 'id': 'b'})[1], 'only one main-loop instance allowed')
            self.assertIn('thread-pool-min (3) must be at most', q.error('qom-set', {**path, 'property': 'thread-pool-min', 'value': 3})[1])
            with open('/proc/%d/status' % q.process.pid, encoding='ascii') as f:
                threads = next(int(line.split()[1]) for line in f if line.startswith('Threads'))
            q.command('qom-set', {**path, 'property': 'thread-pool-max', 'value': 9})
            q.command('qom-set', {**path, 'property': 'thread-pool-min', 'value': 9})
            deadline = time.monotonic() + 20
            while len(os.listdir('/proc/%d/task' % q.process.pid)) < threads + 7:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            self.assertIn('in use', q.error('object-del', {'id': 'ml'})[1])
        self.assertIn('only one main-loop', quern.run('-machine', 'none', '-object', 'main-loop,id=a', '-object', 'main-loop,id=b')[2])


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
