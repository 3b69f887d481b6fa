"""The schema: reading *.json files in QEMU's schema language and checking what they say.

A file is a sequence of expressions, each a dict literal in single-quoted JSON, each but include and
pragma preceded by a comment block

    ##
    # @name:
    #
    # What it is.
    #
    # @member: what that is
    #
    # Since: 0.1
    #
    # .. qmp-example::
    #
    #     -> { "execute": "name" }
    #     <- { "return": {} }
    ##

whose first line names the expression and whose @member lines name members that exist.
"""
import json
import os
import re

BUILTINS = {  # name: (C type, JSON type, list's C name)
    'str': ('char *', 'string', 'QapiStrList'),
    'bool': ('bool', 'boolean', 'QapiBoolList'),
    'number': ('double', 'number', 'QapiNumberList'),
    'int': ('int64_t', 'int', 'QapiIntList'),
    'int8': ('int8_t', 'int', None),
    'int16': ('int16_t', 'int', None),
    'int32': ('int32_t', 'int', None),
    'int64': ('int64_t', 'int', None),
    'uint8': ('uint8_t', 'int', 'QapiUint8List'),
    'uint16': ('uint16_t', 'int', 'QapiUint16List'),
    'uint32': ('uint32_t', 'int', 'QapiUint32List'),
    'uint64': ('uint64_t', 'int', 'QapiUint64List'),
    'size': ('uint64_t', 'int', 'QapiSizeList'),
    'any': ('Value *', 'value', 'QapiAnyValueList'),
    'null': ('Value *', 'null', None),
}

KEYS = {  # meta-type: (required keys, optional keys)
    'include': (set(), set()),
    'pragma': (set(), set()),
    'struct': ({'data'}, {'base', 'features'}),
    'enum': ({'data'}, {'prefix', 'features'}),
    'union': ({'base', 'discriminator', 'data'}, {'features'}),
    'alternate': ({'data'}, {'features'}),
    'command': (set(), {'data', 'returns', 'gen', 'success-response', 'allow-oob',
                        'allow-preconfig', 'boxed', 'features'}),
    'event': (set(), {'data', 'boxed', 'features'}),
}


class SchemaError(Exception):
    pass


class Member:
    def __init__(self, name, type_name, optional, features):
        self.name, self.type_name, self.optional, self.features = name, type_name, optional, features
        self.type = None


class Entity:
    """One definition.  What is filled depends on .meta."""

    def __init__(self, meta, name, where, doc):
        self.meta, self.name, self.where, self.doc = meta, name, where, doc
        self.features = []
        self.base = None            # struct, union: Entity
        self.members = []           # struct, event; union: the common ones; own ones only
        self.values = []            # enum: names
        self.value_features = {}
        self.prefix = None
        self.tag = None             # union: Member
        self.variants = {}          # union: case -> Entity; alternate: branch -> type
        self.element = None         # array
        self.arg = self.ret = None  # command, event
        self.flags = {}
        self.implicit = False       # made from an inline 'data' or 'base'

    def fail(self, message):
        raise SchemaError("%s: %s '%s': %s" % (self.where, self.meta, self.name, message))

    def all_members(self):
        return (self.base.all_members() if self.base else []) + self.members


# --- text to expressions ---

TOKEN = re.compile(r"""\s+|(?P<doc>^\#\#\n(?:\#.*\n)*?\#\#$)|\#[^\n]*|(?P<punct>[{}\[\]:,])
                       |'(?P<str>(?:[^'\\\n])*)'|(?P<word>true|false|null)|(?P<num>-?\d+)""", re.X | re.M)


def tokenize(text, path):
    pos, line = 0, 1
    while pos < len(text):
        m = TOKEN.match(text, pos)
        if not m or m.end() == pos:
            raise SchemaError('%s:%d: stray character %r' % (path, line, text[pos]))
        where = '%s:%d' % (path, line)
        for kind in ('doc', 'punct', 'str', 'word', 'num'):
            if m.group(kind) is not None:
                yield kind, m.group(kind), where
        line += text.count('\n', pos, m.end())
        pos = m.end()
    yield 'end', '', '%s:%d' % (path, line)


class Reader:
    """Expressions of one file."""

    def __init__(self, text, path):
        self.tokens = tokenize(text, path)
        self.advance()

    def advance(self):
        self.kind, self.text, self.where = next(self.tokens)

    def fail(self, expected):
        raise SchemaError('%s: expected %s, found %r' % (self.where, expected, self.text or 'end of file'))

    def punct(self, chars):
        if self.kind != 'punct' or self.text not in chars:
            self.fail(' or '.join("'%s'" % c for c in chars))
        c = self.text
        self.advance()
        return c

    def value(self):
        if self.kind == 'punct' and self.text in '{[':
            return self.dict() if self.text == '{' else self.list()
        kind, text = self.kind, self.text
        if kind not in ('str', 'word', 'num'):
            self.fail('a value')
        self.advance()
        return {'str': lambda: text, 'num': lambda: int(text),
                'word': lambda: {'true': True, 'false': False, 'null': None}[text]}[kind]()

    def dict(self):
        out = {}
        self.punct('{')
        while not (self.kind == 'punct' and self.text == '}' and not out):
            if self.kind != 'str':
                self.fail('a string')
            key, where = self.text, self.where
            self.advance()
            if key in out:
                raise SchemaError("%s: duplicate key '%s'" % (where, key))
            self.punct(':')
            out[key] = self.value()
            if self.punct(',}') == '}':
                return out
        self.advance()
        return out

    def list(self):
        out = []
        self.punct('[')
        if self.kind == 'punct' and self.text == ']':
            self.advance()
            return out
        while True:
            out.append(self.value())
            if self.punct(',]') == ']':
                return out

    def expressions(self):
        doc = None
        while self.kind != 'end':
            if self.kind == 'doc':
                doc = self.text
                self.advance()
                continue
            where = self.where
            yield self.dict(), doc, where
            doc = None


