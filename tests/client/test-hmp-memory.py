#!/usr/bin/env python3
"""The human monitor's looks at memory, registers and ports; what it prints is QEMU 10.0's to the letter.

usage: test-hmp-memory.py QUERN DEBUGGEE
"""
import re
import sys
import unittest

import quern

DEBUGGEE = None
ENTRY = 0x100018                        # of tests/guest/debuggee, behind its note; paging is off

# (line, answer), in this order: what a format leaves out is as the last one had it.
DIALOGUE = [
    ('x/4xw 0x100000', '0000000000100000: 0x00000004 0x00000004 0x00000012 0x006e6558\n'),
    ('x/2xg 0x100000', '0000000000100000: 0x0000000400000004 0x006e655800000012\n'),
    ('x/3xh 0x100000', '0000000000100000: 0x0004 0x0000 0x0004\n'),
    ('x/10xb 0x100000', '0000000000100000: 0x04 0x00 0x00 0x00 0x04 0x00 0x00 0x00\n0000000000100008: 0x12 0x00\n'),
    ('x/4dw 0x100000', '0000000000100000:          4          4         18    7234904\n'),
    ('x/4ow 0x100000', '0000000000100000:          04          04         022   033462530\n'),
    ('x/8cb 0x100008', "0000000000100008: '\\x12' '\\x00' '\\x00' '\\x00' 'X' 'e' 'n' '\\x00'\n"),
    ('x/2dg 0x100000', '0000000000100000:          17179869188    31073676069699602\n'),
    ('xp/3x 0x100000', '0000000000100000: 0x0000000400000004 0x006e655800000012\n0000000000100010: 0x0000000000100018\n'),
    ('print 1+2', '0x3\n'),
    ('print/d 0-1', '-1\n'),
    ('print 7', '7\n'),
    ('print/u 0-1', '18446744073709551615\n'),
    ('print/c 65', "'A'\n"),
    ('print/o 8', '010\n'),
    ('p/x (1+2)*3', '0x9\n'),
    ('print 6&3|8', '0xa\n'),
    ("print 'a'", '0x61\n'),
    ('print ~0', '0xffffffffffffffff\n'),
    ('print 7%4', '0x3\n'),
    ('print /d -5', '-5\n'),
    ('print/x $eip', '0x100018\n'),
    ('print $rip == 1', "Error: invalid char '=' in expression\n"),
    ('print $pc-$eip', '0\n'),
    ('print $cs', '0x10\n'),
    ('print $cr0', '0x11\n'),
    ('print $ds.limit', '0xffffffff\n'),
    ('print $nothing', 'Error: unknown register\n'),
    ('print 1/0', 'Error: division by zero\n'),
    ('print (1', "Error: ')' expected\n"),
    ("print 'a", "Error: missing terminating ' character\n"),
    ('print 99999999999999999999', 'Error: number too large\n'),
    ('print ' + '(' * 500, 'Error: expression too deep\n'),
    ('print ' + '-' * 3000, 'Error: expression too deep\n'),
    ('print/z 1', "Error: invalid char 'z' in format '/z'\n"),
    ('o/b 0x71 0', ''),
    ('o/b 0x70 0x0d', ''),
    ('i/b 0x71', 'portb[0x0071] = 0x80\n'),
    ('i/b 0x70 0x0d', 'portb[0x0071] = 0x80\n'),
    ('o/w 0xcf8 0x80000000', ''),
    ('i/w 0xcfc', 'portl[0x0cfc] = 0x29c08086\n'),
    ('i/b 0x10000', 'Error: port must be 0..0xffff, got 0x10000\n'),
    ('gva2gpa 0x100000+4', 'gpa: 0x100004\n'),
    ('gpa2hva 0xfee00000', 'Error: Memory at address 0xfee00000 is not RAM\n'),
    ('gpa2hva 0x900000000', 'Error: No memory is mapped at address 0x900000000\n'),
    ('sum 0x100000 16', '25827\n'),
]


