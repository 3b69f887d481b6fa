#!/usr/bin/env python3
"""Every type there is: told, made with its defaults, told again, destroyed; every property of every device given wrong and
boundary values: an error that names device and property, or a working device, which is then unplugged.

usage: test-types.py QUERN
"""
import os
import sys
import tempfile
import unittest

import quern

# What an object cannot do without.  A type that needs something and is not here must say what it lacks.
OBJECT_NEEDS = {
    'memory-backend-ram': {'size': 1 << 20},
    'memory-backend-memfd': {'size': 1 << 20},
    'memory-backend-file': {'size': 1 << 20, 'mem-path': '/dev/shm'},
    'rng-random': {'filename': '/dev/urandom'},
    'secret': {'data': 'letmein'},
    'authz-simple': {'identity': 'fred'},
    'authz-list-file': None,
}

NODES = tuple(a for i in range(4) for a in ('-blockdev', 'null-co,size=1048576,node-name=n%d' % i))
MACHINES = {
    'q35': ('-machine', 'q35', '-m', '64,slots=4,maxmem=1G', *NODES, '-device', 'pcie-root-port,id=port,chassis=1,slot=1',
            '-device', 'virtio-serial-pci,id=vs', '-chardev', 'null,id=c0'),
    'pc': ('-machine', 'pc', '-m', '64,slots=4,maxmem=1G', *NODES, '-device', 'virtio-serial-pci,id=vs', '-chardev', 'null,id=c0'),
}

# Arguments without which a device cannot be, so that the others can be tried.
DEVICE_NEEDS = {'drive': 'n0', 'chardev': 'c0', 'netdev': 'net0', 'memdev': 'mem0'}

# Said by what the value is given to, which names the value.
ELSEWHERE = ('PCI: ', 'find block node', ': option ROM: ', 'memory device', 'must be aligned')

# What is wrong is not this value but that another goes with it; or no value would be right.
WITHOUT_VALUE = ('is read-only', 'disable-legacy', 'min_io_size', 'opt_io_size', "can't add memory device", 'Duplicate device ID', 'needs property', 'property must be set')


def ways_to_show(value):
    """How a message may say what was given."""
    if isinstance(value, bool):
        return ('true', 'on') if value else ('false', 'off')
    if isinstance(value, (int, float)):
        return (str(value), hex(int(value)), '%g' % value)
    if isinstance(value, str):
        number = int(value, 0) if value.startswith('0x') else None
        same = {'yes': ('on',), '1k': ('1024', '0x400')}.get(value, ())
        return (value[:30], *same, *((str(number), hex(number)) if number is not None else ()))
    return ({type(None): 'null', list: 'array', dict: 'object'}[type(value)],)


SIZED = {'uint8': 8, 'uint16': 16, 'uint32': 32, 'uint64': 64, 'size': 64}


def boundary_values(kind, default):
    """Values of every JSON type, the kind's bounds and what lies beyond."""
    values = [None, {}, [], [1], {'a': 1}, 1.5, -1, 0, 1, True, False, '', 'x', 'nosuch-object', '-1', '18446744073709551616',
              1 << 31, 1 << 32, (1 << 63) - 1, (1 << 64) - 1, -(1 << 63), 'a' * 5000]
    if kind in SIZED:
        top = 1 << SIZED[kind]
        values += [top - 1, top, '0x%x' % (top - 1), str(top), '1k', '1Q']
    if kind.startswith('int'):
        values += [-(1 << 31), -(1 << 31) - 1, (1 << 31) - 1]
    if kind in ('bool', 'OnOffAuto'):
        values += ['on', 'off', 'auto', 'yes', 'maybe']
    if default is not None:
        values.append(default)
    return values


