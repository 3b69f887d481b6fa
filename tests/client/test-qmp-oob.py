#!/usr/bin/env python3
"""Out-of-band commands, several sessions at once, clients that stall, leave or come back."""
import json
import os
import socket
import sys
import threading
import time
import unittest

import quern

EMPTY = ('-machine', 'none')


def rss_kib(q):
    with open('/proc/%d/status' % q.process.pid, encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))


class Blocked:
    """The main loop busy with a command: opening a FIFO waits for who reads it."""

    def __init__(self, q):
        self.q, self.path = q, os.path.join(q.folder.name, 'fifo')

    def __enter__(self):
        os.mkfifo(self.path)
        self.q.socket.sendall(json.dumps({'execute': 'human-monitor-command', 'id': 'blocked',
                                          'arguments': {'command-line': 'logfile ' + self.path}}).encode())
        time.sleep(0.05)
        return self

    def release(self):
        self.reader = os.open(self.path, os.O_RDONLY)

    def __exit__(self, *_):
        os.close(self.reader)


class OutOfBand(unittest.TestCase):
    def session(self, *args):
        q = quern.Quern(*EMPTY, *args, negotiate=False)
        self.addCleanup(q.__exit__)
        self.assertEqual(q.greeting['QMP']['capabilities'], ['oob'])
        self.assertEqual(q.command('qmp_capabilities', {'enable': ['oob']}), {})
        return q

    def test_marked_ones_run_both_ways(self):
        q = self.session()
        schema = {e['name']: e for e in q.command('query-qmp-schema')}
        oob = [n for n, e in schema.items() if e.get('allow-oob')]
        self.assertIn('query-status', oob)
        for name in oob:
            if schema[schema[name]['arg-type']].get('members'):
                continue
            with self.subTest(name):
                reply = q.exchange(json.dumps({'exec-oob': name, 'id': [name]}).encode())
                self.assertEqual(reply, {'return': q.command(name), 'id': [name]})

    def test_others_are_refused(self):
        q = self.session()
        for text, cls, message in [
                (b'{"exec-oob":"stop","id":1}', 'GenericError', 'The command stop does not support OOB'),
                (b'{"exec-oob":"nosuch","id":1}', 'CommandNotFound', 'The command nosuch has not been found'),
                (b'{"exec-oob":3,"id":1}', 'GenericError', "QMP input member 'exec-oob' must be a string"),
                (b'{"exec-oob":"query-name","execute":"query-name","id":1}', 'GenericError',
                 "QMP input member 'execute' clashes with 'exec-oob'"),
                (b'{"exec-oob":"qmp_capabilities","id":1}', 'GenericError', 'does not support OOB')]:
            reply = q.exchange(text)
            self.assertEqual((reply['error']['class'], reply['id']), (cls, 1))
            self.assertIn(message, reply['error']['desc'])

    def test_without_the_capability_it_is_unknown(self):
        for negotiate in False, True:
            with quern.Quern(*EMPTY, negotiate=negotiate) as q:
                self.assertEqual(q.exchange(b'{"exec-oob":"query-name"}')['error'],
                                 {'class': 'GenericError', 'desc': "QMP input member 'exec-oob' is unexpected"})

    def test_answered_while_the_main_loop_is_busy(self):
        q = self.session()
        with Blocked(q) as blocked:
            for i in range(100):
                self.assertEqual(q.exchange(b'{"exec-oob":"query-status","id":%d}' % i)['id'], i)
            q.socket.sendall(b'{"execute":"query-name","id":"after"}')
            self.assertEqual(q.exchange(b'{"exec-oob":"query-version","id":"overtakes"}')['id'], 'overtakes')
            blocked.release()
            self.assertEqual(q.receive(), {'return': '', 'id': 'blocked'})
            self.assertEqual(q.receive()['id'], 'after')

    def test_reading_is_suspended_when_the_queue_is_full(self):
        q = self.session()
        with Blocked(q) as blocked:
            q.socket.sendall(b''.join(b'{"execute":"query-name","id":%d}' % i for i in range(7)))
            self.assertEqual(q.exchange(b'{"exec-oob":"query-version","id":"room"}')['id'], 'room')
            q.socket.sendall(b'{"execute":"query-name","id":7}{"exec-oob":"query-version","id":"behind"}')
            q.socket.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                q.socket.recv(1)
            q.socket.settimeout(quern.TIMEOUT_S)
            q.lines = q.socket.makefile('rb')
            blocked.release()
            rest = [q.receive()['id'] for _ in range(10)]
            self.assertEqual([i for i in rest if i != 'behind'], ['blocked'] + list(range(8)))
            self.assertIn('behind', rest)

    def test_parse_errors_stay_in_order(self):
        q = self.session()
        q.socket.sendall(b'{"execute":"query-name","id":1}{"a" 1}{"execute":"query-name","id":2}')
        self.assertEqual([q.receive().get('id', 'error') for _ in range(3)], [1, 'error', 2])

    def test_many_pipelined_in_pieces(self):
        q = self.session()
        text = b''.join(b'{"%s":"query-status","id":%d}\r\n' % (b'exec-oob' if i % 3 else b'execute', i) for i in range(3000))
        sender = threading.Thread(target=lambda: [q.socket.sendall(text[i:i + 997]) for i in range(0, len(text), 997)])
        sender.start()
        ids = [q.receive()['id'] for _ in range(3000)]
        sender.join()
        self.assertEqual(sorted(ids), list(range(3000)))
        in_band = [i for i in ids if i % 3 == 0]
        self.assertEqual(in_band, sorted(in_band))

    def test_client_gone_with_commands_in_flight(self):
        q = self.session()
        with Blocked(q) as blocked:
            q.socket.sendall(b'{"execute":"query-name"}' * 5 + b'{"execute":"que')
            q.socket.close()
            q.lines.close()
            blocked.release()
            q.connect(negotiate=False)
            self.assertEqual(q.greeting['QMP']['capabilities'], ['oob'])
            self.assertEqual(q.command('qmp_capabilities'), {})
            self.assertIn('unexpected', q.exchange(b'{"exec-oob":"query-name"}')['error']['desc'])

    def test_every_session_negotiates_anew(self):
        q = self.session()
        for i in range(30):
            q.socket.close()
            q.lines.close()
            q.connect(negotiate=False)
            enable = {'enable': ['oob']} if i % 2 else {}
            self.assertEqual(q.command('qmp_capabilities', enable), {})
            self.assertEqual('return' in q.exchange(b'{"exec-oob":"query-name"}'), bool(i % 2))
        with open('/proc/%d/status' % q.process.pid, encoding='ascii') as f:
            threads = next(int(line.split()[1]) for line in f if line.startswith('Threads'))
        self.assertLess(threads, 10)
        self.assertLess(len(os.listdir('/proc/%d/fd' % q.process.pid)), 40)

    def test_descriptors_go_with_their_command(self):
        q = self.session()
        r, w = os.pipe()
        socket.send_fds(q.socket, [b'{"execute":"getfd","arguments":{"fdname":"p"}}'], [w])
        os.close(w)
        self.assertEqual(q.exchange(b''), {'return': {}})
        os.set_blocking(r, False)
        with self.assertRaises(BlockingIOError):
            os.read(r, 1)
        q.command('closefd', {'fdname': 'p'})
        self.assertEqual(os.read(r, 1), b'')
        os.close(r)

    def test_a_multiplexer_has_none(self):
        with quern.Quern(*EMPTY, '-chardev', 'ringbuf,id=m,mux=on', '-mon', 'chardev=m,mode=control') as q:
            greeting = json.loads(q.command('ringbuf-read', {'device': 'm-base', 'size': 4096}))
            self.assertEqual(greeting['QMP']['capabilities'], [])

    def test_quit_ends_the_session_in_good_order(self):
        q = self.session()
        self.assertEqual(q.request('quit', id=1), {'return': {}, 'id': 1})
        self.assertEqual(q.wait_event('SHUTDOWN')['data']['reason'], 'host-qmp-quit')
        self.assertEqual(q.wait(), 0)


