#!/usr/bin/env python3
"""run.py BUILDDIR SECONDS TARGET...: run fuzz targets side by side; 0 if none found anything.

Seeds and dictionaries are made from the schema of the build, the corpus grows in BUILDDIR/fuzz/TARGET and is
used again by the next run.  What was found is left in BUILDDIR/fuzz/TARGET.found-*, its report in TARGET.log.
"""
import json
import pathlib
import random
import re
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / 'qapi' / 'gen'))

from schema import Schema                                       # noqa: E402

MAX_LEN = {'json': 4096, 'options': 4096, 'qmp': 4096, 'qtest': 1024}
JSON_SEEDS = ['null', 'true', '-0', '1.5e300', '18446744073709551615', '-9223372036854775808', '"\\ud83d\\ude00 \\u00e9"',
              '{"a":[{},[],{"b":null}],"c":""}', "{'a': 'it''s'}", '[' * 40 + ']' * 40, '{"a":1}{"a":', '{"a":1,"a":2}\n[]']
HMP_SEEDS = ['info', 'info status', 'help', 'help info', 'x/4xw 0', 'xp/3i 0x1000', 'print/x 16+0x10-1', 'log in_asm', 'cpu 0',
             'info mtree -f', 'info qtree', 'info qom-tree', 'device_add virtio-rng-pci,id=d', 'device_del d',
             'object_add rng-builtin,id=r', 'object_del r', 'system_reset', 'cont', 'stop', 'balloon 100', 'sum 0 16']


class Seeds:
    """Requests with arguments of the right types, from the schema's entities."""

    def __init__(self, schema, rnd):
        self.schema, self.rnd = schema, rnd

    def value(self, t, depth=0):
        rnd = self.rnd
        if t.meta == 'builtin':
            if t.name == 'str':
                return rnd.choice(['', 'a', 'ring0', '/machine', '/objects/m0', 'memory-backend-ram', 'disk0', '1M', '64k'])
            if t.name == 'bool':
                return rnd.random() < 0.5
            if t.name in ('any', 'null'):
                return None
            return rnd.choice([0, 1, -1, 512, 4096, 1 << 20, 2 ** 63 - 1])
        if t.meta == 'enum':
            return rnd.choice(t.values)
        if t.meta == 'array':
            return [self.value(t.element, depth + 1) for _ in range(rnd.randrange(3))]
        if t.meta == 'alternate':
            return self.value(rnd.choice(list(t.variants.values())), depth + 1)
        out = {m.name: self.value(m.type, depth + 1) for m in t.all_members()
               if not m.optional or (depth < 4 and rnd.random() < 0.5)}
        if t.meta == 'union':
            tag = rnd.choice(t.tag.type.values)
            out[t.tag.name] = tag
            if tag in t.variants:
                out.update(self.value(t.variants[tag], depth + 1))
        return out

    def requests(self):
        for _, request, _ in self.schema.examples():
            if request:
                yield request
        for e in self.schema.order:
            for _ in range(3 if e.meta == 'command' else 0):
                yield {'execute': e.name, **({'arguments': self.value(e.arg)} if e.arg else {}), 'id': 1}
        for line in HMP_SEEDS:
            yield {'execute': 'human-monitor-command', 'arguments': {'command-line': line}}
        for kind, more in [('memory-backend-ram', {'size': 65536}), ('memory-backend-file', {'size': 4096, 'mem-path': 'ram'}),
                           ('rng-builtin', {}), ('iothread', {}), ('secret', {'data': 'x'}), ('throttle-group', {})]:
            yield {'execute': 'object-add', 'arguments': {'qom-type': kind, 'id': 'o0', **more}}


def qmp_seeds(seeds):
    texts = [json.dumps(r) for r in seeds.requests()]
    yield from ('\0' + t for t in texts)
    for how in '\0\1\2\4\6\7':                  # some at once, as a slow or a hasty client sends them
        yield how + '\r\n'.join(seeds.rnd.sample(texts, min(6, len(texts))))
    yield '\x08{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}{"exec-oob":"query-version","id":1}'


