#!/usr/bin/env python3
"""A domain's life through a private libvirt daemon: probe, define, start, suspend, resume, plug, unplug, reset, destroy.

usage: libvirt.py QUERN GUEST-DIR      (as root: the daemon gets a mount namespace of its own)

Needs libvirtd or virtqemud, and virsh; skips where they are missing.  Not part of `make check`.  A host whose /dev/kvm can be
used makes libvirt probe an emulator without KVM again at every step: --hide-kvm runs it where there is none.
"""
import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
from guest import Tap, have_guest   # noqa: E402

SCRIPT = 'n=0; while :; do n=$((n+1)); echo "BEAT $n disks=$(ls /sys/block | tr "\\n" ,) ."; sleep 0.5; done'
CONF = {'qemu.conf': 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\ncgroup_controllers = [ ]\nnamespaces = [ ]\n'
                     'stdio_handler = "file"\ndynamic_ownership = 0\nremember_owner = 0\n'}
DOMAIN = '''<domain type='qemu'><name>quern</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{guest}/vmlinuz</kernel><initrd>{guest}/initrd.img</initrd>
<cmdline>console=ttyS0 quern.sh={script}</cmdline></os><features><acpi/></features>
<devices><emulator>{emulator}</emulator><controller type='usb' model='none'/>
<controller type='pci' model='pcie-root'/><controller type='pci' index='6' model='pcie-root-port'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{work}/a'/><target dev='vda' bus='virtio'/></disk>
<serial type='file'><source path='{work}/serial'/></serial><memballoon model='virtio'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng></devices></domain>'''
DISK = '''<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{work}/b'/>
<target dev='vdb' bus='virtio'/></disk>'''


