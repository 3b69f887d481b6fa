#!/usr/bin/env python3
"""QMP and the human monitor over a unix socket, on the machine that has nothing."""
import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import quern

EXAMPLES = []
# Examples that the empty machine cannot follow.
ON_A_MACHINE = {
    'add-fd', 'balloon', 'block_resize', 'block_set_io_throttle', 'blockdev-add', 'blockdev-change-medium', 'blockdev-close-tray', 'blockdev-create',
    'blockdev-del', 'blockdev-insert-medium', 'blockdev-open-tray', 'blockdev-remove-medium', 'blockdev-reopen', 'eject',
    'chardev-remove', 'chardev-send-break', 'closefd',
    'device-list-properties', 'device-sync-config', 'device_add', 'device_del', 'getfd', 'inject-nmi', 'migrate',
    'migrate-incoming', 'object-add', 'object-del', 'qom-get', 'qom-list-properties', 'qom-set', 'query-acpi-ospm-status',
    'query-balloon', 'query-cpus-fast', 'query-hotpluggable-cpus', 'query-stats', 'query-stats-schemas', 'query-vm-generation-id', 'remove-fd', 'system_wakeup',
    'x-exit-preconfig'}
OPEN_ENDED = {'device_add'}     # what else it takes depends on a type
WITHOUT_EXAMPLE = {'quit', 'query-qmp-schema'}  # the one ends it all, the other's answer is long
EMPTY = ('-machine', 'none')


def same_shape(documented, real):
    """Every member of the documented value is in the real one with the same JSON type; lists by their elements."""
    if isinstance(documented, dict):
        return isinstance(real, dict) and all(k in real and same_shape(v, real[k]) for k, v in documented.items())
    if isinstance(documented, list):
        return isinstance(real, list) and all(any(same_shape(d, r) for r in real) for d in documented if real)
    return isinstance(real, type(documented))


