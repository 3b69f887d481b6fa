#!/usr/bin/env python3
"""Private memory of an idle -m 512 guest at its shell: guest RAM, translator, and everything else."""
import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import guest as g   # noqa: E402

RAM_KIB = 512 * 1024


def mappings(pid):
    """(name, size, private) in KiB of each mapping."""
    for block in re.split(r'\n(?=[0-9a-f]+-[0-9a-f]+ )', Path(f'/proc/{pid}/smaps').read_text()):
        head, *fields = block.splitlines()
        value = {k: int(v) for k, v in re.findall(r'^(\w+): +(\d+) kB', '\n'.join(fields), re.M)}
        yield ' '.join(head.split()[5:]), value['Size'], value['Private_Clean'] + value['Private_Dirty'] + value['Shared_Dirty']


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--build', default='build')
    ap.add_argument('--machine', default='q35')
    args = ap.parse_args()
    argv = g.command(f'{args.build}/quern', Path(args.build) / 'guest', 'echo IDLE-NOW; sleep 30', args.machine)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors='replace') as p:
        for line in p.stdout:
            if line.startswith('IDLE-NOW'):
                break
        time.sleep(2)
        ram = translator = rest = 0
        for name, size, private in mappings(p.pid):
            if size == RAM_KIB:
                ram += private
            elif 'quern-code' in name:
                translator = max(translator, private)      # two mappings of the same pages
            else:
                rest += private
                if private >= 256:
                    print(f'  {private:7d} KiB of {size:8d} in {name or "anonymous memory"}')
        p.kill()
    print(f'guest RAM touched {ram} KiB, translator cache {translator} KiB, everything else {rest} KiB')


main()
