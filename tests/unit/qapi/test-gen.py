#!/usr/bin/env python3
"""The generator refuses what is wrong in a schema, naming file, line and definition."""
import os
import subprocess
import sys
import tempfile
import unittest

GEN = sys.argv.pop(1)

DOC = '##\n# @%s:\n#\n# Words.\n#\n# Since: 0.1\n##\n'

BAD = [  # name of the definition, text, part of the message
    ('A', "{ 'struct': 'A', 'data': { 'x': 'nothing' } }", "uses unknown type 'nothing'"),
    ('A', "{ 'struct': 'A', 'data': { 'x': 'str' }, 'color': 'red' }", "unknown keys ['color']"),
    ('A', "{ 'struct': 'A' }", "lacks ['data']"),
    ('a', "{ 'struct': 'a', 'data': {} }", 'bad name'),
    ('AList', "{ 'struct': 'AList', 'data': {} }", 'reserved name'),
    ('A', "{ 'struct': 'A', 'data': { 'X y': 'str' } }", "bad member 'X y'"),
    ('A', "{ 'struct': 'A', 'data': { 'x': 'str', 'x': 'int' } }", "duplicate key 'x'"),
    ('A', "{ 'struct': 'A', 'data': { 'x': ['str', 'int'] } }", 'array type must have one element type'),
    ('A', "{ 'enum': 'A', 'data': [ 'x', 'x' ] }", "bad or repeated value 'x'"),
    ('U', "{ 'union': 'U', 'base': { 't': 'str' }, 'discriminator': 't', 'data': {} }", 'must be a mandatory enum'),
    ('C', "{ 'alternate': 'C', 'data': { 'a': 'int', 'b': 'uint8' } }", "cannot be told from"),
    ('EVENT', "{ 'event': 'EVENT', 'data': 'str' }", "uses unknown type 'str'"),
    ('c', "{ 'command': 'c', 'data': { 'x': 'Gone' } }", "uses unknown type 'Gone'"),
    ('A', "{ 'thing': 'A' }", 'no meta-type'),
    ('A', "{ 'struct': 'A', 'data': {} ", "expected ',' or '}'"),
    ('A', "{ 'struct': \"A\", 'data': {} }", 'stray character'),
]


class MustFail(unittest.TestCase):
    def run_gen(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 's.json')
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
            done = subprocess.run([sys.executable, GEN, path, folder], capture_output=True, text=True, check=False)
            return done.returncode, done.stderr, sorted(os.listdir(folder))

    def test_bad_definitions_are_refused(self):
        for name, text, message in BAD:
            with self.subTest(text):
                status, err, files = self.run_gen(DOC % name + text)
                self.assertEqual(status, 1, err)
                self.assertIn(message, err)
                self.assertRegex(err, r's\.json:\d+: ')
                self.assertEqual(files, ['s.json'])

    def test_doc_comments_are_checked(self):
        for doc, message in [('', 'has no doc comment'),
                             (DOC % 'B', "must begin with '# @A:'"),
                             ('##\n# @A:\n#\n# Words.\n##\n', "lacks 'Since:'"),
                             ('##\n# @A:\n#\n# @y: gone\n#\n# Since: 0.1\n##\n', "unknown member 'y'")]:
            with self.subTest(doc):
                status, err, _ = self.run_gen(doc + "{ 'struct': 'A', 'data': { 'x': 'str' } }")
                self.assertEqual(status, 1)
                self.assertIn(message, err)

    def test_redefinition_is_refused(self):
        text = DOC % 'A' + "{ 'struct': 'A', 'data': {} }\n"
        self.assertIn("'A' is already defined", self.run_gen(text + text)[1])

    def test_good_schema_passes(self):
        status, err, files = self.run_gen(DOC % 'A' + "{ 'struct': 'A', 'data': { '*x': ['uint8'] } }")
        self.assertEqual((status, err), (0, ''))
        self.assertIn('qapi-types.c', files)


if __name__ == '__main__':
    unittest.main()