class Session(unittest.TestCase):
    def test_greeting_and_negotiation(self):
        with quern.Quern(*EMPTY, negotiate=False) as q:
            self.assertEqual(q.greeting['QMP']['version']['qemu'], {'major': 10, 'minor': 0, 'micro': 2})
            self.assertEqual(q.error('query-status')[0], 'CommandNotFound')
            self.assertEqual(q.greeting['QMP']['capabilities'], ['oob'])
            self.assertEqual(q.error('qmp_capabilities', {'enable': ['nosuch']})[0], 'GenericError')
            self.assertIn("'x' is unexpected", q.error('qmp_capabilities', {'x': 1})[1])
            self.assertEqual(q.command('qmp_capabilities'), {})
            self.assertEqual(q.error('qmp_capabilities')[0], 'CommandNotFound')

    def test_id_is_echoed(self):
        with quern.Quern(*EMPTY) as q:
            for request_id in (1, 'a', {'x': [None]}):
                self.assertEqual(q.request('query-status', id=request_id)['id'], request_id)
                self.assertEqual(q.request('nosuch', id=request_id)['id'], request_id)

    def test_wrong_requests(self):
        with quern.Quern(*EMPTY) as q:
            for text, message in [
                    (b'{"execute": 1}\n', "'execute' must be a string"),
                    (b'{"execute": "query-status", "x": 1}\n', "'x' is unexpected"),
                    (b'{"execute": "query-status", "arguments": []}\n', "'arguments' must be an object"),
                    (b'{"execute": "query-status", "arguments": {"x": 1}}\n', "Parameter 'x' is unexpected"),
                    (b'{"execute": "qom-list"}\n', "Parameter 'path' is missing"),
                    (b'{"execute": "qom-list", "arguments": {"path": 1}}\n', "Invalid parameter type for 'path'"),
                    (b'{}\n', "lacks member 'execute'"),
                    (b'[]\n', 'must be a JSON object'),
                    (b'{"execute": oops}\n', "JSON parse error, invalid keyword 'oops'"),
                    (b'{"execute": "query-status"\n]\n', 'JSON parse error')]:
                with self.subTest(text):
                    reply = q.exchange(text)
                    self.assertEqual(reply['error']['class'], 'GenericError')
                    self.assertIn(message, reply['error']['desc'])
            self.assertEqual(q.command('query-status')['running'], True)

    def test_unknown_command(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.error('frobnicate'), ('CommandNotFound', 'The command frobnicate has not been found'))

    def test_requests_in_pieces_and_many_at_once(self):
        with quern.Quern(*EMPTY) as q:
            for byte in b'{"execute":"query-version"':
                q.socket.sendall(bytes([byte]))
            self.assertIn('return', q.exchange(b'}\r\n'))
            q.socket.sendall(b'{"execute":"query-version"}' * 500)
            for _ in range(500):
                self.assertIn('return', q.receive())

    def test_next_client_begins_anew(self):
        with quern.Quern(*EMPTY) as q:
            q.socket.sendall(b'{"execute": "que')
            q.lines.close()
            q.socket.close()
            q.connect(negotiate=False)
            self.assertIn('QMP', q.greeting)
            self.assertEqual(q.command('qmp_capabilities'), {})

    def test_slow_reader_does_not_make_us_grow(self):
        with quern.Quern(*EMPTY) as q:
            q.socket.settimeout(0.5)
            request = b'{"execute":"query-qmp-schema"}\r\n' * 100
            with self.assertRaises(TimeoutError):   # we never read: at some point nothing is taken any more
                for _ in range(1000):               # whose replies would be gigabytes
                    q.socket.sendall(request)
            with open('/proc/%d/status' % q.process.pid, encoding='ascii') as f:
                rss = next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))
            self.assertLess(rss, 512 * 1024)        # generous, for builds with sanitizers
            self.assertIsNone(q.process.poll())

    def test_documented_examples_answer_as_documented(self):
        needs_setup = {'dump-guest-memory', 'memsave', 'pmemsave', 'ringbuf-write', 'ringbuf-read', 'qmp_capabilities', 'input-send-event', 'screendump'}
        ran = 0
        vnc = ('-vnc', 'unix:/tmp/quern-examples-%d.vnc,password=on' % os.getpid())
        if 'not available' in quern.run(*EMPTY, '-display', 'none', '-vnc', 'unix:/nonexistent/x')[2]:
            needs_setup |= {'change-vnc-password', 'expire_password', 'set_password'}
            vnc = ()
        with quern.Quern(*EMPTY, *vnc, '-chardev', 'ringbuf,id=ring0', '-name', 'web-01',
                         '-netdev', 'hubport,id=port0,hubid=0', '-netdev', 'hubport,id=port1,hubid=0') as q:
            for example in (e for e in EXAMPLES if 'command' in e):
                request, name = example['request'], example['command']
                if name in needs_setup | ON_A_MACHINE:
                    continue
                with self.subTest(name):
                    reply = q.request(**request_of(request))
                    self.assertTrue(same_shape(example['reply'], reply), (example['reply'], reply))
                    ran += 1
            for name, arguments, answer in [
                    ('ringbuf-write', {'device': 'ring0', 'data': 'abcdefgh'}, {}),
                    ('ringbuf-read', {'device': 'ring0', 'size': 1000}, 'abcdefgh')]:
                self.assertEqual(q.command(name, arguments), answer)
        self.assertGreater(ran, 15)


def request_of(message):
    """Arguments of Quern.request(), which holds the reply against the declared type."""
    return {'name': message['execute'], **{k: v for k, v in message.items() if k != 'execute'}}


class Documentation(unittest.TestCase):
    """What the manual shows is what the schema says."""

    def test_examples_are_of_their_types(self):
        with quern.Quern(*EMPTY) as q:
            schema = q.learn_schema()
        for example in EXAMPLES:
            with self.subTest(example.get('command', example.get('event'))):
                if 'event' in example:
                    self.assertEqual(example['message']['event'], example['event'])
                    schema.check_event(example['message'])
                    continue
                request, command = example['request'], schema.by_name[example['command']]
                self.assertEqual(request.get('execute', request.get('exec-oob')), example['command'])
                arguments = request.get('arguments', {})
                if example['command'] in OPEN_ENDED:
                    declared = {m['name'] for m in schema.by_name[command['arg-type']]['members']}
                    arguments = {k: v for k, v in arguments.items() if k in declared}
                schema.check(command['arg-type'], arguments, 'arguments')
                schema.check_reply(example['command'], example['reply'], abridged=True)

    def test_every_command_has_an_example(self):
        shown = {e.get('command') for e in EXAMPLES}
        with quern.Quern(*EMPTY) as q:
            commands = set(q.learn_schema().of('command'))
        self.assertEqual(commands - shown, WITHOUT_EXAMPLE & commands)


