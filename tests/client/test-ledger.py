#!/usr/bin/env python3
"""The memory ledger: what a command line may take is foretold, shown, limited and never exceeded."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import cgroup
import quern
from quern import run

MIB, GIB = 1 << 20, 1 << 30
QUIET = ['-display', 'none', '-nodefaults']
OBJECT = '-object'
PORT = ['-device', 'pcie-root-port,id=rp']

MACHINES = [
    ['-machine', 'none'],
    ['-machine', 'none', '-m', '64'],
    ['-machine', 'q35', '-m', '128'],
    ['-machine', 'q35', '-m', '128', '-smp', '2,maxcpus=4', '-accel', 'tcg,tb-size=32'],
    ['-machine', 'pc', '-m', '96', '-device', 'VGA,vgamem_mb=32', '-accel', 'tcg,tb-size=1536K'],
    ['-machine', 'q35', '-m', '96', '-device', 'bochs-display,vgamem=33554432'],
    ['-machine', 'q35', '-m', '64', '-vga', 'std', '-device', 'secondary-vga,vgamem_mb=1,id=second', '-vnc', 'unix:@/vnc'],
    ['-machine', 'q35', '-m', '64', '-device', 'bochs-display', '-device', 'secondary-vga,vgamem_mb=64,id=second', '-vnc',
     'unix:@/vnc,display=second,connections=3'],
    ['-machine', 'microvm', '-m', '64', '-vnc', 'unix:@/vnc,connections=1'],
    ['-machine', 'microvm', '-m', '64'],
    ['-machine', 'q35,memory-backend=m', '-m', '64', OBJECT, 'memory-backend-memfd,id=m,size=64M,prealloc=on'],
    ['-machine', 'q35,memory-backend=pc.ram', '-m', '64', OBJECT, json.dumps({
        'qom-type': 'memory-backend-ram', 'id': 'pc.ram', 'size': 64 * MIB, 'x-use-canonical-path-for-ramblock-id': False})],
    ['-machine', 'q35', '-m', '64', OBJECT, 'memory-backend-ram,id=n,size=64M', '-numa', 'node,memdev=n',
     OBJECT, 'memory-backend-ram,id=unused,size=1G'],
    ['-machine', 'q35', '-m', '64,maxmem=2G', OBJECT, 'memory-backend-ram,id=m,size=1G,reserve=off', '-device',
     'virtio-mem-pci,memdev=m,requested-size=128M', OBJECT, 'memory-backend-ram,id=ready,size=16M,prealloc=on'],
    ['-machine', 'q35', '-m', '64', '-mem-prealloc'],
    ['-machine', 'q35', '-m', '64', '-netdev', 'user,id=n', '-nic', 'user'],
    ['-machine', 'q35', '-m', '64', '-chardev', 'ringbuf,id=r,size=8M', '-chardev', 'memory,id=s', '-fw_cfg',
     'name=opt/quern/file,file=@/file', '-fw_cfg', 'name=opt/quern/text,string=text', '-drive',
     'file=@/disk,format=raw,if=none,id=d,snapshot=on', '-drive', 'file=@/disk,format=raw,if=none,id=e,read-only=on'],
]


def bounds(ledger):
    """Two adapters have blocks of the same name."""
    sums = {}
    for a in ledger['accounts']:
        sums[a['name']] = sums.get(a['name'], 0) + a['bound']
    return sums


def have_vnc():
    err = run('-machine', 'none', *QUIET, '-vnc', 'unix:/nonexistent/x')[2]
    return 'not available' not in err and 'needs libvncserver' not in err


class Foretold(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name, size in ('file', 5 * MIB + 1), ('disk', 64 * GIB):
            with open(os.path.join(self.folder, name), 'wb') as f:
                f.truncate(size)

    def test_the_dry_run_says_what_the_machine_then_says(self):
        for machine in MACHINES:
            args = [a.replace('@', self.folder) for a in machine]
            with self.subTest(args):
                if '-vnc' in args and not have_vnc():
                    continue
                status, out, err = run(*args, *QUIET, '-memory-budget')
                self.assertEqual((status, err), (0, ''))
                foretold = json.loads(out)
                with quern.Quern(*args, '-S') as q:
                    ledger = q.command('query-memory-ledger')
                    self.assertEqual(bounds(foretold), bounds(ledger))
                    self.assertEqual(foretold['bound'], ledger['bound'])
                    for a in ledger['accounts']:
                        self.assertLessEqual(a['present'], a['bound'], a)
                    own = ledger['host']['pss-anon'] + ledger['host']['pss-shmem']
                    self.assertLess(abs(ledger['present'] - own), MIB)

    def test_the_dry_run_starts_nothing(self):
        with tempfile.TemporaryDirectory() as d:
            status, out, _ = run('-machine', 'q35', '-m', '64', *QUIET, '-memory-budget', '-pidfile', d + '/pid', '-qmp',
                                 'unix:%s/qmp,server=on,wait=off' % d, OBJECT,
                                 'memory-backend-file,id=m,size=64M,prealloc=on,mem-path=%s/ram' % d)
            self.assertEqual((status, os.listdir(d)), (0, []))
            self.assertIn({'name': 'ram//objects/m', 'bound': 64 * MIB}, json.loads(out)['accounts'])

    def test_wrong_sizes_are_refused(self):
        for args, text in [(['-m', 'lots'], "-m lots: Parameter 'size' expects a size"),
                           (['-object', 'memory-backend-ram,id=m,size=much'], "-object memory-backend-ram,id=m,size=much: ")]:
            status, out, err = run('-machine', 'q35', *QUIET, '-memory-budget', *args)
            self.assertEqual((status, out), (1, ''))
            self.assertIn(text, err)

    def test_tb_size_takes_mib_and_suffixes(self):
        for text, want in [('32', 32 * MIB), ('1536K', 1536 * 1024), ('2M', 2 * MIB), ('1G', GIB)]:
            with quern.Quern('-machine', 'none', '-accel', 'tcg,tb-size=' + text) as q:
                bounds = {a['name']: a['bound'] for a in q.command('query-memory-ledger')['accounts']}
                self.assertEqual(bounds['translator/code'], want)
        for text in ('512K', '64G', '1T', 'x', '-1', '1.5M', '99999999999999999999'):
            status, _, err = run('-machine', 'none', *QUIET, '-accel', 'tcg,tb-size=' + text)
            self.assertEqual(status, 1, text)
            self.assertIn('tb-size must be', err)


class Pages(unittest.TestCase):
    """What options have the emulator keep is in an account as long as it is there."""

    def account(self, q, name):
        return {a['name']: (a['bound'], a['present']) for a in q.command('query-memory-ledger')['accounts']}.get(name)

    def test_ring_buffers_come_and_go(self):
        with quern.Quern('-machine', 'q35,memory-limit=512M', '-m', '64', '-accel', 'tcg,tb-size=16', '-S') as q:
            def add(name, size):
                return {'id': name, 'backend': {'type': 'ringbuf', 'data': {'size': size}}}

            self.assertIsNone(self.account(q, 'chardev/ringbuf'))
            q.command('chardev-add', add('a', 8 * MIB))
            q.command('chardev-add', add('b', 64 * 1024))
            self.assertEqual(self.account(q, 'chardev/ringbuf'), (8 * MIB + 65536, 0))
            q.command('ringbuf-write', {'device': 'a', 'data': 'x' * 100000})
            self.assertEqual(self.account(q, 'chardev/ringbuf')[1], 25 * 4096)
            error = q.error('chardev-add', add('c', GIB))[1]
            self.assertIn("memory-limit: account 'chardev/ringbuf' needs 1048576 KiB more", error)
            for name in 'ab':
                q.command('chardev-remove', {'id': name})
            self.assertIsNone(self.account(q, 'chardev/ringbuf'))

    def test_files_for_the_firmware(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(b'1' * (40 * MIB))
            f.flush()
            with quern.Quern('-machine', 'q35', '-m', '64', '-fw_cfg', 'name=opt/quern/big,file=' + f.name, '-S') as q:
                self.assertEqual(self.account(q, 'fw_cfg'), (40 * MIB, 40 * MIB))
                self.assertLess(self.account(q, 'program')[1], 20 * MIB)
            status, _, err = run('-machine', 'q35,memory-limit=140M', '-m', '64', *QUIET, '-accel', 'tcg,tb-size=16', '-fw_cfg',
                                 'name=opt/quern/big,file=' + f.name)
            self.assertEqual(status, 1)
            self.assertIn("opt/quern/big: memory-limit: account 'fw_cfg' needs 40960 KiB more", err)


class Limit(unittest.TestCase):
    BASE = ['-m', '64,maxmem=2G', '-accel', 'tcg,tb-size=16', *PORT]

    def bound(self):
        return json.loads(run('-machine', 'q35', *self.BASE, *QUIET, '-memory-budget')[1])['bound']

    def test_start_at_the_edge(self):
        edge = self.bound()
        with quern.Quern('-machine', 'q35,memory-limit=%d' % edge, *self.BASE) as q:
            self.assertEqual(q.command('query-memory-ledger')['limit'], edge)
        for limit, text in [(edge - 1, "account 'ram/pc.ram' needs 65536 KiB more, 65535 KiB of"), (32 * MIB, "account 'ram/pc.ram' needs 65536 KiB more")]:
            status, _, err = run('-machine', 'q35,memory-limit=%d' % limit, *self.BASE, *QUIET)
            self.assertEqual(status, 1)
            self.assertIn('memory-limit: ', err)
            self.assertIn(text, err)
            self.assertEqual(err.count('\n'), 1)

    def test_what_would_pass_it_is_refused_and_the_guest_goes_on(self):
        with quern.Quern('-machine', 'q35,memory-limit=%d' % (self.bound() + 256 * MIB), *self.BASE) as q:
            def ram(name, size, **more):
                return {'qom-type': 'memory-backend-ram', 'id': name, 'size': size, **more}

            def request(size):
                return {'path': '/machine/peripheral/vm0', 'property': 'requested-size', 'value': size}

            q.command('object-add', ram('big', GIB))            # nobody uses it: it takes nothing
            for name, arguments in [
                    ('object-add', ram('now', 257 * MIB, prealloc=True)),
                    ('device_add', {'driver': 'virtio-mem-pci', 'id': 'vm0', 'memdev': 'big', 'bus': 'rp', 'requested-size': 258 * MIB})]:
                before = q.command('query-memory-ledger')['bound']
                error = q.error(name, arguments)[1]
                self.assertIn('memory-limit: account ', error)
                self.assertIn('262144 KiB of', error)
                self.assertEqual(q.command('query-memory-ledger')['bound'], before)
            q.command('device_add', {'driver': 'virtio-mem-pci', 'id': 'vm0', 'memdev': 'big', 'bus': 'rp', 'requested-size': 64 * MIB})
            q.command('qom-set', request(256 * MIB))
            self.assertIn("account 'ram//objects/big' needs 2048 KiB more, 0 KiB of", q.error('qom-set', request(258 * MIB))[1])
            self.assertEqual(q.command('query-memory-devices')[0]['data']['requested-size'], 256 * MIB)
            q.command('qom-set', request(0))
            q.command('object-add', ram('now', 256 * MIB, prealloc=True))
            self.assertIn('0 KiB of', q.error('qom-set', request(2 * MIB))[1])
            q.command('object-del', {'id': 'now'})
            q.command('qom-set', request(2 * MIB))
            self.assertEqual(q.command('query-status')['status'], 'running')

    def test_requests_have_a_limit(self):
        """Which is the program's allowance, with memory-limit=, also in a session with a thread of its own."""
        small, long, many = 'x' * 500000, 'x' * 600000, [0] * 20000
        with quern.Quern('-machine', 'q35', *self.BASE, '-S') as q:
            self.assertNotIn('limit', q.error('device_add', {'driver': long})[1])
            self.assertNotIn('limit', q.error('device_add', {'driver': 'virtio-rng-pci', 'x': many})[1])
        for capabilities in {}, {'enable': ['oob']}:
            for arguments, what in ({'driver': long}, 'size'), ({'driver': 'virtio-rng-pci', 'x': many}, 'count'):
                with self.subTest(capabilities=capabilities, what=what), \
                     quern.Quern('-machine', 'q35,memory-limit=1G', *self.BASE, '-S', negotiate=False) as q:
                    q.command('qmp_capabilities', capabilities)
                    self.assertIn('xxx', q.error('device_add', {'driver': small})[1])
                    self.assertIn(f'JSON token {what} limit exceeded', q.error('device_add', arguments)[1])
                    q.lines.close()
                    q.socket.close()
                    q.connect()
                    self.assertEqual(q.command('query-status')['status'], 'prelaunch')

    def test_control_group(self):
        with tempfile.TemporaryDirectory() as d, cgroup.Cgroup(96 * MIB) as group:
            argv = [group.wrap(quern.BINARY, d), *QUIET, '-machine', 'q35', '-m', '256', '-S', '-monitor', 'stdio']
            done = subprocess.run(argv, input='info ledger\nquit\n', capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn('may need', done.stderr)
            self.assertIn('the control group allows 96 MiB', done.stderr)
            self.assertIn('98304 KiB', done.stdout)
            self.assertIn('translator/code                          3072', done.stdout)        # 1/32 of it
            self.assertEqual(group.oom_kills(), 0)

    def test_the_default_translator_is_small_where_the_process_may_have_little(self):
        if quern.sanitized():
            self.skipTest('AddressSanitizer takes terabytes of addresses')
        for limit_kib, want in [(2 << 20, 64 * MIB), (8 << 20, 128 * MIB), (512 << 10, 16 * MIB)]:
            script = 'ulimit -v %d; exec "$@"' % limit_kib
            out = subprocess.run(['sh', '-c', script, 'sh', quern.BINARY, *QUIET, '-machine', 'q35', '-m', '64', '-memory-budget'],
                                 capture_output=True, text=True, check=True).stdout
            bound = {a['name']: a['bound'] for a in json.loads(out)['accounts']}['translator/code']
            self.assertLessEqual(bound, want)
            self.assertGreater(bound, want // 2)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
