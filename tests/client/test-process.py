#!/usr/bin/env python3
"""What the process does to itself: sandbox, user and root folder, memory locks, the form of messages."""
import os
import re
import sys
import tempfile
import time
import unittest
from pathlib import Path

import quern

STRICT = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'
Q35 = ['-machine', 'q35', '-m', '32', '-S']
ROM = b'\xfa\xb0\x05\xe6\xf4\xf4'.ljust(0xfff0, b'\xf4') + b'\xea\0\0\0\xf0'.ljust(16, b'\xf4')   # exits with 5 << 1 | 1

BAD = [
    (['-sandbox', 'foo'], "Parameter 'enable' expects 'on' or 'off', got 'foo'"),
    (['-sandbox', 'spawn=deny'], "Parameter 'enable' is missing"),
    (['-sandbox', 'on,spawn=children'], "Parameter 'spawn' does not accept value 'children'"),
    (['-sandbox', 'on,color=red'], "Parameter 'color' is unexpected"),
    (['-run-with', 'user=no-such-user'], 'User "no-such-user" doesn\'t exist (and is not <uid>:<gid>)'),
    (['-run-with', 'user=1:x'], 'User "1:x" doesn\'t exist'),
    (['-run-with', 'chroot=/nonexistent/x'], "-run-with: chroot to '/nonexistent/x' failed"),
    (['-run-with', 'color=red'], "Parameter 'color' is unexpected"),
    (['-run-with', 'exit-with-parent=on', '-daemonize'], 'exclude each other'),
    (['-overcommit', 'mem-lock=maybe'], "Parameter 'mem-lock' does not accept value 'maybe'"),
    (['-overcommit', 'cpu-pm=on'], 'cpu-pm=on is not supported'),
    (['-object', 'thread-context,id=t,cpu-affinity=1023'], 'Setting CPU affinity failed'),
    (['-object', 'thread-context,id=t,cpu-affinity=1024'], 'must be numbers below 1024'),
    (['-object', 'thread-context,id=t,cpu-affinity=3-1'], 'must be numbers below 1024'),
    (['-object', 'thread-context,id=t,node-affinity=900'], 'The nodes select no CPUs'),
    (['-object', 'memory-backend-ram,id=m,size=1M,prealloc-context=t'], "'t'"),
    (['-msg', 'timestamp=perhaps'], "Parameter 'timestamp' expects 'on' or 'off'"),
]


def status_fields(pid, name):
    """A field of /proc/PID/status in each thread."""
    values = []
    for path in Path('/proc/%d/task' % pid).glob('*/status'):
        values.append(re.search(r'^%s:\s*(.*)$' % name, path.read_text(), re.M).group(1).split('\t')[0])
    return values


