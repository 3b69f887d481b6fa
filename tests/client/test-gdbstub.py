#!/usr/bin/env python3
"""GDB's remote protocol as a debugger sends it, on a small guest (tests/guest/debuggee.c).

usage: test-gdbstub.py QUERN DEBUGGEE [ACCEL [TEST...]]
"""
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree as ET

import quern

DEBUGGEE = None
ACCEL = 'tcg'
SYMBOLS = {}
RIP, RDI, RAX = 16, 5, 0
FEATURES = 'multiprocess+;swbreak+;hwbreak+;vContSupported+'


def load_symbols():
    for line in subprocess.run(['nm', DEBUGGEE], capture_output=True, text=True, check=True).stdout.splitlines():
        address, _, name = line.split()
        SYMBOLS[name] = int(address, 16)


class Gdb:
    """The debugger's end."""

    def __init__(self, path, features=FEATURES, ack=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.data = b''
        self.ack = True
        if features is not None:
            self.supported = self.ask('qSupported:' + features)
        if not ack:
            assert self.ask('QStartNoAckMode') == 'OK'
            self.ack = False

    def close(self):
        self.socket.close()

    def byte(self):
        if not self.data:
            self.data = self.socket.recv(65536)
            if not self.data:
                raise EOFError
        b, self.data = self.data[:1], self.data[1:]
        return b

    def send(self, text):
        raw = text if isinstance(text, bytes) else text.encode('latin1')
        self.socket.sendall(b'$%s#%02x' % (raw, sum(raw) & 0xff))

    def receive(self):
        while (b := self.byte()) in b'+':
            pass
        assert b == b'$', b
        raw = b''
        while (b := self.byte()) != b'#':
            raw += b
        assert int(self.byte() + self.byte(), 16) == sum(raw) & 0xff
        if self.ack:
            self.socket.sendall(b'+')
        return re.sub(rb'}(.)', lambda m: bytes([m[1][0] ^ 0x20]), raw, flags=re.S).decode('latin1')

    def ask(self, text):
        self.send(text)
        return self.receive()

    def ok(self, text):
        reply = self.ask(text)
        assert reply == 'OK', (text, reply)

    def interrupt(self):
        self.socket.sendall(b'\x03')
        return self.receive()

    def register(self, n):
        return int.from_bytes(bytes.fromhex(self.ask('p%x' % n)), 'little')

    def u64(self, name):
        return struct.unpack('<Q', bytes.fromhex(self.ask('m%x,8' % SYMBOLS[name])))[0]

    def monitor(self, line):
        self.send('qRcmd,' + line.encode().hex())
        text = ''
        while (reply := self.receive()).startswith('O') and reply != 'OK':
            text += bytes.fromhex(reply[1:]).decode()
        assert reply == 'OK', reply
        return text


class Stub(unittest.TestCase):
    def start(self, *args, smp=1, **kw):
        q = quern.Quern('-machine', 'q35', '-m', '64', '-smp', str(smp), '-kernel', DEBUGGEE, '-S', '-accel', ACCEL, *args)
        self.addCleanup(q.__exit__)
        self.path = os.path.join(q.folder.name, 'gdb')
        out = q.hmp('gdbserver unix:%s,server=on,wait=off' % self.path)
        self.assertIn('Waiting for gdb connection', out)
        return q, self.connect(**kw)

    def connect(self, **kw):
        g = Gdb(self.path, **kw)
        self.addCleanup(g.close)
        return g

    def run_to(self, g, name, kind=0):
        g.ok('Z%d,%x,1' % (kind, SYMBOLS[name]))
        stop = g.ask('c')
        g.ok('z%d,%x,1' % (kind, SYMBOLS[name]))
        self.assertEqual(g.register(RIP), SYMBOLS[name])
        return stop


class Talk(Stub):
    def test_features_describe_the_register_packet(self):
        _, g = self.start()
        for word in ('PacketSize=', 'qXfer:features:read+', 'multiprocess+', 'vContSupported+'):
            self.assertIn(word, g.supported)
        target = self.xml(g, 'target.xml')
        self.assertEqual(target.findtext('architecture'), 'i386:x86-64')
        bits, features = {}, set()
        for include in re.findall(r'href="([^"]+)"', self.text(g, 'target.xml')):
            feature = ET.fromstring(self.text(g, include))
            features.add(feature.get('name'))
            for reg in feature.iter('reg'):
                bits[int(reg.get('regnum'))] = (reg.get('name'), int(reg.get('bitsize')))
        self.assertEqual(features, {'org.gnu.gdb.i386.core', 'org.gnu.gdb.i386.segments', 'org.qemu.gdb.i386.system',
                                    'org.gnu.gdb.i386.sse'})
        self.assertEqual(sorted(bits), list(range(66)))
        # Numbers as QEMU's x86-64 target has them.
        for n, name in {0: 'rax', 1: 'rbx', 7: 'rsp', 16: 'rip', 17: 'eflags', 24: 'fs_base', 26: 'k_gs_base', 27: 'cr0',
                        32: 'efer', 33: 'st0', 41: 'fctrl', 49: 'xmm0', 65: 'mxcsr'}.items():
            self.assertEqual(bits[n][0], name)
        packet = g.ask('g')
        self.assertEqual(len(packet) * 4, sum(b for _, b in bits.values()))
        self.assertEqual(len(packet), 1216)
        at = 0
        for n in range(66):
            size = bits[n][1] // 4
            self.assertEqual(g.ask('p%x' % n), packet[at:at + size], bits[n])
            at += size
        self.assertEqual(g.ask('p42'), 'E14')

    def text(self, g, name):
        text = ''
        while True:
            reply = g.ask('qXfer:features:read:%s:%x,200' % (name, len(text)))
            self.assertIn(reply[0], 'ml')
            text += reply[1:]
            if reply[0] == 'l':
                return text

    def xml(self, g, name):
        return ET.fromstring(re.sub(r'<xi:[^>]*>', '', self.text(g, name)))

    def test_avx_comes_with_the_cpu(self):
        if 'avx=' not in quern.run('-device', 'max-x86_64-cpu,help')[1]:
            self.skipTest('no AVX')
        q = quern.Quern('-machine', 'q35', '-cpu', 'max', '-S')
        self.addCleanup(q.__exit__)
        self.path = os.path.join(q.folder.name, 'gdb')
        q.hmp('gdbserver unix:%s,server=on,wait=off' % self.path)
        g = self.connect()
        has = 'avx.xml' in self.text(g, 'target.xml')
        self.assertEqual(len(g.ask('g')), 1216 + (16 * 32 if has else 0))
        if has:
            g.ok('P42=' + '5a' * 16)
            self.assertEqual(g.ask('p42'), '5a' * 16)

    def test_refusals_have_qemus_form(self):
        _, g = self.start()
        for packet, reply in {'vMustReplyEmpty': '', 'qTStatus': '', 'Z5,0,1': '', 'R00': '', 'z0,1234,1': 'E22', 'Z0,12': 'E22',
                              'T2': 'E22', 'T1': 'OK', 'Tp2.1': 'E22', 'Hgp1.7': 'E22', 'Hg0': 'OK', 'Hc-1': 'OK', 'm': 'E22',
                              'M0,2:1': 'E22', 'm0,0': '', 'vAttach;2': 'E22', 'D;2': 'E22',
                              'vCont?': 'vCont;c;C;s;S', 'vCont;x': 'E22', 'vCont;c:p1.9': 'E22', 'qAttached:1': '1',
                              'qXfer:features:read:no.xml:0,10': 'E00', 'qRcmd,4': 'E22', 'P200=00': 'E14',
                              'qqemu.sstepbits': 'ENABLE=1,NOIRQ=2,NOTIMER=4', 'qqemu.sstep': '0x7', 'Qqemu.sstep=0x5': 'OK',
                              'Qqemu.sstep=0x8': 'E22', 'qqemu.PhyMemMode': '0', '!': 'OK', '?': 'T05thread:p01.01;',
                              'qC': 'QCp01.01', 'qfThreadInfo': 'mp01.01', 'qsThreadInfo': 'l'}.items():
            self.assertEqual(g.ask(packet), reply, packet)
        self.assertEqual(bytes.fromhex(g.ask('qThreadExtraInfo,p1.1')), b'CPU#0 [running]')

    def test_threads_without_multiprocess(self):
        _, g = self.start(smp=2, features='')
        self.assertEqual(g.ask('?'), 'T05thread:01;')
        self.assertEqual([g.ask('qfThreadInfo'), g.ask('qsThreadInfo'), g.ask('qsThreadInfo')], ['m01', 'm02', 'l'])
        g.ok('Hg2')
        self.assertEqual(g.ask('qC'), 'QC02')

    def test_acknowledged_packets_are_sent_again(self):
        _, g = self.start(ack=True)
        g.socket.sendall(b'$qC#00')
        self.assertEqual(g.byte(), b'-')
        g.send('qC')
        self.assertEqual(g.byte(), b'+')
        g.ack = False
        self.assertEqual(g.receive(), 'QCp01.01')
        g.socket.sendall(b'-')
        self.assertEqual(g.receive(), 'QCp01.01')
        g.socket.sendall(b'+')

    def test_run_lengths_and_escapes_are_understood(self):
        _, g = self.start()
        address = SYMBOLS['sum_of_reads']
        g.ok('M%x,8:0* ' % address + '1' * 12)          # "0* " is 0000
        self.assertEqual(g.ask('m%x,8' % address), '0000' + '1' * 12)
        g.ok(b'X%x,5:}\x03}\x04}]}\n\x00' % address)
        self.assertEqual(g.ask('m%x,5' % address), b'#$}*\0'.hex())

    def test_noise_costs_nothing_and_ends_nothing(self):
        q, g = self.start()
        rnd = random.Random(1)
        letters = [c for c in range(256) if c not in b'k#$}*']       # k would rightly end it
        for _ in range(300):
            g.send(bytes(rnd.choice(letters) for _ in range(rnd.randrange(60))).replace(b'vKill', b''))
        g.socket.sendall(b'$' + b'a' * 3000000 + b'#00' + b'}' * 1000 + b'*' * 1000 + b'$x***#00$#00')
        g.socket.sendall(b'#' * 1000)
        g.close()
        time.sleep(0.1)
        self.assertIn(q.command('query-status')['status'], ('prelaunch', 'running', 'paused', 'debug'))
        g = self.connect()
        self.assertTrue(g.ask('?').startswith('T05'))

    def test_too_many_breakpoints_are_refused(self):
        q, g = self.start()
        if ACCEL != 'tcg' and 'interprets kernel mode' not in q.hmp('info kvm'):     # the processor's debug registers
            for i in range(4):
                g.ok('Z0,%x,1' % (0x200000 + i))
            self.assertEqual((g.ask('Z0,300000,1'), g.ask('Z2,300000,8')), ('E22', 'E22'))
            g.ok('z0,200001,1')
            self.assertEqual((g.ask('Z2,300000,10'), g.ask('Z2,300000,8')), ('E22', 'OK'))
            return
        for i in range(1024):
            g.ok('Z0,%x,1' % (0x200000 + i))
        self.assertEqual(g.ask('Z0,300000,1'), 'E22')
        for i in range(32):
            g.ok('Z2,%x,8' % (0x200000 + 8 * i))
        self.assertEqual(g.ask('Z2,300000,8'), 'E22')


class HostileTables(Stub):
    def test_page_tables_without_end(self):
        """One page that is its own table in all 512 entries maps 2^36 pages."""
        q, g = self.start()
        self.run_to(g, 'debuggee_main')
        table, cr3 = 0x3000000, None
        for include in re.findall(r'href="([^"]+)"', g.ask('qXfer:features:read:target.xml:0,3ff0')):
            text = g.ask('qXfer:features:read:%s:0,3ff0' % include)
            found = re.search(r'<reg name="cr3"[^>]*regnum="(\d+)"', text)
            cr3 = int(found[1]) if found else cr3
        g.ok('Qqemu.PhyMemMode:1')
        g.ok('M%x,1000:%s' % (table, (struct.pack('<Q', table | 3) * 512).hex()))
        g.ok('P%x=%s' % (cr3, struct.pack('<Q', table).hex()))
        self.assertTrue(q.hmp('info mem').endswith('... and more\r\n'))
        refusal = q.error('dump-guest-memory', {'paging': True, 'protocol': 'file:' + os.path.join(q.folder.name, 'core')})
        self.assertIn('page tables of CPU 0 map more than can be listed', str(refusal))
        self.assertEqual(q.command('query-status')['status'], 'debug')


class Stops(Stub):
    def test_breakpoints_stop_before_the_instruction(self):
        q, g = self.start()
        for kind, word in ((0, 'swbreak'), (1, 'hwbreak')):
            self.assertEqual(self.run_to(g, 'leaf', kind), 'T05thread:p01.01;%s:;' % word)
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'debug'})
            before = g.u64('counters')
            self.assertEqual(g.register(RDI), before + 10)          # leaf(i + 10), called once a round
            self.assertTrue(g.ask('s').startswith('T05thread'))
            self.assertNotEqual(g.register(RIP), SYMBOLS['leaf'])

    def test_a_breakpoint_left_in_place_is_stepped_off(self):
        _, g = self.start()
        g.ok('Z0,%x,1' % SYMBOLS['leaf'])
        for n in range(5):
            g.ask('c')
            self.assertEqual(g.register(RIP), SYMBOLS['leaf'])
            self.assertEqual(g.u64('counters'), n)
            g.ask('s')
            self.assertNotEqual(g.register(RIP), SYMBOLS['leaf'])

    def test_going_on_elsewhere(self):
        _, g = self.start()
        self.run_to(g, 'leaf')
        rounds = g.u64('counters')
        self.assertTrue(g.ask('s').startswith('T05thread'))
        second = g.register(RIP)
        g.ok('Z0,%x,1' % second)
        self.assertEqual(g.ask('c%x' % SYMBOLS['leaf']), 'T05thread:p01.01;swbreak:;')
        self.assertEqual((g.register(RIP), g.u64('counters')), (second, rounds))
        self.assertTrue(g.ask('s%x' % SYMBOLS['leaf']).startswith('T05thread'))
        self.assertEqual((g.register(RIP), g.u64('counters')), (second, rounds))
        for wrong in 'cxyz', 's-1', 'c11112222333344445', 'c12;':
            self.assertEqual(g.ask(wrong), 'E22', wrong)
        self.assertEqual(g.register(RIP), second)

    def test_watchpoints_tell_kind_and_address(self):
        _, g = self.start()
        self.run_to(g, 'middle')
        written, read = SYMBOLS['written'], SYMBOLS['read_only']
        g.ok('Z2,%x,8' % written)
        self.assertEqual(g.ask('c'), 'T05thread:p01.01;watch:%x;' % written)
        first = g.u64('written')
        self.assertEqual(g.ask('c'), 'T05thread:p01.01;watch:%x;' % written)
        self.assertEqual(g.u64('written'), first + 16)               # after the write; 'beside' never stopped it
        g.ok('z2,%x,8' % written)
        g.ok('Z3,%x,4' % read)
        self.assertEqual(g.ask('c'), 'T05thread:p01.01;rwatch:%x;' % read)
        g.ok('z3,%x,4' % read)
        g.ok('Z4,%x,1' % (SYMBOLS['sum_of_reads'] + 7))             # one byte of the eight accessed
        self.assertEqual(g.ask('c'), 'T05thread:p01.01;awatch:%x;' % (SYMBOLS['sum_of_reads'] + 7))
        g.ok('z4,%x,1' % (SYMBOLS['sum_of_reads'] + 7))
        g.ok('Z3,%x,8' % written)                                   # never read
        g.send('c')
        time.sleep(0.2)
        self.assertTrue(g.interrupt().startswith('T02'))

    def test_code_that_rewrites_itself(self):
        _, g = self.start()
        g.ok('Z0,%x,1' % SYMBOLS['patched_code'])
        last = None
        for _ in range(5):
            g.ask('c')
            value = int.from_bytes(bytes.fromhex(g.ask('m%x,4' % (SYMBOLS['patched_code'] + 1))), 'little')
            g.ask('s')
            self.assertEqual(g.register(RAX), value)
            self.assertIn(value - (value if last is None else last), (0, 1))
            last = value
        g.ok('z0,%x,1' % SYMBOLS['patched_code'])
        self.run_to(g, 'middle')
        self.assertEqual(g.u64('patch_result') & 0xffffffff, last)

    def test_registers_and_memory_written_are_the_guests(self):
        _, g = self.start()
        self.run_to(g, 'leaf')
        g.ok('P5=' + struct.pack('<Q', 1000).hex())
        g.ok('M%x,8:%s' % (SYMBOLS['counters'], struct.pack('<Q', 7).hex()))
        frame = struct.unpack('<Q', bytes.fromhex(g.ask('m%x,8' % g.register(7))))[0]
        g.ok('Z0,%x,1' % frame)                                     # where it returns to
        g.ask('c')
        self.assertEqual(g.register(RAX) & 0xffffffff, 2001)
        self.assertEqual(g.u64('counters'), 8)
        g.ok('P31=' + struct.pack('<dd', 3.0, -1.0).hex())
        self.assertEqual(g.ask('p31'), struct.pack('<dd', 3.0, -1.0).hex())
        everything = g.ask('g')
        g.ok('G' + everything)
        self.assertEqual(g.ask('g'), everything)
        self.assertEqual(g.ask('P1b=' + struct.pack('<Q', 0x80000010).hex()), 'E22')      # CR0: paging without protection

    def test_physical_addresses(self):
        _, g = self.start()
        self.run_to(g, 'leaf')
        self.assertEqual(g.ask('m100000000,4'), 'E14')              # not mapped: the guest maps 4 GiB
        g.ok('Qqemu.PhyMemMode:1')
        self.assertEqual(g.ask('qqemu.PhyMemMode'), '1')
        by_physical = g.ask('m%x,10' % SYMBOLS['leaf'])
        g.ok('Qqemu.PhyMemMode:0')
        self.assertEqual(g.ask('m%x,10' % SYMBOLS['leaf']), by_physical)

    def test_steps_go_one_instruction(self):
        _, g = self.start()
        self.run_to(g, 'set_written')
        addresses = set()
        for _ in range(40):
            before = g.register(RIP)
            self.assertTrue(g.ask('vCont;s:p1.1').startswith('T05thread:p01.01;'))
            self.assertNotEqual(g.register(RIP), before)
            addresses.add(before)
        self.assertGreater(len(addresses), 20)


