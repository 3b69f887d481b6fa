#!/usr/bin/env python3
"""vhost-user: which back ends are taken and which are refused, by their slots, their queues and their manners."""
import os
import re
import struct
import sys
import tempfile
import time
import unittest

import quern
import vhost_user as vu
from quern import run

MIB, GIB = 1 << 20, 1 << 30
SHARED = ['-object', 'memory-backend-memfd,id=m,size=64M,share=on', '-machine', 'q35,memory-backend=m', '-S']
ROOMY = [*SHARED, '-m', '64M,slots=4,maxmem=600G']


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='vhost-')
        self.path = os.path.join(self.folder.name, 's')

    def tearDown(self):
        self.folder.cleanup()

    def backend(self, *args, **kwargs):
        if os.path.exists(self.path):
            os.unlink(self.path)
        return vu.Backend(self.path, *args, **kwargs)

    def disk(self, more='', chardev=''):
        return ['-chardev', f'socket,id=c,path={self.path}{chardev}', '-device', f'vhost-user-blk-pci,id=d0,chardev=c{more}']

    def plug(self, q, name='d0', **more):
        """The error's text, or None."""
        q.command('chardev-add', {'id': 'c', 'backend': {'type': 'socket', 'data': {
            'addr': {'type': 'unix', 'data': {'path': self.path}}, 'server': False}}})
        reply = q.request('device_add', {'driver': 'vhost-user-blk-pci', 'id': name, 'chardev': 'c', 'bus': 'rp0', **more})
        if 'error' in reply:
            q.command('chardev-remove', {'id': 'c'})
            return reply['error']['desc']
        return None


class CommandLines(WithFolder):
    def refused(self, args, text):
        status, out, err = run('-display', 'none', '-nodefaults', *args)
        self.assertEqual((status, out), (1, ''), err)
        self.assertIn(text, err)
        self.assertEqual(len([line for line in err.splitlines() if 'quern' in line]), 1, err)

    def test_what_is_needed(self):
        self.refused([*SHARED, '-m', '64M', '-device', 'vhost-user-blk-pci'], 'chardev is mandatory')
        self.refused([*SHARED, '-m', '64M', '-chardev', 'null,id=c', '-device', 'vhost-user-blk-pci,chardev=c'], 'no plain socket')
        self.refused([*SHARED, '-m', '64M', *self.disk(chardev=',server=on,wait=off')], 'nothing is connected')
        self.refused([*SHARED, '-m', '64M', *self.disk()], 'No such file or directory')
        for args, name in ((['-m', '64M'], 'pc.ram'),
                           (['-object', 'memory-backend-ram,id=r,size=64M,share=on', '-machine', 'memory-backend=r', '-m', '64M'], '/objects/r'),
                           (['-object', 'memory-backend-memfd,id=r,size=64M,share=off', '-machine', 'memory-backend=r', '-m', '64M'], '/objects/r'),
                           (['-m', '64M', '-object', 'memory-backend-ram,id=r,size=64M', '-numa', 'node,memdev=r'], '/objects/r')):
            with self.backend():
                self.refused([*args, '-S', *self.disk()], f"needs guest memory that it can map: '{name}' is not shared")

    def test_queues_and_configuration(self):
        with self.backend(queues=2):
            self.refused([*SHARED, '-m', '64M', *self.disk(',num-queues=3')], 'supported by the backend is 2, num-queues is 3')
        with self.backend(protocol=vu.REPLY_ACK):
            self.refused([*SHARED, '-m', '64M', *self.disk()], 'does not tell the device\'s configuration')
        with self.backend(queues=2) as b, quern.Quern(*SHARED, '-m', '64M', '-smp', '4', *self.disk()) as q:
            self.assertIn('num-queues = 2', q.hmp('info qtree'))
            self.assertEqual([r for r in b.seen if r in (vu.SET_MEM_TABLE, vu.ADD_MEM_REG)], [])    # no driver, no memory

    def test_one_queue_where_the_back_end_has_one(self):
        """Also one that is not there yet when the chardev is made, but comes in time."""
        with self.backend(), quern.Quern(*SHARED, '-m', '64M', '-smp', '4', *self.disk(chardev=',reconnect-ms=100')) as q:
            self.assertIn('num-queues = 1', q.hmp('info qtree'))


def mem(name, size, **more):
    return {'qom-type': 'memory-backend-memfd', 'id': name, 'size': size, 'share': True, 'reserve': False, **more}


