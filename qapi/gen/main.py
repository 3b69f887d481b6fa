"""qapi/gen/main.py SCHEMA OUTPUT-FOLDER: write the C files made from SCHEMA."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from emit import Emitter, introspection_c           # noqa: E402
from introspect import Introspection                # noqa: E402
from schema import Schema, SchemaError              # noqa: E402


def write(folder, name, text):
    """Only when changed, so that nothing is built again for nothing."""
    path = os.path.join(folder, name)
    if os.path.exists(path):
        with open(path, encoding='utf-8') as f:
            if f.read() == text:
                return
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        schema = Schema(argv[1])
        examples = [{'command': e.name, 'request': request, 'reply': reply} if request else {'event': e.name, 'message': reply}
                    for e, request, reply in schema.examples()]
    except (SchemaError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    e = Emitter(schema)
    folder = argv[2]
    write(folder, 'qapi-types.h', e.types_h())
    write(folder, 'qapi-types.c', e.types_c())
    write(folder, 'qapi-commands.h', e.commands_h())
    write(folder, 'qapi-commands.c', e.commands_c())
    write(folder, 'qapi-events.h', e.events_h())
    write(folder, 'qapi-events.c', e.events_c())
    write(folder, 'qapi-introspect.c', introspection_c(Introspection(schema).entries))
    write(folder, 'qapi-examples.json', json.dumps(examples, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
