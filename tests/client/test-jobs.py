#!/usr/bin/env python3
"""blockdev-create, and the commands about jobs.

usage: test-jobs.py QUERN
"""
import os
import sys
import tempfile
import time
import unittest

import quern

KIB, MIB = 1 << 10, 1 << 20


class Create(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, 'image')

    def options(self, **more):
        return {'driver': 'file', 'filename': self.path, 'size': MIB, **more}

    def create(self, q, **more):
        """The job as query-jobs shows it when it is over, and its states."""
        q.events.clear()
        q.command('blockdev-create', {'job-id': 'j', 'options': self.options(**more)})
        states = []
        while not states or states[-1] != 'concluded':
            data = q.wait_event('JOB_STATUS_CHANGE')['data']
            self.assertEqual(data['id'], 'j')
            states.append(data['status'])
        job, = q.command('query-jobs')
        q.command('job-dismiss', {'id': 'j'})
        self.assertEqual(q.wait_event('JOB_STATUS_CHANGE')['data'], {'id': 'j', 'status': 'null'})
        self.assertEqual(q.command('query-jobs'), [])
        return job, states

    def test_sizes_and_preallocation(self):
        with quern.Quern('-machine', 'none') as q:
            for more, size, blocks in (({}, MIB, 0), ({'size': 1000}, 1000, 0), ({'preallocation': 'off'}, MIB, 0), ({'size': 0, 'preallocation': 'falloc'}, 0, 0),
                                       ({'preallocation': 'falloc'}, MIB, MIB), ({'preallocation': 'full', 'size': 3 * MIB + 5}, 3 * MIB + 5, 3 * MIB),
                                       ({'nocow': True, 'extent-size-hint': 64 * KIB}, MIB, 0)):
                with self.subTest(more):
                    with open(self.path, 'wb') as f:
                        f.write(b'old' * 100)
                    job, states = self.create(q, **more)
                    self.assertEqual(states, ['created', 'running', 'waiting', 'pending', 'concluded'])
                    self.assertEqual(job, {'id': 'j', 'type': 'create', 'status': 'concluded', 'current-progress': 1, 'total-progress': 1})
                    st = os.stat(self.path)
                    self.assertEqual(st.st_size, size)
                    self.assertGreaterEqual(st.st_blocks * 512, blocks)
                    with open(self.path, 'rb') as f:
                        self.assertEqual(f.read(), bytes(size))
            q.command('blockdev-add', {'driver': 'file', 'node-name': 'n', 'filename': self.path})

    def test_failures(self):
        with quern.Quern('-machine', 'none') as q:
            for more, text in (({'filename': '/nonexistent/x'}, "Could not create '/nonexistent/x': No such file or directory"),
                               ({'filename': self.folder.name}, 'Could not create'), ({'preallocation': 'metadata'}, 'Unsupported preallocation mode: metadata'),
                               ({'size': 1 << 63}, 'size must be at most'), ({'extent-size-hint': 1 << 32}, 'extent-size-hint must be at most'),
                               ({'size': (1 << 63) - 1, 'preallocation': 'falloc'}, ''), ({'filename': '/dev/fdset/7'}, 'Could not create')):
                with self.subTest(more):
                    job, states = self.create(q, **more)
                    self.assertEqual(states, ['created', 'running', 'aborting', 'concluded'])
                    self.assertIn(text, job['error'])
            for arguments, text in (({'job-id': '1', 'options': self.options()}, "Invalid job ID '1'"),
                                    ({'job-id': 'j', 'options': {'driver': 'raw'}}, 'Driver does not support blockdev-create'),
                                    ({'job-id': 'j', 'options': {'driver': 'raw', 'size': 1}}, 'unexpected'),
                                    ({'job-id': 'j', 'options': {'driver': 'file', 'filename': 'x'}}, "size' is missing")):
                self.assertIn(text, q.error('blockdev-create', arguments)[1])
            self.assertEqual(q.command('query-jobs'), [])

    def test_image_in_use_is_left_alone(self):
        with open(self.path, 'wb') as f:
            f.write(b'x' * MIB)
        with quern.Quern('-machine', 'q35', '-S', '-blockdev', 'file,node-name=n,filename=' + self.path, '-device', 'virtio-blk-pci,drive=n') as q:
            job, _ = self.create(q, size=0)
            self.assertIn('lock', job['error'])
            self.assertEqual(os.stat(self.path).st_size, MIB)

    def test_verbs_and_states(self):
        with quern.Quern('-machine', 'none') as q:
            for verb in 'pause', 'resume', 'cancel', 'complete', 'finalize', 'dismiss':
                self.assertEqual(q.error('job-' + verb, {'id': 'j'}), ('GenericError', 'Job not found'))
            q.command('blockdev-create', {'job-id': 'j', 'options': self.options()})
            while q.command('query-jobs')[0]['status'] != 'concluded':
                time.sleep(0.01)
            self.assertEqual(q.error('blockdev-create', {'job-id': 'j', 'options': self.options()})[1], "Job ID 'j' already in use")
            for verb in 'pause', 'cancel', 'complete', 'finalize':
                self.assertEqual(q.error('job-' + verb, {'id': 'j'})[1], f"Job 'j' in state 'concluded' cannot accept command verb '{verb}'")
            self.assertEqual(q.error('job-resume', {'id': 'j'})[1], "Can't resume a job that was not paused")

    def test_cancelled_and_left_running(self):
        big = {'size': 4 << 30, 'preallocation': 'full', 'filename': '/dev/shm/quern-jobs-%d' % os.getpid()}
        self.addCleanup(lambda: os.path.exists(big['filename']) and os.unlink(big['filename']))
        with quern.Quern('-machine', 'none') as q:
            q.command('blockdev-create', {'job-id': 'j', 'options': self.options(**big)})
            self.assertEqual(q.command('query-jobs')[0]['status'], 'running')
            q.command('job-cancel', {'id': 'j'})
            while q.wait_event('JOB_STATUS_CHANGE')['data']['status'] != 'concluded':
                pass
            self.assertEqual(q.command('query-jobs')[0]['error'], 'Operation canceled')
            q.command('blockdev-create', {'job-id': 'k', 'options': self.options(**big)})
            q.command('quit')
            self.assertEqual(q.wait(), 0, q.last_words())


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=1))
