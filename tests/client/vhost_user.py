"""A vhost-user back end of our own: a disk in memory, with as few slots and as bad manners as a test wants."""
import contextlib
import ctypes
import mmap
import os
import select
import socket
import struct
import threading

(GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE,
 SET_VRING_KICK, SET_VRING_CALL, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE,
 SET_BACKEND_REQ_FD, GET_CONFIG, SET_CONFIG, GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG) = (
    1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 21, 24, 25, 36, 37, 38)
MQ, REPLY_ACK, BACKEND_REQ, CONFIG, CONFIGURE_MEM_SLOTS = 1 << 0, 1 << 3, 1 << 5, 1 << 9, 1 << 15
VERSION_1, F_PROTOCOL, BLK_SEG_MAX, BLK_FLUSH, BLK_WCE, BLK_MQ = 1 << 32, 1 << 30, 1 << 2, 1 << 9, 1 << 11, 1 << 12
BLK_IN, BLK_OUT, BLK_FLUSH_REQUEST, BLK_GET_ID = 0, 1, 4, 8
WITH_ANSWER = {GET_FEATURES, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_CONFIG, GET_VRING_BASE, GET_MAX_MEM_SLOTS}


class Region:
    """A part of guest memory, mapped."""

    def __init__(self, raw, fd):
        self.gpa, self.size, self.uaddr, offset = struct.unpack('<4Q', raw)
        self.map = mmap.mmap(fd, self.size, offset=offset)
        os.close(fd)


class Ring:
    def __init__(self):
        self.num = self.base = self.used_idx = 0
        self.kick = self.call = -1
        self.addr = None
        self.enabled = False


