#!/usr/bin/env python3
"""Garbage on the QMP socket: every request gets one reply, and the emulator lives.

Requests are made from the schema with right, nearly right and wrong values; the seed is fixed (or the
third argument), and printed with a failure.
"""
import json
import random
import sys
import unittest

import quern

SEED = 20260101
ROUNDS = 1500
# What ends the process, or legitimately leaves no reply to count on.
LEFT_OUT = {'quit', 'qmp_capabilities', 'set-action'}
ODD = [None, True, False, 0, 1, -1, 2 ** 31, 2 ** 63 - 1, 2 ** 64 - 1, 1.5, 1e300, '', 'a', '/', '/machine', '/objects',
       '/chardevs', 'type', '\u00e9', 'x' * 5000, [], [[]], {}, {'a': {'b': []}}, 'ring0', 'on', '%s%n', '../../etc',
       'memory-backend-ram', 'rng-builtin', 'virtio-rng-pci', 'isa-serial', '[*]', '/machine/unattached/device[0]']
HMP = ['info', 'info registers', 'x/99999xg 0', 'xp/3cb 0xfffffffffffffff0', 'print/x 1+', 'print 1-2-3', 'log in_asm',
       'log none', 'device_add', 'device_add help', 'object_add rng-builtin', 'cpu 99', 'cpu', 'help help', 'info qtree',
       'info mtree -f', 'info qom-tree /nowhere', 'info jit', '/', '/x', 'x', 'stop x', '\x00', 'x/zz 0', 'x/4xw -', 'logfile']


class Garbage(unittest.TestCase):
    def values(self, rnd, schema, type_name, depth=0):
        t = schema.get(type_name)
        if t is None or depth > 4 or rnd.random() < 0.15:
            return rnd.choice(ODD)
        kind = t['meta-type']
        if kind == 'enum':
            return rnd.choice(t['members'])['name']
        if kind == 'array':
            return [self.values(rnd, schema, t['element-type'], depth + 1) for _ in range(rnd.randrange(3))]
        if kind == 'object':
            out = {m['name']: self.values(rnd, schema, m['type'], depth + 1) for m in t['members']
                   if 'default' not in m or rnd.random() < 0.5}
            if rnd.random() < 0.1:
                out['x-unknown'] = rnd.choice(ODD)
            return out
        if kind == 'builtin':
            pool = {'string': [o for o in ODD if isinstance(o, str)], 'boolean': [True, False],
                    'int': [0, 1, -1, 4096, 2 ** 63 - 1, 2 ** 64 - 1]}.get(t['json-type'], ODD)
            return rnd.choice(pool)
        return rnd.choice(ODD)

    def pound(self, *args):
        rnd = random.Random(SEED)
        with quern.Quern(*args, '-chardev', 'ringbuf,id=ring0,size=64', '-no-shutdown') as q:
            schema = {e['name']: e for e in q.command('query-qmp-schema')}
            commands = [e for e in schema.values() if e['meta-type'] == 'command' and e['name'] not in LEFT_OUT]
            for i in range(ROUNDS):
                command = rnd.choice(commands)
                arguments = self.values(rnd, schema, command['arg-type'])
                if command['name'] == 'human-monitor-command' and rnd.random() < 0.8:
                    arguments = {'command-line': rnd.choice(HMP)}
                text = json.dumps({'execute': command['name'], 'arguments': arguments, 'id': i})
                if rnd.random() < 0.1:
                    at = rnd.randrange(len(text))
                    text = text[:at] + rnd.choice(['"', '{', ']', ',', '\\', '\x01', 'q', '9']) + text[at + 1:]
                try:
                    q.socket.sendall(text.encode() + b'\n\xff')
                    self.settle(q, i)
                except (EOFError, OSError) as error:
                    self.fail('seed %d, round %d: %s after %s\n%s' % (SEED, i, error, text[:500], q.last_words()))
            self.assertIn('running', q.command('query-status'))

    def settle(self, q, i):
        """Everything that came in has been answered when this marker is."""
        q.socket.sendall(b'{"execute":"query-version","id":"mark-%d"}\n' % i)
        while q.receive().get('id') != 'mark-%d' % i:
            pass

    def test_on_the_empty_machine(self):
        self.pound('-machine', 'none')

    def test_on_q35(self):
        self.pound('-machine', 'q35', '-m', '32', '-S', '-smp', '2')


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        SEED = int(sys.argv.pop(1))
    unittest.main()