class Process(unittest.TestCase):
    def test_bad_options_are_refused(self):
        for args, message in BAD:
            with self.subTest(' '.join(args)):
                status, _, err = quern.run('-machine', 'none', '-display', 'none', *args)
                self.assertEqual(status, 1)
                self.assertIn(message, err)
                self.assertEqual(err.count('\n'), 1, err)

    def test_every_thread_is_in_the_sandbox(self):
        with quern.Quern(*Q35, '-smp', '2', '-sandbox', STRICT) as q:
            self.assertEqual(set(status_fields(q.process.pid, 'Seccomp')), {'2'})
            self.assertEqual(set(status_fields(q.process.pid, 'NoNewPrivs')), {'1'})
            self.assertGreater(len(status_fields(q.process.pid, 'Seccomp')), 2)
        with quern.Quern(*Q35, '-sandbox', 'off') as q:
            self.assertEqual(set(status_fields(q.process.pid, 'Seccomp')), {'0'})

    def test_a_guest_runs_and_devices_come_and_go_inside(self):
        with tempfile.TemporaryDirectory() as folder:
            rom, disk = Path(folder) / 'rom', Path(folder) / 'disk'
            rom.write_bytes(ROM)
            disk.write_bytes(bytes(1 << 20))
            with quern.Quern(*Q35, '-bios', str(rom), '-sandbox', STRICT, '-device', 'isa-debug-exit,iobase=0xf4,iosize=1') as q:
                q.command('object-add', {'qom-type': 'memory-backend-memfd', 'id': 'm', 'size': 1 << 20, 'prealloc': True})
                q.command('blockdev-add', {'driver': 'file', 'node-name': 'd', 'filename': str(disk)})
                q.command('blockdev-del', {'node-name': 'd'})
                q.command('cont')
                self.assertEqual(q.wait(), 11)

    @unittest.skipIf(os.getuid(), 'needs root')
    def test_user_and_root_folder_change_inside_the_sandbox(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            with quern.Quern(*Q35, '-run-with', 'user=65534:65533,chroot=%s' % folder, '-sandbox', STRICT) as q:
                pid = q.process.pid
                self.assertEqual(set(status_fields(pid, 'Uid')), {'65534'})
                self.assertEqual(set(status_fields(pid, 'Gid')), {'65533'})
                self.assertEqual(set(status_fields(pid, 'Groups')), {'65533 '})
                self.assertEqual(set(status_fields(pid, 'Seccomp')), {'2'})
                self.assertEqual(os.readlink('/proc/%d/root' % pid), folder)
                self.assertEqual(os.readlink('/proc/%d/cwd' % pid), folder)
                self.assertEqual(q.command('query-status')['running'], False)

    def test_async_teardown_leaves_after_us(self):
        with quern.Quern(*Q35, '-run-with', 'async-teardown=on') as q:
            children = [int(p.name) for p in Path('/proc').iterdir() if p.name.isdigit()
                        and self.parent_of(p) == q.process.pid]
            self.assertEqual(len(children), 1)
            helper = Path('/proc/%d' % children[0])
            self.assertEqual((helper / 'comm').read_text(), 'cleanup\n')
            self.assertEqual(list((helper / 'fd').iterdir()), [])
            q.command('quit')
            self.assertEqual(q.wait(), 0)
            deadline = time.monotonic() + 10
            while self.parent_of(helper) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertIn(self.state_of(helper), (None, 'Z'))       # gone, unless nobody reaps

    @staticmethod
    def state_of(process):
        try:
            return (process / 'stat').read_text().rsplit(')', 1)[1].split()[0]
        except OSError:
            return None

    @staticmethod
    def parent_of(process):
        try:
            state, parent = (process / 'stat').read_text().rsplit(')', 1)[1].split()[:2]
        except OSError:
            return 0
        return 0 if state == 'Z' else int(parent)

    @unittest.skipIf(os.getuid(), 'needs a high limit of locked memory')
    def test_memory_is_locked(self):
        for mode, locked in ('on', True), ('on-fault', True), ('off', False):
            with quern.Quern(*Q35, '-overcommit', 'mem-lock=%s' % mode) as q:
                if q.sanitized:
                    self.skipTest('AddressSanitizer makes mlockall() do nothing')
                kib = int(status_fields(q.process.pid, 'VmLck')[0].split()[0])
                self.assertEqual(kib >= 32 * 1024, locked, mode)

    def test_thread_context_has_its_cpus_even_inside_the_sandbox(self):
        mine = sorted(os.sched_getaffinity(0))
        with quern.Quern(*Q35, '-sandbox', STRICT, '-object', 'thread-context,id=tc0,cpu-affinity=%d' % mine[0],
                         '-object', 'memory-backend-ram,id=m0,size=4M,prealloc=on,prealloc-threads=2,prealloc-context=tc0') as q:
            tid = q.command('qom-get', {'path': '/objects/tc0', 'property': 'thread-id'})
            self.assertEqual(os.sched_getaffinity(tid), {mine[0]})
            self.assertEqual(q.command('qom-get', {'path': '/objects/tc0', 'property': 'cpu-affinity'}), [mine[0]])
            self.assertIn('Setting CPU affinity failed', q.error('qom-set', {'path': '/objects/tc0', 'property': 'cpu-affinity',
                                                                            'value': [mine[0]]})[1])
            self.assertIn('in use', q.error('object-del', {'id': 'tc0'})[1])
            q.command('object-del', {'id': 'm0'})
            q.command('object-del', {'id': 'tc0'})
            self.assertFalse(Path('/proc/%d/task/%d' % (q.process.pid, tid)).exists())
        with quern.Quern(*Q35, '-object', '{"qom-type": "thread-context", "id": "tc0", "node-affinity": [0]}') as q:
            q.command('qom-set', {'path': '/objects/tc0', 'property': 'node-affinity', 'value': '0-1'})
            self.assertIn('Mixing', q.error('qom-set', {'path': '/objects/tc0', 'property': 'cpu-affinity', 'value': 0})[1])

    def test_form_of_messages(self):
        def error(*args):
            return quern.run('-machine', 'none', *args, '-device', 'x')[2]
        tail = "quern: -device x: 'x' is not a valid device model name\n"
        self.assertEqual(error(), tail)
        self.assertEqual(error('-msg', 'guest-name=on'), tail)
        self.assertEqual(error('-msg', 'guest-name=on', '-name', 'web-01'), 'web-01 ' + tail)
        self.assertRegex(error('-msg', 'timestamp=on,guest-name=on', '-name', 'web-01'),
                         r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z web-01 ' + re.escape(tail) + '$')


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
