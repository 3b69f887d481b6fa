#!/usr/bin/env python3
"""Interrupt controllers, ours and those of the host's kernel: irq-kernel.c in each place, and SeaBIOS.

usage: test-irqchip.py QUERN CC

Some hosts' KVM ends interrupts as it delivers them, which Quern says when it is asked for them: the two checks that see it
may fail there, and only there.
"""
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

HERE = Path(__file__).parent
SEABIOS = Path('/usr/share/seabios/bios-256k.bin')
TIMEOUT_S = 60
FINISHED = 0x10 << 1 | 1
CFLAGS = ['-m32', '-O1', '-ffreestanding', '-fno-pie', '-no-pie', '-mgeneral-regs-only', '-fno-stack-protector', '-fcf-protection=none',
          '-fno-asynchronous-unwind-tables', '-nostdlib', '-static', '-Wl,-Ttext=0x101000', '-Wl,--build-id=none']
QUIRK = 'ends an interrupt as it delivers it'
QUIRKY_CHECKS = {'in service until its end', 'and not once more'}
CHECKS = ['PIT by 8259', 'local APIC timer', 'IPI to itself', 'in service until its end', 'level interrupt comes again after its end',
          'and not once more', 'PIT by IOAPIC', 'MSI-X of a device']
# mov dx, 0xf4; mov al, 0x10; out dx, al; hlt; jmp $-1: leaves through isa-debug-exit
EXIT_SECTOR = bytes([0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4, 0xeb, 0xfd]).ljust(510, b'\0') + b'\x55\xaa'
TYPES = {'off': {'apic', 'isa-i8259', 'ioapic', 'isa-pit'}, 'split': {'kvm-apic', 'isa-i8259', 'ioapic', 'isa-pit'},
         'on': {'kvm-apic', 'kvm-i8259', 'kvm-ioapic', 'kvm-pit'}}


class Skip(Exception):
    pass


def kernel(folder):
    path = os.path.join(folder, 'irq.elf')
    r = subprocess.run([sys.argv[2], *CFLAGS, '-o', path, HERE / 'irq-kernel.c'], capture_output=True, check=False)
    if r.returncode:
        raise Skip('the compiler makes no 32-bit kernel')
    return path


def read(path):
    return Path(path).read_text(encoding='ascii', errors='replace') if os.path.exists(path) else ''


def wait_for(what):
    deadline = time.monotonic() + TIMEOUT_S
    while not what():
        assert time.monotonic() < deadline, 'it did not come'
        time.sleep(0.05)