class Slots(WithFolder):
    PORT = ['-device', 'pcie-root-port,id=rp0,chassis=1', '-device', 'pcie-root-port,id=rp1,chassis=2']

    def virtio_mem(self, q, size=256 * GIB, **more):
        q.command('object-add', mem('v', size))
        q.command('device_add', {'driver': 'virtio-mem-pci', 'id': 'vm0', 'memdev': 'v', 'bus': 'rp1', **more})

    def slots_of_virtio_mem(self, q):
        return len(re.findall('alias virtio-mem-slot', q.hmp('info mtree -D')))

    def test_few_slots_after_a_decision_are_refused(self):
        with self.backend(slots=508) as b, quern.Quern(*ROOMY, *self.PORT) as q:
            self.virtio_mem(q)
            many = self.slots_of_virtio_mem(q)
            self.assertGreater(many, 100)
            before = vu.residue(q.process.pid)
            for slots in (508, 8):
                b.slots = slots
                self.assertEqual(self.plug(q), f"vhost-user-blk 'd0' takes {slots} memory slots, and a memory device (virtio-mem) has "
                                 'decided how many it uses as if there were 509 at least')
            self.assertEqual(vu.residue(q.process.pid), before)
            self.assertNotIn('vhost-user-blk', q.hmp('info qtree'))
            b.slots = 509
            self.assertIsNone(self.plug(q))
            self.assertEqual(self.slots_of_virtio_mem(q), many)

    def test_one_slot_where_few_are(self):
        with self.backend(), quern.Quern(*ROOMY, *self.PORT, *self.disk()) as q:       # eight, untold
            self.virtio_mem(q)
            self.assertEqual(self.slots_of_virtio_mem(q), 1)
        with self.backend(slots=508), quern.Quern(*ROOMY, *self.PORT, *self.disk()) as q:
            self.virtio_mem(q)
            self.assertEqual(self.slots_of_virtio_mem(q), 1)
        with self.backend(slots=509), quern.Quern(*ROOMY, *self.PORT, *self.disk()) as q:
            self.virtio_mem(q)
            self.assertGreater(self.slots_of_virtio_mem(q), 100)

    def test_used_and_reserved_beyond_the_limit(self):
        """Boot memory and the rings take a slot each."""
        with self.backend(slots=2) as b, quern.Quern(*ROOMY, *self.PORT) as q:
            self.virtio_mem(q, **{'dynamic-memslots': False})
            self.assertIn('takes 2 memory slots, which is less than the 3 in use and 0 reserved', self.plug(q))
            b.slots = 3
            self.assertIsNone(self.plug(q))
        with self.backend(slots=2) as b, quern.Quern(*ROOMY, *self.PORT) as q:
            self.virtio_mem(q, 512 * MIB)                               # one, which waits for its first block
            self.assertIn('takes 2 memory slots, which is less than the 2 in use and 1 reserved', self.plug(q))
            b.slots = 1
            self.assertIn('takes 1 memory slots, which is less than the 2 in use and 1 reserved', self.plug(q))

    def test_memory_devices_after_it(self):
        with self.backend(slots=3), quern.Quern(*ROOMY, *self.PORT, *self.disk()) as q:
            q.command('object-add', {'qom-type': 'memory-backend-ram', 'id': 'private', 'size': 128 * MIB})
            self.assertEqual(q.error('device_add', {'driver': 'pc-dimm', 'id': 'p0', 'memdev': 'private'})[1],
                             "vhost-user-blk 'd0' needs guest memory that it can map: '/objects/private' is not shared "
                             '(memory-backend-memfd or memory-backend-file with share=on)')
            for i in range(2):
                q.command('object-add', mem(f'm{i}', 128 * MIB))
            q.command('device_add', {'driver': 'pc-dimm', 'id': 'p0', 'memdev': 'm0'})
            self.assertEqual(q.error('device_add', {'driver': 'pc-dimm', 'id': 'p1', 'memdev': 'm1'})[1],
                             "vhost-user-blk 'd0' has no memory slots left: 3 of 3 are in use and 0 reserved, 1 are needed")
            self.assertEqual([d['data']['id'] for d in q.command('query-memory-devices')], ['p0'])


def say(data, then_close=False):
    def answer(connection, request, payload):
        connection.sendall(data(request) if callable(data) else data)
        if then_close:
            raise ConnectionError('closed')
    return answer


def header(request, size, flags=5):
    return struct.pack('<3I', request, flags, size)


def answer_bytes(request):
    return 72 if request == vu.GET_CONFIG else 8


