#!/usr/bin/env python3
"""Every option of QEMU 10.0.2's -h: done, or refused with one clear line."""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import quern

NONE = ['-machine', 'none', '-display', 'none', '-nodefaults']

# Option -> an argument it takes ('' = takes none), or what its refusal says.
DONE = {
    'accel': 'tcg', 'acpitable': None, 'action': 'reboot=reset', 'add-fd': None, 'append': None, 'audio': 'none',
    'audiodev': '{"id": "audio1", "driver": "none"}', 'bios': None, 'blockdev': 'null-co,node-name=n', 'boot': 'menu=on',
    'cdrom': None, 'chardev': 'null,id=c', 'compat': 'deprecated-input=accept,unstable-output=accept', 'cpu': None, 'D': '/dev/null',
    'd': 'unimp', 'daemonize': None, 'debugcon': None, 'device': None, 'dfilter': '0x1000..0x2000', 'display': 'none',
    'drive': None, 'dtb': None, 'echr': '0x14', 'enable-kvm': None, 'fw_cfg': None, 'global': 'pvpanic.events=1',
    'h': None, 'hda': None, 'hdb': None, 'hdc': None, 'hdd': None, 'incoming': None, 'initrd': None, 'kernel': None, 'L': '/tmp',
    'm': None, 'machine': 'none', 'mem-path': None, 'mem-prealloc': None, 'mon': None, 'monitor': 'none', 'msg': 'timestamp=off',
    'name': 'web-01,debug-threads=on', 'net': 'none', 'netdev': None, 'nic': 'none', 'no-fd-bootchk': None, 'no-reboot': '',
    'no-shutdown': '', 'no-user-config': '', 'nodefaults': '', 'nographic': None, 'numa': None, 'object': 'rng-builtin,id=r',
    'option-rom': None, 'overcommit': 'mem-lock=off', 'parallel': 'none', 'perfmap': None, 'pidfile': None, 'qmp': 'none', 'qmp-pretty': 'none',
    'readconfig': '/dev/null', 'rtc': 'base=utc,clock=vm', 'run-with': 'async-teardown=off', 'S': '', 'sandbox': 'on', 'seed': '42',
    'serial': 'null', 'set': None, 'smbios': None, 'smp': '1', 'snapshot': '', 'trace': 'runstate_set', 'usb': None, 'uuid': '00112233-4455-6677-8899-aabbccddeeff',
    'version': None, 'vga': 'none', 'watchdog-action': 'pause',
}
# What another option's group is doing is in that group's tests.
REFUSED = {
    'dump-vmstate': 'x', 'enable-sync-profile': '', 'fda': 'x', 'fdb': 'x', 'fsdev': 'x', 'full-screen': '', 'gdb': 'x', 'icount': 'x',
    'iscsi': 'x', 'jitdump': '', 'k': 'fr', 'loadvm': 'x', 'mtdblock': 'x', 'only-migratable': '', 'pflash': 'x',
    'plugin': 'x', 'preconfig': '', 's': '', 'sd': 'x', 'shim': 'x', 'spice': 'x', 'tpmdev': 'x', 'usbdevice': 'x',
    'virtfs': 'x', 'vnc': 'x', 'win2k-hack': '', 'xen-attach': '', 'xen-domid': 'x', 'xen-domid-restrict': '',
}
REFUSED_LATER_DONE = {'gdb', 's', 'preconfig', 'vnc', 'k', 'full-screen', 'incoming'}     # whoever builds them moves the row