class ExamplesWithDevices(unittest.TestCase):
    """Those that want something to be there: each on a machine of its own, prepared for it."""

    MEMORY = ('object-add', {'qom-type': 'memory-backend-ram', 'id': 'mem0', 'size': 1 << 20})
    RNG = ('device_add', {'driver': 'virtio-rng-pci', 'id': 'rng0', 'bus': 'port0', 'rng': 'entropy0'})
    OPEN = ('blockdev-open-tray', {'id': 'cd0'})
    DISC = ('blockdev-add', {'driver': 'null-co', 'node-name': 'disc2', 'read-only': True})
    BEFORE = {'blockdev-close-tray': [OPEN], 'blockdev-insert-medium': [DISC, OPEN], 'blockdev-remove-medium': [OPEN],
              'object-del': [MEMORY], 'qom-get': [MEMORY], 'qom-set': [MEMORY], 'device_del': [RNG], 'device-sync-config': [RNG]}
    WITH_DISK = {'blockdev-del', 'blockdev-reopen', 'block_resize', 'block_set_io_throttle'}
    WITH_DESCRIPTOR = {'getfd', 'add-fd', 'closefd', 'remove-fd'}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(self.folder.cleanup)
        self.disk = os.path.join(self.folder.name, 'disk')
        with open(self.disk, 'wb') as f:
            f.truncate(1 << 20)

    def prepare(self, q, name):
        for command, arguments in self.BEFORE.get(name, []):
            q.command(command, arguments)
        if name in self.WITH_DISK:
            q.command('blockdev-add', {'driver': 'file', 'node-name': 'disk0', 'filename': self.disk})
        if name == 'block_set_io_throttle':
            q.command('device_add', {'driver': 'virtio-blk-pci', 'id': 'vda', 'drive': 'disk0', 'bus': 'port0'})
        if name in self.WITH_DESCRIPTOR:
            before = {'closefd': ('getfd', {'fdname': 'save'}), 'remove-fd': ('add-fd', {'fdset-id': 1})}.get(name)
            socket.send_fds(q.socket, [b' '], [0])
            if before:
                q.command(*before)

    def run_one(self, example):
        name = example['command']
        more = ['-preconfig'] if name == 'x-exit-preconfig' else []
        with quern.Quern('-machine', 'q35', '-S', '-m', '64', *more, '-device', 'virtio-balloon-pci', '-chardev', 'ringbuf,id=ring0',
                         '-object', 'rng-builtin,id=entropy0', '-device', 'pcie-root-port,id=port0',
                         '-device', 'vmgenid', '-device', 'ide-cd,id=cd0') as q:
            self.prepare(q, name)
            request = json.loads(json.dumps(example['request']).replace('/srv/disk.img', self.disk).replace('/srv/disc2.iso', self.disk))
            reply = q.request(**request_of(request))
            self.assertTrue(same_shape(example['reply'], reply), (example['reply'], reply))
            if 'error' in reply:
                self.assertEqual(reply, example['reply'])

    def test_each(self):
        for example in EXAMPLES:
            if example.get('command') in ON_A_MACHINE:
                with self.subTest(example['command']):
                    self.run_one(example)


