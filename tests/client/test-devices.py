#!/usr/bin/env python3
"""Plugging and unplugging by QMP, and the tree of objects, without a guest."""
import sys
import tempfile
import time
import unittest

import quern

Q35 = ('-machine', 'q35', '-S')
PORTS = ('-device', 'pcie-root-port,id=rp0,chassis=1,slot=1', '-device', 'pcie-root-port,id=rp1,chassis=2,slot=2',
         '-device', 'pcie-root-port,id=cold,chassis=3,slot=3,hotplug=off')


def names(listing):
    return {e['name']: e['type'] for e in listing}


class Adding(unittest.TestCase):
    def test_wrong_requests_change_nothing(self):
        cases = [
            ({}, "Parameter 'driver' is missing"),
            ({'driver': 1}, "Invalid parameter type for 'driver', expected: string"),
            ({'driver': 'nosuch'}, "'nosuch' is not a valid device model name"),
            ({'driver': 'pci-device'}, "'pci-device' is not a valid device model name"),
            ({'driver': 'mch'}, "device 'mch' is part of the board"),
            ({'driver': 'isa-serial'}, "Device 'isa-serial' does not support hotplugging"),
            ({'driver': 'virtio-rng-pci', 'bus': 'nosuch'}, "Bus 'nosuch' not found"),
            ({'driver': 'virtio-rng-pci', 'bus': 7}, "Invalid parameter type for 'bus', expected: string"),
            ({'driver': 'virtio-rng-pci', 'bus': 'isa.0'}, 'the device needs a PCI'),
            ({'driver': 'virtio-rng-pci', 'bus': 'cold'}, "Bus 'cold' does not support hotplugging"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'id': 'r'}, "Duplicate device ID 'r'"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'id': 'a/b'}, "Parameter 'id' expects an identifier, got 'a/b'"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'id': ''}, "Parameter 'id' expects an identifier"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'id': 5}, "Invalid parameter type for 'id', expected: string"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'colour': 'red'}, "virtio-rng-pci has no property 'colour'"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'vectors': 'x'}, "virtio-rng-pci.vectors must be an integer, got 'x'"),
            ({'driver': 'virtio-rng-pci', 'bus': 'rp1', 'realized': True}, 'virtio-rng-pci.realized is read-only'),
        ]
        with quern.Quern(*Q35, *PORTS, '-device', 'virtio-rng-pci,id=r,bus=rp0') as q:
            before = names(q.command('qom-list', {'path': '/machine/peripheral'}))
            for arguments, message in cases:
                with self.subTest(arguments):
                    kind, text = q.error('device_add', arguments)
                    self.assertEqual(kind, 'GenericError')
                    self.assertIn(message, text)
            self.assertEqual(names(q.command('qom-list', {'path': '/machine/peripheral'})), before)
            self.assertNotIn('child[1]', names(q.command('qom-list', {'path': '/machine/peripheral/rp1/rp1'})))

    def test_text_and_json_values_give_the_same_device(self):
        with quern.Quern(*Q35, *PORTS) as q:
            q.command('device_add', {'driver': 'virtio-rng-pci', 'bus': 'rp0', 'id': 'a', 'vectors': '2', 'max-bytes': '0x400'})
            q.command('device_add', {'driver': 'virtio-rng-pci', 'bus': 'rp1', 'id': 'b', 'vectors': 2, 'max-bytes': 1024})
            for name in ('vectors', 'max-bytes'):
                a, b = (q.command('qom-get', {'path': '/machine/peripheral/' + d, 'property': name}) for d in 'ab')
                self.assertEqual(a, b)


    def test_boot_order_is_unique(self):
        with quern.Quern(*Q35, *PORTS, *(a for n in 'ab' for a in ('-blockdev', 'null-co,size=1048576,node-name=' + n)),
                         '-device', 'virtio-blk-pci,drive=a,bootindex=1,id=a') as q:
            disk = {'driver': 'virtio-blk-pci', 'drive': 'b', 'bus': 'rp0', 'id': 'b'}
            self.assertEqual(q.error('device_add', {**disk, 'bootindex': 1})[1],
                             "virtio-blk-pci.bootindex must be unique: 1 is that of '/machine/peripheral/a/virtio-backend'")
            self.assertIn('must be -1..2147483647', q.error('device_add', {**disk, 'bootindex': -2})[1])
            q.command('device_add', {**disk, 'bootindex': 2})
            self.assertIn('unique', q.error('qom-set', {'path': '/machine/peripheral/a', 'property': 'bootindex', 'value': 2})[1])
            q.command('qom-set', {'path': '/machine/peripheral/a', 'property': 'bootindex', 'value': 3})
            self.assertEqual(q.command('qom-get', {'path': '/machine/peripheral/a', 'property': 'bootindex'}), 3)

    def test_pci_properties(self):
        with quern.Quern(*Q35, *PORTS) as q:
            rng = {'driver': 'virtio-rng-pci', 'bus': 'rp0', 'id': 'r'}
            for name, value, message in [('addr', '44', 'addr must be SLOT'), ('addr', 256, 'addr must be'),
                                         ('addr', 8, 'slots 0..0 only'), ('romsize', 3000, 'power of two'),
                                         ('romsize', 1 << 30, '2048..16777216 bytes'), ('rombar', 2, 'must be -1..1'),
                                         ('romfile', '/nowhere', "option ROM"), ('acpi-index', 16384, 'must be 0..16383'),
                                         ('failover_pair_id', 'x', "must be ''"), ('multifunction', 'maybe', 'on or off')]:
                with self.subTest(name, value=value):
                    self.assertIn(message, q.error('device_add', {**rng, name: value})[1])
            q.command('device_add', {**rng, 'addr': '0.0', 'romsize': 65536, 'rombar': 0, 'failover_pair_id': '', 'acpi-index': 16383})
            self.assertEqual(q.command('qom-get', {'path': '/machine/peripheral/r', 'property': 'addr'}), 0)
            self.assertEqual(q.command('qom-get', {'path': '/machine/peripheral/r', 'property': 'legacy-addr'}), '00.0')


