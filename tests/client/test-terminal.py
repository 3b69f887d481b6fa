#!/usr/bin/env python3
"""The human monitor as one types it: edited lines on a terminal, plain ones elsewhere."""
import fcntl
import os
import pty
import random
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import quern

EMPTY = ['-machine', 'none', '-nodefaults', '-display', 'none']
UP, DOWN, RIGHT, LEFT = '\x1b[A', '\x1b[B', '\x1b[C', '\x1b[D'
PROMPT = '(qemu) '


def built_in():
    with open(quern.BINARY, 'rb') as f:
        return b'libreadline.so' in f.read()


class Peer:
    """Somebody at a terminal or socket; what comes is kept until it was waited for."""

    def __init__(self, fd, process):
        self.fd, self.process, self.seen = fd, process, ''

    def expect(self, text):
        """All up to and with @text."""
        deadline = time.monotonic() + quern.TIMEOUT_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-2000:]
            self.seen += os.read(self.fd, 65536).decode('latin-1').replace('\r', '')
        at = self.seen.index(text) + len(text)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before

    def type(self, text):
        data = text.encode('latin-1')
        while data:
            data = data[os.write(self.fd, data[:1024]):]

    def ask(self, text):
        """Type a line; what is shown until the next prompt."""
        self.type(text + '\r')
        return self.expect('\n' + PROMPT)

    def line(self, keys):
        """What line (of one word) these keys make."""
        answer = self.ask(keys)
        return answer.split("unknown command: '")[1].split("'\n")[0]