def run_kernel(folder, accel, machine, cpus, look=lambda q: None):
    log = os.path.join(folder, 'log')
    with quern.Quern('-machine', machine, '-accel', accel, '-smp', str(cpus), '-m', '32', '-kernel', kernel(folder), '-serial', 'null',
                     '-debugcon', f'file:{log}', '-device', 'virtio-rng-pci,addr=5', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4') as q:
        wait_for(lambda: 'nmi please' in read(log))
        look(q)
        q.socket.sendall(b'{"execute": "inject-nmi"}')
        status = q.process.wait(TIMEOUT_S)
        words = q.last_words()
    lines = read(log).splitlines()
    failed = {line.removeprefix('FAILED ') for line in lines if line.startswith('FAILED ')}
    if QUIRK in words:
        failed -= QUIRKY_CHECKS
    else:
        assert status == 1, (status, lines)
    assert not failed, lines
    wanted = CHECKS + (['another CPU starts', 'IPI from it'] if cpus > 1 else []) + ['NMI']
    seen = [line.split(' ', 1)[1] for line in lines if line.startswith(('ok ', 'FAILED '))]
    assert seen == wanted, lines


def types_are(q, mode):
    tree = q.hmp('info qom-tree')
    seen = {t for t in set().union(*TYPES.values()) if re.search(rf'\({t}\)', tree)}
    assert seen == TYPES[mode], (seen, mode)
    lapic, pic = q.hmp('info lapic'), q.hmp('info pic')
    assert re.search(r'SPIV\s+0x000001ff APIC enabled', lapic) and re.search(r'LVT1\s+0x00000400', lapic), lapic
    assert re.search(r'pin 2 +0x\w+ dest=0 vec=66 ', pic) and re.search(r'pin 4 +0x\w+ dest=0 vec=67 .*level', pic), pic
    assert re.search(r'pic0: irr=\w\w imr=ff .*irq_base=20', pic), pic


def modes(folder, mode, machine, cpus):
    run_kernel(folder, f'kvm,assist=insn,kernel-irqchip={mode}', machine, cpus, lambda q: types_are(q, mode))


def test_translator(folder):
    run_kernel(folder, 'tcg', 'pc', 2, lambda q: types_are(q, 'off'))


def test_kvm_by_default(folder):
    run_kernel(folder, 'kvm', 'q35', 2)


def test_off_2_cpus(folder):
    modes(folder, 'off', 'q35', 2)


def test_split(folder):
    modes(folder, 'split', 'q35', 1)


def test_split_2_cpus(folder):
    modes(folder, 'split', 'pc', 2)


def test_on(folder):
    modes(folder, 'on', 'pc', 1)


def test_on_2_cpus(folder):
    modes(folder, 'on', 'q35', 2)


def boot_disk(folder, mode, cpus):
    disk, log = os.path.join(folder, 'disk.img'), os.path.join(folder, 'debug.log')
    Path(disk).write_bytes(EXIT_SECTOR.ljust(1 << 20, b'\0'))
    with quern.Quern('-machine', f'q35,kernel-irqchip={mode}', '-accel', 'kvm', '-smp', str(cpus), '-cpu', 'host',
                     '-drive', f'file={disk},format=raw,if=virtio', '-chardev', f'file,id=d,path={log}',
                     '-device', 'isa-debugcon,iobase=0x402,chardev=d', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4') as q:
        assert q.process.wait(TIMEOUT_S) == FINISHED
    assert f'Found {cpus} cpu(s)' in read(log)


def test_firmware_on(folder):
    boot_disk(folder, 'on', 1)


def test_firmware_on_2_cpus(folder):
    boot_disk(folder, 'on', 2)


def test_firmware_split(folder):
    boot_disk(folder, 'split', 1)


def test_firmware_split_2_cpus(folder):
    boot_disk(folder, 'split', 2)


def stop_reset_and_plug(folder, mode):
    """The kernel waits for its NMI with the timer going: it stands still, starts anew, and sees a CPU come."""
    log = os.path.join(folder, 'log')
    with quern.Quern('-machine', 'q35', '-accel', f'kvm,assist=insn,kernel-irqchip={mode}', '-smp', '1,maxcpus=2', '-m', '32',
                     '-kernel', kernel(folder), '-serial', 'null', '-debugcon', f'file:{log}', '-device', 'virtio-rng-pci,addr=5') as q:
        def irqs():
            m = re.search(r'statistics for \S*ioapic:\n(?:.*\n)*? *2: (\d+)', q.hmp('info irq'))
            return int(m[1]) if m else 0
        wait_for(lambda: read(log).count('nmi please') == 1)
        q.command('stop')
        pic = q.hmp('info pic')
        time.sleep(0.2)
        assert q.hmp('info pic') == pic
        q.command('cont')
        q.command('device_add', {'driver': 'qemu64-x86_64-cpu', 'socket-id': 0, 'core-id': 1, 'thread-id': 0, 'id': 'cpu1'})
        assert len(q.command('query-cpus-fast')) == 2
        assert 'HLT=1' in q.command('human-monitor-command', {'command-line': 'info registers', 'cpu-index': 1})
        q.command('system_reset')
        q.wait_event('RESET')
        wait_for(lambda: read(log).count('nmi please') == 2)
        assert read(log).count('ok another CPU starts') == 1, read(log)
        if mode == 'off':
            assert irqs() > 0


def test_stop_reset_and_plug_split(folder):
    stop_reset_and_plug(folder, 'split')


def test_stop_reset_and_plug_on(folder):
    stop_reset_and_plug(folder, 'on')


def test_ioeventfd(folder):
    """A kick of the legacy interface (irq-kernel.c) signals an eventfd, while the machine runs and it is wanted."""
    for wanted in ('on', 'off'):
        log = os.path.join(folder, f'log-{wanted}')
        with quern.Quern('-machine', 'pc', '-accel', 'kvm,assist=insn', '-m', '32', '-kernel', kernel(folder), '-serial', 'null',
                         '-debugcon', f'file:{log}', '-device', f'virtio-rng-pci,addr=5,ioeventfd={wanted}') as q:
            def n():
                return int(re.search(r'^ioeventfds (\d+)', q.hmp('info kvm'), re.M)[1])
            wait_for(lambda: 'nmi please' in read(log))
            assert 'ok MSI-X of a device' in read(log), read(log)
            assert n() == (wanted == 'on')
            q.command('stop')
            assert n() == 0
            q.command('cont')
            assert n() == (wanted == 'on')
            q.command('system_reset')
            q.wait_event('RESET')
            wait_for(lambda: read(log).count('ok MSI-X of a device') == 2)


def test_coalesced_writes(folder):
    """400 cells of text are collected by the kernel, and a read after them (irq-kernel.c) and a picture come behind them."""
    log, picture = os.path.join(folder, 'log'), os.path.join(folder, 'picture.ppm')
    with quern.Quern('-machine', 'pc', '-accel', 'kvm,assist=insn', '-m', '32', '-kernel', kernel(folder), '-serial', 'null',
                     '-debugcon', f'file:{log}', '-device', 'virtio-rng-pci,addr=5', '-vga', 'std') as q:
        wait_for(lambda: 'nmi please' in read(log))
        assert 'ok VGA text' in read(log), read(log)
        writes = int(re.search(r'^coalesced writes (\d+)', q.hmp('info kvm'), re.M)[1])
        assert writes >= 300, writes
        q.command('screendump', {'filename': picture})
        assert os.path.getsize(picture) > 1000


def dirty_rates(folder, accel, n):
    log = os.path.join(folder, 'log')
    rates = []
    with quern.Quern('-machine', 'pc', '-accel', accel, '-m', '32', '-kernel', kernel(folder), '-serial', 'null',
                     '-debugcon', f'file:{log}', '-device', 'virtio-rng-pci,addr=5') as q:
        wait_for(lambda: 'nmi please' in read(log))
        for _ in range(n):
            q.command('calc-dirty-rate', {'calc-time': 1, 'mode': 'dirty-bitmap'})
            wait_for(lambda: q.command('query-dirty-rate')['status'] == 'measured')
            rates.append(q.command('query-dirty-rate')['dirty-rate'])
    return rates


def test_dirty_log_translator(folder):
    """The kernel writes to 2048 pages again and again, without ever flushing a TLB: 8 MiB in a second, each time."""
    rates = dirty_rates(folder, 'tcg', 3)
    assert all(1 <= r <= 9 for r in rates), rates


def test_dirty_log(folder):
    rates = dirty_rates(folder, 'kvm,assist=insn', 2)
    assert all(1 <= r <= 9 for r in rates), rates


def test_wrong_mode(folder):
    status, _, err = quern.run('-machine', 'none', '-accel', 'kvm,kernel-irqchip=sometimes', '-display', 'none')
    assert (status, err.count('\n')) == (1, 1) and 'kernel-irqchip' in err and 'sometimes' in err, err
    status, _, err = quern.run('-machine', 'pc,kernel-irqchip=sometimes', '-accel', 'kvm', '-display', 'none')
    assert (status, err.count('\n')) == (1, 1) and 'kernel-irqchip' in err and 'sometimes' in err, err


TESTS = [test_translator, test_kvm_by_default, test_off_2_cpus, test_split, test_split_2_cpus, test_on, test_on_2_cpus, test_firmware_on,
         test_firmware_on_2_cpus, test_firmware_split, test_firmware_split_2_cpus, test_stop_reset_and_plug_split,
         test_stop_reset_and_plug_on, test_ioeventfd, test_coalesced_writes,
         test_dirty_log_translator, test_dirty_log,
         test_wrong_mode]


def main():
    quern.BINARY = sys.argv[1]
    tap = g.Tap()
    for test in TESTS:
        if test not in (test_translator, test_dirty_log_translator) and not os.access('/dev/kvm', os.R_OK | os.W_OK):
            tap.skip(test.__name__, 'no usable /dev/kvm')
        elif 'firmware' in test.__name__ and not SEABIOS.exists():
            tap.skip(test.__name__, f'no {SEABIOS} (package seabios)')
        else:
            with tempfile.TemporaryDirectory(prefix='quern-irqchip-') as folder:
                tap.attempt(test, folder, skips=Skip)
    tap.done()


main()
