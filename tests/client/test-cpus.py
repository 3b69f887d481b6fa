#!/usr/bin/env python3
"""Virtual CPUs over QMP: models, topology, what can be plugged, what is counted."""
import sys
import unittest

import quern

NONE = ('-machine', 'none')
# What translated code has always had, and what it will hardly ever have.
EVERY_CPU = {'fpu', 'sse2', 'cx8'}
NOT_HERE = {'vmx', 'sgx', 'avx512f'}


def by_name(definitions):
    return {d['name']: d for d in definitions}


class Models(unittest.TestCase):
    def test_definitions(self):
        with quern.Quern(*NONE) as q:
            models = by_name(q.command('query-cpu-definitions'))
            types = {t['name'] for t in q.command('qom-list-types', {'implements': 'cpu'})}
        self.assertEqual(len(models), 154)      # as QEMU 10.0 has
        self.assertEqual({m['typename'] for m in models.values()}, {t for t in types if t.endswith('-x86_64-cpu')})
        for name, alias in [('Haswell', 'Haswell-v1'), ('Haswell-noTSX-IBRS', 'Haswell-v4'), ('EPYC-IBPB', 'EPYC-v2'), ('qemu64', 'qemu64-v1')]:
            self.assertEqual(models[name]['alias-of'], alias)
            self.assertIn(alias, models)
        self.assertEqual([n for n, m in models.items() if m['static']], ['base'])
        self.assertEqual({n for n, m in models.items() if not m['migration-safe']}, {'host', 'max'})
        self.assertEqual(models['host']['unavailable-features'], ['kvm'])
        for usable in ('qemu64', 'max', 'base', 'Westmere', 'kvm64'):
            self.assertEqual(models[usable]['unavailable-features'], [])
        self.assertIn('avx512f', models['Skylake-Server']['unavailable-features'])

    def test_unavailable_features_are_what_a_cpu_lacks(self):
        with quern.Quern(*NONE) as q:
            missing = set(by_name(q.command('query-cpu-definitions'))['SapphireRapids-v2']['unavailable-features'])
        with quern.Quern('-machine', 'microvm', '-S', '-cpu', 'SapphireRapids-v2') as q:
            path = q.command('query-cpus-fast')[0]['qom-path']
            self.assertEqual(set(q.command('qom-get', {'path': path, 'property': 'unavailable-features'})), missing)
            for name in missing:
                self.assertFalse(q.command('qom-get', {'path': path, 'property': name}), name)
                self.assertEqual(q.last_words().count('.%s [bit' % name), 1, name)

    def expand(self, q, name, props=None, kind='static'):
        model = {'name': name, **({'props': props} if props else {})}
        return q.command('query-cpu-model-expansion', {'type': kind, 'model': model})['model']

    def test_expansion(self):
        with quern.Quern(*NONE) as q:
            base = self.expand(q, 'base')
            bools = {k for k, v in base['props'].items() if isinstance(v, bool)}
            self.assertGreater(len(bools), 380)
            self.assertFalse([k for k in bools if base['props'][k]])
            best = self.expand(q, 'max')
            self.assertEqual(best['name'], 'base')
            self.assertTrue(all(best['props'][f] for f in EVERY_CPU))
            self.assertFalse(any(best['props'][f] for f in NOT_HERE))
            self.assertEqual({**best['props'], 'invtsc': True}, self.expand(q, 'max', {'migratable': False})['props'])
            self.assertFalse(best['props']['invtsc'] or self.expand(q, 'EPYC', {'migratable': False})['props']['invtsc'])
            self.assertTrue(self.expand(q, 'EPYC', {'invtsc': True})['props']['invtsc'])
            haswell = self.expand(q, 'Haswell-v2', {'aes': False, 'stepping': 7})['props']
            self.assertEqual((haswell['aes'], haswell['rtm'], haswell['avx2'], haswell['stepping']), (False, False, True, 7))
            self.assertEqual(haswell['model-id'], 'Intel Core Processor (Haswell, no TSX)')
            full = self.expand(q, 'Haswell', kind='full')
            self.assertEqual(full['name'], 'Haswell')
            self.assertEqual((full['props']['family'], full['props']['model'], full['props']['rtm'], full['props']['sse4_2']),
                             (6, 60, True, True))

    def test_static_expansion_makes_the_same_cpu(self):
        with quern.Quern(*NONE) as q:
            wanted = self.expand(q, 'Westmere')
            again = self.expand(q, 'base', wanted['props'])
        self.assertEqual(wanted, again)

    def test_expansion_refuses(self):
        with quern.Quern(*NONE) as q:
            for model, message in [
                    ({'name': 'abacus'}, "CPU model 'abacus' not found"),
                    ({'name': 'max', 'props': {'warp': True}}, "has no property 'warp'"),
                    ({'name': 'max', 'props': {'aes': 'maybe'}}, 'max-x86_64-cpu.aes'),
                    ({'name': 'max', 'props': []}, "Invalid parameter type for 'model.props', expected: object"),
                    ({'name': 'max', 'props': {'vendor': 'abc'}}, 'must be 12 characters'),
                    ({'name': 'max', 'props': {'family': 271}}, 'must be 0..270, got 271'),
                    ({'name': 'max', 'props': {'unavailable-features': []}}, 'unavailable-features')]:
                with self.subTest(model):
                    error = q.error('query-cpu-model-expansion', {'type': 'full', 'model': model})
                    self.assertEqual(error[0], 'GenericError')
                    self.assertIn(message, error[1])

    def test_comparison_and_baseline(self):
        with quern.Quern(*NONE) as q:
            def compare(a, b):
                return q.command('query-cpu-model-comparison', {'modela': {'name': a}, 'modelb': {'name': b}})
            self.assertEqual(compare('Westmere', 'Nehalem'), {'result': 'superset', 'responsible-properties': ['pclmulqdq', 'aes']})
            self.assertEqual(compare('Nehalem', 'Westmere')['result'], 'subset')
            self.assertEqual(compare('Westmere', 'Westmere-v1'), {'result': 'identical', 'responsible-properties': []})
            self.assertEqual(compare('max', 'Westmere')['result'], 'incompatible')      # vendors
            self.assertIn('vendor', compare('max', 'Westmere')['responsible-properties'])
            models = {'modela': {'name': 'Westmere'}, 'modelb': {'name': 'Nehalem', 'props': {'popcnt': False}}}
            common = q.command('query-cpu-model-baseline', models)['model']
            self.assertEqual(common['name'], 'base')
            self.assertEqual([common['props'][f] for f in ('aes', 'popcnt', 'sse4.2')], [False, False, True])
            models['modela']['name'] = 'EPYC'
            self.assertIn('different vendors', q.error('query-cpu-model-baseline', models)[1])

    def test_features_are_properties_of_type_and_object(self):
        with quern.Quern('-machine', 'microvm', '-S', '-cpu', 'qemu64,-rdtscp,+aes,x2apic=off') as q:
            path = q.command('query-cpus-fast')[0]['qom-path']
            listed = {p['name']: p['type'] for p in q.command('qom-list', {'path': path})}
            of_type = {p['name'] for p in q.command('qom-list-properties', {'typename': 'max-x86_64-cpu'})}
            for name in ('aes', 'avx10', 'vmx-ept', 'sse4_1', 'hypervisor'):
                self.assertEqual(listed[name], 'bool')
            for name in ('unavailable-features', 'migratable', 'feature-words', 'filtered-features', 'apic-id', 'module-id', 'node-id'):
                self.assertIn(name, listed)
                self.assertIn(name, of_type)
            self.assertFalse([n for n in of_type if n.startswith('hv-')])
            for name, value in [('rdtscp', False), ('aes', True), ('x2apic', False), ('lm', True), ('core-id', 0)]:
                self.assertEqual(q.command('qom-get', {'path': path, 'property': name}), value, name)
            words = q.command('qom-get', {'path': path, 'property': 'feature-words'})
            edx = next(w['features'] for w in words if (w['cpuid-input-eax'], w['cpuid-register']) == (0x80000001, 'EDX'))
            self.assertEqual((edx >> 29 & 1, edx >> 27 & 1), (1, 0))        # lm, rdtscp
            self.assertIn('aes', q.error('qom-set', {'path': path, 'property': 'aes', 'value': False})[1])


    def test_enforce(self):
        for cpu, missing in [('max,+avx512f,enforce', "TCG doesn't support requested feature: CPUID.07H:EBX.avx512f [bit 16]"),
                             ('max,+sgx1,enforce', 'depends on other features that were not requested: CPUID.12H:EAX.sgx1 [bit 0]'),
                             ('Skylake-Server,enforce,check=off', 'avx512dq [bit 17]')]:
            with self.subTest(cpu):
                status, _, err = quern.run('-display', 'none', '-nodefaults', '-S', '-cpu', cpu)
                self.assertEqual(status, 1)
                self.assertIn(missing, err)
                self.assertTrue(err.endswith(": TCG doesn't support requested features\n"), err)
        with quern.Quern('-machine', 'microvm', '-S', '-cpu', 'Skylake-Server,check=off') as q:
            self.assertEqual(q.last_words(), '')