class Commands(unittest.TestCase):
    def test_commands_are_those_of_the_schema(self):
        with quern.Quern(*EMPTY) as q:
            schema = q.learn_schema()
            schema.check_itself()
            self.assertEqual(set(schema.of('command')), {c['name'] for c in q.command('query-commands')})
            self.assertEqual(set(schema.of('event')), {e['name'] for e in q.command('query-events')})

    def test_stop_and_cont_send_events_first(self):
        with quern.Quern(*EMPTY, '-S') as q:
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'prelaunch'})
            q.command('cont')
            self.assertEqual([e['event'] for e in q.events], ['RESUME'])
            self.assertEqual(q.command('query-status'), {'running': True, 'status': 'running'})
            q.command('stop')
            self.assertEqual([e['event'] for e in q.events], ['RESUME', 'STOP'])
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'paused'})

    def test_reset_and_quit(self):
        with quern.Quern(*EMPTY) as q:
            q.command('system_reset')
            self.assertEqual(q.wait_event('RESET')['data'], {'guest': False, 'reason': 'host-qmp-system-reset'})
            q.command('system_powerdown')
            q.wait_event('POWERDOWN')
            q.command('quit')
            self.assertEqual(q.wait_event('SHUTDOWN')['data'], {'guest': False, 'reason': 'host-qmp-quit'})
            self.assertEqual(q.wait(), 0)

    def test_reset_ends_under_no_reboot(self):
        with quern.Quern(*EMPTY, '-no-reboot') as q:
            q.command('system_reset')
            self.assertEqual(q.wait_event('SHUTDOWN')['data']['reason'], 'host-qmp-system-reset')
            self.assertEqual(q.wait(), 0)

    def test_set_action_and_no_shutdown(self):
        with quern.Quern(*EMPTY, '-no-shutdown') as q:
            q.command('set-action', {'reboot': 'shutdown'})
            q.command('system_reset')
            q.wait_event('SHUTDOWN')
            q.wait_event('STOP')
            self.assertEqual(q.command('query-status')['status'], 'shutdown')
            self.assertIn('Resetting', q.error('cont')[1])
            q.command('set-action', {'reboot': 'reset'})
            q.command('system_reset')
            q.wait_event('RESET')
            q.command('cont')
            q.process.send_signal(signal.SIGTERM)
            self.assertEqual(q.wait_event('SHUTDOWN')['data']['reason'], 'host-signal')
            self.assertEqual(q.wait(), 0)

    def test_qom(self):
        with quern.Quern(*EMPTY, '-object', 'memory-backend-ram,id=m0,size=1M') as q:
            names = {e['name']: e['type'] for e in q.command('qom-list', {'path': '/objects'})}
            self.assertEqual(names['m0'], 'child<memory-backend-ram>')
            self.assertEqual(q.command('qom-get', {'path': '/objects/m0', 'property': 'size'}), 1 << 20)
            self.assertEqual(q.command('qom-get', {'path': '/machine', 'property': 'type'}), 'none-machine')
            self.assertEqual(q.error('qom-list', {'path': '/nowhere'})[0], 'DeviceNotFound')
            self.assertEqual(q.error('qom-get', {'path': '/machine', 'property': 'x'})[0], 'GenericError')
            self.assertEqual(q.error('qom-list-properties', {'typename': 'x'})[0], 'DeviceNotFound')
            self.assertEqual(q.error('device-list-properties', {'typename': 'x'})[0], 'DeviceNotFound')
            self.assertEqual(q.error('device-list-properties', {'typename': 'device'})[0], 'GenericError')
            self.assertIn('size', {p['name'] for p in q.command('qom-list-properties', {'typename': 'memory-backend-file'})})
            q.command('object-add', {'qom-type': 'memory-backend-ram', 'id': 'm1', 'size': 4096})
            self.assertIn('already in use', q.error('object-add', {'qom-type': 'memory-backend-ram', 'id': 'm1',
                                                                   'size': 4096})[1])
            q.command('object-del', {'id': 'm1'})
            self.assertIn('not found', q.error('object-del', {'id': 'm1'})[1])

    def test_every_type_answers_about_its_properties(self):
        with quern.Quern(*EMPTY) as q:
            for t in q.command('qom-list-types', {'abstract': True}):
                q.command('qom-list-properties', {'typename': t['name']})
            for t in q.command('qom-list-types', {'implements': 'device'}):
                names = [p['name'] for p in q.command('device-list-properties', {'typename': t['name']})]
                self.assertEqual(len(names), len(set(names)), t)

    def test_options_and_their_keys(self):
        with quern.Quern(*EMPTY) as q:
            options = {o['option']: {p['name']: p['type'] for p in o['parameters']} for o in q.command('query-command-line-options')}
            self.assertNotIn('kernel', options)             # takes text, no keys
            self.assertEqual(options['memory'], {'size': 'string', 'slots': 'number', 'maxmem': 'size'})
            self.assertEqual(options['machine']['hpet'], 'boolean')      # of one machine
            self.assertEqual(options['machine']['mem-merge'], 'boolean')
            self.assertEqual(options['chardev']['signal'], 'boolean')   # of one variant
            self.assertEqual(options['device'], {})
            self.assertEqual(len(q.command('query-command-line-options', {'option': 'smp-opts'})), 1)
            self.assertEqual(q.error('query-command-line-options', {'option': 'x'})[1], 'invalid option name: x')

    def test_chardevs(self):
        with quern.Quern(*EMPTY, '-chardev', 'ringbuf,id=r,size=8', '-chardev', 'null,id=n') as q:
            q.command('ringbuf-write', {'device': 'r', 'data': 'YWJjZGVmZ2hpamts', 'format': 'base64'})
            self.assertEqual(q.command('ringbuf-read', {'device': 'r', 'size': 100}), 'efghijkl')
            self.assertIn('not a ringbuf', q.error('ringbuf-read', {'device': 'n', 'size': 1})[1])
            self.assertIn('greater than zero', q.error('ringbuf-read', {'device': 'r', 'size': 0})[1])
            q.command('chardev-remove', {'id': 'n'})
            self.assertIn('not found', q.error('chardev-remove', {'id': 'n'})[1])
            self.assertIn('busy', q.error('chardev-remove', {'id': 'compat_monitor0'})[1])

    def test_device_with_a_bus_of_one_place(self):
        with quern.Quern('-machine', 'q35', '-S', '-m', '64', '-object', 'rng-builtin,id=r',
                         '-device', 'virtio-rng-pci,rng=r,id=rng0') as q:
            self.assertIn({'name': 'rng0', 'type': 'child<virtio-rng-pci>'},
                          q.command('qom-list', {'path': '/machine/peripheral'}))

    def test_balloon(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.error('query-balloon'), ('DeviceNotActive', 'No balloon device has been activated'))
            self.assertEqual(q.error('balloon', {'value': 4096})[0], 'DeviceNotActive')
        with quern.Quern('-machine', 'q35', '-S', '-m', '64', '-device', 'virtio-balloon-pci') as q:
            self.assertEqual(q.command('query-balloon'), {'actual': 64 << 20})
            self.assertEqual(q.command('balloon', {'value': 1 << 40}), {})
            self.assertIn('expects a size', q.error('balloon', {'value': 0})[1])
            self.assertEqual(q.hmp('info balloon'), 'balloon: actual=64\r\n')

    def test_block_nodes(self):
        with tempfile.TemporaryDirectory() as folder, quern.Quern(*EMPTY) as q:
            path = os.path.join(folder, 'disk')
            with open(path, 'wb') as f:
                f.truncate(1 << 20)
            node = {'driver': 'file', 'node-name': 'n0', 'filename': path}
            q.command('blockdev-add', node)
            self.assertIn('n0', q.error('blockdev-add', node)[1])
            self.assertIn("'node-name' must be specified", q.error('blockdev-add', {'driver': 'file', 'filename': path})[1])
            q.command('blockdev-add', {'driver': 'raw', 'node-name': 'n1', 'file': 'n0'})
            nodes = {n['node-name']: n for n in q.command('query-named-block-nodes')}
            self.assertEqual(sorted(nodes), ['n0', 'n1'])
            self.assertEqual((nodes['n0']['image']['format'], nodes['n0']['image']['virtual-size']), ('file', 1 << 20))
            self.assertIn('n0', q.error('blockdev-del', {'node-name': 'n0'})[1])
            q.command('block_resize', {'node-name': 'n0', 'size': 1 << 21})
            self.assertEqual(os.path.getsize(path), 1 << 21)
            q.command('blockdev-del', {'node-name': 'n1'})
            q.command('blockdev-del', {'node-name': 'n0'})
            self.assertEqual(q.command('query-named-block-nodes'), [])

    def test_cpus_are_listed_with_their_threads(self):
        with quern.Quern('-machine', 'q35', '-S', '-m', '64', '-smp', '3') as q:
            cpus = q.command('query-cpus-fast')
            self.assertEqual([c['cpu-index'] for c in cpus], [0, 1, 2])
            self.assertEqual(len({c['thread-id'] for c in cpus} | {q.process.pid}), 4)
            for c in cpus:
                self.assertIn('CPU#%d' % c['cpu-index'], q.command('human-monitor-command', {
                    'command-line': 'info registers', 'cpu-index': c['cpu-index']}))

    def test_human_monitor(self):
        with quern.Quern(*EMPTY, '-S') as q:
            self.assertEqual(q.hmp('info status'), 'VM status: paused (prelaunch)\r\n')
            self.assertEqual(q.hmp(''), '')
            self.assertEqual(q.hmp('frobnicate'), "unknown command: 'frobnicate'\r\n")
            self.assertEqual(q.hmp('print/x 16+0x10-1'), '0x1f\r\n')
            self.assertIn('Cannot access memory', q.hmp('xp/4xw 0'))
            self.assertIn('quit|q', q.hmp('help'))
            self.assertIn('in_asm', q.hmp('log'))
            self.assertIn('address-space: memory', q.hmp('info mtree'))
            for what in q.hmp('info').split('\r\n'):
                if what:
                    self.assertNotIn('unknown', q.hmp(what.split(' --')[0]))


