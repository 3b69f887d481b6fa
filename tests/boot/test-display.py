#!/usr/bin/env python3
"""Pictures of the standard VGA in text, 256-color, planar and linear modes; keys by QMP; PNG and PPM.

usage: test-display.py QUERN CC
"""
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

VGABIOS = Path('/usr/share/seabios/vgabios-stdvga.bin')
TIMEOUT_S = 60
BLUE, WHITE, BLACK, LIGHT_RED = (0, 0, 170), (255, 255, 255), (0, 0, 0), (255, 85, 85)


def assemble(cc, folder):
    source = Path(__file__).parent / 'display-sector.S'
    elf, image = os.path.join(folder, 'sector.elf'), os.path.join(folder, 'disk.img')
    subprocess.run([cc, '-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,-Ttext=0x7c00,-e,_start,-N', '-o', elf,
                    str(source)], check=True, capture_output=True)
    subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', elf, image], check=True)
    with open(image, 'r+b') as f:
        f.truncate(1 << 20)
    return image


class Picture:
    def __init__(self, data):
        magic, size, depth, self.bytes = data.split(b'\n', 3)
        assert (magic, depth) == (b'P6', b'255')
        self.width, self.height = map(int, size.split())
        assert len(self.bytes) == self.width * self.height * 3

    def at(self, x, y):
        i = (y * self.width + x) * 3
        return tuple(self.bytes[i:i + 3])

    def colors(self, x0, y0, x1, y1):
        return {self.at(x, y) for y in range(y0, y1) for x in range(x0, x1)}


