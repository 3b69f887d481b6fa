"""Small C programs for the test guest: compiled here, added to its initramfs, run by its script."""
import gzip
import shutil
import subprocess
from pathlib import Path


def compiler():
    return shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')


def build(sources, out, *flags):
    """A static program of one source or a list; None if this host cannot make one (no compiler, no static libc for these flags)."""
    cc = compiler()
    if not cc:
        return None
    sources = sources if isinstance(sources, list) else [sources]
    done = subprocess.run([cc, '-static', '-o', str(out), *flags, *map(str, sources), '-lm'], capture_output=True)
    return Path(out) if done.returncode == 0 else None


def cpio_entry(name, data, mode):
    """One member of a "newc" archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    def pad(b):
        return b + bytes(-len(b) % 4)
    path = name.encode() + b'\0'
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    return pad(b'070701' + b''.join(b'%08x' % f for f in fields) + path) + pad(data)


def initrd_with(guest, programs, out, level=6):
    """The guest folder's initramfs with @programs in its root, compressed by @level, as the file @out."""
    archive = b''.join(cpio_entry(p.name, p.read_bytes(), 0o100755) for p in programs)
    archive += cpio_entry('TRAILER!!!', b'', 0)
    Path(out).write_bytes((Path(guest) / 'initrd.img').read_bytes() + gzip.compress(archive, level))
    return Path(out)
