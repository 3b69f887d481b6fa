"""Introspection data: what query-qmp-schema answers.

Types are known to a client by their shape alone, so their names are masked: structs, unions, enums
and alternates get numbers in the order in which commands and events reach them.
"""
from schema import BUILTINS


class Introspection:
    def __init__(self, schema):
        self.entries = []
        self.masked = {}
        self.pending = []
        for e in schema.order:
            if e.meta == 'command':
                self.command(e)
            elif e.meta == 'event':
                self.add(e, {'name': e.name, 'meta-type': 'event', 'arg-type': self.ref(e.arg)})
        while self.pending:
            t = self.pending.pop(0)
            getattr(self, 'type_' + t.meta)(t)

    def ref(self, t):
        """The name by which entries refer to type @t; queues its description."""
        if t is None:
            return self.empty()
        if t.meta == 'builtin':
            name = 'int' if BUILTINS[t.name][1] == 'int' else t.name
            if name not in self.masked:
                self.masked[name] = name
                self.entries.append({'name': name, 'meta-type': 'builtin', 'json-type': BUILTINS[t.name][1]})
            return name
        if t.meta == 'array':
            name = '[%s]' % self.ref(t.element)
            if name not in self.masked:
                self.masked[name] = name
                self.entries.append({'name': name, 'meta-type': 'array', 'element-type': name[1:-1]})
            return name
        if t.name not in self.masked:
            self.masked[t.name] = str(len(self.masked) + 1)
            self.pending.append(t)
        return self.masked[t.name]

    def empty(self):
        if 'q_empty' not in self.masked:
            self.masked['q_empty'] = '0'
            self.entries.append({'name': '0', 'meta-type': 'object', 'members': []})
        return '0'

    def add(self, e, entry):
        if e.features:
            entry['features'] = e.features
        self.entries.append(entry)

    def command(self, e):
        entry = {'name': e.name, 'meta-type': 'command', 'arg-type': self.ref(e.arg), 'ret-type': self.ref(e.ret)}
        if e.flags['oob']:
            entry['allow-oob'] = True
        self.add(e, entry)

    def members(self, t):
        out = []
        for m in t.all_members():
            entry = {'name': m.name, 'type': self.ref(m.type)}
            if m.optional:
                entry['default'] = None
            if m.features:
                entry['features'] = m.features
            out.append(entry)
        return out

    def type_struct(self, t):
        self.add(t, {'name': self.masked[t.name], 'meta-type': 'object', 'members': self.members(t)})

    def type_union(self, t):
        variants = [{'case': v, 'type': self.ref(t.variants.get(v))} for v in t.tag.type.values]
        self.add(t, {'name': self.masked[t.name], 'meta-type': 'object', 'members': self.members(t),
                     'tag': t.tag.name, 'variants': variants})

    def type_alternate(self, t):
        self.add(t, {'name': self.masked[t.name], 'meta-type': 'alternate',
                     'members': [{'type': self.ref(b)} for b in t.variants.values()]})

    def type_enum(self, t):
        members = [dict({'name': v}, **({'features': t.value_features[v]} if t.value_features[v] else {}))
                   for v in t.values]
        self.add(t, {'name': self.masked[t.name], 'meta-type': 'enum', 'members': members, 'values': t.values})
