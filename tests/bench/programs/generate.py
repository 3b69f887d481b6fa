#!/usr/bin/env python3
"""Inputs of the programs in the table, always the same: generate.py FOLDER"""
import random
import subprocess
import sys
from pathlib import Path

rng = random.Random(20)
KINDS = ('parse', 'merge', 'check', 'order', 'count', 'fold')


def c_function(n):
    """About 25 lines of C as people write it: a loop over a table, branches, a switch, calls."""
    name, other = f'{KINDS[n % 6]}_{n}', f'{KINDS[(n // 2) % 6]}_{n // 2}'
    a, b, c = (rng.randrange(1, 99) for _ in range(3))
    cases = ''.join(f'        case {i}:\n            total {rng.choice("+-^")}= (long)e->weight * {rng.randrange(2, 50)};\n            break;\n'
                    for i in range(3))
    call = f'total += {other}(t, n / 2, seed + {c});' if n else 'total += seed;'
    return f'''
static long {name}(struct entry *t, unsigned n, long seed)
{{
    long total = seed * {a};

    for (unsigned i = 0; i < n; i++) {{
        struct entry *e = &t[i];

        if (e->key > {b} && e->name[i % sizeof(e->name)] != '{chr(97 + n % 26)}') {{
            e->weight += e->key * {c} + {a};
        }}
        switch (e->key % 5) {{
{cases}        default:
            total += e->key / ({a} + e->weight * e->weight);
        }}
    }}
    if (total > {b * 1000}) {{
        {call}
    }}
    return total;
}}
'''


def c_source(functions):
    head = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\nstruct entry { int key; double weight; char name[16]; };\n'
    calls = ''.join(f'    total += {KINDS[n % 6]}_{n}(t, 64, {n});\n' for n in range(functions))
    return head + ''.join(map(c_function, range(functions))) + f'''
int main(void)
{{
    static struct entry t[64];
    long total = 0;

{calls}    printf("%ld\\n", total);
    return 0;
}}
'''


def sql():
    yield 'create table item(id integer primary key, name text, price real, shelf int); create index by_shelf on item(shelf); begin;'
    for i in range(12000):
        yield f"insert into item values({i}, 'item number {i * 7919 % 20011}', {rng.randrange(10000) / 100}, {rng.randrange(500)});"
    yield '''commit; select count(*), round(sum(price), 2) from item; select shelf, count(*), max(name) from item group by shelf;
        update item set price = price * 1.1 where shelf % 3 = 0; delete from item where name like '%77%';
        select count(*), round(sum(price), 2) from item;'''


def words(count):
    vocabulary = [''.join(rng.choice('etaoinshrdlu') for _ in range(rng.randrange(2, 9))) for _ in range(4000)]
    return ' '.join(vocabulary[min(int(rng.paretovariate(.7)), 3999)] for _ in range(count))


def repository(folder):
    """60 commits over 200 files."""
    def git(*args, day=0):
        date = f'2024-01-01T00:00:{day:02} +0000'
        env = {'PATH': '/usr/bin:/bin', 'HOME': str(folder), 'GIT_CONFIG_NOSYSTEM': '1', 'GIT_AUTHOR_DATE': date, 'GIT_COMMITTER_DATE': date}
        subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *args], cwd=folder, env=env, check=True)
    folder.mkdir()
    git('init', '-q', '-b', 'main')
    files = [folder / f'dir{n % 10}' / f'file{n}.c' for n in range(200)]
    for n, f in enumerate(files):
        f.parent.mkdir(exist_ok=True)
        f.write_text(''.join(c_function(n + k) for k in range(3)))
    for day in range(60):
        for f in rng.sample(files, 8):
            lines = f.read_text().splitlines(True)
            lines[rng.randrange(len(lines))] = f'    /* change {day} */\n'
            f.write_text(''.join(lines))
        git('add', '-A')
        git('commit', '-q', '-m', f'change {day}', day=day)


def main():
    out = Path(sys.argv[1])
    (out / 'generated.c').write_text(c_source(400))
    (out / 'inserts.sql').write_text('\n'.join(sql()))
    (out / 'words.txt').write_text(words(250000))
    repository(out / 'repository')


main()