class Sessions(unittest.TestCase):
    def second(self, q, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(quern.TIMEOUT_S)
        s.connect(path)
        self.addCleanup(s.close)
        lines = s.makefile('rb')
        self.addCleanup(lines.close)
        json.loads(lines.readline())
        s.sendall(b'{"execute":"qmp_capabilities"}')
        self.assertEqual(json.loads(lines.readline()), {'return': {}})
        return s, lines

    def two(self):
        folder = os.path.join('/tmp', 'quern-%d' % os.getpid())
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, 'second')
        q = quern.Quern(*EMPTY, '-qmp', 'unix:%s,server=on,wait=off' % path)
        self.addCleanup(q.__exit__)
        self.addCleanup(lambda: (os.path.exists(path) and os.unlink(path), os.rmdir(folder)))
        return q, path

    def test_events_go_to_all_replies_to_one(self):
        q, path = self.two()
        _, lines = self.second(q, path)
        q.command('stop')
        self.assertEqual(json.loads(lines.readline())['event'], 'STOP')
        self.assertEqual(q.wait_event('STOP')['event'], 'STOP')

    def test_a_client_that_stalls_hinders_nobody(self):
        q, path = self.two()
        _, lines = self.second(q, path)
        before = rss_kib(q)
        for _ in range(15000):              # over 2 MB of events that the second one does not read
            q.command('stop')
            q.command('cont')
            q.events.clear()
        self.assertLess(rss_kib(q) - before, 8 * 1024 if not q.sanitized else 1 << 30)
        self.assertIn('does not read', q.last_words())
        events = []
        while not events or events[-1]['event'] != 'RESET':
            if len(events) == 10:
                q.command('system_reset')
            events.append(json.loads(lines.readline()))
        self.assertLess(len(events), 30000)

    def test_a_client_that_leaves_amid_a_flood(self):
        q, path = self.two()
        for _ in range(20):
            s, lines = self.second(q, path)
            s.sendall(b'{"execute":"query-qmp-schema"}' * 50)
            lines.close()
            s.close()
        self.assertEqual(q.command('query-status')['running'], True)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