class Terminal:
    """The emulator on a terminal of its own."""

    def __init__(self, *args, env=None, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        self.process = subprocess.Popen([quern.BINARY, *args], stdin=slave, stdout=slave, stderr=slave,
                                        env={**os.environ, 'TERM': 'xterm', **(env or {})})
        os.close(slave)
        self.peer = Peer(self.master, self.process)

    def __enter__(self):
        self.peer.expect(PROMPT)
        return self.peer

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def on_stdio(**kwargs):
    return Terminal(*EMPTY, '-monitor', 'stdio', **kwargs)


def without_signals():
    return Terminal(*EMPTY, '-chardev', 'stdio,id=c,signal=off', '-mon', 'chardev=c,mode=readline')


def has_library(process):
    with open('/proc/%d/maps' % process.pid, encoding='utf-8') as f:
        return 'libreadline' in f.read()


def memory_kib(process):
    with open('/proc/%d/status' % process.pid, encoding='utf-8') as f:
        return int(f.read().split('VmRSS:')[1].split()[0])


class Edited(unittest.TestCase):
    def setUp(self):
        if not built_in():
            self.skipTest('built without readline')

    def test_keys(self):
        with on_stdio() as t:
            self.assertTrue(has_library(t.process))
            for keys in ('bc\x01a', 'ac' + LEFT + 'b', 'ab\x02\x06c', 'bc\x1bOHa\x1bOF', 'bc\x1b[Ha', 'xbc\x1b[1~\x1b[3~a',
                         'abxx\x02\x02\x0b\x05c', 'xxx\x15abc', 'abc def\x17', 'abX\x7fc', 'abX\x08c', 'c\x15ab\x19',
                         'abx\x02\x04c', 'ac\x02b\x05\x04', '\x04abc', 'bac\x01\x06\x14', 'abc x\x1bb\x0b', 'abc x y' + '\x1b[1;5D' * 2 + '\x0b'):
                self.assertEqual(t.line(keys), 'abc', repr(keys))

    def test_unknown_keys(self):
        """Nothing of them is typed, nor done."""
        with without_signals() as t:
            for keys in ('\x03', '\x1a', '\x1b[1;2P', '\x1b[99;3;4~', '\x1b[?62;1;6c', '\x1bOp', '\x1bx', '\x1b\x1b', '\x1b5', '\x18\x12',
                         '\x12', '\x13', '\x1b~', '\x1f', '\x00', '\x1b[200~', '\x1b[201~', '\x1d', '\x16', '\x0f'):
                self.assertEqual(t.line('a' + keys + 'bc'), 'abc', repr(keys))

    def test_history(self):
        with on_stdio() as t:
            t.line('one')
            t.line('two')
            t.line('two')
            self.assertEqual(t.line(UP * 2), 'one')
            self.assertEqual(t.line(UP * 3 + DOWN), 'two')
            self.assertEqual(t.line('new' + UP + '\x0e'), 'new')
            self.assertEqual(t.line(UP * 2 + 'x' + UP + DOWN), 'two')          # what was run is not rewritten
            t.ask('')
            self.assertEqual(t.line('\x10\x10'), 'new')
            for i in range(100):
                t.type('h%d\r' % i)
            self.assertEqual(t.line('last'), 'h0')
            t.expect("'last'\n" + PROMPT)
            self.assertEqual(t.line(UP * 500), 'h37')                           # 64 are kept

    def test_completion(self):
        with Terminal(*EMPTY, '-object', 'rng-builtin,id=entropy', '-monitor', 'stdio') as t:
            self.assertIn('info version \n10.0.2', t.ask('info vers\t'))
            t.type('system_\t')
            listed = t.expect(PROMPT + 'system_')
            self.assertEqual(listed.split('\n')[1].split(), ['system_powerdown', 'system_reset', 'system_wakeup'])
            t.type('\x15')
            self.assertIn('object_del entropy \n', t.ask('object_del en\t'))
            t.type('info mem\tdev\r')
            t.expect('info memdev\n' + PROMPT)
            self.assertEqual(t.line('zz\t'), 'zz')
            for name in '/etc/pass', 'x /etc/pass', '~ro':
                self.assertEqual(t.ask(name + '\t').split('\n')[0], name)       # no file is looked for
            t.type('device_add \t')
            self.assertIn('virtio-net-pci\n', t.expect(PROMPT + 'device_add '))
            t.type('\x15qui\t\r')
            self.assertEqual(t.process.wait(timeout=quern.TIMEOUT_S), 0)

    def test_long_lines(self):
        for columns in 80, 3, 0, 65535:
            with on_stdio(columns=columns) as t:
                long = ''.join(chr(97 + i % 26) for i in range(300))
                self.assertEqual(t.line(long), long)
                self.assertEqual(t.line(UP + '\x01x\x04\x05\x7f'), 'x' + long[1:-1])

    def test_too_long_lines(self):
        with on_stdio() as t:
            self.assertEqual(t.line('x' * 4000 + 'y' * 200), 'x' * 4000 + 'y' * 95)
            self.assertEqual(t.line(UP + '\x15\x19\x19'), 'x' * 4000 + 'y' * 95)

    def test_bytes(self):
        for locale in 'C', 'C.UTF-8':
            with on_stdio(env={'LC_ALL': locale}) as t:
                self.assertEqual(t.line('\xc3\xa4\xff\xc3\xc3\xb6'), '\xc3\xa4\xff\xc3\xc3\xb6')
                self.assertEqual(t.line('a\xc3\xa4' + ('\x7f' if locale != 'C' else '\x7f\x7f') + 'b'), 'ab')

    def test_garbage(self):
        dice = random.Random(1)
        common = ['\x1b', '\x1b[', '\x1b[1;', '\t', '\x19', '\x0b', '\x15', UP, DOWN, LEFT, '\x1bb', '\x7f', '\xc3', '\x00', 'info ', '\r']
        with without_signals() as t:
            for _ in range(40):
                t.type(''.join(dice.choice(common) if dice.random() < 0.5 else chr(dice.randrange(256)).replace('q', '')
                               for _ in range(200)))
                t.type('\r\r\x15info version\r')
                t.expect('10.0.2 (Quern')
                t.expect(PROMPT)
            self.assertIsNone(t.process.poll())

    def test_memory_is_bounded(self):
        with on_stdio() as t:
            t.line('begin')
            before = memory_kib(t.process)
            for _ in range(100):
                t.type('ab\x7f\x7f' * 250 + 'x\x15\x19\x15')
                t.line('z')
            with open(quern.BINARY, 'rb') as f:
                if b'__asan_init' not in f.read():
                    self.assertLess(memory_kib(t.process) - before, 1024)

    def test_init_file_is_not_read(self):
        with tempfile.NamedTemporaryFile('w') as f:
            f.write('set editing-mode vi\nset horizontal-scroll-mode on\n"z": "gotcha"\n')
            f.flush()
            with on_stdio(env={'INPUTRC': f.name}) as t:
                self.assertEqual(t.line('bz\x01a'), 'abz')
                self.assertEqual(t.line('z\x18\x12z'), 'zz')

    def test_multiplexed(self):
        with Mux() as t:
            self.assertIn('paused', t.ask('info status'))
            t.type('abc\x02')
            t.expect('abc\x08')
            t.type('\x01c')
            t.expect('\n')
            t.type('not for the monitor\r\x01c')
            self.assertEqual(t.expect('abc\x08'), '\n' + PROMPT + 'abc\x08')       # with its cursor
            self.assertEqual(t.line('X'), 'abXc')
            t.type(UP + '\x01c\x01c\x01\x01_\r')                                   # Ctrl-A twice is one
            t.expect("unknown command: '_abXc'\n" + PROMPT)
            t.type('\x01x')
            self.assertEqual(t.process.wait(timeout=quern.TIMEOUT_S), 0)

    def test_one_has_it(self):
        with tempfile.TemporaryDirectory() as folder:
            args = []
            for i in range(2):
                args += ['-chardev', 'socket,id=c%d,path=%s/%d,server=on,wait=off,telnet=on' % (i, folder, i),
                         '-mon', 'chardev=c%d,mode=readline' % i]
            with quern.Quern('-machine', 'none', *args) as q:
                def connect(i):
                    s = socket.socket(socket.AF_UNIX)
                    s.connect('%s/%d' % (folder, i))
                    p = Peer(s.fileno(), q.process)
                    p.expect(PROMPT)
                    return s, p
                self.assertFalse(has_library(q.process))
                first, a = connect(0)
                self.assertTrue(has_library(q.process))
                second, b = connect(1)
                self.assertEqual(a.line('bc' + LEFT * 2 + 'a'), 'abc')
                self.assertEqual(b.line('c\x01ab'), 'cab')                          # plain
                a.type('left\x1b[')                                                 # in the middle of a key
                first.close()
                second.close()
                while True:                                                         # until the end of the first is seen
                    second, b = connect(1)
                    if b.line('c\x01ab') == 'abc':
                        break
                    second.close()
                self.assertEqual(b.line(UP), 'abc')
                self.assertEqual(b.line(UP * 3), 'abc')                             # another's history is not told
                second.close()


class Mux(Terminal):
    """Serial port and monitor on one terminal; the port has it first."""

    def __init__(self):
        super().__init__('-machine', 'q35', '-m', '32', '-S', '-nodefaults', '-display', 'none', '-serial', 'mon:stdio')

    def __enter__(self):
        self.peer.type('\x01c')
        return super().__enter__()


class Plain(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = self.folder.name + '/m'

    def start(self):
        return quern.Quern('-machine', 'none', '-monitor', 'unix:%s,server=on,wait=off' % self.path)

    def connect(self, q):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.connect(self.path)
        t = Peer(s.fileno(), q.process)
        t.expect(PROMPT)
        return s, t

    def test_lines(self):
        with self.start() as q:
            s, t = self.connect(q)
            self.assertEqual(t.ask('infX\x7fo versX\x08ion\t'), 'infX\x08 \x08o versX\x08 \x08ion\n10.0.2 (Quern 0.1.0)\n' + PROMPT)
            self.assertEqual(t.line('x' * 5000), 'x' * 4095)
            self.assertEqual(t.line('\x7f\x08\x00\x03\x04abc'), 'abc')
            t.type('forgotten')
            s.close()
            _, t = self.connect(q)
            self.assertEqual(t.line('abc'), 'abc')
            self.assertFalse(has_library(q.process))

    def test_client_that_does_not_read(self):
        """More output than may wait: commands wait, none is lost."""
        with self.start() as q:
            _, t = self.connect(q)
            t.type('help\r' * 400 + 'info version\r')
            self.assertEqual(q.command('query-status')['running'], True)
            before = memory_kib(q.process)
            seen = t.expect('10.0.2 (Quern')
            self.assertGreater(len(seen), 1000000)
            self.assertEqual(seen.count('\nquit|q'), 400)
            if not q.sanitized:
                self.assertLess(memory_kib(q.process) - before, 1024)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
