#!/usr/bin/env python3
"""Descriptors handed to the emulator: inherited ones, and those sent with a command."""
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import unittest

import quern

EMPTY = ('-machine', 'none')


def send_with(q, fds, name, arguments=None):
    text = json.dumps({'execute': name, 'arguments': arguments or {}}).encode() + b'\r\n'
    socket.send_fds(q.socket, [text], fds)
    return q.exchange(b'')


def is_at_end(fd, patience_s=5):
    """The reading end of a pipe: does every writer close it within @patience_s?"""
    ready, _, _ = select.select([fd], [], [], patience_s)
    return bool(ready) and os.read(fd, 1) == b''


class Sent(unittest.TestCase):
    def setUp(self):
        self.r, self.w = os.pipe()
        self.addCleanup(os.close, self.r)

    def give(self, q, name, arguments=None):
        """Send the pipe's writing end along, and keep none of it."""
        reply = send_with(q, [self.w], name, arguments)
        os.close(self.w)
        return reply

    def test_getfd_and_closefd(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(self.give(q, 'getfd', {'fdname': 'p'})['return'], {})
            self.assertFalse(is_at_end(self.r, 0))
            q.command('closefd', {'fdname': 'p'})
            self.assertTrue(is_at_end(self.r))
            self.assertIn("'p' not found", q.error('closefd', {'fdname': 'p'})[1])
            self.assertIn('SCM_RIGHTS', q.error('getfd', {'fdname': 'p'})[1])

    def test_a_name_used_again_closes_the_older(self):
        with quern.Quern(*EMPTY) as q:
            self.give(q, 'getfd', {'fdname': 'p'})
            with open('/dev/null', encoding='ascii') as other:
                self.assertEqual(send_with(q, [other.fileno()], 'getfd', {'fdname': 'p'})['return'], {})
            self.assertTrue(is_at_end(self.r))

    def test_refused_ones_are_closed(self):
        for name, arguments in [('getfd', {'fdname': '1x'}), ('nosuch', {}), ('query-version', {}), ('add-fd', {'fdset-id': -1})]:
            with self.subTest(name), quern.Quern(*EMPTY) as q:
                r, w = os.pipe()
                send_with(q, [w], name, arguments)
                os.close(w)
                self.assertTrue(is_at_end(r))
                os.close(r)
        os.close(self.w)

    def test_more_than_wanted_are_closed(self):
        with quern.Quern(*EMPTY) as q, open('/dev/null', encoding='ascii') as other:
            self.assertIn('return', send_with(q, [other.fileno(), self.w] + [other.fileno()] * 30, 'getfd', {'fdname': 'p'}))
            os.close(self.w)
            self.assertTrue(is_at_end(self.r))

    def test_those_of_a_client_that_left_are_closed(self):
        with quern.Quern(*EMPTY) as q:
            socket.send_fds(q.socket, [b' '], [self.w])
            os.close(self.w)
            q.command('query-version')
            self.assertTrue(is_at_end(self.r))

    def test_a_descriptor_sent_ahead_of_its_command(self):
        with quern.Quern(*EMPTY) as q:
            socket.send_fds(q.socket, [b' '], [self.w])
            os.close(self.w)
            q.command('getfd', {'fdname': 'p'})
            self.assertFalse(is_at_end(self.r, 0))

    def test_sets(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.command('query-fdsets'), [])
            added = send_with(q, [self.w], 'add-fd', {'opaque': 'mine'})['return']
            self.assertEqual(added['fdset-id'], 0)
            self.assertEqual(q.command('query-fdsets'), [{'fdset-id': 0, 'fds': [{'fd': added['fd'], 'opaque': 'mine'}]}])
            second = send_with(q, [self.w], 'add-fd', {'fdset-id': 7})['return']
            third = send_with(q, [self.w], 'add-fd', {'fdset-id': 7})['return']
            os.close(self.w)
            self.assertEqual(q.command('query-fdsets')[1],
                             {'fdset-id': 7, 'fds': [{'fd': second['fd']}, {'fd': third['fd']}]})
            q.command('remove-fd', {'fdset-id': 7, 'fd': second['fd']})
            q.command('remove-fd', {'fdset-id': 7})
            self.assertIn("'fdset-id:7' not found", q.error('remove-fd', {'fdset-id': 7})[1])
            self.assertIn("'fdset-id:0, fd:-1' not found", q.error('remove-fd', {'fdset-id': 0, 'fd': -1})[1])
            self.assertIn("'fdset-id:0, fd:99999' not found", q.error('remove-fd', {'fdset-id': 0, 'fd': 99999})[1])
            self.assertFalse(is_at_end(self.r, 0))
            q.command('remove-fd', {'fdset-id': 0})
            self.assertTrue(is_at_end(self.r))


class Inherited(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-fds-')
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, 'f')

    def start(self, fds, *args):
        return quern.Quern(*EMPTY, *args, pass_fds=fds)

    def test_a_file_chardev_in_a_set(self):
        with open(self.path, 'wb') as f:
            f.write(b'before\n')
            f.flush()
            with self.start([f.fileno()], '-add-fd', 'set=3,fd=%d,opaque=log' % f.fileno(),
                            '-chardev', 'file,id=c,path=/dev/fdset/3,append=on') as q:
                self.assertEqual(q.command('query-fdsets')[0]['fds'], [{'fd': f.fileno(), 'opaque': 'log'}])
                self.assertEqual(q.hmp('info chardev').count('c: filename=file'), 1)
        with open(self.path, 'rb') as f:
            self.assertEqual(f.read(), b'before\n')     # append=on does not empty it

    def test_access_mode_must_fit(self):
        with open(self.path, 'wb'):
            pass
        with open(self.path, 'rb') as f:
            for option in ('file,id=c,path=/dev/fdset/0', 'file,id=c,path=/dev/fdset/9', 'file,id=c,path=/dev/fdset/x'):
                done = subprocess.run([quern.BINARY, *EMPTY, '-display', 'none', '-add-fd', 'set=0,fd=%d' % f.fileno(),
                                       '-chardev', option], pass_fds=[f.fileno()], capture_output=True, text=True,
                                      timeout=quern.TIMEOUT_S, check=False)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn("Unable to open '/dev/fdset/", done.stderr)

    def test_a_listening_socket(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen(1)
            with self.start([listener.fileno()], '-chardev', 'socket,id=c,fd=%d,server=on,wait=off' % listener.fileno(),
                            '-mon', 'chardev=c,mode=control') as q:
                names = {c['label']: c['filename'] for c in q.command('query-chardev')}
                self.assertEqual(names['c'], 'disconnected:unix:%s,server=on' % self.path)
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(self.path)
                    self.assertIn(b'"QMP"', client.recv(4096))
                    names = {c['label']: c['filename'] for c in q.command('query-chardev')}
                    self.assertEqual(names['c'], 'unix:%s,server=on' % self.path)

    def test_what_add_fd_refuses(self):
        for option, message in [('set=0,fd=1', 'greater than 2'), ('set=0,fd=777', 'not valid or already in use'),
                                ('set=-1,fd=9', 'at least 0'), ('fd=9', "'set' is missing"), ('set=0,fd=9,x=1', "'x'")]:
            with self.subTest(option), open('/dev/null', encoding='ascii') as f:
                os.dup2(f.fileno(), 9)
                done = subprocess.run([quern.BINARY, *EMPTY, '-add-fd', option], pass_fds=[9], capture_output=True, text=True,
                                      timeout=quern.TIMEOUT_S, check=False)
                os.close(9)
                self.assertEqual(done.returncode, 1)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count('\n'), 1)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
