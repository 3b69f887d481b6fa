#!/usr/bin/env python3
"""VNC servers, by an RFB client of its own: pictures, passwords, keys, pointers, slow and rude clients."""
import ctypes
import os
import socket
import struct
import sys
import tempfile
import time
import unittest

import quern


def need_vnc():
    status, _, err = quern.run('-machine', 'none', '-display', 'none', '-nodefaults', '-vnc', 'unix:/nonexistent/x')
    assert status == 1
    if 'not available' in err or 'needs libvncserver' in err:
        raise unittest.SkipTest(err)


class Rfb:
    """RFC 6143, raw encoding."""

    def __init__(self, address, password=None):
        self.s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.s.settimeout(20)
        self.s.connect(address)
        self.password = password

    def take(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def handshake(self, shared=True):
        assert self.take(12) == b'RFB 003.008\n'
        self.s.sendall(b'RFB 003.008\n')
        kinds = self.take(self.take(1)[0])
        kind = 2 if self.password is not None else 1
        assert kind in kinds, kinds
        self.s.sendall(bytes([kind]))
        if kind == 2:
            self.s.sendall(encrypt(self.take(16), self.password))
        if struct.unpack('>I', self.take(4))[0]:
            raise PermissionError(self.take(struct.unpack('>I', self.take(4))[0]).decode())
        self.s.sendall(bytes([shared]))
        self.width, self.height = struct.unpack('>HH', self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack('>I', self.take(4))[0]).decode()
        # 32 bits, little-endian, true colour, red at 16
        self.s.sendall(struct.pack('>B3xBBBBHHHBBB3x', 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.s.sendall(struct.pack('>BxHi', 2, 1, 0))
        return self

    def picture(self):
        """The whole picture as rows of 4-byte pixels."""
        self.s.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, self.width, self.height))
        rows = [bytearray(self.width * 4) for _ in range(self.height)]
        done = 0
        while done < self.width * self.height:
            kind, = self.take(1)
            assert kind == 0, kind
            _, n = struct.unpack('>BH', self.take(3))
            for _ in range(n):
                x, y, w, h, encoding = struct.unpack('>HHHHi', self.take(12))
                assert encoding == 0, encoding
                for row in range(y, y + h):
                    rows[row][x * 4:(x + w) * 4] = self.take(w * 4)
                done += w * h
        return rows

    def key(self, keysym, down):
        self.s.sendall(struct.pack('>BBxxI', 4, down, keysym))

    def pointer(self, x, y, mask):
        self.s.sendall(struct.pack('>BBHH', 5, mask, x, y))


def encrypt(challenge, password):
    """By the library: that DES is right is its own tests' business."""
    lib, block = ctypes.CDLL('libvncserver.so.1'), ctypes.create_string_buffer(challenge, 16)
    lib.rfbEncryptBytes(block, password.encode())
    return block.raw


class Vnc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_vnc()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-vnc-')
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, 'vnc')

    def machine(self, *args, vnc=''):
        return quern.Quern('-machine', 'q35', '-device', 'bochs-display,id=video0', '-vnc', f'unix:{self.path}{vnc}', *args)

    def wait_until(self, what):
        deadline = time.monotonic() + 20
        while not what():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_picture_and_events(self):
        with self.machine() as q:
            client = Rfb(self.path).handshake()
            self.assertEqual((client.width, client.height, client.name), (640, 480, 'QEMU'))
            self.assertEqual(client.picture()[0][:8], bytes(8))
            for name in 'VNC_CONNECTED', 'VNC_INITIALIZED':
                data = q.wait_event(name)['data']
                self.assertEqual(data['client'], {'host': '', 'service': '', 'family': 'unix', 'websocket': False})
                self.assertEqual((data['server']['host'], data['server']['service'], data['server']['auth']), ('', self.path, 'none'))
            info = q.command('query-vnc')
            self.assertEqual((info['enabled'], info['service'], info['family'], len(info['clients'])), (True, self.path, 'unix', 1))
            self.assertEqual(q.hmp('info vnc').replace('\r', ''), f'default:\n  Server: :{self.path} (unix)\n    Auth: none (Sub: none)\n'
                             '  Client: : (unix)\n    x509_dname: none\n    sasl_username: none\n')
            self.assertEqual(q.command('query-vnc-servers')[0]['auth'], 'none')
            client.s.close()
            q.wait_event('VNC_DISCONNECTED')
            self.assertEqual(q.command('query-vnc')['clients'], [])

    def test_who_wants_it_for_himself_gets_it(self):
        for share, alone in (('', True), (',share=allow-exclusive', True), (',share=ignore', False), (',share=force-shared', False)):
            with self.subTest(share), self.machine(vnc=share) as q:
                first = Rfb(self.path).handshake()
                second = Rfb(self.path).handshake()
                second.picture()
                self.wait_until(lambda: len(q.command('query-vnc')['clients']) == 2)
                last = Rfb(self.path).handshake(shared=False)
                last.picture()
                self.wait_until(lambda: len(q.command('query-vnc')['clients']) == (1 if alone else 3))
                if not alone:
                    first.picture()
                    second.picture()

    def test_password(self):
        with self.machine(vnc=',password=on') as q:
            with self.assertRaises((PermissionError, EOFError)):
                Rfb(self.path, 'secret').handshake()        # none is set: nobody gets in
            q.command('set_password', {'protocol': 'vnc', 'password': 'secret'})
            Rfb(self.path, 'secret').handshake()
            with self.assertRaises((PermissionError, EOFError)):
                Rfb(self.path, 'wrong').handshake()
            q.command('expire_password', {'protocol': 'vnc', 'time': 'now'})
            with self.assertRaises((PermissionError, EOFError)):
                Rfb(self.path, 'secret').handshake()
            q.command('expire_password', {'protocol': 'vnc', 'time': '+60'})
            q.command('change-vnc-password', {'password': 'other'})
            Rfb(self.path, 'other').handshake()
            self.assertEqual(q.command('query-vnc')['auth'], 'vnc')
            self.assertIn("no VNC server 'x'", q.error('set_password', {'protocol': 'vnc', 'password': 'a', 'display': 'x'})[1])

    def test_secret(self):
        with self.machine('-object', 'secret,id=sec0,data=hidden', vnc=',password-secret=sec0'):
            Rfb(self.path, 'hidden').handshake()

    def test_without_password_none_can_be_set(self):
        with self.machine() as q:
            self.assertIn('without password=on', q.error('set_password', {'protocol': 'vnc', 'password': 'a'})[1])

    def test_keys_reach_the_keyboard(self):
        """A real-mode ROM reads the keyboard controller's bytes into memory."""
        code = (b'\xfa\x31\xc0\x8e\xd8\x8e\xc0\xbf\x00\x05'    # cli; ds = es = 0; di = 0x500
                b'\xe4\x64\xa8\x01\x74\xfa\xe4\x60\xaa\xeb\xf5')    # 1: in al, 64; test 1; jz 1; in al, 60; stosb; jmp 1
        rom = bytearray(65536)
        rom[:len(code)] = code
        rom[0xfff0:0xfff5] = b'\xea\x00\x00\x00\xf0'
        path = os.path.join(self.folder.name, 'rom')
        with open(path, 'wb') as f:
            f.write(rom)
        with self.machine('-bios', path) as q:
            client = Rfb(self.path).handshake()
            for keysym, down in [(0xffe1, 1), (ord('A'), 1), (ord('A'), 0), (0xffe1, 0), (0xff51, 1)]:
                client.key(keysym, down)
            self.wait_until(lambda: '0xe0 0x4b' in q.hmp('xp/7xb 0x500'))
            self.assertIn('0x2a 0x1e 0x9e 0xaa 0xe0 0x4b 0x00', ' '.join(q.hmp('xp/7xb 0x500').split()[1:]))
            client.s.close()            # the arrow is still down: it is released
            self.wait_until(lambda: '0xe0 0xcb' in q.hmp('xp/8xb 0x500'))

    def test_a_client_that_does_not_read_stops_nobody(self):
        with self.machine() as q:
            rude = Rfb(self.path).handshake()
            rude.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(200):
                rude.s.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, 640, 480))
            start = time.monotonic()
            for _ in range(50):
                q.command('query-status')
            self.assertLess(time.monotonic() - start, 5)
            polite = Rfb(self.path).handshake()
            self.assertEqual(len(polite.picture()), 480)

    def test_garbage(self):
        with self.machine() as q:
            for text in (b'', b'GET / HTTP/1.0\r\n\r\n', b'RFB 999.999\n' + bytes(100), os.urandom(2000)):
                s = socket.socket(socket.AF_UNIX)
                s.connect(self.path)
                try:
                    s.sendall(text)
                except OSError:
                    pass
                s.close()
            client = Rfb(self.path).handshake()
            try:
                client.s.sendall(b'\xfb' + bytes(10))      # no such message
                client.s.sendall(bytes(10))
            except OSError:
                pass
            Rfb(self.path).handshake().picture()
            self.wait_until(lambda: len(q.command('query-vnc')['clients']) <= 1)

    def test_connections_are_limited(self):
        with self.machine(vnc=',connections=1') as q:
            first = Rfb(self.path).handshake()
            with self.assertRaises((EOFError, OSError)):
                Rfb(self.path).handshake()
            first.s.close()
            q.wait_event('VNC_DISCONNECTED')
            Rfb(self.path).handshake().picture()

    def test_ports(self):
        with quern.Quern('-machine', 'q35', '-vnc', '127.0.0.1:77,to=177') as a, \
             quern.Quern('-machine', 'q35', '-vnc', '127.0.0.1:77,to=177') as b:
            ports = [int(q.command('query-vnc')['service']) for q in (a, b)]
            self.assertNotEqual(*ports)
            for port in ports:
                self.assertTrue(5977 <= port <= 6077, ports)
                Rfb(('127.0.0.1', port)).handshake().picture()

    def test_without_an_adapter(self):
        with quern.Quern('-machine', 'q35', '-vnc', f'unix:{self.path}') as q:
            client = Rfb(self.path).handshake()
            self.assertEqual((client.width, client.height), (640, 480))
            self.assertIn('no console', q.error('screendump', {'filename': self.path + '.ppm'})[1])
        with quern.Quern('-machine', 'q35', '-vnc', f'unix:{self.path}', '-vnc', f'unix:{self.path}2,id=b') as q:
            self.assertEqual(len(q.command('query-vnc-servers')), 2)

    def test_an_adapter_goes_away_while_it_is_watched(self):
        with quern.Quern('-machine', 'pc', '-S', '-vnc', f'unix:{self.path}', '-device', 'bochs-display,id=d') as q:
            client = Rfb(self.path).handshake()
            client.picture()
            q.command('device_del', {'id': 'd'})
            q.command('system_reset')           # nobody there who would let it go
            q.wait_event('DEVICE_DELETED')
            self.assertIn('no console', q.error('screendump', {'filename': self.path + '.ppm'})[1])
            client.picture()
            q.command('device_add', {'driver': 'bochs-display', 'id': 'd'})
            q.command('screendump', {'filename': self.path + '.ppm'})

    def test_wrong_options(self):
        for vnc, message in [('nonsense', "address 'nonsense' must be HOST:DISPLAY"), (':70000', 'displays must be 0..59635'),
                             (':5,to=4', 'ascend, got 5..4'), ('unix:/tmp/x,websocket=on', 'websockets are not available'),
                             ('unix:/tmp/x,reverse=on', 'reverse connections are not'), (':1,connections=0', 'must be 1..32, got 0'),
                             ('unix:/nonexistent/x', "Failed to listen on '/nonexistent/x'"), (':1,display=a', "Device 'a' not found"),
                             (':1,password-secret=x', "'x'"), (':1,audiodev=a0', "no audiodev 'a0'"), (':1,foo=1', "'foo'")]:
            with self.subTest(vnc):
                status, _, err = quern.run('-machine', 'q35', '-display', 'none', '-nodefaults', '-device', 'VGA', '-vnc', vnc)
                self.assertEqual((status, err.count('\n')), (1, 1), err)
                self.assertIn(message, err)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(warnings='ignore')