class Smp(Stub):
    def test_every_cpu_meets_a_breakpoint(self):
        _, g = self.start(smp=4)
        g.ok('Z0,%x,1' % SYMBOLS['work'])
        seen = set()
        for _ in range(200):
            stop = g.ask('c')
            thread = int(re.fullmatch(r'T05thread:p01\.0([1-4]);swbreak:;', stop)[1])
            seen.add(thread)
            self.assertEqual(g.register(RIP), SYMBOLS['work'])      # of the thread that stopped
            self.assertTrue(g.ask('vCont;s:p1.%d' % thread).startswith('T05thread:p01.0%d;' % thread))
            if len(seen) == 3:
                break
        self.assertEqual(seen, {2, 3, 4})

    def test_one_cpu_runs_while_the_others_stand(self):
        _, g = self.start(smp=4)
        self.run_to(g, 'set_written')
        g.send('c')
        time.sleep(0.3)
        g.interrupt()
        before = [struct.unpack('<Q', bytes.fromhex(g.ask('m%x,8' % (SYMBOLS['counters'] + 8 * i))))[0] for i in range(4)]
        self.assertTrue(all(before))
        g.send('vCont;c:p1.1')
        time.sleep(0.2)
        g.interrupt()
        after = [struct.unpack('<Q', bytes.fromhex(g.ask('m%x,8' % (SYMBOLS['counters'] + 8 * i))))[0] for i in range(4)]
        self.assertGreater(after[0], before[0])
        self.assertEqual(after[1:], before[1:])
        for thread in (2, 3, 4):
            g.ok('Hgp1.%d' % thread)
            pc = g.register(RIP)
            self.assertTrue(g.ask('vCont;s:p1.%d' % thread).startswith('T05thread:p01.0%d;' % thread))
            self.assertNotEqual(g.register(RIP), pc)

    def test_a_watchpoint_names_the_cpu(self):
        _, g = self.start(smp=4)
        self.run_to(g, 'set_written')
        for cpu in (1, 2, 3):
            address = SYMBOLS['counters'] + 8 * cpu
            g.ok('Z2,%x,8' % address)
            stop = g.ask('c')
            g.ok('z2,%x,8' % address)
            self.assertIn('watch:%x;' % address, stop)
        self.assertEqual(g.ask('Hgp1.4'), 'OK')