class Types(unittest.TestCase):
    def test_objects_come_and_go(self):
        with tempfile.TemporaryDirectory() as folder, quern.Quern('-machine', 'none') as q:
            kinds = [t['name'] for t in q.command('qom-list-types') if not t.get('abstract')]
            made = 0
            for kind in kinds:
                arguments = {'qom-type': kind, 'id': 'o', **(OBJECT_NEEDS.get(kind) or {})}
                if kind == 'memory-backend-file':
                    arguments['mem-path'] = os.path.join(folder, 'm')
                if kind == 'main-loop':
                    continue            # there is one, for good: test-block.py
                with self.subTest(kind):
                    reply = q.request('object-add', arguments)
                    if 'error' in reply:
                        self.assertRegex(reply['error']['desc'], r'no object type|needs|missing|must|no .* was given|not given|requires|expects')
                        self.assertNotIn(kind, [k for k, v in OBJECT_NEEDS.items() if v is not None])
                        self.assertEqual(q.error('qom-list', {'path': '/objects/o'})[0], 'DeviceNotFound')
                        continue
                    made += 1
                    for e in q.command('qom-list', {'path': '/objects/o'}):
                        reply = q.request('qom-get', {'path': '/objects/o', 'property': e['name']})
                        self.assertTrue('return' in reply or 'write-only' in reply['error']['desc'], (e, reply))
                    q.command('object-del', {'id': 'o'})
                    self.assertEqual(q.error('qom-list', {'path': '/objects/o'})[0], 'DeviceNotFound')
            self.assertGreater(made, 6)

    def test_objects_are_as_the_schema_says(self):
        """object-add's union has every type that users may make, each with the properties that the type has."""
        with quern.Quern('-machine', 'none') as q:
            schema = {e['name']: e for e in q.command('query-qmp-schema')}
            union = schema[schema['object-add']['arg-type']]
            status, text, _ = quern.run('-object', 'help')
            kinds = [m['name'] for m in schema[{m['name']: m for m in union['members']}['qom-type']['type']]['members']]
            self.assertEqual(status, 0)
            self.assertEqual(kinds, text.split()[-len(kinds):])
            self.assertEqual(len(text.splitlines()), 1 + len(kinds))
            self.assertEqual({v['case'] for v in union['variants']}, set(kinds))
            for v in union['variants']:
                with self.subTest(v['case']):
                    told = {p['name'] for p in q.command('qom-list-properties', {'typename': v['case']})}
                    self.assertEqual({m['name'] for m in schema[v['type']]['members']}, told - {'type', 'thread-id'})

    def test_every_type_is_told(self):
        with quern.Quern('-machine', 'none') as q:
            types = q.command('qom-list-types', {'abstract': True})
            names = {t['name'] for t in types}
            self.assertEqual(len(names), len(types))
            concrete = {t['name'] for t in q.command('qom-list-types')}
            self.assertEqual(concrete, {t['name'] for t in types if not t.get('abstract')})
            for t in types:
                with self.subTest(t['name']):
                    self.assertIn(t.get('parent', t['name']), names)
                    heirs = {h['name'] for h in q.command('qom-list-types', {'implements': t['name'], 'abstract': True})}
                    self.assertIn(t['name'], heirs)
                    listed = q.command('qom-list-properties', {'typename': t['name']})
                    self.assertEqual(len({p['name'] for p in listed}), len(listed))
                    for p in listed:
                        self.assertNotIn(p['type'], ('enum', 'link'), p)
            self.assertEqual(q.command('qom-list-types', {'implements': 'nosuch'}), [])

    def test_devices_start_with_their_defaults(self):
        """By -device, on the machine that takes it; a line that is refused names the device or what it lacks."""
        with quern.Quern('-machine', 'none') as q:
            kinds = [t['name'] for t in q.command('qom-list-types', {'implements': 'device'})]
        worked = []
        for kind in kinds:
            with self.subTest(kind):
                status, _, text = quern.run(*MACHINES['q35'], '-nodefaults', '-display', 'none', '-no-reboot', '-device', kind, '-S',
                                            '-qmp', 'stdio', stdin='{"execute":"qmp_capabilities"}{"execute":"quit"}')
                lines = [line for line in text.splitlines() if ': warning: ' not in line]
                self.assertIn(status, (0, 1), text)
                self.assertEqual(len(lines), status, text)
                if status == 0:
                    worked.append(kind)
        for kind in 'virtio-rng-pci', 'pcie-root-port', 'pci-bridge', 'isa-serial', 'pci-testdev':
            self.assertIn(kind, worked)