# --- expressions to entities ---

class Schema:
    def __init__(self, path):
        self.entities = {}
        self.order = []
        self.files = []
        self.names_ignoring_case = {}
        self.read(path)
        for entity in list(self.order):
            getattr(self, 'resolve_' + entity.meta, lambda e: None)(entity)
        for entity in self.order:
            self.check_members(entity)
            self.check_doc(entity)

    def read(self, path):
        path = os.path.normpath(path)
        if path in self.files:
            return
        self.files.append(path)
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for expr, doc, where in Reader(text, path).expressions():
            self.expression(expr, doc, where, path)

    def expression(self, expr, doc, where, path):
        meta = next((k for k in expr if k in KEYS), None)
        if not meta:
            raise SchemaError('%s: no meta-type among %s' % (where, sorted(expr)))
        if meta == 'include':
            return self.read(os.path.join(os.path.dirname(path), expr['include']))
        if meta == 'pragma':
            return None
        name = expr[meta]
        required, optional = KEYS[meta]
        entity = Entity(meta, name, where, doc)
        if required - set(expr):
            entity.fail('lacks %s' % sorted(required - set(expr)))
        if set(expr) - required - optional - {meta}:
            entity.fail('unknown keys %s' % sorted(set(expr) - required - optional - {meta}))
        self.check_name(entity, meta, name)
        entity.expr = expr
        entity.features = [f if isinstance(f, str) else f['name'] for f in expr.get('features', [])]
        self.add(entity)

    def check_name(self, entity, meta, name):
        pattern = {'command': r'(x-)?[a-z][a-z0-9-]*$|qmp_capabilities$|(device|netdev|chardev)_[a-z]+$|[a-z_]+$',
                   'event': r'[A-Z][A-Z0-9_]*$'}.get(meta, r'[A-Z][A-Za-z0-9]*$')
        if not isinstance(name, str) or not re.match(pattern, name):
            entity.fail('bad name')
        if name in BUILTINS or name.endswith('List') or name.endswith('Kind'):
            entity.fail('reserved name')

    def add(self, entity):
        key = entity.name.lower() if entity.meta not in ('command', 'event') else entity.name
        if key in self.names_ignoring_case:
            entity.fail("'%s' is already defined" % entity.name)
        self.names_ignoring_case[key] = entity
        self.entities[entity.name] = entity
        self.order.append(entity)

    def builtin(self, name):
        if name not in self.entities:
            entity = Entity('builtin', name, 'built-in', None)
            self.entities[name] = entity
        return self.entities[name]

    def lookup(self, user, name, metas):
        """The type @name, or ['name'] for an array, as used by @user."""
        if isinstance(name, list):
            if len(name) != 1:
                user.fail('array type must have one element type')
            return self.array(self.lookup(user, name[0], metas - {'array'}))
        if name in BUILTINS:
            found = self.builtin(name)
        else:
            found = self.entities.get(name) if isinstance(name, str) else None
        if not found or found.meta not in metas:
            user.fail("uses unknown type '%s'" % (name,))
        return found

    def array(self, element):
        name = element.name + 'List'
        if name not in self.entities:
            entity = Entity('array', name, element.where, None)
            entity.element = element
            self.entities[name] = entity
        return self.entities[name]

    VALUE_TYPES = {'builtin', 'enum', 'struct', 'union', 'alternate', 'array'}

    def members_of(self, entity, data):
        out = []
        if not isinstance(data, dict):
            entity.fail("'data' must be an object")
        for key, value in data.items():
            optional = key.startswith('*')
            name = key[1:] if optional else key
            spec = value if isinstance(value, dict) else {'type': value}
            if not re.match(r'[a-z][a-z0-9_.-]*$|UUID$', name) or set(spec) - {'type', 'features'} or 'type' not in spec:
                entity.fail("bad member '%s'" % key)
            member = Member(name, spec['type'], optional, spec.get('features', []))
            member.type = self.lookup(entity, spec['type'], self.VALUE_TYPES)
            out.append(member)
        return out

    def implicit(self, owner, suffix, data):
        """A structure for an inline member list."""
        entity = Entity('struct', owner.name, owner.where, owner.doc)
        entity.members = self.members_of(owner, data)
        entity.implicit = True
        entity.name = 'q_obj_%s-%s' % (owner.name, suffix)
        self.entities[entity.name] = entity
        return entity

    def resolve_struct(self, e):
        if 'base' in e.expr:
            e.base = self.lookup(e, e.expr['base'], {'struct'})
        e.members = self.members_of(e, e.expr['data'])

    def resolve_enum(self, e):
        e.prefix = e.expr.get('prefix')
        for value in e.expr['data']:
            spec = value if isinstance(value, dict) else {'name': value}
            if not re.match(r'[a-z0-9][A-Za-z0-9_.-]*$|[A-Z]+$', str(spec.get('name'))) or spec['name'] in e.values:
                e.fail("bad or repeated value '%s'" % spec.get('name'))
            e.values.append(spec['name'])
            e.value_features[spec['name']] = spec.get('features', [])

    def resolve_union(self, e):
        base = e.expr['base']
        e.base = self.implicit(e, 'base', base) if isinstance(base, dict) else self.lookup(e, base, {'struct'})
        if e.base.meta == 'struct' and not e.base.implicit and not e.base.members:
            self.resolve_struct(e.base)
        e.tag = next((m for m in e.base.all_members() if m.name == e.expr['discriminator']), None)
        if not e.tag or e.tag.optional or e.tag.type.meta != 'enum':
            e.fail('discriminator must be a mandatory enum member of the base')
        for case, type_name in e.expr['data'].items():
            spec = type_name if isinstance(type_name, dict) else {'type': type_name}
            values = e.tag.type.values or [v if isinstance(v, str) else v['name'] for v in e.tag.type.expr['data']]
            if case not in values:
                e.fail("branch '%s' is no value of %s" % (case, e.tag.type.name))
            e.variants[case] = self.lookup(e, spec['type'], {'struct'})

    def resolve_alternate(self, e):
        seen = {}
        for branch, type_name in e.expr['data'].items():
            t = self.lookup(e, type_name, self.VALUE_TYPES - {'alternate'})
            kind = json_kind(t)
            if kind in seen or kind == 'value':
                e.fail("branch '%s' cannot be told from '%s'" % (branch, seen.get(kind)))
            seen[kind] = branch
            e.variants[branch] = t

    def resolve_command(self, e):
        data = e.expr.get('data')
        if data is not None:
            e.arg = self.implicit(e, 'arg', data) if isinstance(data, dict) else self.lookup(e, data, {'struct', 'union'})
        if 'returns' in e.expr:
            e.ret = self.lookup(e, e.expr['returns'], self.VALUE_TYPES)
        e.flags = {'raw': e.expr.get('gen', True) is False, 'oob': bool(e.expr.get('allow-oob')),
                   'preconfig': bool(e.expr.get('allow-preconfig')),
                   'silent': e.expr.get('success-response', True) is False}

    def resolve_event(self, e):
        data = e.expr.get('data')
        if data is not None:
            e.arg = self.implicit(e, 'arg', data) if isinstance(data, dict) else self.lookup(e, data, {'struct'})

    # --- checks over the whole ---

    def check_members(self, e):
        names = [m.name for m in e.all_members()] if e.meta in ('struct', 'union') else []
        repeated = {n for n in names if names.count(n) > 1}
        for case, variant in e.variants.items():
            if e.meta == 'union':
                repeated |= set(names) & {m.name for m in variant.all_members()}
        if repeated:
            e.fail('members defined twice: %s' % sorted(repeated))

    def check_doc(self, e):
        if not e.doc:
            e.fail('has no doc comment')
        lines = [l[2:].rstrip() for l in e.doc.split('\n')[1:-1]]
        if not lines or lines[0] != '@%s:' % e.name:
            e.fail("doc comment must begin with '# @%s:'" % e.name)
        described = [m.group(1) for m in (re.match(r'@([A-Za-z0-9_.*-]+):', l) for l in lines[1:]) if m]
        arg = e.arg.all_members() if e.arg else []
        known = {m.name for m in e.all_members() + arg} | set(e.values) | set(e.variants) | set(e.features)
        for name in described:
            if name not in known:
                e.fail("doc comment describes unknown member '%s'" % name)
        if not any(l.startswith('Since: ') for l in lines):
            e.fail("doc comment lacks 'Since:'")

    def examples(self):
        """(command, request, reply) for each documented exchange; (event, None, message) for each documented event."""
        for e in self.order:
            request = None
            for line in (e.doc or '').split('\n'):
                m = re.match(r'#\s+(->|<-) (.*)$', line)
                if not m:
                    continue
                try:
                    text = json.loads(m.group(2))
                except ValueError as error:
                    e.fail('example is not JSON: %s' % error)
                if m.group(1) == '->':
                    request = text
                elif e.meta == 'command' and request:
                    yield e, request, text
                    request = None
                elif e.meta == 'event':
                    yield e, None, text


def json_kind(t):
    if t.meta == 'builtin':
        return BUILTINS[t.name][1]
    return {'enum': 'string', 'array': 'array'}.get(t.meta, 'object')
