"""C text from a schema: types, their describing tables, commands, events."""
import json
import re

from schema import BUILTINS

NOTE = '/* Made from the schema by qapi/gen; see include/qapi/qapi.h for how schema types look in C. */\n'
C_WORDS = {'auto', 'break', 'case', 'char', 'const', 'continue', 'default', 'do', 'double', 'else', 'enum', 'extern',
           'float', 'for', 'goto', 'if', 'inline', 'int', 'long', 'register', 'return', 'short', 'signed', 'sizeof',
           'static', 'struct', 'switch', 'typedef', 'union', 'unsigned', 'void', 'volatile', 'while', 'asm', 'linux',
           'unix', 'typename', 'restrict'}


def c_name(name):
    name = re.sub(r'[^A-Za-z0-9_]', '_', name)
    return 'q_' + name if name in C_WORDS or name[0].isdigit() else name


def upper(name):
    """CamelCase or kebab-case to UPPER_CASE: RunState -> RUN_STATE, QMPCapability -> QMP_CAPABILITY."""
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    name = re.sub(r'([A-Z])([A-Z][a-z])', r'\1_\2', name)
    return re.sub(r'[^A-Z0-9]', '_', name.upper())


def enum_const(t, value):
    return 'QAPI_%s_%s' % (t.prefix or upper(t.name), upper(value))


def type_name(t):
    """The C type's name (aggregates: of what the pointer points to)."""
    if t.meta == 'builtin':
        return BUILTINS[t.name][0]
    if t.meta == 'array':
        if t.element.meta == 'builtin':
            name = BUILTINS[t.element.name][2]
            if not name:
                raise SystemExit('no list type for %s' % t.element.name)
            return name
        return 'Qapi%sList' % t.element.name
    if t.implicit:
        owner, role = t.name[len('q_obj_'):].rsplit('-', 1)
        return 'Qapi%s%s' % (''.join(p[:1].upper() + p[1:] for p in re.split('[-_]', owner)),
                             {'arg': 'Args', 'base': 'Base'}[role])
    return 'Qapi' + t.name


def table_name(t):
    if t.meta == 'array' and t.element.meta == 'builtin':
        return 'qapi_type_%sList' % t.element.name
    return 'qapi_type_' + (t.name if t.meta == 'builtin' else type_name(t)[4:])


def is_aggregate(t):
    return t.meta in ('struct', 'union', 'alternate', 'array')


def is_pointer(t):
    return is_aggregate(t) or t.name in ('str', 'any', 'null')


def slot(t, const=False):
    """The C declaration of a member of type @t, up to its name."""
    text = type_name(t)
    if is_aggregate(t):
        text += ' *'
    elif not text.endswith('*'):
        text += ' '
    return ('const ' if const and is_pointer(t) and t.name not in ('any', 'null') else '') + text