class Manners(WithFolder):
    """What a back end says while it is plugged: a clear error each time, and the machine goes on as it was."""
    PORT = Slots.PORT

    CASES = [
        ('silence', say(b''), 'no answer within 300 ms'),
        ('part of a header', say(b'\1\0\0'), 'no answer within 300 ms'),
        ('header alone', say(lambda r: header(r, answer_bytes(r))), 'no answer within 300 ms'),
        ('end', say(b'', True), 'it closed the connection'),
        ('end in the middle', say(lambda r: header(r, answer_bytes(r)) + b'xx', True), 'it closed the connection'),
        ('garbage', say(b'\xff' * 64), 'answers with message 4294967295'),
        ('another request', say(lambda r: header(r + 1, 8) + bytes(8)), 'it answers with message'),
        ('no reply flag', say(lambda r: header(r, 8, 1) + bytes(8)), 'flags 0x1'),
        ('another version', say(lambda r: header(r, 8, 6) + bytes(8)), 'flags 0x6'),
        ('a huge size', say(lambda r: header(r, 0xffffffff) + bytes(8)), 'its answer has 4294967295 bytes, not'),
        ('a short size', say(lambda r: header(r, 0)), 'its answer has 0 bytes, not'),
    ]

    def test_answers(self):
        with self.backend(slots=509) as b, quern.Quern(*ROOMY, *self.PORT) as q:
            before = vu.residue(q.process.pid)
            for name, answer, text in self.CASES:
                for request in (vu.GET_FEATURES, vu.GET_PROTOCOL_FEATURES, vu.GET_QUEUE_NUM, vu.GET_MAX_MEM_SLOTS, vu.GET_CONFIG,
                                vu.SET_BACKEND_REQ_FD):
                    if text.startswith('no answer') and request not in (vu.GET_FEATURES, vu.GET_CONFIG):
                        continue
                    with self.subTest(name=name, request=request):
                        b.misbehave = {request: answer}
                        got = self.plug(q, **{'reply-timeout': 300})
                        self.assertIn("vhost-user-blk 'd0': vhost-user request", got)
                        self.assertIn(text, got)
            self.assertEqual(vu.residue(q.process.pid), before)
            b.misbehave = {}
            self.assertIsNone(self.plug(q))

    def test_refusals(self):
        with self.backend(slots=509) as b, quern.Quern(*ROOMY, *self.PORT) as q:
            b.misbehave = {vu.SET_BACKEND_REQ_FD: say(lambda r: header(r, 8) + struct.pack('<Q', 22))}
            self.assertEqual(self.plug(q), "vhost-user-blk 'd0': vhost-user request SET_BACKEND_REQ_FD: the back end refuses with 22")
            b.misbehave = {vu.GET_MAX_MEM_SLOTS: say(lambda r: header(r, 8) + struct.pack('<Q', 0))}
            self.assertIn('takes 0 memory slots', self.plug(q))
            b.misbehave = {vu.GET_QUEUE_NUM: say(lambda r: header(r, 8) + struct.pack('<Q', 1 << 63))}
            self.assertIsNone(self.plug(q))

    def lost(self, q, text):
        end = time.monotonic() + 10
        while text not in q.last_words() and time.monotonic() < end:
            q.command('query-status')
            time.sleep(0.02)
        return q.last_words()

    def test_between_requests(self):
        for name, say_it, text in (('garbage', lambda b: b.connection.sendall(b'hello'), 'it says something unasked'),
                                   ('end', lambda b: b.connection.shutdown(2), 'it closed the connection')):
            with self.subTest(name), self.backend(slots=509) as b, quern.Quern(*ROOMY, *self.disk()) as q:
                say_it(b)
                self.assertIn(f"vhost-user-blk 'd0': the back end is lost: {text}", self.lost(q, 'is lost'))
                q.command('system_reset')
                q.command('query-status')

    def test_the_back_end_asks(self):
        for message, warns in ((header(99, 0, 9), False), (header(2, 0, 9), False), (header(1, 0xfffffff0, 9), True), (b'\1\2', False)):
            with self.subTest(message), self.backend(slots=509) as b, quern.Quern(*ROOMY, *self.disk()) as q:
                seen = len(b.seen)
                b.channel.sendall(message)
                b.channel.settimeout(5)
                if warns:
                    self.assertIn('none are taken any more', self.lost(q, 'none are taken'))
                elif len(message) == 12:
                    reply = struct.unpack('<3IQ', b.channel.recv(64))
                    self.assertEqual(reply, (struct.unpack('<I', message[:4])[0], 5, 8, 1 if message[0] == 99 else 0))
                q.command('query-status')
                if message[0] == 2:
                    self.assertEqual(b.seen[seen:], [vu.GET_CONFIG])
                self.assertNotIn('is lost', q.last_words())


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
