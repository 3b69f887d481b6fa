#!/usr/bin/env python3
"""dump-guest-memory of a running Linux in every format, read back by decoders of their own and by gdb."""
import os
import re
import shutil
import struct
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

PAGE = 4096
MEMORY = 128 << 20
LOW = 0xa0000           # ends the first range of memory


def elf_segments(path):
    """(notes, [(vaddr, paddr, offset, size)]) of an ELF core."""
    with open(path, 'rb') as f:
        head = f.read(64)
        assert head[:7] == b'\x7fELF\x02\x01\x01', head[:16]
        kind, machine = struct.unpack_from('<HH', head, 16)
        assert (kind, machine) == (4, 62), (kind, machine)
        phoff, = struct.unpack_from('<Q', head, 32)
        number, = struct.unpack_from('<H', head, 56)
        loads, notes = [], b''
        for n in range(number):
            f.seek(phoff + 56 * n)
            p_type, _, offset, vaddr, paddr, filesz, memsz, _ = struct.unpack('<IIQQQQQQ', f.read(56))
            if p_type == 4:
                f.seek(offset)
                notes = f.read(filesz)
            else:
                assert p_type == 1 and filesz == memsz
                loads.append((vaddr, paddr, offset, filesz))
    return notes, loads


def note_list(notes):
    at = 0
    while at < len(notes):
        n_name, n_desc, kind = struct.unpack_from('<III', notes, at)
        name = notes[at + 12:at + 12 + n_name - 1].decode()
        at += 12 + (n_name + 3 & ~3)
        yield name, kind, notes[at:at + n_desc]
        at += n_desc + 3 & ~3


def unflatten(path, to):
    with open(path, 'rb') as f, open(to, 'wb') as out:
        head = f.read(PAGE)
        assert head[:16] == b'makedumpfile\0\0\0\0' and struct.unpack_from('>QQ', head, 16) == (1, 1)
        while True:
            offset, size = struct.unpack('>qq', f.read(16))
            if offset < 0:
                assert (offset, size) == (-1, -1) and not f.read(1)
                return
            out.seek(offset)
            out.write(f.read(size))