class Terminal(unittest.TestCase):
    def test_mux_on_stdio(self):
        status, out, err = quern.run('-machine', 'none', '-nodefaults', '-nographic', '-serial', 'mon:stdio',
                                     stdin='info version\rquit\r')
        self.assertEqual((status, err), (0, ''))
        self.assertIn('(qemu) info version\n10.0.2 (Quern', out)       # CR LF, made LF by text mode

    def test_ctrl_a_x_ends(self):
        status, out, _ = quern.run('-machine', 'none', '-nodefaults', '-serial', 'mon:stdio', '-no-shutdown', stdin='\x01hx\x01x')
        self.assertEqual(status, 0)
        self.assertIn('C-a x    exit emulator', out)
        self.assertIn('QEMU: Terminated', out)


    def on_terminal(self, end):
        """Start on a terminal, do @end(process, master) and give the modes before, during and after."""
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        process = subprocess.Popen([quern.BINARY, '-machine', 'none', '-nographic'], stdin=slave, stdout=slave, stderr=slave,
                                   preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY)))
        seen = b''
        while b'(qemu) ' not in seen:
            seen += os.read(master, 4096)
        during = termios.tcgetattr(slave)
        flags = fcntl.fcntl(slave, fcntl.F_GETFL)
        end(process, master)
        status = process.wait(timeout=20)
        self.assertTrue(flags & os.O_NONBLOCK)
        self.assertFalse(fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK)
        after = termios.tcgetattr(slave)
        os.close(master)
        os.close(slave)
        return before, during, after, status

    def test_terminal_is_raw_and_given_back(self):
        for end in (lambda process, master: os.write(master, b'quit\r'),
                    lambda process, master: process.terminate(),
                    lambda process, master: os.write(master, b'\x03')):     # Ctrl-C: signals stay on
            before, during, after, status = self.on_terminal(end)
            self.assertEqual(before, after)
            self.assertFalse(during[3] & (termios.ICANON | termios.ECHO))
            self.assertEqual(status, 0)


class StartUp(unittest.TestCase):
    def test_greeting_comes_within_milliseconds(self):
        """A generous bound: the machine running this may be busy."""
        best = 1e9
        for _ in range(5):
            begin = time.monotonic()
            with quern.Quern(*EMPTY):
                best = min(best, time.monotonic() - begin)
        self.assertLess(best, 0.25)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    with open(sys.argv.pop(1), encoding='utf-8') as examples:
        EXAMPLES = json.load(examples)
    unittest.main()
