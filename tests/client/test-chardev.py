#!/usr/bin/env python3
"""Character devices made, changed and removed at run time; what goes through them is seen by a serial port and HMP."""
import os
import socket
import sys
import tempfile
import time
import unittest

import quern

EMPTY = ('-machine', 'none')
PC = ('-machine', 'pc', '-S', '-m', '16')


def names(q):
    return {c['label']: c['filename'] for c in q.command('query-chardev')}


def add(q, name, kind, **data):
    return q.command('chardev-add', {'id': name, 'backend': {'type': kind, 'data': data}})


def refuse(q, name, kind, **data):
    return q.error('chardev-add', {'id': name, 'backend': {'type': kind, 'data': data}})[1]


def unix(path, **more):
    return {'type': 'unix', 'data': {'path': path, **more}}


def wait_for(what):
    end = time.monotonic() + quern.TIMEOUT_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


class Chardev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-char-')
        self.addCleanup(folder.cleanup)
        self.path = lambda name: os.path.join(folder.name, name)

    def client(self, where, family=socket.AF_UNIX):
        s = socket.socket(family)
        s.settimeout(quern.TIMEOUT_S)
        s.connect(where)
        self.addCleanup(s.close)
        return s

    def test_every_back_end_comes_and_goes(self):
        os.mkfifo(self.path('p.in'))
        os.mkfifo(self.path('p.out'))
        cases = [
            ('null', {}, 'null'), ('file', {'out': self.path('f'), 'append': True}, 'file'),
            ('pipe', {'device': self.path('p')}, 'pipe'), ('ringbuf', {'size': 4096}, 'ringbuf'), ('memory', {}, 'ringbuf'),
            ('socket', {'addr': unix(self.path('s'))}, 'disconnected:unix:%s,server=on' % self.path('s')),
            ('socket', {'addr': unix('quern-%d' % os.getpid(), abstract=True)},
             'disconnected:unix:quern-%d,abstract=on,server=on' % os.getpid()),
            ('socket', {'addr': {'type': 'inet', 'data': {'host': '127.0.0.1', 'port': '0'}}, 'telnet': True}, None),
            ('socket', {'addr': unix(self.path('nobody')), 'server': False, 'reconnect-ms': 10},
             'disconnected:unix:%s' % self.path('nobody')),
            ('udp', {'remote': {'type': 'inet', 'data': {'host': '127.0.0.1', 'port': '9'}}}, 'udp'),
        ]
        with quern.Quern(*EMPTY) as q:
            before = names(q)
            for i, (kind, data, filename) in enumerate(cases):
                with self.subTest(kind, data=data):
                    self.assertEqual(add(q, 'c%d' % i, kind, **data), {})
                    self.assertEqual(names(q)['c%d' % i], filename or names(q)['c%d' % i])
            self.assertRegex(names(q)['c7'], r'^disconnected:telnet:127\.0\.0\.1:\d+,server=on$')
            pty = add(q, 'pty', 'pty', path=self.path('link'))['pty']
            self.assertEqual((names(q)['pty'], os.readlink(self.path('link'))), ('pty:' + pty, pty))
            self.assertIn({'name': 'pty', 'type': 'child<chardev-pty>'}, q.command('qom-list', {'path': '/chardevs'}))
            self.assertIn('c0: filename=null\r\n', q.hmp('info chardev'))
            for name in set(names(q)) - set(before):
                q.command('chardev-remove', {'id': name})
            self.assertEqual(names(q), before)
            self.assertFalse(os.path.lexists(self.path('link')))

    def test_what_is_refused(self):
        with quern.Quern(*EMPTY, '-chardev', 'null,id=n', '-chardev', 'null,id=m,mux=on') as q:
            inet = {'type': 'inet', 'data': {'host': '127.0.0.1', 'port': '1'}}
            for message, kind, data in [
                    ('No such file', 'file', {'out': self.path('no/where')}), ('backend.data.out', 'file', {}),
                    ('power of two', 'ringbuf', {'size': 1000}), ('No such file', 'socket', {'addr': unix(self.path('x')), 'server': False}),
                    ('has not been found', 'socket', {'addr': {'type': 'fd', 'data': {'str': 'nowhere'}}}),
                    ('tls-creds', 'socket', {'addr': inet, 'tls-creds': 't'}), ('websocket', 'socket', {'addr': inet, 'websocket': True}),
                    ('tn3270', 'socket', {'addr': inet, 'tn3270': True}),
                    ("'telnet'", 'socket', {'addr': inet, 'server': False, 'telnet': True}),
                    ('server listen mode', 'socket', {'addr': inet, 'reconnect': 1}), ('type inet', 'udp', {'remote': unix('/x')}),
                    ('base chardev zz not found', 'mux', {'chardev': 'zz'}), ("'zz' not found", 'hub', {'chardevs': ['zz']}),
                    ('1 to 4', 'hub', {'chardevs': []}), ('is a multiplexer', 'hub', {'chardevs': ['m']}),
                    ('in use', 'hub', {'chardevs': ['n', 'n']}), ('vc', 'vc', {})]:
                with self.subTest(message):
                    before = names(q)
                    self.assertIn(message, refuse(q, 'new', kind, **data))
                    self.assertEqual(names(q), before)
            self.assertIn('already exists', refuse(q, 'n', 'null'))
            self.assertIn('identifier', refuse(q, '1', 'null'))
            self.assertIn('busy', q.error('chardev-remove', {'id': 'm-base'})[1])
            q.command('chardev-remove', {'id': 'm'})
            q.command('chardev-remove', {'id': 'm-base'})
            add(q, 'h', 'hub', chardevs=['n'])
            self.assertIn('busy', q.error('chardev-remove', {'id': 'n'})[1])

    def test_changing(self):
        with quern.Quern(*PC, '-chardev', 'socket,id=c,path=%s,server=on,wait=off' % self.path('a'),
                         '-device', 'isa-serial,chardev=c', '-chardev', 'null,id=m,mux=on') as q:
            client = self.client(self.path('a'))
            q.command('chardev-change', {'id': 'c', 'backend': {'type': 'socket', 'data': {'addr': unix(self.path('b'))}}})
            self.assertEqual(client.recv(1), b'')           # the old one is closed
            self.assertEqual(names(q)['c'], 'disconnected:unix:%s,server=on' % self.path('b'))
            self.assertFalse(os.path.exists(self.path('a')))
            again = {'type': 'socket', 'data': {'addr': unix(self.path('b'))}}
            q.command('chardev-change', {'id': 'c', 'backend': again})      # to where it is
            self.client(self.path('b'))
            wait_for(lambda: names(q)['c'] == 'unix:%s,server=on' % self.path('b'))
            self.assertTrue([c for c in q.command('query-chardev') if c['label'] == 'c'][0]['frontend-open'])
            change = lambda name, kind, **data: q.error('chardev-change', {     # noqa: E731
                'id': name, 'backend': {'type': kind, 'data': data}})[1]
            self.assertIn('No such file', change('c', 'file', out=self.path('no/where')))
            self.assertEqual(names(q)['c'], 'unix:%s,server=on' % self.path('b'))     # still there, still connected
            self.assertIn("'zz' does not exist", change('zz', 'null'))
            self.assertIn('Mux', change('m', 'null'))
            self.assertIn('hotswap', change('compat_monitor0', 'null'))
            pty = q.command('chardev-change', {'id': 'c', 'backend': {'type': 'pty', 'data': {}}})['pty']
            self.assertEqual(names(q)['c'], 'pty:' + pty)

    def test_descriptors_leave_with_who_sent_them(self):
        with quern.Quern(*PC, '-chardev', 'socket,id=c,path=%s,server=on,wait=off' % self.path('a'), '-gdb', 'chardev:c'):
            read, write = os.pipe()
            client = self.client(self.path('a'))
            socket.send_fds(client, [b'+'], [write])
            os.close(write)
            client.close()
            self.assertEqual(os.read(read, 1), b'')
            os.close(read)

    def test_hub_joins_devices(self):
        with quern.Quern(*EMPTY, '-chardev', 'socket,id=a,path=%s,server=on,wait=off' % self.path('a'),
                         '-chardev', 'socket,id=b,path=%s,server=on,wait=off' % self.path('b'), '-chardev', 'ringbuf,id=r',
                         '-chardev', 'hub,id=h,chardevs.0=a,chardevs.1=b,chardevs.2=r', '-mon', 'h') as q:
            a, b = self.client(self.path('a')), self.client(self.path('b'))
            wait_for(lambda: not any(n.startswith('disconnected') for n in names(q).values()))
            a.sendall(b'info name\n')
            wait_for(lambda: 'info name' in q.command('ringbuf-read', {'device': 'r', 'size': 9999}))
            b.sendall(b'info version\n')
            for s in (a, b):
                seen = b''
                while b'10.0.2 (' not in seen:
                    seen += s.recv(4096)
                self.assertIn(b'info name', seen)
                self.assertIn(b'info version', seen)

    def test_telnet(self):
        with quern.Quern(*EMPTY, '-chardev', 'socket,id=t,host=127.0.0.1,port=0,server=on,wait=off,telnet=on', '-mon', 't') as q:
            port = int(names(q)['t'].split(':')[3].split(',')[0])
            s = self.client(('127.0.0.1', port), socket.AF_INET)
            seen = b''
            while b'(qemu) ' not in seen:
                seen += s.recv(4096)
            self.assertTrue(seen.startswith(b'\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00QEMU'), seen)
            s.sendall(b'\xff\xfd\x01inf\xff\xfa\x18\x00xterm\xff\xf0o version\r\n')        # DO ECHO, a subnegotiation
            seen = b''
            while b'10.0.2 (' not in seen:
                seen += s.recv(4096)
            self.assertIn(b'info version', seen)
            self.assertRegex(names(q)['t'], r'^telnet:127\.0\.0\.1:%d,server=on <-> 127\.0\.0\.1:\d+$' % port)

    def test_udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(('127.0.0.1', 0))
            peer.settimeout(quern.TIMEOUT_S)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind(('127.0.0.1', 0))
                local = probe.getsockname()[1]
            with quern.Quern(*EMPTY, '-monitor', 'udp:127.0.0.1:%d@127.0.0.1:%d' % (peer.getsockname()[1], local)):
                peer.sendto(b'info version\n', ('127.0.0.1', local))
                seen = b''
                while b'10.0.2 (' not in seen:
                    seen += peer.recv(4096)

    def test_mux_on_a_device_that_exists(self):
        with quern.Quern(*EMPTY, '-chardev', 'ringbuf,id=r', '-chardev', 'mux,id=m,chardev=r', '-mon', 'm') as q:
            self.assertEqual(names(q)['m'], 'mux')
            self.assertIn('(qemu)', q.command('ringbuf-read', {'device': 'r', 'size': 999}))
            self.assertIn('busy', q.error('chardev-remove', {'id': 'm'})[1])

    def test_monitor_commands(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.hmp('chardev-add ringbuf,id=r,size=64'), '')
            self.assertEqual(q.hmp('ringbuf_write r hello'), '')
            self.assertEqual(q.hmp('ringbuf_read r 64'), 'hello\r\n')
            self.assertEqual(q.hmp('chardev-change r null'), '')
            self.assertEqual(names(q)['r'], 'null')
            self.assertIn('not a ringbuf', q.hmp('ringbuf_read r 64'))
            self.assertEqual(q.hmp('chardev-send-break r'), '')
            self.assertEqual(q.hmp('chardev-remove r'), '')
            self.assertIn('not found', q.hmp('chardev-remove r'))
            self.assertIn('Error: ', q.hmp('chardev-add nosuch,id=x'))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
