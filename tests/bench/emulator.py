"""An emulator, ours or QEMU, with a QMP session, for the memory benchmarks."""
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

MIB, GIB = 1 << 20, 1 << 30


def both(build):
    """Ours, and QEMU if it is installed."""
    return [e for e in (f'{build}/quern', shutil.which('qemu-system-x86_64')) if e]


def vmalloc_kib():
    """Where KVM has its arrays for memory slots; other programs' are in it too."""
    return int(re.search(r'VmallocUsed: +(\d+) kB', Path('/proc/meminfo').read_text(encoding='ascii'))[1])


def settled_kib():
    """Memory of a VM that ended is freed a little later."""
    last = -1
    for _ in range(50):
        now = vmalloc_kib()
        if now == last:
            break
        last = now
        time.sleep(0.2)
    return last


class Emulator:
    """For `with`; .ready_s: seconds from exec to the answer to the first command."""

    def __init__(self, binary, *args):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-bench-')
        self.name, self.path = Path(binary).name, f'{self.folder.name}/qmp'
        begin = time.monotonic()
        self.process = subprocess.Popen([binary, '-nodefaults', '-display', 'none', '-qmp', f'unix:{self.path},server=on,wait=off', *args],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.lines = self.connect()
            self.lines.readline()
            self.command('qmp_capabilities')
        except BaseException:
            self.stop()
            raise
        self.ready_s = time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        while self.process.poll() is None:
            try:
                s.connect(self.path)
                return s.makefile('rw')
            except OSError:
                time.sleep(0.001)
        raise SystemExit(f'{self.name} ended with status {self.process.returncode}')

    def command(self, name, **arguments):
        """What it returns; None for an error."""
        self.lines.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if 'event' not in answer:
                return answer.get('return')

    # A virtio-mem device with the id vm0.

    def plugged(self):
        return self.command('query-memory-devices')[0]['data']['size']

    def request(self, size):
        self.command('qom-set', path='/machine/peripheral/vm0', property='requested-size', value=size)

    def wait_plugged(self, size, seconds=60):
        end = time.monotonic() + seconds
        while self.plugged() != size:
            if time.monotonic() > end:
                raise SystemExit(f'{self.name}: {self.plugged() // MIB} MiB are plugged after {seconds} s, {size // MIB} are requested')
            time.sleep(0.001)
