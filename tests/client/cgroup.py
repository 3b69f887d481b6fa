"""A control group of our own with a memory limit, of version 2 or 1, where this host lets us make one."""
import os
import unittest
from pathlib import Path


class Cgroup:
    """To be entered with `with`; raises unittest.SkipTest where none can be had."""

    def __init__(self, limit):
        self.limit = limit
        self.v2 = Path('/sys/fs/cgroup/cgroup.subtree_control').exists()
        self.path = Path('/sys/fs/cgroup', '' if self.v2 else 'memory', 'quern-test-%d' % os.getpid())

    def __enter__(self):
        try:
            if self.v2 and 'memory' not in Path('/sys/fs/cgroup/cgroup.subtree_control').read_text(encoding='ascii').split():
                raise unittest.SkipTest('no control group: the memory controller is not on')
            self.path.mkdir()
            self.write('memory.max' if self.v2 else 'memory.limit_in_bytes', self.limit)
        except OSError as e:
            if self.path.exists():
                self.path.rmdir()
            raise unittest.SkipTest('no control group: %s' % e) from None
        return self

    def __exit__(self, *args):
        self.path.rmdir()

    def write(self, name, value):
        (self.path / name).write_text(str(value), encoding='ascii')

    def read(self, name):
        return (self.path / name).read_text(encoding='ascii')

    def oom_kills(self):
        events = self.read('memory.events' if self.v2 else 'memory.oom_control')
        return int(dict(line.split() for line in events.splitlines())['oom_kill'])

    def peak(self):
        return int(self.read('memory.peak' if self.v2 else 'memory.max_usage_in_bytes'))

    def wrap(self, binary, folder):
        """A program that runs @binary in the group."""
        script = Path(folder, 'in-cgroup')
        script.write_text('#!/bin/sh\necho $$ > %s/cgroup.procs || exit 1\nexec %s "$@"\n' % (self.path, binary), encoding='ascii')
        script.chmod(0o755)
        return str(script)