def until(seconds, what):
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Libvirt:
    def __init__(self, work):
        self.work = work
        self.daemon = shutil.which('virtqemud') or shutil.which('libvirtd')
        name = os.path.basename(self.daemon)
        self.socket = work / 'run' / ('libvirt-sock' if name == 'libvirtd' else 'virtqemud-sock')
        for folder in 'etc', 'run', 'lib', 'cache', 'log', 'home':
            (work / folder).mkdir()
        for file, text in {**CONF, name + '.conf': f'unix_sock_dir = "{work}/run"\nauth_unix_rw = "none"\n'
                           f'log_outputs = "2:file:{work}/daemon.log"\n'}.items():
            (work / 'etc' / file).write_text(text)
        for folder, place in ('etc', '/etc/libvirt'), ('run', '/run/libvirt'), ('lib', '/var/lib/libvirt'), \
                ('cache', '/var/cache/libvirt'), ('log', '/var/log/libvirt'):
            os.makedirs(place, exist_ok=True)
            subprocess.run(['mount', '--bind', work / folder, place], check=True)
        self.process = subprocess.Popen([self.daemon, '-p', work / 'pid'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.STDOUT)

    def virsh(self, *args, timeout=120):
        """(did it work, what it said)"""
        try:
            done = subprocess.run(['virsh', '-q', '-c', f'qemu+unix:///system?socket={self.socket}', *map(str, args)],
                                  capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return False, f'no answer in {timeout} s'
        return done.returncode == 0, done.stdout + done.stderr

    def close(self):
        self.virsh('destroy', 'quern', timeout=20)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run_steps(tap, lv, quern, guest, work):
    serial = work / 'serial'

    def check(name, ok, why=''):
        tap.result(ok, name, '# ' + why.strip().replace('\n', '\n# '))
        return ok

    def step(name, *args):
        ok, text = lv.virsh(*args)
        return check(name, ok, text)

    def beat():
        lines = [x for x in serial.read_text(errors='replace').splitlines() if x.startswith('BEAT ') and x.endswith(' .')]
        return (int(lines[-1].split()[1]), lines[-1]) if lines else (0, '')

    def state(want):
        return lv.virsh('domstate', 'quern')[1].strip() == want

    fill = {'guest': guest, 'script': base64.b64encode(SCRIPT.encode()).decode(), 'emulator': quern, 'work': work}
    (work / 'domain.xml').write_text(DOMAIN.format(**fill))
    (work / 'disk.xml').write_text(DISK.format(**fill))
    for disk in 'ab':
        (work / disk).write_bytes(bytes(1 << 20))
    check('the daemon comes up', until(30, lambda: lv.virsh('uri')[0]))
    step('domcapabilities', 'domcapabilities', '--virttype', 'qemu', '--emulatorbin', quern, '--machine', 'q35')
    step('define', 'define', work / 'domain.xml')
    before = time.monotonic()
    if not step('start', 'start', 'quern'):
        return
    print(f'# started in {time.monotonic() - before:.2f} s')
    if not check('the guest boots', until(120, lambda: beat()[0] > 1), serial.read_text(errors='replace')[-500:]):
        return
    step('suspend', 'suspend', 'quern')
    stands = beat()[0]
    time.sleep(1.5)
    check('it stands still', state('paused') and beat()[0] <= stands + 1)
    step('resume', 'resume', 'quern')
    check('it goes on', until(20, lambda: beat()[0] > stands + 1))
    step('attach a disk', 'attach-device', 'quern', work / 'disk.xml', '--live')
    check('the guest sees it', until(30, lambda: 'vdb,' in beat()[1]))
    step('detach it', 'detach-device', 'quern', work / 'disk.xml', '--live')
    check('it is gone', until(30, lambda: 'vdb' not in lv.virsh('domblklist', 'quern')[1] and 'vdb,' not in beat()[1]))
    step('block statistics', 'domblkstat', 'quern', 'vda')
    step('memory statistics', 'dommemstat', 'quern')
    step('a monitor command', 'qemu-monitor-command', 'quern', '{"execute":"query-status"}')
    serial.write_text('')
    step('reset', 'reset', 'quern')
    check('it boots again', until(120, lambda: 'Linux version' in serial.read_text(errors='replace') and beat()[0] > 1))
    step('destroy', 'destroy', 'quern')
    check('it is off', state('shut off'))
    step('undefine', 'undefine', 'quern')


def hide_kvm(work):
    """A /dev with what a machine needs, and no kvm."""
    dev = work / 'dev'
    dev.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', dev], check=True)
    for name in 'null', 'zero', 'full', 'random', 'urandom', 'tty':
        (dev / name).touch()
        subprocess.run(['mount', '--bind', f'/dev/{name}', dev / name], check=True)
    for name in 'pts', 'shm':
        (dev / name).mkdir()
        subprocess.run(['mount', '--bind', f'/dev/{name}', dev / name], check=True)
    (dev / 'ptmx').symlink_to('pts/ptmx')
    for name, target in ('fd', '/proc/self/fd'), ('stdin', 'fd/0'), ('stdout', 'fd/1'), ('stderr', 'fd/2'):
        (dev / name).symlink_to(target)
    subprocess.run(['mount', '--move', dev, '/dev'], check=True)


def main():
    hide = '--hide-kvm' in sys.argv
    quern, guest = (Path(a).resolve() for a in sys.argv[1:] if not a.startswith('--'))
    if 'QUERN_LIBVIRT_NS' not in os.environ and os.geteuid() == 0:
        os.environ['QUERN_LIBVIRT_NS'] = '1'
        os.execvp('unshare', ['unshare', '-m', '--propagation', 'private', sys.executable, *sys.argv])
    tap = Tap()
    missing = ('not root' if os.geteuid() else 'no virsh' if not shutil.which('virsh')
               else 'no libvirt daemon' if not (shutil.which('virtqemud') or shutil.which('libvirtd'))
               else '' if have_guest(guest) else f'no guest in {guest} (scripts/make-guest)')
    if missing:
        tap.skip('libvirt', missing)
        tap.done()
        return 0
    with tempfile.TemporaryDirectory(prefix='quern-libvirt-', ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        if hide:
            hide_kvm(work)
        lv = Libvirt(work)
        try:
            run_steps(tap, lv, quern, guest, work)
        finally:
            lv.close()
    tap.done()
    return 0


sys.exit(main())
