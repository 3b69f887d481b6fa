"""A machine that a boot test talks to while it runs."""
import os
import subprocess
import threading
import time

import guest as g
from qmp import Qmp


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Console:
    """A machine whose console is read as it comes, by a thread."""

    def __init__(self, argv):
        self.text = ''
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read_console, daemon=True)
        self.reader.start()

    def read_console(self):
        for data in iter(lambda: os.read(self.process.stdout.fileno(), 65536), b''):
            self.text += data.decode(errors='replace').replace('\r', '')

    def says(self, word, seconds=40):
        return wait_for(lambda: word in self.text or self.process.poll() is not None, seconds) and word in self.text


class Session:
    """A machine with QMP whose console is read for marks."""

    def __init__(self, argv, qmp):
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output, self.qmp = '', Qmp(qmp)
        self.ask, self.event = self.qmp.ask, self.qmp.wait_event

    def until(self, mark):
        while mark not in self.output:
            line = self.p.stdout.readline()
            if not line:
                break
            self.output += line.decode(errors='replace').replace('\r', '')
        return mark in self.output

    def finish(self):
        self.until('QUERN-SCRIPT-STATUS 0')
        self.output += self.p.stdout.read().decode(errors='replace').replace('\r', '')
        return g.Result(self.p.wait(timeout=60), self.output, 0, False)
