#!/usr/bin/env python3
"""The command line: bad ones end with one line and status 1 and leave nothing behind; help options print."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import quern
from quern import run

NONE = ['-machine', 'none', '-display', 'none', '-nodefaults']

BAD = [  # arguments, what the message must contain
    (['-frobnicate'], '-frobnicate: invalid option'),
    (['--frobnicate'], '--frobnicate: invalid option'),
    (['-m'], '-m: requires an argument'),
    (['-machine', 'nosuch'], "-machine nosuch: unsupported machine type 'nosuch'"),
    (['-machine', 'none,color=red'], "-machine none,color=red: none-machine has no property 'color'"),
    (['-machine', 'none,usb=maybe'], 'maybe'),
    (['-machine', 'none,mem-merge'], "Expected '=' after parameter 'mem-merge'"),
    (NONE + ['-m', '0'], "-m 0: invalid ram size: '0'"),
    (NONE + ['-m', '1000T'], "-m 1000T: ram size 1048576000 MiB exceeds the host's memory"),
    (NONE + ['-m', '17592186044416'], 'ram size too large'),
    (NONE + ['-m', 'lots'], "-m lots: Parameter 'size' expects a size"),
    (NONE + ['-m', '128,color=red'], "-m 128,color=red: Parameter 'color' is unexpected"),
    (NONE + ['-m', '128,slots=2'], "'slots' needs 'maxmem'"),
    (NONE + ['-m', '128,slots=2,maxmem=64M'], 'is less than the initial memory'),
    (NONE + ['-smp', '0'], '-smp 0'),
    (NONE + ['-smp', '4,cores=x'], "-smp 4,cores=x: Parameter 'cores' expects a number, got 'x'"),
    (NONE + ['-smp', '2'], "Invalid SMP CPUs 2. The max CPUs supported by machine 'none' is 1"),
    (NONE + ['-cpu', 'abacus'], "-cpu abacus: unable to find CPU model 'abacus'"),
    (NONE + ['-cpu', 'qemu64,+warp'], "-cpu qemu64,+warp: qemu64-x86_64-cpu has no property 'warp'"),
    (['-machine', 'q35,x-oem-id=ABCDEFG'], "x-oem-id has 7 characters, 'ABCDEFG': at most 6"),
    (['-machine', 'q35,smbios-entry-point-type=32'], 'smbios-entry-point-type cannot be 32'),
    (['-machine', 'q35,pcspk-audiodev=a'], "there is no audiodev 'a'"),
    (['-cpu', 'max,tsc-frequency=5'], 'tsc-frequency must be 1000000000 Hz under TCG, got 5'),
    (['-cpu', 'max,vendor=abc'], "CPU vendor must be 12 characters, got 'abc'"),
    (['-cpu', 'max,phys-bits=99'], 'phys-bits must be 32..52 bits, got 99'),
    (['-cpu', 'host'], "CPU model 'host' requires KVM"),
    (NONE + ['-accel', 'steam'], '-accel steam'),
    (NONE + ['-machine', 'none,accel=tcg', '-accel', 'tcg'], 'incompatible'),
    (['-machine', 'none,accel=steam'], '-machine none,accel=steam: invalid accelerator'),
    (NONE + ['-device', 'flux-capacitor'], '-device flux-capacitor'),
    (NONE + ['-device', '{"driver": "flux-capacitor"}'], 'flux-capacitor'),
    (NONE + ['-device', '{"driver": '], 'JSON parse error'),
    (NONE + ['-device', ''], "Parameter 'driver' is missing"),
    (NONE + ['-object', 'nosuch,id=a'], "-object nosuch,id=a: 'nosuch'"),
    (NONE + ['-object', 'memory-backend-ram,id=a,size=1M,color=red'], "has no property 'color'"),
    (NONE + ['-object', 'memory-backend-ram,size=1M'], 'id'),
    (NONE + ['-chardev', 'nosuch,id=a'], "Parameter 'backend' does not accept value 'nosuch'"),
    (NONE + ['-chardev', 'null'], "Parameter 'id' is missing"),
    (NONE + ['-chardev', 'null,id=1a'], "Parameter 'id' expects an identifier"),
    (NONE + ['-chardev', 'null,id=a', '-chardev', 'null,id=a'], "Chardev with id 'a' already exists"),
    (NONE + ['-chardev', 'file,id=a,path=/nonexistent/x'], "Unable to open '/nonexistent/x': No such file"),
    (NONE + ['-chardev', 'ringbuf,id=a,size=1000'], 'must be power of two'),
    (NONE + ['-chardev', 'socket,id=a,path=/nonexistent/x'], "Failed to connect to '/nonexistent/x'"),
    (NONE + ['-chardev', 'socket,id=a'], 'is required'),
    (NONE + ['-chardev', 'socket,id=a,path=x,websocket=on,server=on'], "'websocket' is not supported"),
    (NONE + ['-chardev', 'socket,id=a,fd=0'], 'is not a socket'),
    (NONE + ['-chardev', 'socket,id=a,host=localhost,port=65536'], "port '65536' is greater than 65535"),
    (NONE + ['-serial', 'carrier-pigeon'], "-serial carrier-pigeon: 'carrier-pigeon' is not a valid char driver"),
    (NONE + ['-serial', 'stdio', '-monitor', 'stdio'], 'cannot use stdio by multiple character devices'),
    (NONE + ['-serial', 'null'] * 1 + ['-serial', 'null'] * 4, 'too many serial ports'),
    (NONE + ['-mon', 'nosuch'], "-mon nosuch: chardev 'nosuch' not found"),
    (NONE + ['-qmp', 'unix:/nonexistent/x,server=on,wait=off'], "Failed to listen on '/nonexistent/x'"),
    (NONE + ['-global', 'memory-backend-ram.color=red'], "memory-backend-ram has no property 'color'"),
    (NONE + ['-drive', 'file=/nonexistent/x'], '/nonexistent/x'),
    (NONE + ['-blockdev', 'driver=file,node-name=a,filename=/nonexistent/x'], '/nonexistent/x'),
    (NONE + ['-drive', 'file=/dev/null,format=raw,if=none,cache=lazy'], 'cache=lazy is not supported'),
    (NONE + ['-drive', 'file=/dev/null,format=raw,if=none,werror=maybe'], 'werror=maybe is not supported'),
    (NONE + ['-drive', 'if=none,cyls=3'], "does not support the option 'cyls'"),
    (NONE + ['-drive', 'if=none,index=x'], 'index'),
    (NONE + ['-drive', 'if=none,index=-1'], 'index must be 0..32767, got -1'),
    (NONE + ['-drive', 'if=none,index=1,unit=1'], 'index cannot be used with bus and unit'),
    (NONE + ['-drive', 'if=none,index=1', '-drive', 'if=none,unit=1'], 'drive with bus=0, unit=1 (index=1) exists'),
    (NONE + ['-drive', 'if=ide,file=/dev/null,format=raw'], 'machine type does not support if=ide,bus=0,unit=0'),
    (NONE + ['-blockdev', 'driver=null-co,node-name=a,cache.no-flush=maybe'], 'cache.no-flush'),
    (NONE + ['-uuid', '12'], "-uuid 12: failed to parse UUID '12'"),
    (NONE + ['-boot', 'order=cc'], "order 'cc': 'c' is given twice"),
    (NONE + ['-boot', 'order=z'], "'z' is no boot device"),
    (NONE + ['-rtc', 'base=yesterday'], '-rtc base=yesterday'),
    (NONE + ['-rtc', 'clock=sundial'], "Parameter 'clock' does not accept value 'sundial'"),
    (NONE + ['-action', 'reboot=maybe'], "Parameter 'reboot' does not accept value 'maybe'"),
    (NONE + ['-watchdog-action', 'bark'], "does not accept value 'bark'"),
    (NONE + ['-numa', 'node'], 'NUMA is not supported by this machine-type'),
    (NONE + ['-initrd', '/dev/null'], 'only make sense with -kernel'),
    (NONE + ['-kernel', '/nonexistent/x'], '/nonexistent/x'),
    (NONE + ['-d', 'everything'], "unknown log item 'everything'"),
    (NONE + ['-D', '/nonexistent/x'], '/nonexistent/x'),
    (NONE + ['-dfilter', 'q'], 'q'),
    (NONE + ['-display', 'gtk'], "-display gtk: display 'gtk' is not available"),
    (NONE + ['-vga', 'std'], "-vga std: machine 'none' has no PCI bus"),
    (NONE + ['-netdev', 'bogus,id=n'], "Parameter 'type' does not accept value 'bogus'"),
    (NONE + ['-netdev', 'hubport,hubid=0'], "Parameter 'id' is missing"),
    (NONE + ['-netdev', 'hubport,id=n,hubid=0', '-netdev', 'hubport,id=n,hubid=0'], "Duplicate ID 'n'"),
    (NONE + ['-netdev', 'stream,id=n,server=on'], "Parameter 'addr' is missing"),
    (NONE + ['-netdev', 'stream,id=n,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=70000'], 'port'),
    (NONE + ['-nic', 'none,id=n'], "'none' takes no further parameters"),
    (NONE + ['-nic', 'hubport,hubid=0'], "default NIC model"),
    (NONE + ['-net', 'nic,foo=1'], "Invalid parameter 'foo'"),
    (NONE + ['-parallel', 'stdio'], 'parallel ports are not available'),
    (NONE + ['-readconfig', '/nonexistent/x'], '/nonexistent/x'),
    (NONE + ['-pidfile', '/nonexistent/x'], "cannot create PID file '/nonexistent/x'"),
    (NONE + ['-daemonize', '-serial', 'stdio'], 'cannot use stdio with -daemonize'),
]

HELP = [  # arguments, what stands in the output
    (['-version'], 'QEMU emulator version 10.0.2 (Quern '),
    (['--version'], 'QEMU emulator version 10.0.2 (Quern '),
    (['-h'], 'QEMU emulator version 10.0.2 (Quern '),
    (['-help'], '-machine [type=]NAME'),
    (['-machine', 'help'], 'none'),
    (['-M', '?'], 'Supported machines are:'),
    (['-cpu', 'help'], 'Available CPUs:'),
    (['-accel', 'help'], '\ntcg\n'),
    (['-cpu', 'help'], '  qemu64 '),
    (['-cpu', 'qemu64,help'], '  sse2=<bool>'),
    (['-device', 'help'], 'name "virtio-blk-pci", bus PCI'),
    (['-device', 'isa-serial,help'], 'chardev=<str>'),
    (['-object', 'help'], 'memory-backend-ram'),
    (['-object', 'memory-backend-ram,help'], 'size=<size>'),
    (['-chardev', 'help'], 'socket'),
    (['-machine', 'none,help'], 'memory-backend=<'),
    (['-d', 'help'], 'in_asm'),
]


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def test_bad_lines_end_with_one_line_and_status_1(self):
        for args, message in BAD:
            with self.subTest(' '.join(args)):
                status, out, err = run(*args)
                self.assertEqual(status, 1, err)
                self.assertIn(message, err)
                self.assertEqual(err.count('\n'), 1, err)
                self.assertTrue(err.startswith('quern: '), err)
                self.assertEqual(out, '')

    def test_failure_leaves_nothing_behind(self):
        sock, pid, log = self.path('s'), self.path('p'), self.path('l')
        status, _, err = run(*NONE, '-qmp', 'unix:%s,server=on,wait=off' % sock, '-pidfile', pid, '-daemonize',
                             '-device', 'flux-capacitor')
        self.assertEqual(status, 1)
        self.assertIn('flux-capacitor', err)
        self.assertEqual(os.listdir(self.folder.name), [], log)

    def test_machine_tells_what_was_chosen(self):
        """By its properties, however it was said."""
        def machine(*args):
            with quern.Quern(*args) as q:
                return [q.command('qom-get', {'path': '/machine', 'property': p}) for p in ('smp', 'memory', 'boot')]

        smp, memory, boot = machine('-machine', 'q35,smp.cpus=2,smp.maxcpus=8,smp.threads=2,memory.size=256M,memory.max-size=1G,'
                                    'memory.slots=3,boot.order=dc,boot.strict=on')
        self.assertEqual(smp, {'cpus': 2, 'maxcpus': 8, 'sockets': 1, 'dies': 1, 'modules': 1, 'cores': 4, 'threads': 2})
        self.assertEqual(memory, {'size': 256 << 20, 'max-size': 1 << 30, 'slots': 3})
        self.assertEqual(boot, {'order': 'dc', 'menu': False, 'strict': True})
        self.assertEqual((smp, memory, boot), tuple(machine(
            '-machine', 'q35', '-smp', '2,maxcpus=8,threads=2', '-m', '256,maxmem=1G,slots=3', '-boot', 'dc,strict=on')))

    def test_help_prints_and_exits_0(self):
        for args, text in HELP:
            with self.subTest(' '.join(args)):
                status, out, err = run(*args)
                self.assertEqual((status, err), (0, ''))
                self.assertIn(text, out)

    def test_version_is_the_first_line(self):
        for option in ('-version', '-h'):
            self.assertRegex(run(option)[1].split('\n')[0], r'^QEMU emulator version 10\.0\.2 \(Quern [0-9.]+\)$')

    def test_log_items_of_resets_and_far_jumps(self):
        rom = bytearray(b'\xf4' * 65536)
        rom[0:4] = b'\xb0\x00\xe6\xf4'                        # mov al, 0; out 0xf4, al
        rom[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'           # ljmp 0xf000:0
        with tempfile.TemporaryDirectory() as where:
            path, log = Path(where) / 'rom', Path(where) / 'log'
            path.write_bytes(rom)
            status, _, err = run('-machine', 'q35', '-m', '16', '-display', 'none', '-nodefaults', '-bios', str(path),
                                 '-device', 'isa-debug-exit,iobase=0xf4,iosize=1', '-d', 'cpu_reset,pcall', '-D', str(log))
            self.assertEqual((status, err), (1, ''))
            text = log.read_text()
        self.assertRegex(text, r'CPU 0: reset\n.AX=')
        self.assertIn('far jump f000:000000000000fff5 to f000:0000000000000000', text)

    def test_daemonize_returns_when_ready(self):
        sock, pid = self.path('s'), self.path('p')
        status, _, err = run('-S', '-no-user-config', '-nodefaults', '-nographic', '-machine', 'none,accel=tcg',
                             '-qmp', 'unix:%s,server=on,wait=off' % sock, '-pidfile', pid, '-daemonize')
        self.assertEqual((status, err), (0, ''))
        self.assertTrue(os.path.exists(sock))
        with open(pid, encoding='ascii') as f:
            text = f.read()
        self.assertRegex(text, r'^\d+\n$')
        os.kill(int(text), signal.SIGTERM)
        for _ in range(500):
            if not os.listdir(self.folder.name):
                break
            time.sleep(0.01)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_second_instance_cannot_take_the_pidfile(self):
        pid = self.path('p')
        with subprocess.Popen([quern.BINARY, *NONE, '-pidfile', pid]) as first:
            while not os.path.exists(pid) or not os.path.getsize(pid):
                time.sleep(0.005)
            status, _, err = run(*NONE, '-pidfile', pid)
            self.assertEqual(status, 1)
            self.assertIn('cannot lock PID file', err)
            self.assertTrue(os.path.exists(pid))
            first.terminate()
            self.assertEqual(first.wait(), 0)

    def test_signals_end_the_process_in_order(self):
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            pid = self.path('p')
            with subprocess.Popen([quern.BINARY, *NONE, '-no-shutdown', '-pidfile', pid]) as p:
                while not os.path.exists(pid):
                    time.sleep(0.005)
                p.send_signal(sig)
                self.assertEqual(p.wait(timeout=20), 0)
            self.assertFalse(os.path.exists(pid))

    def test_readconfig_gives_options(self):
        with open(self.path('c'), 'w', encoding='ascii') as f:
            f.write('# comment\n[machine]\n  type = "none"\n[chardev "ring"]\n  backend = "ringbuf"\n  size = "4096"\n')
        with quern.Quern('-readconfig', self.path('c')) as q:
            self.assertIn({'label': 'ring', 'filename': 'ringbuf', 'frontend-open': False}, q.command('query-chardev'))

    def test_readconfig_errors_name_file_and_line(self):
        for text, message in [('[machine\n', ":1: expected ']'"), ('type = "none"\n', ':1: no section before'),
                              ('[machine]\ntype none\n', ':2: expected KEY = "VALUE"'),
                              ('[gadget]\nx = "y"\n', "there is no option group 'gadget'")]:
            with open(self.path('c'), 'w', encoding='ascii') as f:
                f.write(text)
            status, _, err = run('-readconfig', self.path('c'))
            self.assertEqual(status, 1)
            self.assertIn(message, err)

    def test_log_goes_to_the_file(self):
        with quern.Quern('-machine', 'none', '-d', 'guest_errors', '-D', self.path('l')) as q:
            q.command('quit')
            self.assertEqual(q.wait(), 0)
        self.assertTrue(os.path.exists(self.path('l')))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
