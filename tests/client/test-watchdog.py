#!/usr/bin/env python3
"""An expired watchdog: each action, chosen in each way; the NMI button."""
import os
import sys
import tempfile
import unittest

import quern

SPIN = b'\xf4\xeb\xfd'                                  # 1: hlt; jmp 1b
IB700 = b'\xba\x43\x04\xb0\x0f\xee' + SPIN              # mov dx, 0x443; mov al, 15 (no time at all); out dx, al
NMI_HANDLER = b'\xb0\x05\xe6\xf4\xf4'                   # mov al, 5; out 0xf4, al: exit status 11


def rom(code):
    image = bytearray(b'\xf4' * 65536)
    image[:len(code)] = code
    image[0x100:0x100 + len(NMI_HANDLER)] = NMI_HANDLER
    image[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
    return bytes(image)


NMI_SETUP = (b'\x31\xc0\x8e\xd8\x8e\xd0\xbc\x00\x80'                               # xor ax, ax; ds = ss = 0; sp = 0x8000
             b'\xc7\x06\x08\x00\x00\x01\xc7\x06\x0a\x00\x00\xf0'                   # vector 2 = f000:0100
             b'\x66\xb9\x1b\x00\x00\x00\x0f\x32\x25\xff\xf7\x0f\x30')              # no local APIC: LINT1 is the NMI pin


class Watchdog(unittest.TestCase):
    def machine(self, code, *args, machine='q35'):
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'rom')
        with open(path, 'wb') as f:
            f.write(rom(code))
        return quern.Quern('-machine', machine, '-m', '16', '-S', '-bios', path, '-device', 'ib700',
                           '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', *args)

    def expire(self, action, *args, code=IB700, choose='option', **kwargs):
        """A machine whose watchdog has expired; the WATCHDOG event was checked."""
        q = self.machine(code, *(['-watchdog-action', action] if choose == 'option' else []), *args, **kwargs)
        if choose == 'set-action':
            q.command('set-action', {'watchdog': action})
        elif choose == 'watchdog-set-action':
            q.command('watchdog-set-action', {'action': action})
        elif choose == 'hmp':
            self.assertEqual(q.hmp('watchdog_action %s' % action), '')
        q.command('cont')
        self.assertEqual(q.wait_event('WATCHDOG')['data'], {'action': action})
        return q

    def test_reset(self):
        for choose in ('option', 'default'):
            with self.expire('reset', choose=choose) as q:
                self.assertEqual(q.wait_event('RESET')['data'], {'guest': True, 'reason': 'guest-reset'})

    def test_reset_ends_under_no_reboot(self):
        with self.expire('reset', '-no-reboot') as q:
            self.assertEqual(q.wait_event('SHUTDOWN')['data'], {'guest': True, 'reason': 'guest-reset'})
            self.assertEqual(q.wait(), 0)

    def test_shutdown_presses_the_power_button(self):
        with self.expire('shutdown', choose='set-action') as q:
            q.wait_event('POWERDOWN')
            self.assertTrue(q.command('query-status')['running'])

    def test_poweroff_ends_even_under_no_shutdown(self):
        with self.expire('poweroff', '-no-shutdown', choose='watchdog-set-action') as q:
            self.assertEqual(q.wait(), 0)

    def test_pause(self):
        with self.expire('pause', choose='hmp') as q:
            q.wait_event('STOP')
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'watchdog'})
            q.command('cont')
            self.assertTrue(q.command('query-status')['running'])

    def test_debug_and_none_go_on(self):
        for action, text in ('debug', 'watchdog: timer fired\n'), ('none', ''):
            with self.expire(action) as q:
                self.assertTrue(q.command('query-status')['running'])
                self.assertEqual(q.last_words(), text)

    def test_inject_nmi(self):
        for machine in ('q35', 'pc'):
            with self.expire('inject-nmi', code=NMI_SETUP + IB700, machine=machine) as q:
                self.assertEqual(q.wait(), 11)

    def test_nmi_button(self):
        for press in (lambda q: q.command('inject-nmi'), lambda q: q.hmp('nmi')):
            with self.machine(NMI_SETUP + SPIN) as q:
                q.command('cont')
                while 'HLT=1' not in q.hmp('info registers'):
                    pass
                q.socket.settimeout(quern.TIMEOUT_S)
                press(q)
                self.assertEqual(q.wait(), 11)
        with quern.Quern('-machine', 'none') as q:
            self.assertEqual(q.error('inject-nmi'), ('GenericError', 'machine does not provide NMIs'))

    def test_wrong_actions(self):
        with quern.Quern('-machine', 'none') as q:
            self.assertIn('bark', q.error('watchdog-set-action', {'action': 'bark'})[1])
            self.assertIn('bark', q.hmp('watchdog_action bark'))

    def test_noreboot_strap_is_a_property(self):
        for args, value in ([], False), (['-global', 'ICH9-LPC.noreboot=on'], True), (['-global', 'ICH9-LPC.noreboot=off'], False):
            with quern.Quern('-machine', 'q35', '-S', *args) as q:
                lpc = q.command('qom-get', {'path': '/machine/ich9-lpc', 'property': 'noreboot'})
                self.assertEqual(lpc, value)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