BAD = [
    (['-set', 'device'], 'expected GROUP.ID.KEY=VALUE'),
    (['-set', 'device.x=1'], 'expected GROUP.ID.KEY=VALUE'),
    (['-set', 'nosuch.x.y=1'], "there is no option group 'nosuch'"),
    (['-set', 'device.x.y=1'], 'there is no device "x" defined'),
    (['-chardev', 'null,id=c', '-set', 'chardev.c.color=red'], "'color'"),
    (['-audiodev', 'none'], "Parameter 'id' is missing"),
    (['-audiodev', 'id=a'], "Parameter 'driver' is missing"),
    (['-audiodev', 'alsa,id=a'], "audio driver 'alsa' is not available: only 'none' is"),
    (['-audiodev', 'kazoo,id=a'], "Parameter 'driver' does not accept value 'kazoo'"),
    (['-audiodev', '{"id": "a", "driver": "none", "color": 1}'], "Parameter 'color' is unexpected"),
    (['-audiodev', 'none,id=a,in.frequency=loud'], "in.frequency"),
    (['-audio', 'none,model=hda'], "sound device 'hda' is not available"),
    (['-compat', 'deprecated-input=reject'], "policies other than 'accept' are not available"),
    (['-compat', 'deprecated-output=crash'], "does not accept value 'crash'"),
    (['-echr', 'x'], 'must be a number 0..255'),
    (['-echr', '256'], 'must be a number 0..255'),
    (['-seed', 'x'], "Parameter 'seed' expects a number"),
    (['-acpitable', 'data=/dev/null'], 'the machine has no ACPI tables'),
    (['-option-rom', '/dev/null'], 'option ROMs need firmware, and the machine has none'),
    (['-debugcon', 'null'], "bus"),
    (['-runas', 'nobody'], 'use -run-with user=NAME'),
    (['-chroot', '/'], 'use -run-with chroot=DIR'),
    (['-icount'], '-icount: requires an argument'),
]

BAD_PC = [
    (['-acpitable', 'sig=ABC,data=/dev/null'], "sig must be 4 characters, got 'ABC'"),
    (['-acpitable', 'oem_id=TOOLONG,data=/dev/null'], "oem_id must be at most 6 characters, got 'TOOLONG'"),
    (['-acpitable', 'sig=ABCD'], "requires one of 'data' or 'file'"),
    (['-acpitable', 'data=/dev/null,file=/dev/null'], "requires one of 'data' or 'file'"),
    (['-acpitable', 'file=/dev/null'], 'ACPI table has 0 bytes, its header alone 36'),
    (['-acpitable', 'data=/nonexistent/x'], "can't open file /nonexistent/x"),
    (['-acpitable', 'rev=300,data=/dev/null'], "'rev'"),
    (['-acpitable', 'data=/dev/null'] * 17, 'at most 16 tables'),
    (['-smbios', 'type=8,connector_type=256'], "connector_type must be 0..255, got '256'"),
    (['-smbios', 'type=8,color=red'], "has no field 'color'"),
    (['-smbios', 'type=4,processor-family=65535'], "processor-family must be 0..65534, got '65535'"),
    (['-smbios', 'type=11,path=/nonexistent/x'], 'No such file'),
    (['-smbios', 'type=11,path=/dev/null,path=/bin/sh'], 'is no text'),
    (['-smbios', 'type=41'], 'must be one of 0, 1, 2, 3, 4, 8, 11, 17'),
    (['-fw_cfg', 'opt/x,gen_id=foo'], "object 'foo' can't generate fw_cfg contents"),
    (['-boot', 'once=z'], "once 'z': 'z' is no boot device"),
    (['-boot', 'splash=/nonexistent/x'], 'No such file'),
    (['-boot', 'splash=/dev/null'], "splash file '/dev/null' is neither JPEG nor BMP"),
    (['-option-rom', '/nonexistent/x'], "'/nonexistent/x' does not exist"),
    (['-debugcon', 'nosuch'], "-debugcon: 'nosuch' is not a valid char driver"),
]

HELP = [
    (['-audiodev', 'help'], 'none\n'),
    (['-audio', 'help'], 'none\n'),
    (['-L', 'help'], '/usr/share/seabios\n'),
    (['-L', '/opt/fw', '-version'], 'QEMU emulator version 10.0.2'),
]