class Kdump:
    """makedumpfile's format, as its description says."""

    def __init__(self, path):
        self.f = open(path, 'rb')
        head = self.f.read(464)
        assert head[:8] == b'KDUMP   ' and struct.unpack_from('<I', head, 8)[0] == 6
        status, block, sub, bitmaps = struct.unpack_from('<IIII', head, 424)
        self.cpus, = struct.unpack_from('<I', head, 460)
        assert status & 1 and block == PAGE
        self.f.seek(block)
        s = struct.unpack('<QIIQQQQQQQQQQQ', self.f.read(104))
        self.max_mapnr = s[13]
        self.f.seek(s[7])
        self.notes = self.f.read(s[8])
        self.f.seek(block * (1 + sub))
        size = bitmaps * block // 2
        first, second = self.f.read(size), self.f.read(size)
        assert first == second
        self.pfns = [n for n in range(self.max_mapnr) if first[n // 8] >> n % 8 & 1]
        descs = self.f.read(24 * len(self.pfns))
        self.descs = dict(zip(self.pfns, struct.iter_unpack('<QIIQ', descs)))

    def page(self, pfn):
        offset, size, flags, _ = self.descs[pfn]
        self.f.seek(offset)
        data = self.f.read(size)
        return zlib.decompress(data) if flags & 1 else data


def physical(q, folder, addr, size):
    path = os.path.join(folder, 'piece')
    q.command('pmemsave', {'val': addr, 'size': size, 'filename': path})
    with open(path, 'rb') as f:
        return f.read()


def booted(emulator, guest):
    serial = tempfile.NamedTemporaryFile(prefix='quern-serial-')
    quern.BINARY = emulator
    q = quern.Quern('-machine', 'q35', '-m', str(MEMORY >> 20), '-smp', '2', '-serial', 'file:' + serial.name,
                    '-kernel', str(guest / 'vmlinuz'), '-initrd', str(guest / 'initrd.img'),
                    '-append', 'console=ttyS0 quern.sh=' + 'ZWNobyBSRUFEWTsgc2xlZXAgMTAwMAo=')    # echo READY; sleep 1000
    deadline = time.monotonic() + 90
    while b'READY' not in Path(serial.name).read_bytes():
        assert time.monotonic() < deadline, Path(serial.name).read_bytes()[-500:]
        time.sleep(0.05)
    return q


def dump(q, folder, name, **arguments):
    path = os.path.join(folder, name)
    q.command('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False, **arguments})
    result = q.wait_event('DUMP_COMPLETED')['data']
    assert result['result']['status'] == 'completed' and 'error' not in result, result
    assert result['result']['completed'] == result['result']['total'] >= MEMORY, result
    return path


def check_registers(q, notes):
    """Both notes of each CPU agree with the monitor."""
    found = list(note_list(notes))
    assert [(n, k) for n, k, _ in found] == [('CORE', 1), ('QEMU', 0)] * 2, found
    for index in range(2):
        text = q.command('human-monitor-command', {'command-line': 'info registers', 'cpu-index': index})
        rip = int(re.search(r'RIP=([0-9a-f]+)', text).group(1), 16)
        rsp = int(re.search(r'RSP=([0-9a-f]+)', text).group(1), 16)
        cr3 = int(re.search(r'CR3=([0-9a-f]+)', text).group(1), 16)
        status, state = found[2 * index][2], found[2 * index + 1][2]
        assert struct.unpack_from('<Q', status, 112 + 16 * 8)[0] == rip
        assert struct.unpack_from('<Q', status, 112 + 19 * 8)[0] == rsp
        assert struct.unpack_from('<II', state) == (1, len(state))
        assert struct.unpack_from('<Q', state, 8 + 16 * 8)[0] == rip
        assert struct.unpack_from('<Q', state, 8 + 18 * 8 + 10 * 24 + 3 * 8)[0] == cr3


def test_elf(q, folder):
    path = dump(q, folder, 'elf')
    notes, loads = elf_segments(path)
    check_registers(q, notes)
    assert sum(size for _, _, _, size in loads) >= MEMORY
    with open(path, 'rb') as f:
        for _, paddr, offset, size in loads:
            f.seek(offset)
            assert f.read(size) == physical(q, folder, paddr, size), hex(paddr)


def test_range(q, folder):
    path = os.path.join(folder, 'range')
    q.command('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False, 'begin': 0x9f000, 'length': 0x102000})
    _, loads = elf_segments(path)
    q.wait_event('DUMP_COMPLETED')
    assert min(p for _, p, _, _ in loads) == 0x9f000 and max(p + s for _, p, _, s in loads) == 0x1a1000, loads


def test_kdump(q, folder):
    flat = dump(q, folder, 'kdump', format='kdump-zlib')
    plain = os.path.join(folder, 'unflattened')
    unflatten(flat, plain)
    raw = dump(q, folder, 'kdump-raw', format='kdump-raw-zlib')
    assert Path(plain).read_bytes() == Path(raw).read_bytes()
    assert os.path.getsize(raw) < MEMORY // 2
    k = Kdump(raw)
    check_registers(q, k.notes)
    assert k.cpus == 2
    memory = physical(q, folder, 0, LOW) + bytes(0x60000) + physical(q, folder, 0x100000, MEMORY - 0x100000)
    for pfn in k.pfns:
        if pfn < LOW // PAGE or 0x100 <= pfn < MEMORY // PAGE:
            assert k.page(pfn) == memory[pfn * PAGE:(pfn + 1) * PAGE], hex(pfn)
    assert set(range(LOW // PAGE)) | set(range(0x100, MEMORY // PAGE)) <= set(k.pfns)


def test_paging(q, folder):
    """Linux' text is found at its virtual address, by gdb too."""
    path = dump(q, folder, 'paging', paging=True)
    _, loads = elf_segments(path)
    text = [(v, o, s) for v, _, o, s in loads if v >= 0xffffffff80000000 and s >= 1 << 20]
    assert text, loads[:10]
    with open(path, 'rb') as f:
        for vaddr, offset, size in text[:3]:
            f.seek(offset)
            want = f.read(min(size, 1 << 20))
            piece = os.path.join(folder, 'virtual')
            q.command('memsave', {'val': vaddr - (1 << 64) if vaddr >> 63 else vaddr, 'size': len(want), 'filename': piece})
            assert Path(piece).read_bytes() == want
        f.seek(0)
        whole = f.read()
    vaddr = next(v + whole.index(b'Linux version 6', o) - o for v, o, s in text if b'Linux version 6' in whole[o:o + s])
    if shutil.which('gdb'):
        out = subprocess.run(['gdb', '-nx', '-batch', '-c', path, '-ex', f'x/s {vaddr}', '-ex', 'info threads'],
                             capture_output=True, text=True, timeout=60, check=False).stdout
        assert '"Linux version 6' in out and len(re.findall(r'^.\s+[12] ', out, re.M)) == 2, out


def test_detached(q, folder):
    """The monitor answers meanwhile; nothing else may start or run the machine."""
    q.command('cont')
    path = os.path.join(folder, 'detached')
    q.command('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False, 'detach': True, 'format': 'kdump-zlib'})
    if q.command('query-dump')['status'] == 'active':
        assert q.command('query-status') == {'running': False, 'status': 'save-vm'}
        assert 'dump in process' in q.error('cont')[1]
        assert 'dump in process' in q.error('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False})[1]
    result = q.wait_event('DUMP_COMPLETED')['data']['result']
    assert q.command('query-dump') == result and result['status'] == 'completed'
    assert q.command('query-status')['running'] is True
    unflatten(path, os.path.join(folder, 'detached-plain'))
    q.command('stop')


def test_wrong_arguments(q, folder):
    path = os.path.join(folder, 'wrong')
    for more, message in [({'protocol': 'tcp:x'}, "must begin with 'file:' or 'fd:', got 'tcp:x'"),
                          ({'protocol': 'fd:nosuch'}, 'nosuch'),
                          ({'protocol': 'file:/nonexistent/x'}, "cannot open '/nonexistent/x': No such file"),
                          ({'begin': 0}, "'length' is missing"),
                          ({'begin': -1, 'length': 1}, 'got -1 and 1'),
                          ({'begin': 1 << 40, 'length': 4096}, 'no memory in 0x10000000000'),
                          ({'paging': True, 'format': 'kdump-zlib'}, 'take neither paging nor a range')]:
        error = q.error('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False, **more})[1]
        assert message in error, error
    assert not os.path.exists(path) and q.command('query-dump')['status'] == 'failed'
    assert 'Invalid CPU index 7' in q.error('memsave', {'val': 0, 'size': 1, 'filename': path, 'cpu-index': 7})[1]
    assert 'invalid virtual address' in q.error('memsave', {'val': 1 << 46, 'size': 1, 'filename': path})[1]
    assert 'Error: expected ADDRESS SIZE FILE' in q.hmp('pmemsave 0 1')
    assert q.hmp(f'pmemsave 0x100 16 {path}') == '' and os.path.getsize(path) == 16
    assert q.hmp(f'dump-guest-memory -z -R {path}') == ''
    assert Kdump(path).cpus == 2


def test_unplugged_memory_is_left_out(q, folder):
    """An empty virtio-mem device of a gigabyte is neither dumped nor brought into memory."""
    with quern.Quern('-machine', 'q35', '-m', '64,maxmem=4G', '-S', '-object', 'memory-backend-ram,id=vm0,size=1G',
                     '-device', 'virtio-mem-pci,id=m0,memdev=vm0') as empty:
        path = os.path.join(folder, 'unplugged')
        empty.command('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False})
        assert os.path.getsize(path) < 200 << 20, os.path.getsize(path)
        assert max(p + s for _, p, _, s in elf_segments(path)[1]) <= 1 << 32


def test_pipe_and_full_disk(q, folder):
    path = os.path.join(folder, 'fifo')
    os.mkfifo(path)
    with subprocess.Popen(['sh', '-c', f'cat "{path}" > "{path}.out"']) as reader:
        q.command('dump-guest-memory', {'protocol': 'file:' + path, 'paging': False})
        assert reader.wait(timeout=60) == 0
    q.wait_event('DUMP_COMPLETED')
    assert os.path.getsize(path + '.out') >= MEMORY
    elf_segments(path + '.out')
    assert 'No space left' in q.error('dump-guest-memory', {'protocol': 'file:/dev/full', 'paging': False})[1]
    assert q.wait_event('DUMP_COMPLETED')['data']['result']['status'] == 'failed'
    assert q.command('query-dump')['status'] == 'failed'


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    tests = [test_elf, test_range, test_kdump, test_paging, test_detached, test_pipe_and_full_disk, test_unplugged_memory_is_left_out,
             test_wrong_arguments]
    tap = g.Tap()
    if not g.have_guest(guest):
        for test in tests:
            tap.skip(test.__name__, f'no guest in {guest} (scripts/make-guest)')
        tap.done()
        return
    with booted(emulator, guest) as q, tempfile.TemporaryDirectory(prefix='quern-dump-') as folder:
        q.command('stop')
        for test in tests:
            try:
                test(q, folder)
                tap.result(True, test.__name__)
            except (AssertionError, KeyError, OSError, struct.error, subprocess.SubprocessError) as e:
                tap.result(False, test.__name__, f'# line {e.__traceback__.tb_next.tb_lineno}: {str(e)[:400]!r}')
    tap.done()


main()