class Session(Stub):
    def test_a_debugger_stops_the_machine_and_lets_it_go(self):
        q, g = self.start()
        q.command('cont')
        g.close()
        time.sleep(0.1)
        self.assertEqual(q.command('query-status')['status'], 'running')
        g = self.connect()
        self.assertEqual(q.command('query-status')['status'], 'paused')
        g.send('c')
        time.sleep(0.1)
        self.assertEqual(q.command('query-status')['status'], 'running')
        self.assertEqual(g.interrupt(), 'T02thread:p01.01;')
        g.ok('Z0,%x,1' % SYMBOLS['leaf'])
        g.ok('D;1')
        time.sleep(0.2)
        self.assertEqual(q.command('query-status')['status'], 'running')    # and the breakpoint is gone

    def test_a_lost_debugger_leaves_no_breakpoint(self):
        q, g = self.start()
        self.run_to(g, 'leaf')
        g.ok('Z0,%x,1' % (SYMBOLS['middle']))
        g.ok('Z2,%x,8' % SYMBOLS['written'])
        g.close()
        time.sleep(0.1)
        q.command('cont')
        time.sleep(0.2)
        self.assertEqual(q.command('query-status')['status'], 'running')
        g = self.connect()
        first = g.u64('counters')
        self.assertGreater(first, 100)

    def test_the_monitor_stops_it_too(self):
        q, g = self.start()
        g.send('c')
        time.sleep(0.1)
        q.command('stop')
        self.assertEqual(g.receive(), 'T02thread:p01.01;')
        q.command('cont')
        q.command('stop')
        self.assertEqual(g.ask('qC'), 'QCp01.01')                   # nobody waited for a stop: none was told

    def test_breakpoints_outlive_a_reset(self):
        q, g = self.start()
        self.run_to(g, 'leaf')
        g.ok('Z1,%x,1' % SYMBOLS['_start'])
        q.command('system_reset')
        q.wait_event('RESET')
        self.assertEqual(g.ask('c'), 'T05thread:p01.01;hwbreak:;')  # entered at _start: before the first instruction
        self.assertEqual(g.register(RIP), SYMBOLS['_start'])
        g.ask('s')
        g.send('c')
        time.sleep(0.1)
        q.command('system_reset')
        self.assertEqual(g.receive(), 'T05thread:p01.01;hwbreak:;')
        self.assertEqual(g.register(RIP), SYMBOLS['_start'])

    def test_monitor_commands(self):
        _, g = self.start()
        self.assertIn('VM status: paused', g.monitor('info status'))
        self.assertIn('RIP=', g.monitor('info registers').replace('EIP', 'RIP'))
        self.assertIn('unknown command', g.monitor('frobnicate'))

    def test_kill_ends_the_emulator(self):
        for packet in ('k', 'vKill;1'):
            q, g = self.start()
            g.send(packet)
            self.assertEqual(q.wait(), 0)

    def test_the_end_is_told(self):
        q, g = self.start()
        q.command('quit')
        self.assertEqual(g.receive(), 'W00;process:1')

    def test_the_server_ends_and_comes_back(self):
        q, g = self.start()
        self.assertIn('Disabled', q.hmp('gdbserver none'))
        with self.assertRaises((EOFError, ConnectionError)):
            g.ask('?')
        q.hmp('gdbserver unix:%s,server=on,wait=off' % self.path)
        self.assertTrue(self.connect().ask('?').startswith('T05'))

    def test_command_line(self):
        for args, said in ((('-gdb', 'nonsense:1'), '-gdb: '), (('-gdb', 'chardev:nobody'), "chardev 'nobody' not found"),
                           (('-gdb', 'null', '-accel', 'qtest'), 'no support for a debugger')):
            status, _, err = quern.run('-machine', 'none', '-display', 'none', *args)
            self.assertEqual(status, 1)
            self.assertIn(said, err)


if __name__ == '__main__':
    quern.BINARY, DEBUGGEE = sys.argv[1], sys.argv[2]
    if len(sys.argv) > 3:
        ACCEL = sys.argv[3]
        if not os.access('/dev/kvm', os.R_OK | os.W_OK):
            print('no usable /dev/kvm')
            sys.exit(77)
    load_symbols()
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=1)