class Topology(unittest.TestCase):
    def smp_error(self, *args):
        status, _, err = quern.run('-display', 'none', '-nodefaults', '-S', *args)
        self.assertEqual((status, err.count('\n')), (1, 1), err)
        return err

    def test_wrong_topologies(self):
        for args, message in [
                (('-smp', '4,clusters=2'), "clusters > 1 not supported by this machine's CPU topology"),
                (('-smp', '4,drawers=2'), "drawers > 1 not supported"),
                (('-machine', 'microvm', '-smp', '4,dies=2'), "dies > 1 not supported"),
                (('-smp', '4,dies=0'), 'CPU topology parameters must be greater than zero'),
                (('-smp', '5,sockets=2'), 'sockets (2) * dies (1) * modules (1) * cores (2) * threads (1) != maxcpus (5)'),
                (('-smp', '8,maxcpus=4'), 'maxcpus (4) < smp_cpus (8)'),
                (('-machine', 'pc', '-smp', '256'), "The max CPUs supported by machine 'pc-i440fx-10.0' is 255")]:
            with self.subTest(args):
                self.assertIn(message, self.smp_error(*args))

    def test_wrong_nodes(self):
        backends = ('-machine', 'q35', '-smp', '2', '-object', 'memory-backend-ram,id=m0,size=64M', '-object', 'memory-backend-ram,id=m1,size=64M')
        two = ('-numa', 'node,memdev=m0', '-numa', 'node,memdev=m1')
        for args, message in [
                (('-numa', 'node'), 'total memory for NUMA nodes (0x0) should equal RAM size (0x8000000)'),
                (('-numa', 'node,memdev=m0,nodeid=1', '-numa', 'node,memdev=m1,nodeid=2'), 'numa: Node ID missing: 0'),
                (('-numa', 'node,memdev=m0', '-numa', 'node,memdev=m0'), 'in use'),
                (('-numa', 'node,memdev=nosuch'), 'memdev=nosuch is no memory backend'),
                (('-numa', 'node,nodeid=200'), 'Max number of NUMA nodes reached: 200'),
                (('-numa', 'node,cpus=2'), 'CPU index (2) should be smaller than maxcpus (2)'),
                (('-numa', 'node,cpus=1-0'), "Parameter 'cpus' expects a uint64 value or range"),
                (('-numa', 'hmat-lb'), "Parameter 'type' does not accept value 'hmat-lb'"),
                ((*two, '-numa', 'node,nodeid=0'), 'Duplicate NUMA nodeid: 0'),
                ((*two, '-numa', 'dist,src=0,dst=1,val=9'), "shouldn't be less than 10"),
                ((*two, '-numa', 'dist,src=1,dst=1,val=11'), 'Local distance of node 1 should be 10'),
                ((*two, '-numa', 'dist,src=0,dst=2,val=11'), 'Source/Destination NUMA node is missing'),
                ((*two, '-numa', 'cpu,node-id=2'), 'Invalid node-id=2'),
                ((*two, '-numa', 'cpu,core-id=0'), 'Missing mandatory node-id property'),
                ((*two, '-numa', 'cpu,node-id=0,socket-id=1'), 'no match found'),
                ((*two, '-numa', 'cpu,node-id=0', '-numa', 'cpu,node-id=1,core-id=1'), 'CPU is already assigned to node-id: 0')]:
            with self.subTest(args):
                self.assertIn(message, self.smp_error(*backends, *args))
        status, _, err = quern.run('-display', 'none', '-machine', 'q35', '-numa', 'node,mem=128M')
        self.assertEqual((status, 'Use -numa node,memdev instead' in err), (1, True))

    def test_nodes_of_cpus(self):
        with quern.Quern('-machine', 'q35', '-S', '-smp', '2,sockets=2,dies=2,modules=2,cores=1,maxcpus=8', '-object',
                         'memory-backend-ram,id=m0,size=64M', '-object', 'memory-backend-ram,id=m1,size=64M', '-numa', 'node,memdev=m1',
                         '-numa', 'node,memdev=m0', '-numa', 'cpu,node-id=1,die-id=0', '-numa', 'cpu,node-id=0,die-id=1') as q:
            cpus = q.command('query-hotpluggable-cpus')
            self.assertEqual(len(cpus), 8)
            self.assertEqual(cpus[0]['props'], {'socket-id': 1, 'die-id': 1, 'module-id': 1, 'core-id': 0, 'thread-id': 0, 'node-id': 0})
            self.assertEqual(cpus[7]['props']['node-id'], 1)
            self.assertEqual([c['props'] for c in q.command('query-cpus-fast')], [c['props'] for c in cpus[:5:-1]])


