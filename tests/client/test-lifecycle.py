#!/usr/bin/env python3
"""How a machine ends, resets and panics: tiny ROMs, exit statuses, events."""
import os
import sys
import time
import tempfile
import unittest

import quern

ROM_SIZE = 64 * 1024
FAR_JUMP_TO_START = b'\xea\x00\x00\x00\xf0'             # jmp f000:0000

HALT = b'\xfa\xf4\xeb\xfd'                              # cli; 1: hlt; jmp 1b
DEBUG_EXIT = b'\xb0%c\xe6\xf4' + HALT                   # mov al, N; out 0xf4, al
KEYBOARD_RESET = b'\xb0\xfe\xe6\x64' + HALT             # mov al, 0xfe; out 0x64, al
RESET_REGISTER = b'\xba\xf9\x0c\xb0\x06\xee' + HALT     # mov dx, 0xcf9; mov al, 6; out dx, al
TRIPLE_FAULT = b'\x2e\x0f\x01\x1e\x00\x01\xcc' + HALT   # lidt cs:[0x100] (zeros); int3
PANIC = b'\xba\x05\x05\xb0\x01\xee' + HALT              # mov dx, 0x505; mov al, 1; out dx, al
SPIN = b'\xeb\xfe'                                      # 1: jmp 1b


class Lifecycle(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(self.folder.cleanup)

    def rom(self, code):
        image = bytearray(ROM_SIZE)
        image[:len(code)] = code
        image[0xfff0:0xfff0 + len(FAR_JUMP_TO_START)] = FAR_JUMP_TO_START
        path = os.path.join(self.folder.name, 'rom')
        with open(path, 'wb') as f:
            f.write(image)
        return path

    def machine(self, code, *args, machine='q35'):
        return quern.Quern('-machine', machine, '-m', '16', '-S', '-bios', self.rom(code), *args)

    def test_debug_exit_gives_the_status(self):
        for machine in ('q35', 'pc'):
            for n in (0, 3, 0x7f):
                status, _, err = quern.run('-machine', machine, '-m', '16', '-display', 'none', '-nodefaults', '-bios',
                                           self.rom(DEBUG_EXIT % n), '-device', 'isa-debug-exit,iobase=0xf4,iosize=4')
                self.assertEqual((status, err), ((n << 1 | 1) & 0xff, ''))

    def test_guest_reset_is_told_and_goes_on(self):
        for code in (KEYBOARD_RESET, RESET_REGISTER, TRIPLE_FAULT):
            with self.subTest(code.hex()), self.machine(code) as q:
                q.command('cont')
                for _ in range(3):
                    self.assertEqual(q.wait_event('RESET')['data'], {'guest': True, 'reason': 'guest-reset'})
                self.assertEqual(q.command('query-status')['status'], 'running')

    def test_guest_reset_ends_under_no_reboot(self):
        with self.machine(TRIPLE_FAULT, '-no-reboot') as q:
            q.command('cont')
            self.assertEqual(q.wait_event('SHUTDOWN')['data'], {'guest': True, 'reason': 'guest-reset'})
            self.assertEqual(q.wait(), 0)

    def test_no_reboot_and_no_shutdown_pause(self):
        with self.machine(TRIPLE_FAULT, '-no-reboot', '-no-shutdown') as q:
            q.command('cont')
            q.wait_event('SHUTDOWN')
            q.wait_event('STOP')
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'shutdown'})
            q.command('quit')
            self.assertEqual(q.wait(), 0)

    def test_panic_actions(self):
        for action, event, status in [('shutdown', 'poweroff', 0), ('exit-failure', 'poweroff', 1)]:
            with self.subTest(action), self.machine(PANIC, '-device', 'pvpanic', '-action', 'panic=' + action) as q:
                q.command('cont')
                self.assertEqual(q.wait_event('GUEST_PANICKED')['data']['action'], event)
                self.assertEqual(q.wait_event('SHUTDOWN')['data'], {'guest': True, 'reason': 'guest-panic'})
                self.assertEqual(q.wait(), status)
        for action, event, state in [('pause', 'pause', 'guest-panicked'), ('none', 'run', 'running')]:
            with self.subTest(action), self.machine(PANIC, '-device', 'pvpanic', '-action', 'panic=' + action) as q:
                q.command('cont')
                self.assertEqual(q.wait_event('GUEST_PANICKED')['data']['action'], event)
                if action == 'pause':
                    q.wait_event('STOP')
                self.assertEqual(q.command('query-status')['status'], state)

    def test_panic_pauses_under_no_shutdown(self):
        with self.machine(PANIC, '-device', 'pvpanic', '-no-shutdown') as q:
            q.command('cont')
            self.assertEqual(q.wait_event('GUEST_PANICKED')['data'], {'action': 'pause'})
            q.wait_event('STOP')
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'guest-panicked'})
            self.assertIn('Resetting', q.error('cont')[1])
            q.command('system_reset')
            q.wait_event('RESET')
            q.command('set-action', {'panic': 'none'})
            q.command('cont')
            self.assertEqual(q.wait_event('GUEST_PANICKED')['data'], {'action': 'run'})

    def test_spinning_guest_obeys(self):
        with self.machine(SPIN, '-smp', '2') as q:
            for _ in range(20):
                q.command('cont')
                while 'EIP=00000000' not in q.hmp('info registers'):
                    time.sleep(0.01)    # the guest has not got there yet
                q.command('stop')
            q.command('cont')
            q.command('system_reset')
            q.wait_event('RESET')
            q.process.terminate()
            self.assertEqual(q.wait_event('SHUTDOWN')['data'], {'guest': False, 'reason': 'host-signal'})
            self.assertEqual(q.wait(), 0)

    def test_memory_is_seen_by_the_monitor(self):
        store = b'\xc7\x06\x00\x05\x34\x12' + HALT      # mov word [0x500], 0x1234
        with self.machine(store) as q:
            q.command('cont')
            for _ in range(1000):
                if '0x1234' in q.hmp('xp/1xh 0x500'):
                    break
            self.assertIn('0x1234', q.hmp('xp/1xh 0x500'))
            self.assertIn('0x1234', q.hmp('x/1xh 0x500'))
            self.assertIn('4660', q.hmp('xp/1dh 0x500'))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
