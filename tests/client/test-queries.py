#!/usr/bin/env python3
"""Every query without arguments on every machine type: answered by its declared type, or refused for a reason."""
import sys
import unittest

import quern

# Those that a machine may be without, and what they say then.
REASONS = {
    'query-balloon': 'No balloon device',
    'query-hotpluggable-cpus': 'does not support hot-plugging CPUs',
    'query-vm-generation-id': 'VM Generation ID device not found',
}


class Queries(unittest.TestCase):
    def queries(self, q):
        schema = q.learn_schema()
        for name, e in schema.of('command').items():
            members = schema.by_name[e['arg-type']]['members']
            if name.startswith('query-') and all('default' in m for m in members):
                yield name

    def ask_all(self, machine, *args):
        with quern.Quern('-machine', machine, *args) as q:
            for name in self.queries(q):
                with self.subTest(machine=machine, query=name):
                    reply = q.request(name)
                    if 'error' in reply:
                        self.assertIn(REASONS.get(name, 'nothing'), reply['error']['desc'])
            self.assertIn('running', q.command('query-status'))

    def machines(self):
        with quern.Quern('-machine', 'none') as q:
            return [m['name'] for m in q.command('query-machines')]

    def test_stopped_before_the_start(self):
        names = self.machines()
        self.assertIn('none', names)
        for name in names:
            self.ask_all(name, '-S', *(() if name == 'none' else ('-m', '64', '-smp', '2')))

    def test_running(self):
        for name in self.machines():
            self.ask_all(name, *(() if name == 'none' else ('-m', '64')))


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