class Removing(unittest.TestCase):
    def test_wrong_requests(self):
        with quern.Quern(*Q35, '-device', 'virtio-rng-pci,id=r', '-device', 'virtio-rng-pci') as q:
            self.assertEqual(q.error('device_del', {'id': 'nosuch'}), ('DeviceNotFound', "Device 'nosuch' not found"))
            self.assertEqual(q.error('device_del', {'id': '/machine'})[0], 'DeviceNotFound')
            for device in ('r', '/machine/peripheral/r', '/machine/peripheral-anon/device[0]'):
                self.assertEqual(q.error('device_del', {'id': device})[1], "Bus 'pcie.0' does not support hotplugging")
            self.assertEqual(q.error('device-sync-config', {'id': 'nosuch'})[0], 'DeviceNotFound')
            self.assertEqual(q.error('device-sync-config', {'id': 'r'})[1],
                             "device-sync-config is not supported for 'virtio-rng-device'")

    def test_generation_id_is_a_uuid_or_random(self):
        given = '324E6EAF-d1d1-4bf6-bf41-b9bb6c91fb87'
        with quern.Quern(*Q35, '-device', 'vmgenid,id=v,guid=' + given) as q:
            self.assertEqual(q.command('query-vm-generation-id'), {'guid': given.lower()})
            self.assertEqual(q.hmp('info vm-generation-id'), given.lower() + '\r\n')
            self.assertIn("vmgenid.guid must be a UUID or 'auto', got 'x'",
                          q.error('qom-set', {'path': '/machine/peripheral/v', 'property': 'guid', 'value': 'x'})[1])
            self.assertEqual(q.command('query-vm-generation-id'), {'guid': given.lower()})
            q.command('qom-set', {'path': '/machine/peripheral/v', 'property': 'guid', 'value': 'auto'})
            self.assertNotEqual(q.command('query-vm-generation-id'), {'guid': given.lower()})
            self.assertIn('does not support hotplugging', q.error('device_add', {'driver': 'vmgenid'})[1])
        for machine, more, text in (('q35', ('-device', 'vmgenid'), 'at most one vmgenid device'), ('q35,acpi=off', (), 'vmgenid needs ACPI'),
                                    ('none', (), 'fw_cfg'), ('q35', ('-device', 'vmgenid,guid=1'), "must be a UUID or 'auto', got '1'")):
            status, _, said = quern.run('-machine', machine, '-display', 'none', '-S', '-device', 'vmgenid', *more)
            self.assertEqual((status, text in said, said.count('\n')), (1, True, 1), said)

    def test_grown_file_is_shown(self):
        with tempfile.NamedTemporaryFile() as f:
            f.truncate(1 << 20)
            with quern.Quern(*Q35, '-blockdev', 'file,node-name=f,filename=' + f.name, '-blockdev', 'raw,node-name=n,file=f',
                             '-device', 'virtio-blk-pci,drive=n,id=d') as q:
                def size():
                    return next(b['image']['virtual-size'] for b in q.command('query-named-block-nodes') if b['node-name'] == 'n')
                f.truncate(3 << 20)
                self.assertEqual(size(), 1 << 20)
                q.command('device-sync-config', {'id': 'd'})
                self.assertEqual(size(), 3 << 20)


    def gone(self, q, name):
        """The events that say so: first of its parts, then of itself."""
        events = []
        while not events or events[-1].get('device') != name:
            events.append(q.wait_event('DEVICE_DELETED')['data'])
        path = '/machine/peripheral/' + name
        self.assertEqual(events, [{'path': path + '/virtio-backend'}, {'device': name, 'path': path}])

    def test_reset_finishes_what_the_guest_did_not(self):
        native = ('-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off')
        for extra, bus in (((*Q35, *PORTS), 'rp0'), ((*Q35, *PORTS, *native), 'rp0'), (('-machine', 'pc', '-S'), 'pci.0')):
            with self.subTest(extra), quern.Quern(*extra) as q:
                rng = {'driver': 'virtio-rng-pci', 'bus': bus, 'id': 'r'}
                for _ in range(2):
                    q.command('device_add', rng)
                    q.command('system_reset')           # the slot is found powered
                    q.wait_event('RESET')
                    q.command('device_del', {'id': 'r'})
                    for name in 'r', '/machine/peripheral/r':
                        self.assertEqual(q.error('device_del', {'id': name})[1], 'Device %s is already in the process of unplug' % name)
                    self.assertNotIn('DEVICE_DELETED', [e['event'] for e in q.events])
                    q.command('system_reset')
                    self.gone(q, 'r')
                    self.assertEqual(q.error('device_del', {'id': 'r'})[0], 'DeviceNotFound')

    def test_guest_that_does_not_hear_may_be_asked_again(self):
        with quern.Quern('-machine', 'q35', *PORTS, '-device', 'virtio-rng-pci,id=r,bus=rp0') as q:     # stays in firmware
            q.command('device_del', {'id': 'r'})
            self.assertIn('already in the process', q.error('device_del', {'id': 'r'})[1])
            time.sleep(1.1)
            q.command('device_del', {'id': 'r'})
            q.command('system_reset')
            self.gone(q, 'r')

    def test_what_stays_cannot_be_unplugged(self):
        with quern.Quern('-machine', 'pc', '-S', '-device', 'pci-bridge,id=br', '-device', 'virtio-rng-pci,id=r') as q:
            self.assertIn("Device 'br' (pci-bridge) does not support hotplugging", q.error('device_del', {'id': 'br'})[1])
            path = q.command('qom-get', {'path': '/machine/peripheral/r', 'property': 'parent_bus'})
            for n, kind in names(q.command('qom-list', {'path': path})).items():
                if kind in ('link<i440FX>', 'link<PIIX3>', 'link<PIIX4_PM>'):
                    device = q.command('qom-get', {'path': path, 'property': n})
                    self.assertIn('does not support hotplugging', q.error('device_del', {'id': device})[1])
            q.command('device_del', {'id': 'r'})        # plugged at start, yet it can go

    def test_acpi_index_is_unique(self):
        with quern.Quern(*Q35, *PORTS, '-device', 'virtio-rng-pci,acpi-index=5') as q:
            rng = {'driver': 'virtio-rng-pci', 'bus': 'rp0', 'id': 'r'}
            self.assertEqual(q.error('device_add', {**rng, 'acpi-index': 5})[1], 'a PCI device with acpi-index = 5 already exist')
            q.command('device_add', {**rng, 'acpi-index': 6})


