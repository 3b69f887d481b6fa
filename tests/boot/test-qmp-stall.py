#!/usr/bin/env python3
"""A QMP client that never reads, while a real guest boots and causes events: the guest gets to its end all the same."""
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from guest import Tap, command, have_guest

SCRIPT = 'for i in 1 2 3; do hwclock -w; sleep 1; done; dd if=/dev/zero of=/dev/null bs=1M count=200 2>/dev/null; echo WORKED'


def connect(path):
    deadline = time.monotonic() + 20
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
            s.sendall(b'{"execute":"qmp_capabilities"}\r\n')
            return s
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def flood(path, over, sent):
    """Another client stops and continues the guest as fast as it is answered."""
    with connect(path) as s, s.makefile('rb') as lines:
        try:
            while not over.is_set():
                s.sendall(b'{"execute":"stop"}{"execute":"cont","id":1}\r\n')
                sent.append(None)
                while json.loads(lines.readline() or '{"id":1}').get('id') != 1:
                    pass
                time.sleep(0.002)               # the guest is to run, too
        except OSError:
            pass                                # the guest came to its end


def boot(emulator, guest, tap):
    with tempfile.TemporaryDirectory(prefix='quern-stall-') as folder:
        stalled, busy, over, sent = Path(folder) / 'stalled', Path(folder) / 'busy', threading.Event(), []
        argv = command(emulator, guest, SCRIPT, memory='256', extra=(
            '-qmp', 'unix:%s,server=on,wait=off' % stalled, '-qmp', 'unix:%s,server=on,wait=off' % busy))
        begin = time.monotonic()
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            deaf = connect(stalled)
            flooder = threading.Thread(target=flood, args=(busy, over, sent))
            flooder.start()
            try:
                out, _ = p.communicate(timeout=240)
            except subprocess.TimeoutExpired:
                p.kill()
                out, _ = p.communicate()
            over.set()
            flooder.join()
            heard = deaf.recv(1 << 24)
            deaf.close()
        text = out.decode(errors='replace')
        ok = p.returncode == 0 and 'WORKED' in text
        tap.result(ok, 'the guest reached its end (%.1f s, %d times stopped)' % (time.monotonic() - begin, len(sent)),
                   '# ' + text[-1500:].replace('\n', '\n# '))
        tap.result(len(sent) > 50 and heard.count(b'STOP') > 10, 'events were produced all the while')


def main():
    emulator, guest, tap = sys.argv[1], Path(sys.argv[2]), Tap()
    if have_guest(guest):
        boot(emulator, guest, tap)
    else:
        tap.skip('a client that stalls', 'no guest kernel')
    tap.done()


main()