def png_pixels(data):
    """Decode the PNG's one kind that is written: 8-bit RGB, any filter."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed, header = 8, b'', b''
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], 'big'), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + size]
        header = body if kind == b'IHDR' else header
        packed += body if kind == b'IDAT' else b''
        at += 12 + size
    width, height = int.from_bytes(header[:4], 'big'), int.from_bytes(header[4:8], 'big')
    assert header[8:10] == b'\x08\x02', header
    raw, out, before = zlib.decompress(packed), bytearray(), bytes(width * 3)
    for y in range(height):
        line = raw[y * (width * 3 + 1):(y + 1) * (width * 3 + 1)]
        row = bytearray()
        for i, v in enumerate(line[1:]):
            a, b, c = row[i - 3] if i >= 3 else 0, before[i], before[i - 3] if i >= 3 else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row.append((v + (0, a, b, (a + b) // 2, nearest)[line[0]]) & 255)
        out += row
        before = row
    return width, height, bytes(out)


class Screen:
    def __init__(self, q, folder):
        self.q, self.folder, self.seen = q, folder, ''

    def wait(self, number):
        deadline = time.monotonic() + TIMEOUT_S
        while str(number) not in self.seen:
            assert time.monotonic() < deadline, f'picture {number} never came'
            self.seen = Path(self.folder, 'progress').read_text(encoding='ascii', errors='replace').rpartition('\n')[2]
            time.sleep(0.05)

    def take(self):
        path = os.path.join(self.folder, 'shot')
        self.q.command('screendump', {'filename': path})
        return Picture(Path(path).read_bytes())


def check_text(p, _):
    assert (p.width, p.height) == (720, 400), (p.width, p.height)
    assert p.colors(0, 0, 45, 16) == {BLUE, WHITE}
    assert p.colors(45, 0, 720, 16) == {BLACK}
    column = [p.at(1, y) for y in range(16)]        # the Q's left side
    assert column.count(WHITE) >= 5, column


def check_256(p, _):
    assert (p.width, p.height) == (640, 400), (p.width, p.height)
    assert p.at(0, 0) == BLACK and p.at(2, 0) == p.at(3, 1) == p.at(0, 2) == BLUE
    assert p.at(2 * 12, 0) == LIGHT_RED and p.at(0, 2 * 12) == LIGHT_RED
    assert p.at(639, 399) == p.at(2 * (319 + 199 - 256), 0)


def check_planar(p, _):
    assert (p.width, p.height) == (640, 480), (p.width, p.height)
    assert p.colors(0, 100, 640, 101) == {LIGHT_RED}
    assert p.colors(0, 101, 640, 480) == {BLACK} and p.colors(0, 0, 640, 100) == {BLACK}


def check_linear(p, screen):
    assert (p.width, p.height) == (640, 480), (p.width, p.height)
    for n in (0, 1, 255, 256, 639, 640, 16383):
        assert p.at(n % 640, n // 640) == (n >> 16, n >> 8 & 255, n & 255), n
    assert p.at(16384 % 640, 16384 // 640) == BLACK
    path = os.path.join(screen.folder, 'shot.png')
    screen.q.command('screendump', {'filename': path, 'format': 'png'})
    assert png_pixels(Path(path).read_bytes()) == (p.width, p.height, p.bytes)
    assert screen.q.hmp(f'screendump {path} -f ppm') == ''
    assert Path(path).read_bytes().endswith(p.bytes)


def press(q, how):
    """Each picture is left by another way of pressing a key."""
    if how == 0:
        q.command('send-key', {'keys': [{'type': 'qcode', 'data': 'ret'}], 'hold-time': 20})
    elif how == 1:
        q.command('input-send-event', {'events': [
            {'type': 'key', 'data': {'down': down, 'key': {'type': 'number', 'data': 0x1e}}} for down in (True, False)]})
    else:
        assert q.hmp('sendkey shift-q 20') == ''


def check_errors(q, folder):
    path = os.path.join(folder, 'none')
    for arguments, message in [({'device': 'nosuch'}, "Device 'nosuch' not found"), ({'head': 1}, "together with 'device'"),
                               ({'device': 'video0', 'head': 1}, "'video0' has no head 1")]:
        assert message in q.error('screendump', {'filename': path, **arguments})[1]
    assert not os.path.exists(path)
    assert "cannot open '/nonexistent/x'" in q.error('screendump', {'filename': '/nonexistent/x'})[1]
    assert 'must be 1..255, got 0' in q.error('send-key', {'keys': [{'type': 'number', 'data': 0}]})[1]
    assert 'not found for event type abs' in q.error('input-send-event', {
        'events': [{'type': 'abs', 'data': {'axis': 'x', 'value': 5}}]})[1]
    mice = q.command('query-mice')
    assert [(m['name'], m['current'], m['absolute']) for m in mice] == [('QEMU PS/2 Mouse', True, False)], mice
    assert f"* Mouse #{mice[0]['index']}: QEMU PS/2 Mouse" in q.hmp('info mice')


def main():
    quern.BINARY, cc = sys.argv[1], sys.argv[2]
    checks = [check_text, check_256, check_planar, check_linear]
    tap = g.Tap()
    for machine in 'q35', 'pc':
        if not VGABIOS.exists():
            tap.skip(f'pictures on {machine}', f'no {VGABIOS} (package seabios)')
            continue
        with tempfile.TemporaryDirectory(prefix='quern-display-') as folder:
            disk, progress = assemble(cc, folder), os.path.join(folder, 'progress')
            with quern.Quern('-machine', machine, '-device', 'VGA,id=video0', '-drive', f'file={disk},format=raw,if=virtio',
                             '-chardev', f'file,id=d,path={progress}', '-device', 'isa-debugcon,iobase=0x2e0,chardev=d') as q:
                screen = Screen(q, folder)
                try:
                    for n, check in enumerate(checks):
                        screen.wait(n + 1)
                        check(screen.take(), screen)
                        if n < len(checks) - 1:
                            press(q, n)
                    check_errors(q, folder)
                    tap.result(True, f'pictures on {machine}')
                except AssertionError as e:
                    frame = e.__traceback__
                    while frame.tb_next:
                        frame = frame.tb_next
                    tap.result(False, f'pictures on {machine}', f'# line {frame.tb_lineno}: {e}')
    tap.done()


main()
