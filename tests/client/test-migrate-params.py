#!/usr/bin/env python3
"""Migration as far as it goes: capabilities and parameters; and threads for I/O."""
import sys
import unittest

import quern

EMPTY = ('-machine', 'none')


class Migration(unittest.TestCase):
    def test_capabilities(self):
        with quern.Quern(*EMPTY) as q:
            before = {c['capability']: c['state'] for c in q.command('query-migrate-capabilities')}
            self.assertEqual(set(before.values()), {False})
            self.assertLess({'events', 'xbzrle', 'return-path', 'pause-before-switchover', 'multifd'}, set(before))
            q.command('migrate-set-capabilities', {'capabilities': [{'capability': 'events', 'state': True}]})
            q.command('migrate-set-capabilities', {'capabilities': [{'capability': 'xbzrle', 'state': False}]})
            error = q.error('migrate-set-capabilities', {'capabilities': [{'capability': 'events', 'state': False},
                                                                          {'capability': 'xbzrle', 'state': True}]})
            self.assertIn("'xbzrle' is not supported", error[1])
            after = {c['capability']: c['state'] for c in q.command('query-migrate-capabilities')}
            self.assertEqual([name for name, on in after.items() if on], ['events'])
            self.assertIn('nosuch', q.error('migrate-set-capabilities',
                                            {'capabilities': [{'capability': 'nosuch', 'state': True}]})[1])
            self.assertIn('events: on\r\n', q.hmp('info migrate_capabilities'))
            self.assertEqual(q.hmp('migrate_set_capability events off'), '')
            self.assertIn('events: off\r\n', q.hmp('info migrate_capabilities'))

    def test_parameters_out_of_range_change_nothing(self):
        with quern.Quern(*EMPTY) as q:
            before = q.command('query-migrate-parameters')
            self.assertEqual((before['max-bandwidth'], before['downtime-limit'], before['tls-creds']), (128 << 20, 300, ''))
            for name, value in [('announce-initial', 100001), ('announce-step', 0), ('cpu-throttle-initial', 0),
                                ('cpu-throttle-increment', 100), ('max-cpu-throttle', 19), ('downtime-limit', 2000001),
                                ('multifd-channels', 0), ('multifd-channels', 256), ('multifd-zlib-level', 10),
                                ('xbzrle-cache-size', 5000), ('xbzrle-cache-size', 1024), ('x-vcpu-dirty-limit-period', 0),
                                ('vcpu-dirty-limit', 0), ('mode', 'x'), ('max-bandwidth', -1), ('direct-io', 'on')]:
                with self.subTest(name, value=value):
                    error = q.error('migrate-set-parameters', {'announce-rounds': 9, name: value})
                    self.assertIn(name, error[1])
                    self.assertEqual(q.command('query-migrate-parameters'), before)

    def test_parameters_are_kept(self):
        with quern.Quern(*EMPTY) as q:
            q.command('migrate-set-parameters', {'tls-creds': 't0', 'tls-hostname': None, 'max-bandwidth': 9223372036853727232,
                                                 'xbzrle-cache-size': 4096, 'mode': 'cpr-reboot'})
            now = q.command('query-migrate-parameters')
            self.assertEqual((now['tls-creds'], now['tls-hostname'], now['max-bandwidth'], now['xbzrle-cache-size'], now['mode']),
                             ('t0', '', 9223372036853727232, 4096, 'cpr-reboot'))
            q.command('migrate-set-parameters', {'tls-creds': None})
            self.assertEqual(q.command('query-migrate-parameters')['tls-creds'], '')
            self.assertEqual(q.hmp('migrate_set_parameter max-bandwidth 2'), '')
            self.assertEqual(q.hmp('migrate_set_parameter downtime-limit 100'), '')
            now = q.command('query-migrate-parameters')
            self.assertEqual((now['max-bandwidth'], now['downtime-limit']), (2 << 20, 100))
            self.assertIn('nosuch', q.hmp('migrate_set_parameter nosuch 1'))
            self.assertIn('downtime-limit: 100\r\n', q.hmp('info migrate_parameters'))

    def test_migrating_is_refused(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.command('query-migrate'), {})
            self.assertIn('not available', q.error('migrate', {'uri': 'tcp:localhost:4444'})[1])
            self.assertIn('not available', q.error('migrate-incoming', {'uri': 'tcp:localhost:4444'})[1])
        for where in ('defer', 'tcp:0:4444'):
            self.assertEqual(quern.run(*EMPTY, '-incoming', where)[::2],
                             (1, 'quern: -incoming %s: migration is not available\n' % where))

    def test_no_jobs(self):
        with quern.Quern(*EMPTY) as q:
            self.assertEqual(q.command('query-jobs'), [])
            self.assertEqual(q.hmp('info block-jobs'), 'No active jobs\r\n')


class IOThreads(unittest.TestCase):
    def test_threads_come_and_go(self):
        with quern.Quern(*EMPTY, '-object', 'iothread,id=io1,poll-max-ns=0') as q:
            q.command('object-add', {'qom-type': 'iothread', 'id': 'io2', 'poll-grow': 3, 'aio-max-batch': 8})
            threads = {t['id']: t for t in q.command('query-iothreads')}
            self.assertEqual((threads['io1']['poll-max-ns'], threads['io2']['poll-max-ns']), (0, 32768))
            self.assertEqual((threads['io2']['poll-grow'], threads['io2']['poll-shrink'], threads['io2']['aio-max-batch']),
                             (3, 0, 8))
            for name, t in threads.items():
                with open('/proc/%d/task/%d/comm' % (q.process.pid, t['thread-id']), encoding='ascii') as f:
                    self.assertEqual(f.read(), 'IO %s\n' % name)
            q.command('qom-set', {'path': '/objects/io2', 'property': 'poll-max-ns', 'value': 500})
            self.assertIn('io2:\r\n  thread_id=%d\r\n  poll-max-ns=500\r\n' % threads['io2']['thread-id'],
                          q.hmp('info iothreads'))
            q.command('object-del', {'id': 'io2'})
            self.assertEqual([t['id'] for t in q.command('query-iothreads')], ['io1'])

    def test_limits(self):
        with quern.Quern(*EMPTY) as q:
            for name, value in [('poll-max-ns', -1), ('aio-max-batch', -1), ('thread-pool-max', 0), ('thread-pool-min', -1),
                                ('thread-pool-min', 65), ('thread-pool-max', 100000)]:
                error = q.error('object-add', {'qom-type': 'iothread', 'id': 'io', name: value})
                self.assertIn(name, error[1])
            q.command('object-add', {'qom-type': 'iothread', 'id': 'io', 'thread-pool-min': 2, 'thread-pool-max': 4})
            self.assertIn('thread-pool-min', q.error('qom-set', {'path': '/objects/io', 'property': 'thread-pool-max',
                                                                 'value': 1})[1])
            self.assertEqual(q.command('qom-get', {'path': '/objects/io', 'property': 'thread-pool-max'}), 4)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