class Backend:
    """Listens at @path and serves one connection after another until closed.

    slots=None: it does not know of CONFIGURE_MEM_SLOTS.  @misbehave: {request: function(connection, its number, payload)}, called
    instead of an answer.  .ring_fault is looked at for each request of the guest.
    """

    def __init__(self, path, slots=None, queues=1, protocol=MQ | REPLY_ACK | CONFIG | BACKEND_REQ, size=16 << 20, misbehave=None):
        self.slots, self.queues, self.size, self.misbehave = slots, queues, size, misbehave or {}
        self.protocol = protocol | (CONFIGURE_MEM_SLOTS if slots is not None else 0)
        self.disk = bytearray(size)
        self.seen, self.regions, self.most_regions, self.rings, self.ring_fault, self.channel = [], [], 0, {}, None, None
        self.served = 0                 # requests of the guest
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.stop_read, self.stop_write = os.pipe()
        self.connection = None
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.stop_write, b'x')
        self.thread.join()
        self.listener.close()
        os.close(self.stop_read)
        os.close(self.stop_write)

    # --- the connection ---

    def run(self):
        while True:
            ready, _, _ = select.select([self.listener, self.stop_read], [], [])
            if self.stop_read in ready:
                return
            self.connection, _ = self.listener.accept()
            with contextlib.suppress(ConnectionError):
                self.serve()
            self.hang_up()

    def hang_up(self):
        """Forget everything of the connection."""
        self.connection.close()
        for r in self.rings.values():
            for fd in {r.kick, r.call} - {-1}:
                os.close(fd)
        if self.channel:
            self.channel.close()
        self.rings, self.regions, self.channel = {}, [], None

    def serve(self):
        while True:
            kicks = {r.kick: i for i, r in self.rings.items() if r.kick >= 0}
            ready, _, _ = select.select([self.connection, self.stop_read, *kicks], [], [])
            if self.stop_read in ready:
                raise ConnectionError('stopped')
            if self.connection in ready:
                self.one_message()
            for fd in ready:
                if fd in kicks and self.rings[kicks[fd]].kick == fd:
                    os.read(fd, 8)
                    self.run_ring(kicks[fd])

    def receive(self, n):
        data = b''
        while len(data) < n:
            more = self.connection.recv(n - len(data))
            if not more:
                raise ConnectionError('closed')
            data += more
        return data

    def one_message(self):
        head, fds, _, _ = socket.recv_fds(self.connection, 12, 16)
        if not head:
            raise ConnectionError('closed')
        request, flags, size = struct.unpack('<3I', head + self.receive(12 - len(head)))
        payload = self.receive(size)
        self.seen.append(request)
        if request in self.misbehave:
            for fd in fds:
                os.close(fd)
            self.misbehave[request](self.connection, request, payload)
            return
        answer, result = self.handle(request, payload, list(fds)), 0
        if request not in WITH_ANSWER:
            if not flags & 8:
                return
            answer = struct.pack('<Q', result)
        self.connection.sendall(struct.pack('<3I', request, 5, len(answer)) + answer)

    def handle(self, request, payload, fds):
        number = struct.unpack('<Q', payload)[0] if len(payload) == 8 else 0
        index, value = number & 0xffffffff, number >> 32
        ring = self.rings.setdefault(index & 0xff, Ring()) if request in (
            SET_VRING_NUM, SET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ENABLE, GET_VRING_BASE) else None
        if request == GET_FEATURES:
            return struct.pack('<Q', VERSION_1 | F_PROTOCOL | BLK_SEG_MAX | BLK_FLUSH | BLK_WCE | (BLK_MQ if self.queues > 1 else 0))
        if request == GET_PROTOCOL_FEATURES:
            return struct.pack('<Q', self.protocol)
        if request == GET_QUEUE_NUM:
            return struct.pack('<Q', self.queues)
        if request == GET_MAX_MEM_SLOTS:
            return struct.pack('<Q', self.slots)
        if request == GET_CONFIG:
            offset, size, _ = struct.unpack('<3I', payload[:12])
            return payload[:12] + self.config()[offset:offset + size]
        if request == SET_BACKEND_REQ_FD:
            self.channel = socket.socket(fileno=fds.pop())
        elif request == SET_MEM_TABLE:
            n = struct.unpack('<I', payload[:4])[0]
            assert len(payload) == 8 + 32 * n and len(fds) == n, (len(payload), n, fds)
            self.regions = [Region(payload[8 + 32 * i:40 + 32 * i], fds[i]) for i in range(n)]
            fds = []
        elif request == ADD_MEM_REG:
            self.regions.append(Region(payload[8:], fds.pop()))
            assert len(self.regions) <= self.slots, 'more regions than slots'
        elif request == REM_MEM_REG:
            gone = struct.unpack('<4Q', payload[8:])[:3]
            found = [r for r in self.regions if (r.gpa, r.size, r.uaddr) == gone]
            assert len(found) == 1 and not fds, (gone, fds)
            self.regions.remove(found[0])
        elif request == SET_VRING_NUM:
            ring.num = value
        elif request == SET_VRING_BASE:
            ring.base = value
        elif request == SET_VRING_ADDR:
            index, _, desc, used, avail, _ = struct.unpack('<2I4Q', payload)
            self.rings[index].addr = desc, avail, used
            m, o = self.at(used, 4, 'uaddr')
            self.rings[index].used_idx = struct.unpack_from('<H', m, o + 2)[0]
        elif request in (SET_VRING_KICK, SET_VRING_CALL):
            name = 'kick' if request == SET_VRING_KICK else 'call'
            if getattr(ring, name) >= 0:
                os.close(getattr(ring, name))
            setattr(ring, name, fds.pop())
        elif request == SET_VRING_ENABLE:
            ring.enabled = bool(value)
        elif request == GET_VRING_BASE:
            os.close(ring.kick)
            ring.kick = -1
            return struct.pack('<2I', index, ring.base)
        self.most_regions = max(self.most_regions, len(self.regions))
        for fd in fds:
            os.close(fd)
        return b''

    # --- the disk ---

    def config(self):
        config = bytearray(60)
        struct.pack_into('<Q', config, 0, self.size // 512)
        struct.pack_into('<I', config, 12, 126)
        config[32] = 1
        return bytes(config)

    def tell_config_changed(self):
        self.channel.sendall(struct.pack('<3I', 2, 1, 0))

    # --- rings ---

    def at(self, addr, size, by='gpa'):
        for r in self.regions:
            start = getattr(r, by)
            if start <= addr and addr + size <= start + r.size:
                return r.map, addr - start
        raise AssertionError(f'{by} {addr:#x} +{size:#x} is in no region')

    def chain(self, ring, head):
        """The segments: (gpa, length, writable)."""
        segments = []
        while True:
            m, o = self.at(ring.addr[0] + 16 * head, 16, 'uaddr')
            addr, length, flags, following = struct.unpack_from('<QIHH', m, o)
            segments.append((addr, length, bool(flags & 2)))
            if not flags & 1:
                return segments
            head = following

    def run_ring(self, index):
        ring = self.rings[index]
        while True:
            m, o = self.at(ring.addr[1], 4, 'uaddr')
            if struct.unpack_from('<H', m, o + 2)[0] == ring.base:
                return
            m, o = self.at(ring.addr[1] + 4 + 2 * (ring.base % ring.num), 2, 'uaddr')
            head = struct.unpack_from('<H', m, o)[0]
            ring.base = (ring.base + 1) & 0xffff
            segments = self.chain(ring, head)
            fault, self.ring_fault = self.ring_fault, None
            if fault == 'silent':
                self.ring_fault = fault
                continue
            self.complete(ring, head, self.request(segments), fault)

    def request(self, segments):
        """Do it; bytes written."""
        m, o = self.at(segments[0][0], segments[0][1])
        kind, _, sector = struct.unpack_from('<IIQ', m, o)
        at, written = sector * 512, 0
        assert segments[0][1] == 16 and segments[-1][1] == 1, segments
        for addr, length, writable in segments[1:-1]:
            m, o = self.at(addr, length)
            if kind == BLK_OUT and not writable:
                self.disk[at:at + length] = m[o:o + length]
            elif kind == BLK_IN and writable:
                m[o:o + length] = self.disk[at:at + length]
                written += length
            at += length
        m, o = self.at(segments[-1][0], 1)
        m[o] = 0 if kind in (BLK_IN, BLK_OUT, BLK_FLUSH_REQUEST) else 2
        self.served += 1
        return written + 1

    def complete(self, ring, head, written, fault):
        if fault == 'die':
            raise ConnectionError('dies')
        if fault == 'bogus-id':
            head = (head + 1) % ring.num
        elif fault == 'huge-id':
            head = 0xffffff
        elif fault == 'huge-length':
            written = 0xffffffff
        m, o = self.at(ring.addr[2], 4 + 8 * ring.num, 'uaddr')
        struct.pack_into('<II', m, o + 4 + 8 * (ring.used_idx % ring.num), head, written)
        ring.used_idx = (ring.used_idx + (1 if fault != 'index-jump' else 500)) & 0xffff
        struct.pack_into('<H', m, o + 2, ring.used_idx)
        if fault == 'unasked':
            self.connection.sendall(b'\0' * 12)
        with contextlib.suppress(OSError):
            os.write(ring.call, struct.pack('<Q', 1))


def residue(pid):
    """What a process has open: to be the same after a refusal."""
    return len(os.listdir(f'/proc/{pid}/fd'))


def set_pdeathsig():
    """In a child: end when the test does."""
    ctypes.CDLL(None).prctl(1, 9)