class Options(unittest.TestCase):
    def refused(self, args, message):
        status, _, err = quern.run(*args)
        self.assertEqual(status, 1, err)
        self.assertIn(message, err)
        self.assertEqual(err.count('\n'), 1, err)

    @staticmethod
    def listed():
        """What -h offers."""
        return {line[1:].split()[0] for line in quern.run('-h')[1].split('\n') if line.startswith('-')}

    def test_options_of_qemu_that_are_done(self):
        listed = self.listed()
        for option, arg in DONE.items():
            with self.subTest(option):
                self.assertIn(option, listed)
                if arg is None:
                    continue            # needs a machine, a file or a partner: tested by name elsewhere
                with quern.Quern('-machine', 'none', '-%s' % option, *([arg] if arg else [])) as q:
                    self.assertIn('status', q.command('query-status'))

    def test_options_of_qemu_that_are_refused(self):
        listed = self.listed()
        for option, arg in REFUSED.items():
            with self.subTest(option):
                if option in REFUSED_LATER_DONE and option in listed:
                    continue
                args = ['-%s' % option] + ([arg] if arg else [])
                self.refused([*NONE, *args], '%s: ' % ' '.join(args))
                self.assertNotIn(option, listed)

    @unittest.skipUnless(shutil.which('qemu-system-x86_64'), 'QEMU is not here to compare with')
    def test_none_of_qemus_is_missing_here(self):
        text = subprocess.run(['qemu-system-x86_64', '-h'], capture_output=True, text=True, timeout=30, check=False).stdout
        if 'version 10.0' not in text:
            self.skipTest('another QEMU')
        options = set(re.findall(r'(?m)^--?([A-Za-z][A-Za-z0-9_-]*)', text)) | {'hdb', 'hdd', 'fdb'}
        self.assertEqual(options - set(DONE) - set(REFUSED), set())

    def test_bad_values(self):
        for args, message in BAD:
            with self.subTest(' '.join(args)):
                self.refused([*NONE, *args], message)
        for args, message in BAD_PC:
            with self.subTest(' '.join(args)):
                self.refused(['-machine', 'q35', '-m', '16', '-display', 'none', '-nodefaults', *args], message)

    def test_help(self):
        for args, text in HELP:
            status, out, err = quern.run(*args)
            self.assertEqual((status, err), (0, ''), args)
            self.assertIn(text, out)

    def test_set_changes_what_was_given(self):
        with quern.Quern('-machine', 'none', '-chardev', 'ringbuf,id=a.b,size=8', '-set', 'chardev.a.b.size=16',
                         '-object', 'memory-backend-ram,id=m,size=4096', '-set', 'object.m.size=8192') as q:
            self.assertEqual(q.command('qom-get', {'path': '/objects/m', 'property': 'size'}), 8192)
            q.command('ringbuf-write', {'device': 'a.b', 'data': '0123456789'})
            self.assertEqual(q.command('ringbuf-read', {'device': 'a.b', 'size': 100}), '0123456789')