class Hotplug(unittest.TestCase):
    CPU = {'driver': 'qemu64-x86_64-cpu', 'id': 'c'}

    def test_wrong_places(self):
        with quern.Quern('-machine', 'q35', '-S', '-smp', '2,maxcpus=4') as q:
            place = {'socket-id': 0, 'core-id': 3, 'thread-id': 0}
            for change, message in [
                    ({'core-id': 0}, 'CPU[0] with APIC ID 0 exists'),
                    ({'socket-id': 9}, 'Invalid CPU socket-id: 9 must be in range 0:0'),
                    ({'core-id': 4}, 'Invalid CPU core-id: 4 must be in range 0:3'),
                    ({'core-id': -1}, 'CPU core-id is not set'),
                    ({'driver': 'max-x86_64-cpu'}, "Invalid CPU type, expected cpu type: 'qemu64-x86_64-cpu'"),
                    ({'apic-id': 2}, "property core-id: 3 doesn't match set apic-id: 0x2 (core-id: 2)"),
                    ({'apic-id': 77}, 'with APIC ID 77, valid index range 0:3'),
                    ({'node-id': 2}, 'invalid node-id, must be 0'),
                    ({'bus': 'pcie.0'}, 'sits on no bus')]:
                with self.subTest(change):
                    self.assertIn(message, q.error('device_add', {**self.CPU, **place, **change})[1])
            self.assertEqual(len(q.command('query-cpus-fast')), 2)
            self.assertEqual(q.command('device_add', {**self.CPU, **place}), {})
            self.assertIn('exists', q.error('device_add', {**self.CPU, **place, 'id': 'd'})[1])
            self.assertEqual([(c['cpu-index'], c['qom-path']) for c in q.command('query-cpus-fast')][2], (3, '/machine/peripheral/c'))
            self.assertIn('Boot CPU is unpluggable', q.error('device_del', {'id': '/machine/unattached/device[0]'})[1])
            self.assertEqual(q.command('device_del', {'id': 'c'}), {})
            self.assertIn('already in the process of unplug', q.error('device_del', {'id': 'c'})[1])
            self.assertEqual([s.get('device') for s in q.command('query-acpi-ospm-status')], [None, None, None, 'c'])

    def test_at_the_start(self):
        with quern.Quern('-machine', 'q35', '-S', '-smp', '1,maxcpus=3', '-device',
                         'qemu64-x86_64-cpu,id=late,socket-id=0,core-id=2,thread-id=0', '-cpu', 'qemu64,-rdtscp') as q:
            self.assertEqual([c['cpu-index'] for c in q.command('query-cpus-fast')], [0, 2])
            self.assertFalse(q.command('qom-get', {'path': 'late', 'property': 'rdtscp'}))
            self.assertEqual([c.get('qom-path') for c in q.command('query-hotpluggable-cpus')],
                             ['/machine/peripheral/late', None, '/machine/unattached/device[0]'])

    def test_machines_without(self):
        place = {'socket-id': 0, 'core-id': 1, 'thread-id': 0}
        for machine, message in [('microvm', 'can not be hotplugged on this machine'), ('q35,acpi=off', 'CPU hotplug is disabled')]:
            with self.subTest(machine), quern.Quern('-machine', machine, '-S', '-smp', '1,maxcpus=2') as q:
                self.assertIn(message, q.error('device_add', {**self.CPU, **place})[1])
        with quern.Quern(*NONE) as q:
            self.assertIn('does not support hot-plugging CPUs', q.error('query-hotpluggable-cpus')[1])
            self.assertIn("machine 'none' takes no CPUs", q.error('device_add', self.CPU)[1])


