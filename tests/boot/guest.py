"""Run Quern (or another emulator with its command line) with the test guest and a script."""
import base64
import os
import re
import subprocess
import time
from pathlib import Path


class Result:
    def __init__(self, status, output, seconds, timed_out):
        self.status, self.output, self.seconds, self.timed_out = status, output, seconds, timed_out

    @property
    def script_ok(self):
        return self.status == 0 and not self.timed_out and 'QUERN-SCRIPT-STATUS 0' in self.output

    def why(self):
        tail = '\n'.join('# ' + line for line in self.output.splitlines()[-25:])
        state = 'timed out' if self.timed_out else f'exit status {self.status}'
        return f'# {state} after {self.seconds:.1f} s; last output:\n{tail}'


def command(emulator, guest, script, machine='q35', smp='1', memory='512', extra=(), append=''):
    """The command line that boots the guest and runs @script (shell) in it; a network only if @extra has one."""
    network = () if any(a.startswith(('-net', '-nic')) for a in map(str, extra)) else ('-nic', 'none')
    code = base64.b64encode(script.encode()).decode()
    return [emulator, '-machine', machine, '-m', memory, '-smp', smp, '-display', 'none', '-serial', 'stdio',
            '-monitor', 'none', '-no-reboot', '-kernel', str(guest / 'vmlinuz'), '-initrd', str(guest / 'initrd.img'),
            '-append', f'console=ttyS0 panic=-1 {append} quern.sh={code}', *network, *extra]


def with_pc_kernel(argv):
    """The same line with Debian's kernel for PCs, which has drivers for hardware that the cloud kernel knows nothing of."""
    return [a.replace('/vmlinuz', '/vmlinuz-pc').replace('/initrd.img', '/initrd-pc.img') for a in argv]


def run(argv, timeout=120):
    start = time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            out, _ = p.communicate(timeout=timeout)
            timed_out = False
        except subprocess.TimeoutExpired:
            p.kill()
            out, _ = p.communicate()
            timed_out = True
    text = out.decode(errors='replace').replace('\r', '')
    return Result(p.returncode, text, time.monotonic() - start, timed_out)


def have_guest(guest: Path):
    return (guest / 'vmlinuz').exists() and (guest / 'initrd.img').exists()


class Tap:
    """Minimal TAP writer."""

    def __init__(self):
        self.n = 0
        print('TAP version 13', flush=True)

    def result(self, ok, name, why=''):
        self.n += 1
        print(f'{"ok" if ok else "not ok"} {self.n} {name}', flush=True)
        if not ok and why:
            print(why, flush=True)

    def attempt(self, test, *args, skips):
        """A function that asserts: passed, failed at a line, or skipped by an exception of type @skips."""
        try:
            test(*args)
            self.result(True, test.__name__)
        except skips as e:
            self.skip(test.__name__, str(e))
        except (AssertionError, OSError, subprocess.TimeoutExpired) as e:
            frame = e.__traceback__
            while frame.tb_next:
                frame = frame.tb_next
            self.result(False, test.__name__, f'# line {frame.tb_lineno}: {str(e)[:600]!r}')

    def skip(self, name, why):
        self.n += 1
        print(f'ok {self.n} {name} # SKIP {why}', flush=True)

    def done(self):
        print(f'1..{self.n}', flush=True)


def private_kib(pid):
    """Private memory of a process in KiB, from smaps_rollup."""
    text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    return sum(int(v) for v in re.findall(r'^Private_(?:Clean|Dirty): +(\d+) kB', text, re.M))


def default_accel():
    return os.environ.get('QUERN_TEST_ACCEL', 'tcg')
