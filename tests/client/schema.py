"""What query-qmp-schema says, and whether a value is what it says."""

JSON_TYPES = {'string': str, 'boolean': bool, 'null': type(None)}


class Mismatch(AssertionError):
    pass


class Schema:
    def __init__(self, entries):
        self.entries = entries
        self.by_name = {e['name']: e for e in entries}
        self.abridged = False           # members may be left out, as in documentation

    def of(self, meta_type):
        return {e['name']: e for e in self.entries if e['meta-type'] == meta_type}

    def check(self, type_name, value, where=''):
        """Raise Mismatch, naming the place, unless @value is of the type."""
        t = self.by_name[type_name]
        getattr(self, 'check_' + t['meta-type'])(t, value, where)

    def check_builtin(self, t, value, where):
        kind = t['json-type']
        if kind == 'value':
            return
        if kind in ('int', 'number'):
            ok = not isinstance(value, bool) and isinstance(value, int if kind == 'int' else (int, float))
        else:
            ok = isinstance(value, JSON_TYPES[kind])
        if not ok:
            raise Mismatch('%s is %r, not %s' % (where, value, kind))

    def check_enum(self, t, value, where):
        if value not in [m['name'] for m in t['members']]:
            raise Mismatch('%s is %r, which is no value of the enumeration' % (where, value))

    def check_array(self, t, value, where):
        if not isinstance(value, list):
            raise Mismatch('%s is %r, not an array' % (where, value))
        for i, item in enumerate(value):
            self.check(t['element-type'], item, '%s[%d]' % (where, i))

    def members(self, t, value, where):
        """Of an object, with those that its tag adds."""
        out = list(t['members'])
        if t.get('tag'):
            variant = next((v['type'] for v in t['variants'] if v['case'] == value.get(t['tag'])), None)
            out += self.by_name[variant]['members'] if variant else []
        return {m['name']: m for m in out}

    def check_object(self, t, value, where):
        if not isinstance(value, dict):
            raise Mismatch('%s is %r, not an object' % (where, value))
        members = self.members(t, value, where)
        for name, m in members.items():
            if name in value:
                self.check(m['type'], value[name], '%s.%s' % (where, name))
            elif 'default' not in m and not self.abridged:
                raise Mismatch('%s lacks %r' % (where, name))
        for name in value:
            if name not in members:
                raise Mismatch('%s has %r, which is not declared' % (where, name))

    def check_alternate(self, t, value, where):
        problems = []
        for m in t['members']:
            try:
                self.check(m['type'], value, where)
                return
            except Mismatch as problem:
                problems.append(str(problem))
        raise Mismatch('%s is none of the alternatives: %s' % (where, problems))

    def check_reply(self, name, reply, abridged=False):
        """A reply to the command @name; errors have their own shape."""
        self.abridged = abridged
        if 'error' in reply:
            if set(reply['error']) != {'class', 'desc'}:
                raise Mismatch('%s: error has members %s' % (name, sorted(reply['error'])))
        elif name in self.by_name:
            self.check(self.by_name[name]['ret-type'], reply['return'], name)
        self.abridged = False

    def check_event(self, message):
        name = message['event']
        if self.by_name.get(name, {}).get('meta-type') != 'event':
            raise Mismatch('event %s is not declared' % name)
        if set(message['timestamp']) != {'seconds', 'microseconds'}:
            raise Mismatch('event %s has timestamp %r' % (name, message['timestamp']))
        self.check(self.by_name[name]['arg-type'], message.get('data', {}), name)

    def check_itself(self):
        """Everything referred to is there, nothing is there that nobody refers to, and shapes are QEMU's."""
        used = set()
        for e in self.entries:
            used |= self.references(e)
            getattr(self, 'shape_' + e['meta-type'])(e)
        names = [e['name'] for e in self.entries]
        problems = ['%s twice' % n for n in set(names) if names.count(n) > 1]
        problems += ['%s is not described' % n for n in used - set(names)]
        problems += ['%s is used by nothing' % e['name'] for e in self.entries
                     if e['meta-type'] not in ('command', 'event') and e['name'] not in used]
        if problems:
            raise Mismatch('; '.join(problems))

    @staticmethod
    def references(e):
        out = {e[k] for k in ('arg-type', 'ret-type', 'element-type') if k in e}
        return out | {m['type'] for m in e.get('members', []) + e.get('variants', []) if 'type' in m}

    def shape(self, e, *keys, optional=()):
        have, want = set(e), {'name', 'meta-type', *keys}
        if not want <= have <= want | {'features', *optional}:
            raise Mismatch('%s has keys %s' % (e['name'], sorted(have)))
        if not all(isinstance(f, str) for f in e.get('features', [])):
            raise Mismatch('%s has features %r' % (e['name'], e['features']))

    def masked(self, e):
        if not e['name'].isdigit():
            raise Mismatch('%s: type names say nothing' % e['name'])

    def shape_builtin(self, e):
        self.shape(e, 'json-type')
        if (e['name'], e['json-type']) not in [('str', 'string'), ('int', 'int'), ('number', 'number'), ('bool', 'boolean'),
                                               ('null', 'null'), ('any', 'value')]:
            raise Mismatch('built-in %s is %s' % (e['name'], e['json-type']))

    def shape_enum(self, e):
        self.shape(e, 'members', 'values')
        self.masked(e)
        if [m['name'] for m in e['members']] != e['values']:
            raise Mismatch('enum %s: members and values differ' % e['name'])

    def shape_array(self, e):
        self.shape(e, 'element-type')
        if e['name'] != '[%s]' % e['element-type']:
            raise Mismatch('array %s is of %s' % (e['name'], e['element-type']))

    def shape_object(self, e):
        self.shape(e, 'members', optional=('tag', 'variants'))
        self.masked(e)
        names = [m['name'] for m in e['members']]
        if len(names) != len(set(names)) or any(m.get('default') is not None for m in e['members']):
            raise Mismatch('object %s: a member twice, or with a default that is not null' % e['name'])
        if ('tag' in e) != ('variants' in e):
            raise Mismatch('object %s: tag without variants or the other way round' % e['name'])
        if 'tag' in e:
            tag = self.by_name[next(m['type'] for m in e['members'] if m['name'] == e['tag'])]
            if tag['meta-type'] != 'enum' or {v['case'] for v in e['variants']} != set(tag['values']):
                raise Mismatch('object %s: variants are not the values of its tag' % e['name'])

    def shape_alternate(self, e):
        self.shape(e, 'members')
        self.masked(e)
        if any(set(m) != {'type'} for m in e['members']):
            raise Mismatch('alternate %s has other than types' % e['name'])

    def shape_command(self, e):
        self.shape(e, 'arg-type', 'ret-type', optional=('allow-oob',))
        if self.by_name[e['arg-type']]['meta-type'] != 'object' or e.get('allow-oob', True) is not True:
            raise Mismatch('command %s: arguments are no object, or allow-oob is not true' % e['name'])

    def shape_event(self, e):
        self.shape(e, 'arg-type')