class Firmware(unittest.TestCase):
    """Options that firmware or the guest sees, read through a tiny ROM or by the monitor."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name, data):
        (self.folder / name).write_bytes(data)
        return str(self.folder / name)

    def rom(self, code, name='rom'):
        image = bytearray(b'\xf4' * 65536)
        image[:len(code)] = code
        image[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
        return self.file(name, bytes(image))

    def test_boot_once_is_for_the_first_boot(self):
        # Exit with CMOS 0x3d unless it is the first boot; a reset ends the first.
        code = (b'\xb0\x3d\xe6\x70\xe4\x71'             # mov al, 0x3d; out 0x70, al; in al, 0x71
                b'\x3c\x04\x74\x02\xe6\xf4'             # cmp al, 4 (network); je +2; out 0xf4, al
                b'\xb0\xfe\xe6\x64\xf4')                # keyboard controller reset
        status, _, err = quern.run('-machine', 'q35', '-m', '16', '-display', 'none', '-nodefaults', '-bios', self.rom(code),
                                   '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-boot', 'order=dc,once=n')
        self.assertEqual((status, err), (0x23 << 1 | 1, ''))    # cdrom, then disk

    def test_floppy_check_bit(self):
        code = b'\xb0\x38\xe6\x70\xe4\x71\x24\x01\xe6\xf4\xf4'     # CMOS 0x38 and 1
        for args, status in ([], 1), (['-no-fd-bootchk'], 3), (['-machine', 'q35,fd-bootchk=on'], 1):
            args = [*(['-machine', 'q35'] if '-machine' not in args else []), *args]
            self.assertEqual(quern.run(*args, '-m', '16', '-display', 'none', '-nodefaults', '-bios', self.rom(code),
                                       '-device', 'isa-debug-exit,iobase=0xf4,iosize=1')[0], status)

    def test_debug_console(self):
        log = self.folder / 'log'
        code = b'\xb0\x51\xe6\xe9\xb0\x00\xe6\xf4\xf4'             # 'Q' to port 0xe9
        quern.run('-machine', 'q35', '-m', '16', '-display', 'none', '-nodefaults', '-bios', self.rom(code),
                  '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-debugcon', 'file:%s' % log)
        self.assertEqual(log.read_bytes(), b'Q')

    def test_firmware_is_found_in_the_folder(self):
        self.rom(b'\xb0\x07\xe6\xf4\xf4', 'mine.bin')
        status, _, err = quern.run('-machine', 'q35', '-m', '16', '-display', 'none', '-nodefaults', '-L', str(self.folder),
                                   '-bios', 'mine.bin', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1')
        self.assertEqual((status, err), (15, ''))

    def test_acpi_table_of_the_users(self):
        kernel = self.file('kernel', self.multiboot_kernel())
        data = self.file('data', b'0123456789')
        with quern.Quern('-machine', 'q35', '-m', '64', '-S', '-kernel', kernel,
                         '-acpitable', 'sig=TEST,oem_id=ACME,oem_rev=7,data=%s:%s' % (data, data)) as q:
            memory = self.read_memory(q, 0xe0000, 0x10000)
            at = memory.index(b'TEST')
            table = memory[at:at + 56]
            self.assertEqual(int.from_bytes(table[4:8], 'little'), 56)
            self.assertEqual(sum(table) & 0xff, 0)
            self.assertEqual(table[10:16], b'ACME\0\0')
            self.assertEqual(table[24:28], b'\7\0\0\0')
            self.assertEqual(table[36:], b'0123456789' * 2)
            xsdt = memory.index(b'XSDT')
            pointers = memory[xsdt + 36:xsdt + int.from_bytes(memory[xsdt + 4:xsdt + 8], 'little')]
            self.assertIn((0xe0000 + at).to_bytes(8, 'little'), pointers)

    def structures(self, *args):
        """SMBIOS structures by type: formatted part and strings."""
        with quern.Quern('-machine', 'q35', '-m', '64', '-S', '-kernel', self.file('kernel', self.multiboot_kernel()), *args) as q:
            table = self.read_memory(q, 0xf0020, 0x1000)
        found, at = {}, 0
        while not found.get(127):
            kind, length = table[at], table[at + 1]
            end = table.index(b'\0\0', at + length) + 2
            found.setdefault(kind, []).append((table[at:at + length], table[at + length:end].rstrip(b'\0').split(b'\0')))
            at = end
        return found

    def test_smbios_structures_of_the_users(self):
        s = self.structures('-smbios', 'type=8,internal_reference=J1,external_reference=COM1,connector_type=8,port_type=9',
                            '-smbios', 'type=8,external_reference=eth0',
                            '-smbios', 'type=11,value=one,path=%s' % self.file('oem', b'two'), '-smbios', 'type=4,processor-family=300')
        ports = s[8]
        self.assertEqual(len(ports), 2)
        self.assertEqual((ports[0][0][4:], ports[0][1]), (b'\1\0\2\x08\x09', [b'J1', b'COM1']))
        self.assertEqual((ports[1][0][4:], ports[1][1]), (b'\0\0\1\0\0', [b'eth0']))
        self.assertEqual((s[11][0][0][4], s[11][0][1]), (2, [b'one', b'two']))
        self.assertEqual((s[4][0][0][6], int.from_bytes(s[4][0][0][0x28:0x2a], 'little')), (0xfe, 300))
        plain = self.structures()
        self.assertNotIn(8, plain)
        self.assertEqual((plain[4][0][0][6], int.from_bytes(plain[4][0][0][0x28:0x2a], 'little')), (1, 1))

    @staticmethod
    def multiboot_kernel():
        """A Multiboot header that says where it lies, and hlt."""
        magic, flags, base = 0x1badb002, 1 << 16, 0x100000
        words = [magic, flags, -(magic + flags) & 0xffffffff, base, base, base + 64, base + 64, base + 32]
        return b''.join(w.to_bytes(4, 'little') for w in words).ljust(64, b'\xf4')

    @staticmethod
    def read_memory(q, address, size):
        out = bytearray()
        for line in q.hmp('xp/%dxb 0x%x' % (size, address)).split('\r\n'):
            if ':' in line:
                out += bytes(int(w, 16) for w in line.split(':')[1].split())
        return bytes(out)

    def test_seeded_guests_see_the_same_random_numbers(self):
        rdrand = b'\x66\x0f\xc7\xf0\xe6\xf4\xf4'                   # rdrand eax; out 0xf4, al
        def draw(*args):
            return quern.run('-machine', 'q35', '-cpu', 'max', '-m', '16', '-display', 'none', '-nodefaults', '-bios', self.rom(rdrand),
                             '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', *args)[0]
        seeded = [draw('-seed', str(n)) for n in (1, 1, 2, 3, 4)]
        self.assertEqual(seeded[0], seeded[1])
        self.assertGreater(len(set(seeded)), 2)
        self.assertGreater(len({draw() for _ in range(8)}), 1)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