def option_seeds():
    """Every command line in the tests, and every option of the table with something behind it."""
    table = (SOURCE / 'system' / 'cli' / 'options.c').read_text(encoding='utf-8')
    for name in re.findall(r'^    \{ "([A-Za-z0-9_-]+)", ', table, re.M):
        for arg in ['', 'help', 'a=b,c=on', '{"a":1}', 'none']:
            yield '-%s\n%s' % (name, arg)
    for test in sorted((SOURCE / 'tests' / 'client').glob('test-*.py')):
        for line in re.findall(r"'-[a-z].*", test.read_text(encoding='utf-8')):
            words = re.findall(r"'([^']*)'", line)
            if words:
                yield '\n'.join(words)
    yield '-readconfig\n[device "d"]\n  driver = "virtio-rng-pci"\n[machine]\n  type = "none"\n[smp-opts]\n  cpus = "2"'
    yield '-smp\n4,sockets=1,dies=2,cores=2,threads=1,maxcpus=4\n-m\n1G,slots=2,maxmem=4G\n-numa\nnode,nodeid=0,cpus=0-1,mem=512M'
    yield '-object\n{"qom-type":"memory-backend-ram","id":"m","size":1048576}\n-device\n{"driver":"virtio-rng-pci","id":"d"}'
    yield '-blockdev\ndriver=file,node-name=n,filename=x,cache.direct=on\n-chardev\nsocket,id=c,path=/a,server=on,wait=off'


def qtest_seeds():
    """Programs of random steps (enum Step of fuzz-qtest.c); coverage does the rest."""
    rnd = random.Random(2)
    for _ in range(200):
        yield ''.join(chr(rnd.randrange(128)) for _ in range(rnd.randrange(8, 400)))


def words(schema):
    """What a fuzzer cannot guess."""
    out = {'execute', 'exec-oob', 'arguments', 'id', 'enable', 'oob', 'on', 'off', 'help'}
    for e in schema.entities.values():
        out |= {m.name for m in e.all_members()} | set(e.values) | set(e.variants)
        out |= {e.name} if e.meta in ('command', 'event') else set()
    for text in (SOURCE / 'hw').rglob('*.c'):
        out |= set(re.findall(r'DEFINE\(\w+, \w+, "([a-z0-9-]+)"', text.read_text(encoding='utf-8')))
    return sorted(out)


def prepare(target, folder, schema):
    corpus = folder / target
    corpus.mkdir(parents=True, exist_ok=True)
    rnd = random.Random(1)
    texts = {'json': lambda: JSON_SEEDS + [json.dumps(r or m) for _, r, m in schema.examples()],
             'options': option_seeds, 'qtest': qtest_seeds, 'qmp': lambda: qmp_seeds(Seeds(schema, rnd))}[target]()
    for i, text in enumerate(texts):
        (corpus / ('seed-%04d' % i)).write_text(text, encoding='utf-8')
    (folder / (target + '.dict')).write_text(''.join('"%s"\n' % w for w in words(schema)), encoding='utf-8')
    return corpus


def start(build, target, seconds, schema):
    folder = build / 'fuzz'
    corpus = prepare(target, folder, schema)
    log = open(folder / (target + '.log'), 'wb')
    command = [str(build / 'tests' / 'fuzz' / ('fuzz-' + target)), str(corpus), '-max_total_time=%d' % seconds,
               '-dict=%s' % (folder / (target + '.dict')), '-artifact_prefix=%s/%s.found-' % (folder, target),
               '-max_len=%d' % MAX_LEN[target], '-timeout=20', '-rss_limit_mb=2048', '-close_fd_mask=1', '-print_final_stats=1']
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def summary(folder, target, status):
    text = (folder / (target + '.log')).read_text(encoding='utf-8', errors='replace')
    runs = re.findall(r'stat::number_of_executed_units:\s*(\d+)', text)
    rss = re.findall(r'stat::peak_rss_mb:\s*(\d+)', text)
    if not status:
        return '%s: clean, %s inputs, peak %s MiB' % (target, runs[-1] if runs else '?', rss[-1] if rss else '?')
    found = re.findall(r'^(?:SUMMARY|ERROR|==\d+==\s*ERROR): .*|.*[Aa]ssertion.*|.*unexpected error.*', text, re.M)
    return '%s: FOUND, see %s\n  %s' % (target, folder / (target + '.log'), '\n  '.join(found[:4]))


def main(build, seconds, *targets):
    build = pathlib.Path(build).resolve()
    schema = Schema(str(SOURCE / 'qapi' / 'schema.json'))
    running = {t: start(build, t, int(seconds), schema) for t in targets}
    begin, failed = time.monotonic(), False
    try:
        for target, process in running.items():
            status = process.wait()
            print(summary(build / 'fuzz', target, status), '(%d s)' % (time.monotonic() - begin), flush=True)
            failed |= bool(status)
    finally:
        for process in running.values():
            if process.poll() is None:
                process.terminate()
    return int(failed)


if __name__ == '__main__':
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
