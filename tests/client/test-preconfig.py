#!/usr/bin/env python3
"""-preconfig: what monitors do before the machine is built, and the way from there."""
import sys
import unittest

import quern

RAM = {'qom-type': 'memory-backend-ram', 'id': 'ram0', 'size': 64 << 20}


class Preconfig(unittest.TestCase):
    def test_only_marked_commands_are_permitted(self):
        with quern.Quern('-preconfig', '-machine', 'q35', '-m', '64') as q:
            self.assertEqual(q.command('query-status'), {'running': False, 'status': 'prelaunch'})
            for name in 'query-cpus-fast', 'stop', 'human-monitor-command', 'device_add':
                self.assertEqual(q.error(name), ('GenericError', "The command '%s' is permitted only after machine "
                                                 'initialization has completed' % name))
            self.assertEqual(q.error('nosuch')[0], 'CommandNotFound')

    def test_every_query_answers_or_is_refused(self):
        with quern.Quern('-preconfig', '-machine', 'q35', '-m', '64', '-smp', '2') as q:
            schema, answered = q.learn_schema(), 0
            for name, e in schema.of('command').items():
                if name.startswith('query-') and all('default' in m for m in schema.by_name[e['arg-type']]['members']):
                    answered += 'return' in q.request(name)
            self.assertGreater(answered, 10)
            for path in '/', '/machine', '/objects', '/chardevs':
                for p in q.command('qom-list', {'path': path}):
                    q.request('qom-get', {'path': path, 'property': p['name']})

    def test_objects_made_before_are_there_for_the_machine(self):
        with quern.Quern('-preconfig', '-machine', 'q35,memory-backend=ram0', '-m', '64', '-smp', '2') as q:
            q.command('object-add', RAM)
            self.assertEqual(q.command('x-exit-preconfig'), {})
            self.assertEqual(q.wait_event('RESUME')['event'], 'RESUME')
            self.assertEqual(q.command('query-status')['status'], 'running')
            self.assertEqual(len(q.command('query-cpus-fast')), 2)
            self.assertIn('in use', q.error('object-del', {'id': 'ram0'})[1])
            self.assertEqual(q.error('x-exit-preconfig')[1], 'The command is permitted only before machine initialization')

    def test_numa_nodes_by_command(self):
        with quern.Quern('-preconfig', '-S', '-machine', 'q35', '-m', '128', '-smp', '2,sockets=2') as q:
            for i in range(2):
                q.command('object-add', {**RAM, 'id': 'ram%d' % i})
            places = [c['props'] for c in q.command('query-hotpluggable-cpus')]
            self.assertEqual(sorted(p['socket-id'] for p in places), [0, 1])
            for i in range(2):
                q.command('set-numa-node', {'type': 'node', 'nodeid': i, 'memdev': 'ram%d' % i})
            self.assertEqual(q.error('set-numa-node', {'type': 'node', 'nodeid': 0, 'memdev': 'ram0'})[1], 'Duplicate NUMA nodeid: 0')
            self.assertEqual(q.error('set-numa-node', {'type': 'cpu', 'node-id': 0, 'socket-id': 7})[1], 'no match found')
            for place in places:
                q.command('set-numa-node', {'type': 'cpu', 'node-id': 1 - place['socket-id'], **place})
            self.assertIn('CPU index (5)', q.error('set-numa-node', {'type': 'node', 'nodeid': 2, 'cpus': [5]})[1])
            q.command('set-numa-node', {'type': 'dist', 'src': 0, 'dst': 1, 'val': 20})
            q.command('x-exit-preconfig')
            self.assertEqual(sorted((c['cpu-index'], c['props']['node-id']) for c in q.command('query-cpus-fast')), [(0, 1), (1, 0)])
            self.assertIn('2 nodes', q.hmp('info numa'))
            self.assertEqual(q.error('set-numa-node', {'type': 'node', 'nodeid': 2})[1],
                             'The command is permitted only before the machine has been created')

    def test_s_holds_the_machine(self):
        with quern.Quern('-preconfig', '-S', '-machine', 'q35', '-m', '64') as q:
            q.socket.sendall(b'{"execute":"x-exit-preconfig"}{"execute":"query-cpus-fast"}{"execute":"query-status"}')
            self.assertEqual(q.receive(), {'return': {}})
            self.assertEqual(len(q.receive()['return']), 1)
            self.assertEqual(q.receive()['return'], {'running': False, 'status': 'prelaunch'})

    def test_a_machine_that_cannot_be_built_ends_it(self):
        with quern.Quern('-preconfig', '-machine', 'none', '-device', 'nosuch') as q:
            q.socket.sendall(b'{"execute":"x-exit-preconfig"}')
            self.assertEqual(q.wait(), 1)
            self.assertIn("'nosuch' is not a valid device model name", q.last_words())

    def test_quit_and_signal(self):
        with quern.Quern('-preconfig', '-machine', 'q35', '-m', '64') as q:
            q.command('quit')
            self.assertEqual(q.wait_event('SHUTDOWN')['data']['reason'], 'host-qmp-quit')
            self.assertEqual(q.wait(), 0)
        with quern.Quern('-preconfig', '-machine', 'q35', '-m', '64') as q:
            q.process.terminate()
            self.assertEqual(q.wait_event('SHUTDOWN')['data']['reason'], 'host-signal')
            self.assertEqual(q.wait(), 0)

    def test_human_monitor(self):
        status, out, err = quern.run(
            '-preconfig', '-S', '-machine', 'none', '-display', 'none', '-monitor', 'stdio',
            stdin='info status\rinfo registers\rstop\robject_add rng-builtin,id=r\rexit_preconfig\rexit_preconfig\rinfo mtree\rquit\r')
        self.assertEqual((status, err), (0, ''))
        self.assertIn('VM status: paused (prelaunch)', out)
        for what in 'info registers', 'stop':
            self.assertIn("Command '%s' not available with -preconfig" % what, out)
        self.assertIn('Error: The command is permitted only before machine initialization', out)
        self.assertIn('address-space: memory', out)

    def test_into_the_background_once_the_machine_is_there(self):
        with quern.Quern('-preconfig', '-daemonize', '-machine', 'q35', '-m', '64') as q:
            self.assertEqual(q.command('query-status')['status'], 'prelaunch')
            self.assertIsNone(q.process.poll())
            q.command('x-exit-preconfig')
            self.assertEqual(q.wait(), 0)
            q.command('quit')
        with quern.Quern('-preconfig', '-daemonize', '-machine', 'none', '-device', 'nosuch') as q:
            q.socket.sendall(b'{"execute":"x-exit-preconfig"}')
            self.assertEqual(q.wait(), 1)
            self.assertIn("'nosuch' is not a valid device model name", q.last_words())


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
