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
            self.assertGreater(n['cache lock taken'], n['blocks ever'])      # pinned, inserted, unpinned
            self.assertLessEqual(n['cache lock waited for'], n['cache lock taken'])
            self.assertGreater(n['big lock taken'], 0)                      # out 0x80
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

    def spinning(self, *args):
        """A machine whose guest counts in a loop of a few instructions, some with helpers, at f000:3."""
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        image = bytearray(b'\xf4' * 65536)
        image[:8] = b'\xbb\x00\x10\x43\x75\xfd\xeb\xfb'      # mov bx, 0x1000; again: inc bx; jnz again; jmp again
        image[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
        for name, data in (('rom', image), ('map', b'0000000000000000 T start\n0000000000000003 t spin\n')):
            with open(os.path.join(folder.name, name), 'wb') as f:
                f.write(data)
        self.folder = folder.name
        return quern.Quern('-machine', 'pc', '-m', '16', '-bios', os.path.join(folder.name, 'rom'),
                           *[a.replace('FOLDER', folder.name) for a in args])

    def profile(self, *options):
        with self.spinning('-accel', ','.join(('tcg,profile=FOLDER/profile', *options))) as q:
            end = time.monotonic() + 20         # of the CPU's time: the machine may have little of it
            while time.monotonic() < end and self.used(q) < 0.3:
                time.sleep(0.05)
            q.command('quit')
            q.wait()
        with open(os.path.join(self.folder, 'profile'), encoding='ascii') as f:
            lines = [line.rsplit(' ', 1) for line in f.read().splitlines()]
        return {stack: int(n) for stack, n in lines}

    @staticmethod
    def used(q):
        with open('/proc/%d/stat' % q.process.pid, encoding='ascii') as f:
            return int(f.read().split()[13]) / os.sysconf('SC_CLK_TCK')

    def test_profile_shows_where_the_guest_is(self):
        n = self.profile()
        here = sum(n[stack] for stack in n if stack.startswith('guest;kernel;0x3') or stack.startswith('guest;kernel;0x6'))
        self.assertGreater(here, 10)
        self.assertGreater(here, sum(n.values()) * 3 / 4, n)
        for stack in n:
            self.assertRegex(stack, r'^(guest;(kernel|user);0x[0-9a-f]+(;\[helper\])?|\[[a-z ]+\])$')

    def test_profile_with_names(self):
        n = self.profile('profile-symbols=FOLDER/map')
        self.assertGreater(sum(n[stack] for stack in n if stack.startswith('guest;kernel;spin')), sum(n.values()) * 3 / 4, n)

    def test_profile_refusals(self):
        for option, message in (('profile=/nonexistent/x', "cannot write the profile '/nonexistent/x'"),
                                ('profile-symbols=/dev/null', 'profile-symbols needs profile'),
                                ('profile=/dev/null,profile-symbols=/dev/null', "'/dev/null' has no lines 'ADDRESS T NAME'")):
            status, _, stderr = quern.run('-machine', 'none', '-accel', 'tcg,' + option)
            self.assertEqual(status, 1)
            self.assertIn(message, stderr)

    def test_map_for_perf(self):
        with self.spinning('-perfmap') as q:
            path = '/tmp/perf-%d.map' % q.process.pid
            self.addCleanup(os.unlink, path)
            end = time.monotonic() + 20
            while ' tb:0x3\n' not in self.text_of(path) and time.monotonic() < end:
                time.sleep(0.05)
            text = self.text_of(path)
        self.assertRegex(text, r'^[0-9a-f]+ [0-9a-f]+ tcg-prologue\n')
        self.assertIn(' tb:0x3\n', text)
        for line in text.splitlines():
            self.assertRegex(line, r'^[0-9a-f]+ [0-9a-f]+ \S+$')

    @staticmethod
    def text_of(path):
        with open(path, encoding='ascii') as f:
            return f.read()

    def test_other_accelerators_have_none(self):
        with quern.Quern('-machine', 'none', '-accel', 'qtest') as q:
            for command, what in (('x-query-jit', 'JIT'), ('x-query-opcount', 'Opcode count')):
                self.assertEqual(q.error(command), ('GenericError', '%s information is only available with accel=tcg' % what))
            self.assertIn('only available with accel=tcg', q.hmp('info jit'))
            self.assertIn('only available with accel=tcg', q.hmp('info opcount'))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