class Values(unittest.TestCase):
    maxDiff = None

    def start(self, machine):
        q = quern.Quern(*MACHINES[machine], '-S')
        self.bus = {'q35': 'port', 'pc': 'pci.0'}[machine]
        for backend in ({'qom-type': 'memory-backend-ram', 'id': 'mem0', 'size': 128 << 20},):
            q.command('object-add', backend)
        q.request('netdev_add', {'type': 'hubport', 'hubid': 0, 'id': 'net0'})
        return q

    def unplug(self, q):
        """Ask, and let a reset answer for the guest."""
        reply = q.request('device_del', {'id': 'd'})
        if 'error' in reply:
            return False
        q.command('system_reset')
        while q.wait_event('DEVICE_DELETED')['data'].get('device') != 'd':
            pass
        q.events.clear()
        return True

    def try_value(self, q, kind, base, name, value):
        """True if the device has to be made anew: it took the value and does not go."""
        reply = q.request('device_add', {**base, name: value})
        if 'error' in reply:
            text = reply['error']['desc']
            self.assertLess(len(text), 12000)
            if not any(e in text for e in WITHOUT_VALUE):
                self.assertTrue(any(shown in text for shown in ways_to_show(value)), (value, text))
            self.assertTrue(f'{kind}.{name} ' in text or f"'{name}'" in text or (kind.split('-pci')[0] in text and name in text) or any(e in text for e in ELSEWHERE), text)
            self.assertEqual(q.error('qom-list', {'path': '/machine/peripheral/d'})[0], 'DeviceNotFound')
            return
        if name != 'id':
            q.command('qom-get', {'path': '/machine/peripheral/d', 'property': name})
        self.assertTrue(self.unplug(q), (name, value))

    def hotpluggable(self, q, kind):
        """Arguments with which it can be plugged and unplugged; None if it cannot."""
        listed = {p['name']: p for p in q.command('device-list-properties', {'typename': kind})}
        base = {'driver': kind, 'id': 'd', **({'bus': self.bus} if 'addr' in listed else {}),
                **{k: v for k, v in DEVICE_NEEDS.items() if k in listed}}
        reply = q.request('device_add', base)
        if 'error' in reply:
            return None, listed
        return (base if self.unplug(q) else None), listed

    def walk(self, machine, only=None):
        q = self.start(machine)
        tried, kinds = 0, set()
        try:
            for kind in [t['name'] for t in q.command('qom-list-types', {'implements': 'device'})]:
                if kind.endswith('-cpu') or (only and kind not in only):
                    continue                    # CPUs: hundreds of flags each; tests of their own
                base, listed = self.hotpluggable(q, kind)
                if base is None:
                    if 'return' in q.request('qom-list', {'path': '/machine/peripheral/d'}):
                        q.command('quit')
                        self.assertEqual(q.wait(), 0, q.last_words())
                        q.__exit__()
                        q = self.start(machine)
                    continue
                kinds.add(kind)
                for name, p in listed.items():
                    for value in boundary_values(p['type'], p.get('default-value')):
                        with self.subTest(f'{kind}.{name}={value!r}'[:200]):
                            tried += 1
                            self.try_value(q, kind, base, name, value)
            q.command('quit')                   # a build with sanitizers tells of leaks
            self.assertEqual(q.wait(), 0, q.last_words())
        finally:
            q.__exit__()
        print('#', machine, tried, 'values', sorted(kinds), flush=True) if os.environ.get('VERBOSE') else None
        return tried

    def test_every_property_on_q35(self):
        self.assertGreater(self.walk('q35'), 1000)

    def test_properties_on_pc(self):
        self.assertGreater(self.walk('pc', ('virtio-rng-pci', 'pci-testdev')), 500)     # the same devices by other slots


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=1))
