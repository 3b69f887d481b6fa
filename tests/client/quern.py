"""What the client tests share: running the binary, and a QMP client over a unix socket."""
import functools
import json
import os
import socket
import subprocess
import tempfile
import time

from schema import Schema

BINARY = None           # set by each test from its first argument
TIMEOUT_S = int(os.environ.get('QUERN_TEST_TIMEOUT', 30))    # instrumented builds are slow
SCHEMA = None           # of BINARY, once a session has asked for it; every reply and event is held against it


def run(*args, stdin=None):
    """Run to the end: (exit status, stdout, stderr)."""
    done = subprocess.run([BINARY, *args], input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                          env=environment(args))
    no_report_in(done.stderr)
    return done.returncode, done.stdout, done.stderr


@functools.cache
def sanitized():
    """Is BINARY built with AddressSanitizer?  Then its memory use tells nothing, and its end tells of leaks."""
    with open(BINARY, 'rb') as f:
        return b'__asan_init' in f.read()


def environment(args):
    """A confined process cannot look for its leaks: that takes a process that traces it, and /proc."""
    confined = '-sandbox' in args or '-run-with' in args
    return {**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0'} if confined else None


def no_report_in(text):
    """Fail if a sanitizer speaks in what the emulator wrote."""
    assert 'Sanitizer' not in text and 'runtime error:' not in text, text[-8000:]


class Quern:
    """A running emulator with a QMP session."""

    def __init__(self, *args, negotiate=True, pass_fds=()):
        self.folder = tempfile.TemporaryDirectory(prefix='quern-')
        self.path = os.path.join(self.folder.name, 'qmp')
        self.events = []
        self.stderr = open(os.path.join(self.folder.name, 'stderr'), 'w+', encoding='utf-8')  # a file never fills up
        self.process = subprocess.Popen(
            [BINARY, '-display', 'none', '-nodefaults', '-qmp', 'unix:%s,server=on,wait=off' % self.path, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.stderr,
            pass_fds=pass_fds, env=environment(args))
        self.connect(negotiate)

    def connect(self, negotiate=True):
        deadline = time.monotonic() + TIMEOUT_S
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_S)
        while True:
            try:
                self.socket.connect(self.path)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError('no QMP: ' + self.last_words()) from None
                time.sleep(0.002)
        self.lines = self.socket.makefile('rb')
        self.greeting = self.receive()
        if negotiate:
            assert self.command('qmp_capabilities') == {}
            self.learn_schema()

    def learn_schema(self):
        global SCHEMA
        if SCHEMA is None:
            SCHEMA = Schema(self.command('query-qmp-schema'))
        return SCHEMA

    def receive(self):
        line = self.lines.readline()
        if not line:
            raise EOFError('QMP connection closed')
        assert line.endswith(b'\r\n'), line
        message = json.loads(line)
        if SCHEMA and 'event' in message:
            SCHEMA.check_event(message)
        return message

    def exchange(self, text):
        """The reply to raw bytes; events on the way are kept."""
        self.socket.sendall(text)
        while True:
            message = self.receive()
            if 'event' not in message:
                return message
            self.events.append(message)

    def request(self, name, arguments=None, **extra):
        reply = self.exchange(json.dumps({'execute': name, **({'arguments': arguments} if arguments is not None else {}),
                                          **extra}).encode() + b'\r\n')
        if SCHEMA:
            SCHEMA.check_reply(name, reply)
        return reply

    def command(self, name, arguments=None):
        reply = self.request(name, arguments)
        assert 'return' in reply, reply
        return reply['return']

    def error(self, name, arguments=None):
        reply = self.request(name, arguments)
        assert 'error' in reply, reply
        return reply['error']['class'], reply['error']['desc']

    def wait_event(self, name):
        while True:
            for i, event in enumerate(self.events):
                if event['event'] == name:
                    return self.events.pop(i)
            message = self.receive()
            assert 'event' in message, message
            self.events.append(message)

    def hmp(self, line):
        return self.command('human-monitor-command', {'command-line': line})

    @property
    def sanitized(self):
        return sanitized()

    def last_words(self):
        self.stderr.seek(0)
        return self.stderr.read()[-4000:]

    def wait(self):
        return self.process.wait(timeout=TIMEOUT_S)

    def __enter__(self):
        return self

    def end(self):
        """Whatever state it is in.  Instrumented builds get the time to come to their own end, and to tell of leaks."""
        if self.process.poll() is None and sanitized():
            self.process.terminate()
            try:
                self.process.wait(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stderr.seek(0)
        return self.stderr.read()

    def __exit__(self, *_):
        words = self.end()
        self.socket.close()
        self.lines.close()
        self.stderr.close()
        self.folder.cleanup()
        no_report_in(words)