class Emitter:
    def __init__(self, schema):
        self.schema = schema
        self.enums = [e for e in schema.order if e.meta == 'enum']
        everything = list(schema.entities.values())
        self.aggregates = [e for e in everything if e.meta in ('struct', 'union', 'alternate')]
        self.lists = [e for e in everything if e.meta == 'array' and e.element.meta != 'builtin']
        self.commands = sorted((e for e in schema.order if e.meta == 'command'), key=lambda e: e.name)
        self.events = [e for e in schema.order if e.meta == 'event']

    # --- types ---

    def types_h(self):
        out = ['#ifndef QAPI_TYPES_H', '#define QAPI_TYPES_H', '', NOTE, '#include "qapi/qapi.h"', '']
        for e in self.enums:
            out += ['typedef enum %s {' % type_name(e)]
            out += ['    %s,' % enum_const(e, v) for v in e.values]
            out += ['    QAPI_%s__MAX' % (e.prefix or upper(e.name)), '} %s;' % type_name(e),
                    'extern const QapiType %s;' % table_name(e),
                    'static inline const char *qapi_%s_str(%s v)' % (upper(e.name).lower(), type_name(e)),
                    '{', '    return %s.values[v];' % table_name(e), '}', '']
        for e in self.aggregates + self.lists:
            out += ['typedef struct %s %s;' % (type_name(e), type_name(e))]
        out += ['']
        done = set()
        for e in self.aggregates:
            self.emit_struct(e, out, done)
        for e in self.lists:
            inline = is_aggregate(e.element)
            element = type_name(e.element) + ' ' if inline else slot(e.element)
            out += ['struct %s {' % type_name(e), '    size_t len;', '    %s*at;' % element, '};']
        out += ['']
        for e in self.aggregates + self.lists:
            out += self.helpers(e)
        return '\n'.join(out + ['#endif', ''])

    def emit_struct(self, e, out, done):
        """After the structures it holds by value: the variants of unions."""
        if e.name in done:
            return
        done.add(e.name)
        for v in e.variants.values():
            if e.meta == 'union':
                self.emit_struct(v, out, done)
        out += ['struct %s {' % type_name(e)]
        if e.meta == 'alternate':
            out += ['    enum { %s } type;' % ', '.join('QAPI_%s_KIND_%s' % (upper(e.name), upper(b)) for b in e.variants)]
            out += ['    union {'] + ['        %s%s;' % (slot(t), c_name(b)) for b, t in e.variants.items()] + ['    } u;']
        for m in e.all_members():
            if m.optional and not is_pointer(m.type):
                out += ['    bool has_%s;' % c_name(m.name)]
            out += ['    %s%s;' % (slot(m.type), c_name(m.name))]
        if e.meta == 'union':
            out += ['    union {'] + ['        %s %s;' % (type_name(t), c_name(c)) for c, t in e.variants.items()] + ['    } u;']
        if not e.all_members() and not e.variants:
            out += ['    char nothing;']
        out += ['};', '']

    def helpers(self, e):
        t, table = type_name(e), table_name(e)
        low = upper(t[4:]).lower()
        return ['extern const QapiType %s;' % table,
                'static inline void qapi_free_%s(%s *p)' % (low, t), '{', '    qapi_clear(&%s, &p);' % table, '}',
                'G_DEFINE_AUTOPTR_CLEANUP_FUNC(%s, qapi_free_%s)' % (t, low),
                'static inline %s *qapi_parse_%s(const Value *v, unsigned flags, Error **errp)' % (t, low), '{',
                '    %s *p = NULL;' % t, '', '    return qapi_from_value(&%s, v, flags, &p, errp) ? p : NULL;' % table,
                '}', '']

    def types_c(self):
        out = [NOTE, '#include "qapi/qapi-types.h"', '']
        for e in self.enums:
            out += ['const QapiType %s = {' % table_name(e),
                    '    .name = "%s", .kind = QAPI_KIND_ENUM, .size = sizeof(%s), .n_values = %d,'
                    % (e.name, type_name(e), len(e.values)),
                    '    .values = (const char *const[]) { %s },' % ', '.join('"%s"' % v for v in e.values), '};', '']
        for e in self.aggregates:
            out += self.aggregate_table(e)
        for e in self.lists:
            out += ['const QapiType %s = {' % table_name(e),
                    '    .name = "[%s]", .kind = QAPI_KIND_LIST, .size = sizeof(%s), .element = &%s,'
                    % (e.element.name, type_name(e), table_name(e.element)), '};', '']
        return '\n'.join(out)

    def aggregate_table(self, e):
        t = type_name(e)
        out = ['const QapiType %s = {' % table_name(e), '    .name = "%s", .kind = QAPI_KIND_%s, .size = sizeof(%s),'
               % (e.name, e.meta.upper(), t)]
        members = e.all_members()
        if members:
            out += ['    .n_members = %d, .members = (const QapiMember[]) {' % len(members)]
            for m in members:
                has = ', .has_flag = true, .has_offset = offsetof(%s, has_%s)' % (t, c_name(m.name)) \
                    if m.optional and not is_pointer(m.type) else ''
                out += ['        { "%s", &%s, offsetof(%s, %s)%s%s },' % (
                    m.name, table_name(m.type), t, c_name(m.name), has, ', .optional = true' if m.optional else '')]
            out += ['    },']
        if e.meta == 'union':
            cases = ['[%s] = &%s' % (enum_const(e.tag.type, c), table_name(v)) for c, v in e.variants.items()]
            out += ['    .variants = (const QapiType *const[QAPI_%s__MAX]) { %s },'
                    % (e.tag.type.prefix or upper(e.tag.type.name), ', '.join(cases)),
                    '    .tag_offset = offsetof(%s, %s), .variants_offset = offsetof(%s, u),' % (t, c_name(e.tag.name), t)]
        if e.meta == 'alternate':
            out += ['    .n_values = %d, .variants = (const QapiType *const[]) { %s },'
                    % (len(e.variants), ', '.join('&' + table_name(v) for v in e.variants.values())),
                    '    .tag_offset = offsetof(%s, type), .variants_offset = offsetof(%s, u),' % (t, t)]
        return out + ['};', '']

    # --- commands ---

    def prototype(self, e):
        arg = 'const Value *args, ' if e.flags['raw'] else 'const %s *args, ' % type_name(e.arg) if e.arg else ''
        if e.flags['raw'] and not e.ret:
            ret = 'bool '
        elif e.flags['raw']:
            ret = 'Value *'
        else:
            ret = slot(e.ret) if e.ret else 'bool '
        return '%sqmp_%s(%sError **errp)' % (ret, c_name(e.name), arg)

    def commands_h(self):
        out = ['#ifndef QAPI_COMMANDS_H', '#define QAPI_COMMANDS_H', '', NOTE, '#include "qapi/qapi-types.h"', '',
               'extern const QapiCommandTable qapi_commands;',
               '/* The text of query-qmp-schema\'s answer. */', 'extern const char qapi_introspection[];', '']
        for e in self.commands:
            if e.ret and not e.flags['raw'] and not is_pointer(e.ret):
                e.fail('returns a scalar that is no pointer')
            out += [self.prototype(e) + ';']
        return '\n'.join(out + ['', '#endif', ''])

    def commands_c(self):
        out = [NOTE, '#include "qapi/qapi-commands.h"', '']
        for e in self.commands:
            call = 'qmp_%s(%serrp)' % (c_name(e.name), 'args, ' if e.flags['raw'] or e.arg else '')
            out += ['static bool call_%s(const void *args, void *ret, Error **errp)' % c_name(e.name), '{']
            if e.ret:
                out += ['    return (*(void **)ret = %s) != NULL;' % call]
            else:
                out += ['    return %s;' % call]
            out += ['}', '']
        out += ['static const QapiCommand commands[] = {']
        for e in self.commands:
            flags = [c for f, c in (('raw', 'QAPI_CMD_RAW'), ('oob', 'QAPI_CMD_OOB'), ('preconfig', 'QAPI_CMD_PRECONFIG'),
                                    ('silent', 'QAPI_CMD_NO_RESPONSE')) if e.flags[f]]
            typed = not e.flags['raw']
            out += ['    { "%s", %s, %s, %s, call_%s },' % (
                e.name, '&' + table_name(e.arg) if e.arg and typed else 'NULL',
                '&' + table_name(e.ret) if e.ret and typed else 'NULL', ' | '.join(flags) or '0', c_name(e.name))]
        return '\n'.join(out + ['};', '', 'const QapiCommandTable qapi_commands = { commands, %d };' % len(self.commands), ''])

    # --- events ---

    def event_args(self, e):
        out = []
        for m in e.arg.all_members() if e.arg else []:
            if m.optional and not is_pointer(m.type):
                out += ['bool has_%s' % c_name(m.name)]
            out += [slot(m.type, const=True) + c_name(m.name)]
        return ', '.join(out) or 'void'

    def events_h(self):
        out = ['#ifndef QAPI_EVENTS_H', '#define QAPI_EVENTS_H', '', NOTE, '#include "qapi/qapi-types.h"', '',
               'extern const char *const qapi_event_names[];', 'enum { QAPI_N_EVENTS = %d };' % len(self.events), '']
        out += ['void qapi_event_send_%s(%s);' % (c_name(e.name).lower(), self.event_args(e)) for e in self.events]
        return '\n'.join(out + ['', '#endif', ''])

    def events_c(self):
        out = [NOTE, '#include "qapi/qapi-events.h"', '']
        out += ['const char *const qapi_event_names[] = { %s };' % ', '.join('"%s"' % e.name for e in self.events), '']
        for e in self.events:
            out += ['void qapi_event_send_%s(%s)' % (c_name(e.name).lower(), self.event_args(e)), '{']
            if e.arg:
                out += ['    Value *data = value_dict();', '']
            for m in e.arg.all_members() if e.arg else []:
                name = c_name(m.name)
                there = ('has_' + name if not is_pointer(m.type) else name) if m.optional else None
                put = 'value_dict_set(data, "%s", qapi_to_value(&%s, &%s));' % (m.name, table_name(m.type), name)
                out += ['    if (%s) {' % there, '        ' + put, '    }'] if there else ['    ' + put]
            out += ['    qapi_event_emit("%s", %s);' % (e.name, 'data' if e.arg else 'NULL'), '}', '']
        return '\n'.join(out)


def introspection_c(entries):
    out = [NOTE, '#include "qapi/qapi-commands.h"', '', 'const char qapi_introspection[] =', '    "["']
    for i, entry in enumerate(entries):
        text = json.dumps(entry, separators=(',', ':')) + (',' if i + 1 < len(entries) else '')
        out += ['    %s' % json.dumps(text)]
    return '\n'.join(out + ['    "]";', ''])