class Tree(unittest.TestCase):
    def test_places(self):
        with quern.Quern(*Q35, '-device', 'virtio-rng-pci,id=r', '-device', 'virtio-rng-pci') as q:
            root = names(q.command('qom-list', {'path': '/'}))
            self.assertEqual(root, {'type': 'string', 'machine': 'child<pc-q35-10.0-machine>', 'backend': 'child<container>',
                                    'objects': 'child<container>', 'chardevs': 'child<container>'})
            machine = names(q.command('qom-list', {'path': '/machine'}))
            self.assertEqual(machine['q35'], 'child<q35-pcihost>')
            self.assertEqual(machine['kernel'], 'string')
            self.assertEqual(names(q.command('qom-list', {'path': '/machine/peripheral'}))['r'], 'child<virtio-rng-pci>')
            self.assertEqual(names(q.command('qom-list', {'path': '/machine/peripheral-anon'}))['device[0]'],
                             'child<virtio-rng-pci>')

    def test_what_a_device_tells(self):
        with quern.Quern(*Q35, '-device', 'virtio-rng-pci,id=r') as q:
            path = '/machine/peripheral/r'
            listed = [e['name'] for e in q.command('qom-list', {'path': path})]
            self.assertEqual(len(listed), len(set(listed)))

            def get(name):
                return q.command('qom-get', {'path': path, 'property': name})
            self.assertEqual(get('type'), 'virtio-rng-pci')
            self.assertEqual(get('parent_bus'), '/machine/q35/pcie.0')
            self.assertEqual((get('realized'), get('hotplugged'), get('hotpluggable')), (True, False, False))
            self.assertEqual(get('virtio-backend'), path + '/virtio-backend')
            for name in ('realized', 'hotplugged', 'type', 'parent_bus'):
                self.assertIn('read-only', q.error('qom-set', {'path': path, 'property': name, 'value': True})[1])
            links = {n: t for n, t in names(q.command('qom-list', {'path': get('parent_bus')})).items() if n.startswith('child[')}
            self.assertIn('link<virtio-rng-pci>', links.values())
            found = {q.command('qom-get', {'path': get('parent_bus'), 'property': n}) for n in links}
            self.assertIn(path, found)

    def test_every_property_of_every_object_reads(self):
        def walk(q, path, seen):
            for e in q.command('qom-list', {'path': path}):
                reply = q.request('qom-get', {'path': path, 'property': e['name']})
                self.assertTrue('return' in reply or 'write-only' in reply['error']['desc'], (path, e, reply))
                seen.append(e['type'])
                if e['type'].startswith('child<'):
                    walk(q, path.rstrip('/') + '/' + e['name'], seen)
        for machine in ('none', 'pc', 'q35', 'microvm'):
            with self.subTest(machine), quern.Quern('-machine', machine, '-S') as q:
                seen = []
                walk(q, '/', seen)
                self.assertGreater(len(seen), 20)
                self.assertNotIn('enum', seen)      # kinds are called by the enumeration's name

    def test_defaults_are_told_of_devices_only(self):
        with quern.Quern('-machine', 'none') as q:
            rng = {p['name']: p for p in q.command('device-list-properties', {'typename': 'virtio-rng-pci'})}
            self.assertEqual(rng['max-bytes']['type'], 'uint64')
            self.assertEqual(rng['max-bytes']['default-value'], (1 << 63) - 1)
            self.assertNotIn('realized', rng)
            rng = {p['name']: p for p in q.command('qom-list-properties', {'typename': 'virtio-rng-pci'})}
            self.assertEqual(rng['realized']['type'], 'bool')
            ram = {p['name']: p for p in q.command('qom-list-properties', {'typename': 'memory-backend-ram'})}
            self.assertEqual((ram['size']['type'], ram['policy']['type']), ('int', 'HostMemPolicy'))
            self.assertNotIn('default-value', ram['size'])


class Pci(unittest.TestCase):
    def test_query_pci_tells_buses_and_bars(self):
        with quern.Quern('-machine', 'q35', '-S', '-device', 'pcie-root-port,id=r1,chassis=1,addr=5.0',
                         '-device', 'VGA,id=v0,addr=6.0') as q:
            bus, = q.command('query-pci')
            by_id = {d['qdev_id']: d for d in bus['devices'] if d['qdev_id']}
            self.assertEqual((by_id['r1']['slot'], by_id['r1']['pci_bridge']['bus']['number']), (5, 0))
            self.assertNotIn('subsystem', by_id['r1']['id'])
            self.assertEqual(by_id['v0']['class_info'], {'class': 0x300, 'desc': 'VGA controller'})
            self.assertEqual([(r['bar'], r['size'], r['address']) for r in by_id['v0']['regions']][:2],
                             [(0, 16 << 20, -1), (2, 4096, -1)])
            text = q.hmp('info pci').replace('\r', '')
            self.assertIn('  Bus  0, device   6, function 0:\n    VGA controller: PCI device 1234:1111\n', text)
            self.assertIn('      secondary bus 0.\n', text)
        with quern.Quern('-machine', 'none') as q:
            self.assertEqual(q.command('query-pci'), [])


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=1))
