#!/usr/bin/env python3
"""What the translator tells of itself: x-query-jit, x-query-opcount, `info jit`, `info opcount`."""
import os
import re
import sys
import tempfile
import time
import unittest

import quern

ROUNDS = 100
GUEST = (b'\x31\xc0\x8e\xd8\x8e\xd0\xbc\x00\x80'            # xor ax, ax; ds = ss = 0; sp = 0x8000
         b'\xc6\x06\x01\x10\xcb'                            # mov byte [0x1001], retf
         b'\xbd' + bytes([ROUNDS, 0]) +                     # mov bp, ROUNDS
         b'\x66\x31\xc0\x0f\xa2'                            # again: xor eax, eax; cpuid
         b'\xc6\x06\x00\x10\x90'                            # mov byte [0x1000], nop
         b'\x9a\x00\x10\x00\x00'                            # call 0:0x1000
         b'\x4d\x75\xee'                                    # dec bp; jnz again
         b'\xb0\x01\xe6\x80\xf4\xeb\xfd')                   # out 0x80, 1; hlt; jmp to it


def counts(text):
    """Of a text of lines 'name   number ...': by name."""
    return {m[1]: int(m[2]) for m in re.finditer(r'^(\S.*?) +(\d+)', text, re.M)}


class Jit(unittest.TestCase):
    def machine(self, *args):
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'rom')
        image = bytearray(b'\xf4' * 65536)
        image[:len(GUEST)] = GUEST
        image[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
        with open(path, 'wb') as f:
            f.write(image)
        return quern.Quern('-machine', 'pc', '-m', '16', '-bios', path, *args)

    def halted(self, q):
        """The guest is through: its CPU waits for an interrupt."""
        end = time.monotonic() + 20
        while 'HLT=1' not in q.hmp('info registers'):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_counts_what_happened(self):
        with self.machine('-accel', 'tcg') as q:
            self.halted(q)
            text = q.command('x-query-jit')['human-readable-text']
            n = counts(text)
            self.assertGreater(n['TB count'], 3)
            self.assertGreater(n['TB avg target size'], 0)
            self.assertIn('expansion ratio', text)
            # each round overwrites the routine, which is translated again
            self.assertGreaterEqual(n['TB invalidate count'], ROUNDS - 5)
            self.assertGreaterEqual(n['of these again'], ROUNDS - 5)
            self.assertGreater(n['blocks ever'], n['of these again'])
            self.assertGreater(n['TLB fills, stores'], 0)
            self.assertGreater(n['TLB fills, code'], 0)
            self.assertGreater(n['nanoseconds translating'], 0)
            self.assertEqual(n['TB flush count'], 0)
            self.assertNotIn('Helper calls', text)

    def test_monitor_says_the_same(self):
        with self.machine('-accel', 'tcg') as q:
            self.halted(q)
            q.command('stop')
            self.assertEqual(q.hmp('info jit').replace('\r', ''), q.command('x-query-jit')['human-readable-text'])
            self.assertEqual(q.hmp('info opcount').replace('\r', ''), q.command('x-query-opcount')['human-readable-text'])

    def test_operations(self):
        with self.machine('-accel', 'tcg') as q:
            self.halted(q)
            n = counts(q.command('x-query-opcount')['human-readable-text'])
            self.assertGreaterEqual(n['call'], ROUNDS - 5)         # the far return, translated again and again
            self.assertGreater(n['st'], 0)
            self.assertEqual(sorted(n.values(), reverse=True), list(n.values()))

    def test_helper_calls_by_name(self):
        with self.machine('-accel', 'tcg,count-helpers=on') as q:
            self.halted(q)
            text = q.command('x-query-jit')['human-readable-text']
            self.assertEqual(counts(text.split('Helper calls:')[1])['cpuid'], ROUNDS)

    def test_helper_calls_of_two_cpus(self):
        with self.machine('-smp', '2', '-accel', 'tcg,count-helpers=on') as q:
            self.halted(q)
            self.assertIn('cpuid', q.command('x-query-jit')['human-readable-text'])

    def test_other_accelerators_have_none(self):
        with quern.Quern('-machine', 'none', '-accel', 'qtest') as q:
            for command, what in (('x-query-jit', 'JIT'), ('x-query-opcount', 'Opcode count')):
                self.assertEqual(q.error(command), ('GenericError', '%s information is only available with accel=tcg' % what))
            self.assertIn('only available with accel=tcg', q.hmp('info jit'))
            self.assertIn('only available with accel=tcg', q.hmp('info opcount'))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
