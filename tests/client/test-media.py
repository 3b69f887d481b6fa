#!/usr/bin/env python3
"""Disks and CD drives as the command line, QMP and HMP see them: where drives go, trays, media that come and go."""
import json
import os
import sys
import tempfile
import unittest

import quern

Q35 = ('-machine', 'q35', '-S', '-m', '64')
PC = ('-machine', 'pc', '-S', '-m', '64')
EMPTY_CD = ('-drive', 'media=cdrom,index=2')
BARE = ('-nodefaults', '-display', 'none')


class Media(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-media-')
        self.addCleanup(folder.cleanup)
        self.disk, self.iso, self.iso2 = (os.path.join(folder.name, name) for name in ('disk', 'a.iso', 'b.iso'))
        for path, size in ((self.disk, 10 << 20), (self.iso, 1 << 20), (self.iso2, 2 << 20)):
            with open(path, 'wb') as f:
                f.truncate(size)

    def drives(self, q):
        return {b['device'] or b['qdev']: b for b in q.command('query-block')}

    def bus_of(self, q, drive):
        path = self.drives(q)[drive]['qdev']
        return (q.command('qom-get', {'path': path, 'property': 'parent_bus'}).rsplit('/', 1)[1],
                q.command('qom-get', {'path': path, 'property': 'unit'}))

    # --- where drives go ---

    def defaults(self, *args):
        """The drives of a machine with all its default devices."""
        ask = ''.join('{"execute":"%s"}\n' % c for c in ('qmp_capabilities', 'query-block', 'quit'))
        status, out, _ = quern.run(*args, '-display', 'none', '-qmp', 'stdio', stdin=ask)
        self.assertEqual(status, 0)
        return {b['device']: b for b in json.loads(out.splitlines()[2])['return']}

    def test_default_drive_is_empty(self):
        for machine, name in ((PC, 'ide1-cd0'), (Q35, 'ide2-cd0')):
            with self.subTest(name):
                info = self.defaults(*machine)
                self.assertEqual(list(info), [name])
                self.assertRegex(info[name].pop('qdev'), r'^/machine/unattached/device\[\d+\]$')
                self.assertEqual(info[name], {'device': name, 'type': 'unknown', 'removable': True, 'locked': False, 'tray_open': False,
                                              'io-status': 'ok'})
        for machine in 'microvm', 'pc,sata=off', 'q35,sata=off':
            self.assertEqual(self.defaults('-machine', machine, '-S'), {})

    def test_default_drive_makes_room(self):
        drive = ('-drive', f'file={self.disk},format=raw,if=none,id=d')
        for more, there in ((('-nodefaults',), []), (('-device', 'ide-cd,id=c'), ['']), ((*drive, '-device', 'ide-hd,drive=d'), ['d']),
                            (('-drive', f'file={self.disk},format=raw,index=2'), ['ide1-hd0']),
                            (('-drive', f'file={self.disk},format=raw'), ['ide0-hd0', 'ide1-cd0'])):
            with self.subTest(more):
                self.assertEqual(list(self.defaults(*PC, *more)), there)

    def test_empty_drive(self):
        for machine, name, place in ((PC, 'ide1-cd0', ('ide.1', 0)), (Q35, 'ide2-cd0', ('ide.2', 0))):
            with self.subTest(name), quern.Quern(*machine, *EMPTY_CD) as q:
                self.assertEqual(self.bus_of(q, name), place)
                self.assertIn(f'{name}: [not inserted]\r\n', q.hmp('info block'))
                self.assertIn('Removable device: not locked, tray closed', q.hmp('info block'))

    def test_hda_to_hdd_and_cdrom(self):
        places = {'pc': {'hda': ('ide0-hd0', 'ide.0', 0), 'hdb': ('ide0-hd1', 'ide.0', 1), 'hdc': ('ide1-hd0', 'ide.1', 0),
                         'hdd': ('ide1-hd1', 'ide.1', 1), 'cdrom': ('ide1-cd0', 'ide.1', 0)},
                  'q35': {'hda': ('ide0-hd0', 'ide.0', 0), 'hdb': ('ide1-hd0', 'ide.1', 0), 'hdc': ('ide2-hd0', 'ide.2', 0),
                          'hdd': ('ide3-hd0', 'ide.3', 0), 'cdrom': ('ide2-cd0', 'ide.2', 0)}}
        for machine, options in places.items():
            for option, (name, bus, unit) in options.items():
                with self.subTest(machine, option=option), quern.Quern('-machine', machine, '-S', f'-{option}', self.disk) as q:
                    self.assertEqual(self.bus_of(q, name), (bus, unit))
                    node = self.drives(q)[name]['inserted']
                    self.assertEqual((node['file'], node['ro'], node['drv']), (self.disk, option == 'cdrom', 'raw'))

    def test_drives_take_the_next_place(self):
        drive = ('-drive', f'file={self.disk},format=raw,snapshot=on')
        with quern.Quern(*PC, *drive, *drive, '-drive', f'file={self.iso},format=raw,media=cdrom', '-drive', 'media=cdrom',
                         '-drive', f'file={self.iso2},format=raw,if=virtio') as q:
            self.assertEqual([b for b in self.drives(q)], ['ide0-hd0', 'ide0-hd1', 'ide1-cd0', 'ide1-cd1', 'virtio0'])
            self.assertNotIn('inserted', self.drives(q)['ide1-cd1'])
        with quern.Quern('-machine', 'microvm', '-S', '-drive', f'file={self.iso2},format=raw,id=x,if=none',
                         '-device', 'virtio-blk-device,drive=x') as q:
            self.assertEqual(list(self.drives(q)), ['x'])

    def test_serial_numbers_differ(self):
        with quern.Quern(*Q35, *BARE, '-device', 'ahci,id=second', '-device', 'ide-cd,id=a,bus=ide.0', '-device', 'ide-cd,id=b,bus=ide.1',
                         '-device', 'ide-cd,id=c,bus=second.0') as q:
            serials = [q.command('qom-get', {'path': '/machine/peripheral/' + d, 'property': 'serial'}) for d in 'abc']
            self.assertEqual(serials, ['QM00001', 'QM00003', 'QM00013'])

    def test_what_the_command_line_refuses(self):
        disk = ('-drive', f'file={self.disk},format=raw,if=none,id=x')
        for line, message in [
                (('-drive', f'file={self.disk},format=raw,index=9'), 'machine type does not support if=ide,bus=9,unit=0'),
                (('-drive', f'file={self.disk},format=raw,unit=1'), 'machine type does not support if=ide,bus=0,unit=1'),
                (('-hda', self.disk, '-hda', self.disk), 'drive with bus=0, unit=0 (index=0) exists'),
                (('-drive', 'media=floppy'), 'media=floppy is not supported'),
                (('-drive', 'media=disk'), 'Device needs media, but drive is empty'),
                (('-device', 'ide-hd'), 'No drive specified'), (('-device', 'ide-hd,drive=nope'), "'nope'"),
                (('-drive', 'if=none,id=e', '-device', 'ide-hd,drive=e'), 'Device needs media, but drive is empty'),
                (('-drive', f'file={self.disk},format=raw,readonly=on'), 'is read-only'),
                ((*disk, '-device', 'ide-hd,drive=x,logical_block_size=4096'), 'logical_block_size must be 512 for IDE, got 4096'),
                ((*disk, '-device', 'ide-hd,drive=x,cyls=70000'), 'cyls must be between 1 and 65535'),
                ((*disk, '-device', 'ide-hd,drive=x,cyls=1,heads=17'), 'heads must be between 1 and 16'),
                ((*disk, '-device', 'ide-hd,drive=x,cyls=1,heads=1,secs=256'), 'secs must be between 1 and 255'),
                ((*disk, '-device', 'ide-hd,drive=x', '-device', 'ide-hd,drive=x'), 'Permission conflict'),
                ((*disk, '-device', 'ide-hd,drive=x,rerror=enospc'), 'rerror'),
                (('-device', 'ide-cd,unit=1'), "Can't create IDE unit 1, bus supports only 1 units"),
                (('-device', 'ide-cd,bus=ide.6'), "Bus 'ide.6' not found"),
                (('-device', 'ide-cd,bus=ide.0', '-device', 'ide-cd,bus=ide.0'), 'IDE unit'),
                (('-device', 'ide-cd,bus=pcie.0'), 'the device needs a IDE'),
                (('-device', 'ide-cd,model=' + 41 * 'm'), 'model must be at most 40 characters, got 41'),
                (('-device', 'ide-cd,serial=' + 21 * 's'), 'serial must be at most 20 characters, got 21'),
                (('-device', 'ide-cd,ver=' + 9 * 'v'), 'ver must be at most 8 characters, got 9'),
                (('-device', 'ide-cd,physical_block_size=513'), 'physical_block_size'), (('-device', 'ide-cd,opt_io_size=100'), 'opt_io_size'),
                (('-device', 'ide-cd,wwn=-1'), 'wwn'), (('-device', 'ide-cd,bootindex=-2'), 'bootindex'), (('-device', 'ide-cd,cyls=1'), 'cyls'),
                (('-machine', 'sata=off', '-hda', self.disk), "Bus 'ide.0' not found"), (('-device', 'ide-cd,win2k-install-hack=on'), 'win2k'),
                (('-device', 'piix3-ide'), 'part of the board'), (('-cdrom', '/nonexistent/x'), '/nonexistent/x')]:
            with self.subTest(line):
                status, _, said = quern.run(*Q35, *BARE, *line)
                said = ''.join(x for x in said.splitlines(True) if ': warning: ' not in x)
                self.assertEqual((status, said.count('\n')), (1, 1), said)
                self.assertIn(message, said)

    def test_ide_is_not_hot(self):
        with quern.Quern(*Q35, '-device', 'ide-cd,id=c') as q:
            self.assertEqual(q.error('device_add', {'driver': 'ide-cd', 'bus': 'ide.3'})[1], "Bus 'ide.3' does not support hotplugging")
            self.assertEqual(q.error('device_del', {'id': 'c'})[1], "Bus 'ide.0' does not support hotplugging")

    # --- trays ---

    def moved(self, q, name):
        event = q.wait_event('DEVICE_TRAY_MOVED')['data']
        self.assertEqual((event['device'], event['id']), (name, self.drives(q)[name]['qdev']))
        return event['tray-open']

    def test_open_insert_close_open_remove(self):
        with quern.Quern(*Q35, *EMPTY_CD) as q:
            path = self.drives(q)['ide2-cd0']['qdev']
            q.command('blockdev-add', {'driver': 'file', 'node-name': 'n', 'read-only': True, 'filename': self.iso})
            q.command('blockdev-add', {'driver': 'null-co', 'node-name': 'm', 'read-only': True})
            insert = {'id': path, 'node-name': 'n'}
            self.assertEqual(q.error('blockdev-insert-medium', insert)[1], f"Tray of device '{path}' is not open")
            q.command('blockdev-open-tray', {'device': 'ide2-cd0'})
            self.assertTrue(self.moved(q, 'ide2-cd0'))
            q.command('blockdev-open-tray', {'id': path})                       # it is: nothing happens
            self.assertEqual(q.error('blockdev-insert-medium', {'id': path, 'node-name': 'x'})[1], "Node 'x' not found")
            q.command('blockdev-insert-medium', insert)
            self.assertEqual(q.error('blockdev-insert-medium', insert)[1], "Node 'n' is already in use")
            self.assertEqual(q.error('blockdev-insert-medium', {**insert, 'node-name': 'm'})[1], f"There already is a medium in device '{path}'")
            info = self.drives(q)['ide2-cd0']
            self.assertEqual((info['tray_open'], info['inserted']['node-name']), (True, 'n'))
            self.assertIn('in use', q.error('blockdev-del', {'node-name': 'n'})[1])
            q.command('blockdev-close-tray', {'device': 'ide2-cd0'})
            self.assertFalse(self.moved(q, 'ide2-cd0'))
            q.command('blockdev-close-tray', {'device': 'ide2-cd0'})
            self.assertEqual(q.error('blockdev-remove-medium', {'id': path})[1], f"Tray of device '{path}' is not open")
            q.command('eject', {'device': 'ide2-cd0'})
            self.assertTrue(self.moved(q, 'ide2-cd0'))
            q.command('eject', {'device': 'ide2-cd0'})                          # nothing is in it
            q.command('blockdev-remove-medium', {'id': path})
            self.assertEqual([e for e in q.events if e['event'] == 'DEVICE_TRAY_MOVED'], [])
            info = self.drives(q)['ide2-cd0']
            self.assertEqual((info['tray_open'], 'inserted' in info), (True, False))
            q.command('blockdev-del', {'node-name': 'n'})                       # whoever made it keeps it

    def test_change_of_media(self):
        with quern.Quern(*Q35, '-cdrom', self.iso) as q:
            before = len(q.command('query-named-block-nodes'))
            change = {'device': 'ide2-cd0', 'filename': self.iso2, 'format': 'raw'}
            q.command('blockdev-change-medium', change)
            self.assertEqual([self.moved(q, 'ide2-cd0'), self.moved(q, 'ide2-cd0')], [True, False])
            info = self.drives(q)['ide2-cd0']
            self.assertEqual((info['inserted']['file'], info['inserted']['ro'], info['inserted']['image']['virtual-size'], info['tray_open']),
                             (self.iso2, True, 2 << 20, False))
            self.assertEqual(len(q.command('query-named-block-nodes')), before)     # the old one has gone
            for wrong, message in (({'filename': '/nonexistent/x'}, "Could not open '/nonexistent/x': No such file or directory"),
                                   ({'format': 'qcow2'}, 'qcow2'), ({'read-only-mode': 'maybe'}, 'read-only-mode'), ({'device': 'x'}, "'x' not found"),
                                   ({'id': 'x'}, "Need exactly one of 'device' and 'id'")):
                with self.subTest(wrong):
                    self.assertIn(message, q.error('blockdev-change-medium', {**change, **wrong})[1])
                    self.assertEqual(self.drives(q)['ide2-cd0'], info)          # nothing half done
            q.command('blockdev-change-medium', {**change, 'read-only-mode': 'read-write'})
            self.assertFalse(self.drives(q)['ide2-cd0']['inserted']['ro'])
            q.command('eject', {'device': 'ide2-cd0'})
            self.assertEqual(q.command('query-named-block-nodes'), [])

    def test_reset_moves_no_tray(self):
        with quern.Quern(*PC, '-cdrom', self.iso) as q:
            q.command('blockdev-open-tray', {'device': 'ide1-cd0'})
            q.command('system_reset')
            q.wait_event('RESET')
            self.assertTrue(self.drives(q)['ide1-cd0']['tray_open'])
            self.assertIn('inserted', self.drives(q)['ide1-cd0'])

    def test_as_libvirt_does(self):
        def node(name, path, **more):
            return {'driver': 'file', 'filename': path, 'node-name': name, **more}
        with quern.Quern(*Q35, '-blockdev', json.dumps(node('libvirt-1-storage', self.iso, **{'read-only': True})),
                         '-device', '{"driver":"ide-cd","bus":"ide.0","drive":"libvirt-1-storage","id":"sata0-0-0","bootindex":1}',
                         '-blockdev', json.dumps(node('libvirt-2-storage', self.disk)), '-device',
                         '{"driver":"ide-hd","bus":"ide.1","drive":"libvirt-2-storage","id":"sata0-0-1","bootindex":2,"write-cache":"on"}',
                         '-device', '{"driver":"ide-cd","bus":"ide.2","id":"sata0-0-2"}') as q:
            infos = {b['qdev']: b for b in q.command('query-block')}
            self.assertEqual(sorted(infos), ['/machine/peripheral/sata0-0-%d' % n for n in range(3)])
            cd = {'id': 'sata0-0-0'}
            q.command('blockdev-open-tray', {**cd, 'force': False})
            q.command('blockdev-remove-medium', cd)
            q.command('blockdev-del', {'node-name': 'libvirt-1-storage'})
            q.command('blockdev-add', node('libvirt-3-storage', self.iso2, **{'read-only': True}))
            q.command('blockdev-insert-medium', {**cd, 'node-name': 'libvirt-3-storage'})
            q.command('blockdev-close-tray', cd)
            self.assertEqual([q.wait_event('DEVICE_TRAY_MOVED')['data'] for _ in range(2)],
                             [{'device': '', 'id': '/machine/peripheral/sata0-0-0', 'tray-open': is_open} for is_open in (True, False)])
            info = next(b for b in q.command('query-block') if b['qdev'] == '/machine/peripheral/sata0-0-0')
            self.assertEqual((info['inserted']['file'], info['tray_open'], info['removable']), (self.iso2, False, True))

    def test_medium_that_somebody_writes_is_refused(self):
        with quern.Quern(*Q35, '-cdrom', self.iso, '-drive', f'file={self.disk},format=raw,if=virtio') as q:
            info = self.drives(q)['ide2-cd0']
            self.assertIn('lock', q.error('blockdev-change-medium', {'device': 'ide2-cd0', 'filename': self.disk, 'format': 'raw'})[1])
            now = self.drives(q)['ide2-cd0']
            self.assertEqual((now['tray_open'], 'inserted' in now), (True, False))      # as QEMU: the old one is out by then
            self.assertIn('inserted', info)

    def test_what_cannot_be_changed(self):
        with quern.Quern(*Q35, '-hda', self.disk, '-device', 'ide-cd,id=c') as q:
            for command, more in (('eject', {}), ('blockdev-open-tray', {}), ('blockdev-close-tray', {}),
                                  ('blockdev-change-medium', {'filename': self.iso, 'format': 'raw'})):
                self.assertEqual(q.error(command, {**more, 'device': 'ide0-hd0'}), ('GenericError', "Device 'ide0-hd0' is not removable"))
                self.assertEqual(q.error(command, {**more, 'device': 'x'}), ('DeviceNotFound', "Device 'x' not found"))
                self.assertEqual(q.error(command, {**more, 'id': 'x'}), ('DeviceNotFound', "Device 'x' not found"))
                self.assertEqual(q.error(command, {**more, 'device': 'ide0-hd0', 'id': 'c'})[1], "Need exactly one of 'device' and 'id'")
                self.assertEqual(q.error(command, more)[1], "Need exactly one of 'device' and 'id'")
            self.assertEqual(q.error('blockdev-remove-medium', {'id': self.drives(q)['ide0-hd0']['qdev']})[0], 'GenericError')
            q.command('eject', {'id': 'c'})                                     # a drive by its device's own id
            self.assertEqual(q.wait_event('DEVICE_TRAY_MOVED')['data'], {'device': '', 'id': '/machine/peripheral/c', 'tray-open': True})

    def test_human_monitor(self):
        with quern.Quern(*PC, '-cdrom', self.iso, '-device', 'ide-cd,id=own') as q:
            self.assertEqual(q.hmp(f'change ide1-cd0 {self.iso2} raw'), '')
            self.assertIn(f'): {self.iso2} (raw, read-only)', q.hmp('info block ide1-cd0'))
            self.assertEqual(q.hmp('eject ide1-cd0'), '')
            self.assertIn('tray open', q.hmp('info block ide1-cd0'))
            self.assertEqual(q.hmp(f'change -f own {self.iso} raw read-only'), '')
            self.assertEqual(q.hmp('eject -f own'), '')
            for line, message in (('eject', 'expected [-f] DEVICE'), ('eject nix', "Device 'nix' not found"), ('change own', 'expected [-f] DEVICE FILENAME'),
                                  ('change nix x', "Device 'nix' not found"), (f'change own {self.iso} raw maybe', "invalid parameter 'maybe'"),
                                  ('change own /nonexistent/x raw', 'Could not open')):
                self.assertIn(message, q.hmp(line), line)

    def test_properties_as_they_are_shown(self):
        with quern.Quern(*Q35, *BARE, '-drive', f'file={self.disk},format=raw,if=none,id=d', '-device',
                         '{"driver":"ide-hd","id":"h","drive":"d","bus":"ide.3","serial":"S1","model":"M","ver":"1","wwn":5001,"rotation_rate":1,'
                         '"physical_block_size":4096,"write-cache":"off","werror":"stop"}') as q:
            get = lambda name: q.command('qom-get', {'path': '/machine/peripheral/h', 'property': name})       # noqa: E731
            self.assertEqual([get(n) for n in ('serial', 'model', 'ver', 'wwn', 'unit', 'cyls', 'heads', 'secs', 'write-cache', 'werror')],
                             ['S1', 'M', '1', 5001, 0, 20, 16, 63, 'off', 'stop'])
            self.assertFalse(self.drives(q)['d']['inserted']['cache']['writeback'])
            self.assertIn('bus: ide.3', q.hmp('info qtree'))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
