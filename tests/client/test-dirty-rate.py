#!/usr/bin/env python3
"""calc-dirty-rate: what it refuses, its states, and the rate of a known number of written bytes.

usage: test-dirty-rate.py QUERN
"""
import os
import socket
import sys
import tempfile
import time
import unittest

import quern

MIB = 1 << 20


class Asking(unittest.TestCase):
    def test_states_and_units(self):
        with quern.Quern('-machine', 'none') as q:
            self.assertEqual(q.command('query-dirty-rate'), {
                'status': 'unstarted', 'sample-pages': 0, 'mode': 'page-sampling', 'calc-time-unit': 'second', 'start-time': 0, 'calc-time': 0})
            self.assertIn('Dirty rate: (not ready)', q.hmp('info dirty_rate'))
            began = int(time.time())
            q.command('calc-dirty-rate', {'calc-time': 200, 'calc-time-unit': 'millisecond', 'sample-pages': 128})
            self.assertEqual(q.error('calc-dirty-rate', {'calc-time': 1})[1], 'the dirty rate is already being measured.')
            now = q.command('query-dirty-rate', {'calc-time-unit': 'millisecond'})
            self.assertEqual((now['status'], now['calc-time'], now['sample-pages'], 'dirty-rate' in now), ('measuring', 200, 128, False))
            self.assertLess(abs(now['start-time'] - began), 30)
            done = wait(q)
            self.assertEqual((done['dirty-rate'], done['calc-time'], done['calc-time-unit']), (-1, 0, 'second'))     # no memory

    def test_wrong_requests(self):
        with quern.Quern('-machine', 'none') as q:
            for arguments, text in [
                    ({'calc-time': 0}, 'Calculation time is out of range [50ms, 60000ms].'), ({'calc-time': 61}, 'out of range'),
                    ({'calc-time': 49, 'calc-time-unit': 'millisecond'}, 'out of range'), ({'calc-time': -1}, 'out of range'),
                    ({'calc-time': (1 << 63) - 1}, 'out of range'), ({'calc-time': -(1 << 63)}, 'out of range'),
                    ({'calc-time': 1, 'sample-pages': 127}, 'sample-pages is out of range[128, 16384].'),
                    ({'calc-time': 1, 'sample-pages': 16385}, 'sample-pages is out of range'),
                    ({'calc-time': 1, 'mode': 'dirty-ring'}, 'mode dirty-ring is not enabled'),
                    ({'calc-time': 1, 'mode': 'dirty-bitmap', 'sample-pages': 512}, 'sample-pages is used only in page-sampling mode')]:
                with self.subTest(arguments):
                    self.assertIn(text, q.error('calc-dirty-rate', arguments)[1])
            self.assertEqual(q.command('query-dirty-rate')['status'], 'unstarted')
            for line, text in [('calc_dirty_rate', 'expected'), ('calc_dirty_rate -x 1', "unknown flag '-x'"), ('calc_dirty_rate -r -b 1', 'Either'),
                               ('calc_dirty_rate 1 2 3', 'expected'), ('calc_dirty_rate -r 1', 'dirty-ring is not enabled')]:
                self.assertIn(text, q.hmp(line))
            self.assertIn('with period 1 seconds', q.hmp('calc_dirty_rate -b 1'))


def wait(q):
    while True:
        info = q.command('query-dirty-rate')
        if info['status'] == 'measured':
            return info
        time.sleep(0.02)


class Measuring(unittest.TestCase):
    """The guest is this test, by the qtest protocol."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(self.folder.cleanup)

    def measure(self, mode, write_mib):
        path = os.path.join(self.folder.name, 'qtest')
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        with quern.Quern('-machine', 'pc', '-m', '256', '-accel', 'qtest', '-qtest', 'unix:' + path) as q:
            guest, _ = listener.accept()
            lines = guest.makefile('rw')

            def fill(value, mib):
                lines.write('memset 0x%x 0x%x 0x%x\n' % (64 * MIB, mib * MIB, value))
                lines.flush()
                self.assertEqual(lines.readline(), 'OK\n')
            fill(1, 128)
            q.command('calc-dirty-rate', {'calc-time': 1000, 'calc-time-unit': 'millisecond', 'mode': mode,
                                          **({'sample-pages': 16384} if mode == 'page-sampling' else {})})
            time.sleep(0.3)                 # the first digests are taken by then
            if write_mib:
                fill(2, write_mib)
            rate = wait(q)['dirty-rate']
            rss = resident_mib(q)
            lines.close()
            guest.close()
        listener.close()
        os.unlink(path)
        return rate, rss

    def test_page_sampling_estimates(self):
        rate, rss = self.measure('page-sampling', 128)
        self.assertGreater(rate, 30)        # 128 MiB in a second or, on a loaded host, somewhat more
        self.assertLess(rate, 160)
        self.assertLess(rss, 250)           # untouched memory was not touched
        self.assertEqual(self.measure('page-sampling', 0)[0], 0)

    def test_dirty_bitmap_counts(self):
        rate, _ = self.measure('dirty-bitmap', 128)
        self.assertGreater(rate, 30)
        self.assertLess(rate, 132)
        self.assertEqual(self.measure('dirty-bitmap', 0)[0], 0)


def resident_mib(q):
    with open('/proc/%d/status' % q.process.pid, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS')) >> 10


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=1))
