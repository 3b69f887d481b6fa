"""A guest whose memory comes and goes: its console is in a file, and it waits for words on a second serial line."""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

MIB, GIB = 1 << 20, 1 << 30

COMMON = r'''
total() { awk '/MemTotal/ {print int($2/1024)}' /proc/meminfo; }
until_total() { n=0; until [ $(total) $1 $2 ]; do sleep 0.1; n=$((n+1)); [ $n = 600 ] && { echo "FAIL total $(total), want $1 $2"; exit 1; }; done; }
'''


class Guest(quern.Quern):
    """A guest with its console in a file and a line to send it words."""

    def __init__(self, binary, guest, work, script, *args, append='memhp_default_state=online_movable', **kwargs):
        quern.BINARY = binary
        self.console_path = work / 'console'
        self.console_path.write_text('')
        argv = g.command(binary, guest, script, **kwargs)[1:]
        argv[argv.index('-append') + 1] += ' ' + append
        argv[argv.index('-serial') + 1] = f'file:{self.console_path}'
        argv.remove('-no-reboot')
        super().__init__(*argv, '-chardev', f'socket,id=line,path={work / "line"},server=on,wait=off', '-serial', 'chardev:line',
                         *args)
        self.line = None

    def text(self):
        return self.console_path.read_text(errors='replace')

    def says(self, word, seconds=60, times=1):
        return self.until(lambda: self.text().count(word) >= times or self.process.poll() is not None, seconds) \
            and self.text().count(word) >= times

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def send(self, work, text):
        if not self.line:
            self.line = socket.socket(socket.AF_UNIX)
            self.line.connect(str(work / 'line'))
        self.line.sendall(text + b'\n')

    def device(self):
        return self.command('query-memory-devices')[0]['data']

    def resize(self, size):
        self.command('qom-set', {'path': '/machine/peripheral/vm0', 'property': 'requested-size', 'value': size})

    def rss_mib(self):
        for line in Path(f'/proc/{self.process.pid}/status').read_text().splitlines():
            if line.startswith('VmRSS'):
                return int(line.split()[1]) // 1024
        return 0


def run_cases(cases):
    """Run @cases, (name, function, arguments...), of which argv[3] may name a part: argv[1] is the emulator, argv[2] the guest's folder.

    A function gets emulator, folder, a folder to work in, check(what, ok) and its arguments; unittest.SkipTest skips it.
    """
    binary, guest = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    only = sys.argv[3] if len(sys.argv) > 3 else ''
    tap = g.Tap()
    for name, run, *extra in (case for case in cases if only in case[0]):
        if not g.have_guest(guest):
            tap.skip(name, f'no guest in {guest} (scripts/make-guest)')
            continue
        failed, start, text = [], time.monotonic(), ''
        with tempfile.TemporaryDirectory() as d:
            try:
                run(binary, guest, Path(d), lambda what, ok: print(f'# {what}: {"yes" if ok else "NO"}', flush=True)
                    or ok or failed.append(what), *extra)
            except unittest.SkipTest as e:
                tap.skip(name, str(e))
                continue
            except (OSError, EOFError, AssertionError, subprocess.CalledProcessError) as e:
                failed.append(f'{type(e).__name__}: {e}')
            with contextlib.suppress(OSError):
                text = (Path(d) / 'console').read_text(errors='replace')[-2500:] if failed else ''
        tap.result(not failed, name, '\n'.join('# ' + line for line in failed + text.splitlines()))
        print(f'# {time.monotonic() - start:.1f} s', flush=True)
    tap.done()
