#!/usr/bin/env python3
"""Trace events: switched on the command line, by QMP and HMP, written to the log; each of the main rooms has some."""
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

import quern

EMPTY = ['-machine', 'none']
# Event -> what makes it happen (see everything_happens).
HAPPENS = ['memory_region_ops_read', 'memory_region_ops_write', 'flatview_new', 'flatview_destroy', 'qdev_realize', 'qdev_unrealize',
           'qdev_update_parent_bus', 'machine_reset', 'resettable_reset', 'virtio_queue_notify', 'virtio_notify', 'virtio_set_status',
           'blk_co_preadv', 'blk_request_complete', 'chardev_write', 'chardev_event', 'chardev_receive', 'runstate_set', 'vm_state_notify',
           'system_reset_request', 'qemu_system_powerdown_request', 'qemu_system_shutdown_request', 'timer_mod', 'timer_del', 'timer_run']


class Trace(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.log = self.folder / 'log'

    def lines(self):
        return self.log.read_text().splitlines()

    def test_pattern_that_is_no_utf8(self):
        with quern.Quern('-machine', 'none', '-trace', b'*\x96') as q:
            self.assertIs(q.command('query-status')['running'], True)

    def test_command_line(self):
        events = self.folder / 'events'
        events.write_text('# run state\nrunstate_*\n\n-runstate_nosuch*\nvm_state_notify\n-vm_*\n')
        for args in (['-trace', 'runstate_set', '-D', str(self.log)], ['-trace', 'enable=runstate_*,file=%s' % self.log],
                     ['-trace', 'events=%s,file=%s' % (events, self.log)], ['-d', 'trace:runstate_*', '-D', str(self.log)],
                     ['-trace', '*', '-trace', '-*', '-trace', '{"enable": "runstate_set"}', '-D', str(self.log)]):
            with self.subTest(args):
                with quern.Quern(*EMPTY, '-S', *args) as q:
                    q.command('cont')
                    q.command('quit')
                    q.wait()
                    self.assertEqual(q.last_words(), '')
                self.assertEqual(self.lines()[0], 'runstate_set current_run_state 6 (prelaunch) new_state 9 (running)')
                self.assertEqual({line.split()[0] for line in self.lines()}, {'runstate_set'})

    def test_timestamps(self):
        with quern.Quern(*EMPTY, '-S', '-msg', 'timestamp=on', '-trace', 'runstate_set,file=%s' % self.log) as q:
            q.command('cont')
            pid = q.process.pid
        self.assertRegex(self.lines()[0], r'^%d@\d+\.\d{6}:runstate_set current_run_state 6 ' % pid)

    def test_wrong_ones(self):
        status, _, err = quern.run(*EMPTY, '-trace', 'events=/nonexistent/x')
        self.assertEqual(status, 1)
        self.assertIn('/nonexistent/x', err)
        self.assertIn("Parameter 'color' is unexpected", quern.run(*EMPTY, '-trace', 'color=red')[2])
        with quern.Quern(*EMPTY, '-trace', 'nosuch', '-trace', 'nosuch*') as q:        # as with QEMU, a warning
            self.assertEqual(q.last_words().count('\n'), 1)
            self.assertIn("trace event 'nosuch' does not exist", q.last_words())

    def test_help_lists_them_sorted(self):
        status, out, err = quern.run('-trace', 'help')
        self.assertEqual((status, err), (0, ''))
        self.assertEqual(out.split(), sorted(out.split()))
        self.assertLessEqual(set(HAPPENS), set(out.split()))
        self.assertIn('trace:PATTERN', quern.run('-d', 'help')[1])

    def test_qmp(self):
        with quern.Quern(*EMPTY, '-S', '-D', str(self.log)) as q:
            def state(name):
                return {e['name']: e['state'] for e in q.command('trace-event-get-state', {'name': name})}
            self.assertEqual(state('runstate_set'), {'runstate_set': 'disabled'})
            self.assertEqual(set(state('*').values()), {'disabled'})
            self.assertEqual(q.command('trace-event-set-state', {'name': 'runstate*', 'enable': True}), {})
            self.assertEqual(state('runstate_set'), {'runstate_set': 'enabled'})
            self.assertEqual(state('nosuch*'), {})
            self.assertEqual(q.error('trace-event-get-state', {'name': 'nosuch'}), ('GenericError', 'unknown event "nosuch"'))
            self.assertEqual(q.error('trace-event-set-state', {'name': 'nosuch', 'enable': True, 'ignore-unavailable': True}),
                             ('GenericError', 'unknown event "nosuch"'))
            q.command('cont')
            q.command('trace-event-set-state', {'name': '*', 'enable': False})
            q.command('stop')
        self.assertEqual(len(self.lines()), 1)

    def test_hmp(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.hmp('trace-event runstate_set on'), '')
            self.assertEqual(q.hmp('info trace-events runstate_*'), 'runstate_set : state 1\r\n')
            self.assertIn('runstate_set : state 1\r\n', q.hmp('info trace-events'))
            self.assertIn('virtio_notify : state 0\r\n', q.hmp('info trace-events'))
            self.assertIn('unknown event "nosuch"', q.hmp('trace-event nosuch on'))
            self.assertIn('unknown event "nosuch"', q.hmp('info trace-events nosuch'))
            self.assertIn("expects 'on' or 'off'", q.hmp('trace-event runstate_set maybe'))
            self.assertEqual(q.hmp('trace-event run* off'), '')
            self.assertEqual(q.hmp('info trace-events runstate_*'), 'runstate_set : state 0\r\n')

    def test_every_room_has_events_that_happen(self):
        guest = Path(quern.BINARY).resolve().parent / 'guest'
        if not (guest / 'vmlinuz').exists():
            self.skipTest('no guest kernel (make build-guest)')
        disk = self.folder / 'disk'
        disk.write_bytes(bytes(1 << 20))
        with quern.Quern('-machine', 'q35', '-m', '256', '-kernel', str(guest / 'vmlinuz'), '-initrd', str(guest / 'initrd.img'),
                         '-append', 'console=ttyS0 panic=-1', '-drive', 'if=none,id=d,format=raw,file=%s' % disk,
                         '-device', 'virtio-blk-pci,drive=d', '-serial', 'file:%s' % (self.folder / 'console'),
                         '-device', 'pcie-root-port,id=port', '-trace', '*,file=%s' % self.log) as q:
            while 'QUERN-GUEST-UP' not in (self.folder / 'console').read_text(errors='replace'):
                self.assertIsNone(q.process.poll(), q.last_words())
                q.command('query-status')
            q.command('device_add', {'driver': 'virtio-rng-pci', 'id': 'r', 'bus': 'port'})
            q.command('device_del', {'id': 'r'})
            q.wait_event('DEVICE_DELETED')
            q.command('system_powerdown')
            q.command('stop')
            q.command('system_reset')
            q.wait_event('RESET')
            q.command('quit')
            q.wait()
        seen = {line.split(' ')[0] for line in self.lines()}
        self.assertEqual(set(HAPPENS) - seen, set())
        names = set(re.findall(r"memory_region_ops_\w+ .* name '([^']*)'", '\n'.join(self.lines()[:200000])))
        self.assertGreater(len(names), 5)


if __name__ == '__main__':
    quern.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
