#!/usr/bin/env python3
"""The real-time clock as management sees it; sleep states and TPMs, of which there are none."""
import os
import sys
import tempfile
import time
import unittest

import quern

SPIN = b'\xf4\xeb\xfd'


def set_register(index, value):
    return bytes([0xb0, index, 0xe6, 0x70, 0xb0, value, 0xe6, 0x71])    # mov al, index; out 0x70, al; mov al, value; out 0x71, al


# Register B: set, 24 hours, BCD; 2031-02-03 04:05:06; then let it run.
SET_CLOCK = (set_register(0x0b, 0x82) + set_register(0x00, 0x06) + set_register(0x02, 0x05) + set_register(0x04, 0x04)
             + set_register(0x07, 0x03) + set_register(0x08, 0x02) + set_register(0x09, 0x31) + set_register(0x32, 0x20)
             + set_register(0x0b, 0x02) + SPIN)


class Clock(unittest.TestCase):
    def machine(self, code, *args):
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'rom')
        image = bytearray(b'\xf4' * 65536)
        image[:len(code)] = code
        image[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
        with open(path, 'wb') as f:
            f.write(image)
        return quern.Quern('-machine', 'q35', '-m', '16', '-S', '-bios', path, *args)

    @staticmethod
    def date(q, path='/machine', name='rtc-time'):
        d = q.command('qom-get', {'path': path, 'property': name})
        return (d['tm_year'] + 1900, d['tm_mon'] + 1, d['tm_mday'], d['tm_hour'], d['tm_min'], d['tm_sec'])

    def test_change_is_told_with_its_distance(self):
        with self.machine(SET_CLOCK, '-rtc', 'base=2031-02-03T03:05:06') as q:
            q.command('cont')
            event = q.wait_event('RTC_CHANGE')['data']
            self.assertAlmostEqual(event['offset'], 3600, delta=20)
            self.assertEqual(self.date(q)[:4], (2031, 2, 3, 4))
            self.assertEqual(self.date(q, event['qom-path'], 'date')[:4], (2031, 2, 3, 4))

    def test_offset_is_from_the_hosts_clock(self):
        with self.machine(SET_CLOCK) as q:
            q.command('cont')
            expected = 1927857906 - time.time()         # 2031-02-03 04:05:06 UTC
            self.assertAlmostEqual(q.wait_event('RTC_CHANGE')['data']['offset'], expected, delta=20)

    def test_time_is_that_of_the_option(self):
        with self.machine(SPIN, '-rtc', 'base=2031-02-03T03:05:06,clock=vm') as q:
            self.assertEqual(self.date(q), (2031, 2, 3, 3, 5, 6))
        with self.machine(SPIN) as q:
            self.assertAlmostEqual(time.mktime((*self.date(q), 0, 0, 0)) - time.mktime(time.gmtime()), 0, delta=20)

    def test_reinjection_can_be_reset(self):
        with self.machine(SPIN, '-rtc', 'driftfix=slew') as q:
            self.assertEqual(q.command('rtc-reset-reinjection'), {})


class NotThere(unittest.TestCase):
    def test_sleep_states_can_be_disabled(self):
        for machine, device in ('q35', 'ICH9-LPC'), ('pc', 'PIIX4_PM'):
            with quern.Quern('-machine', machine, '-S', '-global', device + '.disable_s3=1') as q:
                self.assertEqual(q.command('query-current-machine'), {'wakeup-suspend-support': False})
                self.assertIn('not supported by this guest', q.error('system_wakeup')[1])
            with quern.Quern('-machine', machine, '-S', '-global', device + '.disable_s4=1') as q:
                self.assertEqual(q.command('query-current-machine'), {'wakeup-suspend-support': True})
                self.assertIn('not in suspended state', q.error('system_wakeup')[1])
            for state in 'disable_s3', 'disable_s4':
                status, _, err = quern.run('-machine', machine, '-global', '%s.%s=2' % (device, state))
                self.assertEqual(status, 1)
                self.assertIn('%s' % state, err)

    def test_tpms(self):
        with quern.Quern('-machine', 'none') as q:
            for command in 'query-tpm', 'query-tpm-models', 'query-tpm-types':
                self.assertEqual(q.command(command), [])


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