class HumanMonitor(unittest.TestCase):
    def test_places_and_nodes(self):
        with quern.Quern('-machine', 'q35', '-S', '-smp', '2,maxcpus=3', '-object', 'memory-backend-ram,id=m0,size=128M',
                         '-numa', 'node,memdev=m0,cpus=0-1', '-numa', 'node,cpus=2') as q:
            numa = q.hmp('info numa').split('\r\n')
            self.assertEqual(numa[:4], ['2 nodes', 'node 0 cpus: 0 1', 'node 0 size: 128 MB', 'node 0 plugged: 0 MB'])
            self.assertEqual(numa[4:6], ['node 1 cpus:', 'node 1 size: 0 MB'])
            q.command('device_add', {'driver': 'qemu64-x86_64-cpu', 'id': 'c', 'socket-id': 0, 'core-id': 2, 'thread-id': 0, 'node-id': 1})
            self.assertIn('node 1 cpus: 2\r\n', q.hmp('info numa'))
            cpus = q.hmp('info hotpluggable-cpus')
            self.assertIn('qom_path: "/machine/peripheral/c"\r\n  CPUInstance Properties:\r\n    node-id: "1"\r\n    socket-id: "0"\r\n'
                          '    core-id: "2"\r\n    thread-id: "0"\r\n', cpus)
            self.assertEqual(cpus.count('type: "qemu64-x86_64-cpu"'), 3)
            self.assertIn('CPU #2', q.hmp('info cpus'))
            q.hmp('cpu 2')
            self.assertIn('* CPU #2', q.hmp('info cpus'))
            self.assertIn('invalid CPU index 3', q.hmp('cpu 3'))

    def test_what_a_cpu_sees(self):
        with quern.Quern('-machine', 'q35', '-S', '-smp', '2') as q:
            for line in ('info tlb', 'info mem'):
                self.assertEqual(q.hmp(line), 'PG disabled\r\n')
            self.assertEqual(q.hmp('gva2gpa 0xfffffff0'), 'gpa: 0xfffffff0\r\n')
            self.assertIn('Error', q.hmp('gva2gpa x'))
            lapic = q.hmp('info lapic 1')
            self.assertIn('state for CPU 1\r\n', lapic)
            self.assertIn('LVTT\t 0x00010000 active-hi edge  masked         one-shot     Fixed  (vec 0)\r\n', lapic)
            self.assertIn('SPIV\t 0x000000ff APIC disabled, focus=off, spurious vec 255\r\n', lapic)
            self.assertEqual(q.hmp('info lapic 2'), 'No CPU available\r\n')
        with quern.Quern(*NONE) as q:
            for line in ('info tlb', 'info mem', 'info lapic'):
                self.assertEqual(q.hmp(line), 'No CPU available\r\n')
            self.assertNotIn('gpa:', q.hmp('gva2gpa 0'))


