"""A QMP session with a machine that a boot test runs."""
import json
import socket
import time


class Qmp:
    """A client of the monitor at a unix socket.  Events before it is connected are lost: a machine that has one
    at once is started by -S and 'cont'."""

    def __init__(self, path, timeout_s=60):
        self.events = []
        deadline = time.monotonic() + 20
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.socket.settimeout(timeout_s)
        self.file = self.socket.makefile('rw')
        self.read()
        self.ask('qmp_capabilities')

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError('the monitor is closed')
        return json.loads(line)

    def ask(self, name, /, **arguments):
        """What is returned, or the whole message of an error.  Events on the way are kept."""
        arguments = {k.replace('_', '-'): v for k, v in arguments.items()}
        self.file.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            reply = self.read()
            if 'event' not in reply:
                return reply.get('return', reply)
            self.events.append(reply)

    def wait_event(self, name, **data):
        """The first that came or comes with that data; taken from the events kept."""
        def fits(e):
            flat = {**e.get('data', {}), **e.get('data', {}).get('info', {})}
            return e['event'] == name and all(flat.get(k) == v for k, v in data.items())
        while True:
            for i, e in enumerate(self.events):
                if fits(e):
                    return self.events.pop(i)
            self.events.append(self.read())