class Hmp(unittest.TestCase):
    def setUp(self):
        self.q = quern.Quern('-machine', 'q35', '-m', '64', '-smp', '2', '-kernel', DEBUGGEE, '-S')
        self.addCleanup(self.q.__exit__)

    def hmp(self, line):
        return self.q.hmp(line).replace('\r', '')

    def test_dialogue(self):
        for line, answer in DIALOGUE:
            self.assertEqual(self.hmp(line), answer, line[:60])

    def test_instructions(self):
        text = self.hmp('x/3i $pc')
        if 'not available' in text:
            self.skipTest('no capstone')
        self.assertEqual(text.splitlines()[:2], ['0x00100018:  fa                       cli      ',
                                                 '0x00100019:  fc                       cld      '])
        self.assertRegex(text.splitlines()[2], r'^0x0010001a:  bf .. .. .. 00           movl     \$0x[0-9a-f]+, %edi$')
        self.assertEqual(len(re.findall(r'^0x\w+:  .{24} [a-z]', self.hmp('xp/40i 0x%x' % ENTRY), re.M)), 40)   # long ones take two lines

    def test_host_address_is_one(self):
        self.assertRegex(self.hmp('gpa2hva 0x100000'), r'^Host virtual address for 0x100000 \(pc\.ram\) is 0x[0-9a-f]+\n$')

    def test_frame_of_the_host(self):
        self.assertRegex(self.hmp('gpa2hpa 0x100000'), r'^Host physical address for 0x100000 \(pc\.ram\) is 0x[0-9a-f]+000\n$|CAP_SYS_ADMIN|pagemap')
        for line in 'gpa2hpa 0xfee00000', 'gpa2hpa 0x900000000':
            self.assertEqual(self.hmp(line), self.hmp(line.replace('hpa', 'hva')))

    def test_memory_tree(self):
        plain, owners, everything = (self.hmp('info mtree' + more) for more in ('', ' -o', ' -D'))
        self.assertNotIn('[disabled]', plain)
        self.assertIn(' owner:{dev path=/machine', owners)
        self.assertEqual(plain, re.sub(r' owner:{[^}]*}| orphan', '', owners))
        self.assertGreaterEqual(len(everything), len(plain))
        self.assertIn(' owner:{', self.hmp('info mtree -f -o'))
        self.assertIn("unknown flag '-x'", self.hmp('info mtree -x'))
        self.assertIn('no dispatch tree', self.hmp('info mtree -f -d'))

    def test_dump_and_descriptors(self):
        self.assertEqual(self.hmp('info dump'), 'Status: none\n')
        self.assertEqual(self.hmp('info vnc'), 'None\n')
        self.assertEqual(self.hmp('getfd x'), 'Error: No file descriptor supplied via SCM_RIGHTS\n')

    def test_registers_of_all(self):
        text = self.hmp('info registers -a')
        self.assertEqual(re.findall(r'^CPU#(\d)', text, re.M), ['0', '1'])
        self.assertEqual(len(re.findall(r'EIP=', text)), 2)
        self.assertEqual(len(re.findall(r'XMM07=', text)), 2)

    def test_ram_blocks(self):
        blocks = [line.split() for line in self.hmp('info ramblock').splitlines()]
        self.assertEqual(blocks[0], ['Block', 'Name', 'PSize', 'Offset', 'Used', 'Total', 'HVA', 'RO'])
        ram = next(b for b in blocks if b[0] == 'pc.ram')
        self.assertEqual((ram[4], ram[5], ram[7]), ('0x0000000004000000', '0x0000000004000000', 'rw'))
        where = self.hmp('gpa2hva 0').split()[-1]
        self.assertEqual(int(ram[6], 16), int(where, 16))

    def test_images(self):
        roms = self.hmp('info roms')
        self.assertRegex(roms, r'addr=00000000000e0000 size=0x000024 mem=ram name="RSDP"\n')
        with quern.Quern('-machine', 'pc', '-S', '-m', '32') as q:
            self.assertRegex(q.hmp('info roms'), r'addr=00000000fffc0000 size=0x040000 mem=rom name="bios-256k.bin"')

    def test_boot_order(self):
        self.assertEqual(self.hmp('boot_set nc'), 'boot device list now set to nc\n')
        self.hmp('o/1b 0x70 0x3d')
        self.assertRegex(self.hmp('i/1b 0x71'), r'= 0x24$')
        self.assertIn("'x' is none of a, b, c, d, n", self.hmp('boot_set cx'))
        with quern.Quern('-machine', 'microvm', '-S', '-m', '64', '-kernel', DEBUGGEE) as q:
            self.assertIn('no boot order', q.hmp('boot_set c'))

    def test_objects(self):
        self.assertEqual(self.hmp('qom-list'), '/\n')
        self.assertIn('peripheral (child<container>)\n', self.hmp('qom-list /machine'))
        self.assertEqual(self.hmp('object_add iothread,id=t'), '')
        self.assertEqual(self.hmp('qom-set /objects/t poll-max-ns 0x10'), '')
        self.assertEqual(self.hmp('qom-get /objects/t poll-max-ns'), '16\n')
        self.assertEqual(self.hmp('qom-set -j /objects/t poll-max-ns 5'), '')
        self.assertEqual(self.hmp('qom-get objects/t poll-max-ns'), '5\n')
        for line, why in (('qom-get /objects/t', 'needs a path and a property'), ('qom-get /objects/t nix', 'nix'),
                          ('qom-get /nix x', "'/nix' not found"), ('qom-set /nix x 1', "'/nix' not found"),
                          ('qom-set -j /objects/t poll-max-ns {', 'JSON'), ('qom-set /objects/t poll-max-ns', 'a value')):
            self.assertIn(why, self.hmp(line), line)

    def test_passwords_and_descriptors(self):
        self.assertIn('expected vnc password', self.hmp('change vnc x'))
        self.assertIn("Device 'none-cd0' not found", self.hmp('change none-cd0 /dev/null'))
        for line in 'set_password vnc x', 'expire_password vnc now', 'change vnc password x':
            self.assertRegex(self.hmp(line), 'Error: .*VNC|vnc', line)
        self.assertIn("'spice'", self.hmp('set_password spice x'))
        self.assertIn('needs a protocol', self.hmp('expire_password vnc'))
        self.assertIn("'none'", self.hmp('closefd none'))

    def test_interrupt_controllers(self):
        text = self.hmp('info pic')
        self.assertIn('ioapic0: ver=0x20 id=0x00 sel=0x00\n', text)
        self.assertIn('  pin 23 0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical\n', text)
        self.assertIn('  Remote IRR (none)\n', text)
        self.assertRegex(text, r'pic0: irr=\w\w imr=\w\w isr=00 hprio=0 irq_base=\w\w rr_sel=0 elcr=00 fnm=0\n')
        self.assertIn('IRQ statistics for ioapic:\n', self.hmp('info irq'))


if __name__ == '__main__':
    quern.BINARY, DEBUGGEE = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1], verbosity=1)