class Accelerators(unittest.TestCase):
    def test_stats(self):
        with quern.Quern('-machine', 'microvm', '-smp', '2') as q:
            schemas = {s['target']: {v['name']: v for v in s['stats']} for s in q.command('query-stats-schemas')}
            self.assertEqual(set(schemas), {'vm', 'vcpu'})
            self.assertEqual(schemas['vcpu']['translate_ns'], {'name': 'translate_ns', 'type': 'cumulative', 'unit': 'seconds', 'base': 10, 'exponent': -9})
            self.assertEqual(q.command('query-stats-schemas', {'provider': 'kvm'}), [])
            vm, = q.command('query-stats', {'target': 'vm'})
            self.assertEqual({s['name'] for s in vm['stats']}, set(schemas['vm']))
            cpus = q.command('query-stats', {'target': 'vcpu'})
            self.assertEqual([c['qom-path'] for c in cpus], [c['qom-path'] for c in q.command('query-cpus-fast')])
            self.assertEqual({s['name'] for s in cpus[0]['stats']}, set(schemas['vcpu']))
            while not q.command('query-stats', {'target': 'vcpu', 'vcpus': [cpus[0]['qom-path']], 'providers': [
                    {'provider': 'tcg', 'names': ['translations']}]})[0]['stats'][0]['value']:
                pass                        # the boot CPU runs firmware
            self.assertEqual(q.command('query-stats', {'target': 'vm', 'providers': [{'provider': 'kvm'}]}), [])
            self.assertEqual(q.command('query-stats', {'target': 'vcpu', 'vcpus': ['/nosuch']}), [])

    def test_accelerators(self):
        with quern.Quern(*NONE) as q:
            info = q.command('query-accelerators')
            self.assertEqual(info['enabled'], 'tcg')
            self.assertIn('tcg', info['present'])

    def test_machines(self):
        with quern.Quern(*NONE) as q:
            machines = by_name(q.command('query-machines', {'compat-props': True}))
        for name, cpus, hotplug in [('none', 1, False), ('microvm', 288, False), ('pc-i440fx-10.0', 255, True), ('pc-q35-10.0', 288, True)]:
            self.assertEqual((machines[name]['cpu-max'], machines[name]['hotpluggable-cpus']), (cpus, hotplug))
        self.assertEqual(machines['pc-q35-10.0']['default-cpu-type'], 'qemu64-x86_64-cpu')
        self.assertEqual(machines['pc-q35-10.0']['compat-props'], [])


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(verbosity=1))
