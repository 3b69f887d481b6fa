#!/usr/bin/env python3
"""Suspend to RAM with a real kernel: sleep, be woken by the monitor, the power button and the clock, and go on.
And with SeaBIOS: a boot sector sleeps and comes back at its waking vector.

usage: test-suspend.py QUERN GUEST CC
"""
import subprocess
import sys
import tempfile
from pathlib import Path

from guest import Tap, command, have_guest
from qmp import Qmp

SEABIOS = Path('/usr/share/seabios/bios-256k.bin')

# Three sleeps; the last is ended by the clock.  Memory, the disk and both CPUs must work after each.
SCRIPT = '''
echo 0 > /sys/power/pm_async
dd if=/dev/urandom of=/tmp/kept bs=64k count=16 2>/dev/null
sum=$(md5sum < /tmp/kept)
for round in 1 2 3; do
  [ $round = 3 ] && { echo 0 > /sys/class/rtc/rtc0/wakealarm; echo +4 > /sys/class/rtc/rtc0/wakealarm; }
  echo SLEEPS $round
  echo mem > /sys/power/state || exit 1
  [ "$(md5sum < /tmp/kept)" = "$sum" ] || exit 2
  echo $round > /tmp/n; dd if=/tmp/n of=/dev/vda conv=sync seek=$round 2>/dev/null || exit 3
  sync; echo 3 > /proc/sys/vm/drop_caches
  [ "$(dd if=/dev/vda skip=$round count=1 2>/dev/null | head -n 1)" = $round ] || exit 4
  [ $(nproc) = 2 ] || exit 5
  echo AWAKE $round
done
'''


def read_until(pipe, text):
    seen = ''
    for raw in pipe:
        seen += raw.decode(errors='replace')
        if text in seen or 'QUERN-SCRIPT-STATUS' in seen:
            break
    return seen


def sleeps_and_wakes(tap, p, q, name):
    def check(ok, what, why):
        tap.result(ok, f'{name}: {what}', f'# {why}')

    q.wait_event('SUSPEND')
    status = q.ask('query-status')
    check(status == {'running': False, 'status': 'suspended'}, 'sleeps', status)
    q.ask('stop')
    stopped = q.ask('query-status')['status']
    refused = q.ask('system_wakeup')
    q.ask('cont')
    check((stopped, q.ask('query-status')['status']) == ('paused', 'suspended') and 'error' in refused,
          'stopped and continued, it still sleeps', f'{stopped} {refused}')
    q.ask('system_wakeup')
    q.wait_event('WAKEUP')
    out = read_until(p.stdout, 'AWAKE 1')
    check('AWAKE 1' in out, 'woken by the monitor', out[-1500:])
    q.wait_event('SUSPEND')
    q.ask('system_powerdown')
    q.wait_event('WAKEUP')
    out = read_until(p.stdout, 'AWAKE 2')
    check('AWAKE 2' in out, 'woken by the power button', out[-1500:])
    q.wait_event('SUSPEND')
    q.wait_event('WAKEUP')
    out = read_until(p.stdout, 'QUERN-SCRIPT-STATUS')
    check('AWAKE 3' in out and 'QUERN-SCRIPT-STATUS 0' in out, 'woken by the clock', out[-1500:])
    check(p.wait(timeout=30) == 0, 'powers off', 'status')


def run_case(tap, name, argv, sock):
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            q = Qmp(sock)
            sleeps_and_wakes(tap, p, q, name)
        except (OSError, EOFError) as e:
            tap.result(False, f'{name}: {e}')
        finally:
            p.kill()


def assemble(cc, folder):
    elf, image = f'{folder}/sector.elf', f'{folder}/sector.img'
    subprocess.run([cc, '-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none,-Ttext=0x7c00,-e,_start,-N', '-o', elf,
                    str(Path(__file__).parent / 'suspend-sector.S')], check=True, capture_output=True)
    subprocess.run(['objcopy', '-O', 'binary', '-j', '.text', elf, image], check=True)
    with open(image, 'r+b') as f:
        f.truncate(1 << 20)
    return image


def firmware_case(tap, quern, cc, machine):
    name = f'SeaBIOS on {machine}: resumes at the waking vector'
    if not SEABIOS.exists():
        tap.skip(name, f'no {SEABIOS} (package seabios)')
        return
    with tempfile.TemporaryDirectory() as d:
        argv = [quern, '-machine', machine, '-m', '128', '-bios', str(SEABIOS), '-display', 'none', '-nodefaults', '-no-reboot', '-S',
                '-drive', f'file={assemble(cc, d)},format=raw,if=virtio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
                '-qmp', f'unix:{d}/qmp,server=on,wait=off']
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            try:
                q = Qmp(f'{d}/qmp')
                q.ask('cont')           # SeaBIOS can be asleep before a client is there
                q.wait_event('SUSPEND')
                q.ask('system_wakeup')
                status = p.wait(timeout=60)
            except (OSError, EOFError, subprocess.TimeoutExpired) as e:
                status = e
            finally:
                p.kill()
            tap.result(status == 0x10 << 1 | 1, name, f'# status {status}')


def main():
    quern, guest, cc = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    tap = Tap()
    for machine in 'q35', 'pc':
        firmware_case(tap, quern, cc, machine)
    for machine in 'q35', 'pc':
        if not have_guest(guest):
            tap.skip(machine, f'no guest in {guest} (scripts/make-guest)')
            continue
        with tempfile.TemporaryDirectory() as d:
            Path(f'{d}/disk').write_bytes(bytes(1 << 20))
            argv = command(quern, guest, SCRIPT, machine=machine, smp='2', append='no_console_suspend',
                           extra=('-drive', f'file={d}/disk,format=raw,if=virtio', '-nodefaults',
                                  '-qmp', f'unix:{d}/qmp,server=on,wait=off'))
            run_case(tap, machine, argv, f'{d}/qmp')
    tap.done()


main()
