#!/usr/bin/env python3
"""The dirty rate of a Linux that writes to memory all the time, and of one that does nothing.

usage: test-dirty-rate.py QUERN GUEST
"""
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

SCRIPT = '''
dd if=/dev/urandom of=/tmp/a bs=1M count=48 2>/dev/null
echo "guest is idle"
while ! grep -q go /dev/ttyS1; do :; done
echo "guest is busy"
while :; do tr a-z A-Z < /tmp/a > /tmp/b; tr A-Z a-z < /tmp/a > /tmp/b; done
'''


def rate(q, mode):
    q.command('calc-dirty-rate', {'calc-time': 1, 'mode': mode})
    while True:
        info = q.command('query-dirty-rate')
        if info['status'] == 'measured':
            return info['dirty-rate']
        time.sleep(0.1)


def wait_for(serial, text):
    deadline = time.monotonic() + 100
    while text not in serial.read_text(errors='replace'):
        assert time.monotonic() < deadline, serial.read_text(errors='replace')[-2000:]
        time.sleep(0.1)


def measure(accel):
    with tempfile.TemporaryDirectory(prefix='quern-') as folder:
        serial = Path(folder) / 'serial'
        argv = g.command('', Path(sys.argv[2]), SCRIPT, memory='256')[1:]
        argv[argv.index('-serial') + 1] = f'file:{serial}'
        with quern.Quern(*argv, '-accel', accel, '-serial', 'chardev:com2', '-chardev', f'socket,id=com2,server=on,wait=off,path={folder}/com2') as q:
            wait_for(serial, 'guest is idle')
            idle = {mode: rate(q, mode) for mode in ('page-sampling', 'dirty-bitmap')}
            with quern.socket.socket(quern.socket.AF_UNIX) as com2:
                com2.connect(f'{folder}/com2')
                com2.sendall(b'go\n' * 8)
                wait_for(serial, 'guest is busy')
            busy = {mode: rate(q, mode) for mode in idle}
            assert q.command('query-status')['running']
    print('#', accel, 'idle', idle, 'busy', busy, flush=True)
    for mode, value in busy.items():
        assert value > idle[mode], (accel, mode, idle, busy)


def main():
    quern.BINARY = sys.argv[1]
    tap = g.Tap()
    name = 'a guest that writes is seen to'
    if not g.have_guest(Path(sys.argv[2])):
        tap.skip(name, 'no guest (scripts/make-guest)')
    else:
        try:
            measure(g.default_accel())
            tap.result(True, name)
        except AssertionError as e:
            tap.result(False, name, '# ' + str(e).replace('\n', '\n# '))
    tap.done()


main()
