"""qapi/gen/doc.py SCHEMA OUTPUT: the QMP reference manual as reStructuredText."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from emit import is_aggregate                       # noqa: E402
from schema import Schema, SchemaError              # noqa: E402


class Doc:
    """A doc comment in parts: words, members, the version, example lines."""

    def __init__(self, text):
        self.words, self.members, self.since, self.example = [], {}, '', []
        current = self.words
        for line in (l[2:].rstrip() for l in text.split('\n')[2:-1]):
            member = re.match(r'@([A-Za-z0-9_.*-]+): *(.*)', line)
            if member:
                current = self.members.setdefault(member.group(1), [])
                line = member.group(2)
            elif line.startswith('Since: '):
                self.since = line[len('Since: '):]
                continue
            elif line.startswith('.. qmp-example::'):
                current = self.example
                continue
            current.append(line)


def words(lines):
    """Member and type names as literals; paragraphs kept."""
    return re.sub(r'@([A-Za-z0-9_-]+)', r'``\1``', '\n'.join(lines).strip())


def type_text(t):
    if t.meta == 'array':
        return 'list of ' + type_text(t.element)
    return ':ref:`%s <qapi-%s>`' % (t.name, t.name) if is_aggregate(t) or t.meta == 'enum' else '``%s``' % t.name


def members(entity, doc, out):
    for m in entity.all_members():
        text = ' '.join(doc.members.get(m.name, [])).strip()
        out += ['- ``%s``: %s%s%s' % (m.name, type_text(m.type), ', optional' if m.optional else '',
                                      ' -- ' + words([text]) if text else '')]


def entry(e):
    doc = Doc(e.doc)
    out = ['.. _qapi-%s:' % e.name, ''] if e.meta not in ('command', 'event') else []
    out += [e.name, '~' * len(e.name), '', '*%s*%s' % (
        {'struct': 'object'}.get(e.meta, e.meta), ', since ' + doc.since if doc.since else ''), '', words(doc.words), '']
    if e.meta == 'enum':
        for v in e.values:
            text = ' '.join(doc.members.get(v, [])).strip()
            out += ['- ``%s``%s' % (v, ' -- ' + words([text]) if text else '')]
    elif e.meta in ('command', 'event') and e.arg:
        if e.arg.implicit:
            members(e.arg, doc, out)
        else:
            out += ['Takes ' + type_text(e.arg)]
    else:
        members(e, doc, out)
    if e.meta == 'union':
        out += ['', 'and, by ``%s``:' % e.tag.name, '']
        out += ['- ``%s``: %s' % (case, type_text(t)) for case, t in e.variants.items()]
    if e.meta == 'alternate':
        out += ['- %s' % type_text(t) for t in e.variants.values()]
    if e.meta == 'command' and e.ret:
        out += ['', 'Returns: ' + type_text(e.ret)]
    lines = [l.strip() for l in doc.example if l.strip()]
    if lines:
        out += ['', '.. code-block:: none', ''] + ['   ' + l for l in lines]
    return out + ['']


def title_of(path):
    with open(path, encoding='utf-8') as f:
        return f.readline().lstrip('# ').rstrip('.\n')


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        schema = Schema(argv[1])
    except (SchemaError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    out = ['QMP reference', '=============', '', 'Made from the schema in ``qapi/``.', '']
    for path in schema.files:
        entities = [e for e in schema.order if e.where.rsplit(':', 1)[0] == path]
        if entities:
            title = title_of(path)
            out += [title, '-' * len(title), '']
        for e in entities:
            out += entry(e)
    with open(argv[2], 'w', encoding='utf-8') as f:
        f.write('\n'.join(out))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
