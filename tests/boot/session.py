"""A machine that a boot test talks to while it runs."""
import subprocess

import guest as g
from qmp import Qmp


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
