#!/usr/bin/env python3
"""qemu-xhci, a tablet, a keyboard and a mouse with Debian's kernel: found, heard, plugged and unplugged.

usage: test-usb.py QUERN GUEST
"""
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402
from session import Session   # noqa: E402

# An event is 24 bytes: two words of time, then type, code and value.  Told without the time, after all have come.
SCRIPT = r'''
soon() { n=0; until eval "$1"; do sleep 0.1; n=$((n+1)); [ $n -lt 300 ] || return 1; done; }
of() { grep -A5 "QEMU USB $1" /proc/bus/input/devices | sed -n 's/.*event\([0-9]*\).*/event\1/p' | head -1; }
soon '[ -n "$(of Tablet)" ] && [ -n "$(of Keyboard)" ] && [ -n "$(of Mouse)" ]' || exit 1
for d in Tablet Keyboard Mouse; do cat /dev/input/$(of $d) > /tmp/$d & done
sleep 1; echo LISTENING
sleep 4; kill %1 %2 %3
for d in Tablet Keyboard Mouse; do hexdump -v -e '24/1 "%02x" "\n"' /tmp/$d | cut -c33- | sed "s/^/$d /"; done
echo UNPLUG
soon '[ -z "$(of Mouse)" ]' && echo UNPLUGGED
soon '[ -n "$(of Mouse)" ]' && echo PLUGGED
dmesg | grep -i 'xhci.*\(error\|warn\|died\|halt\)\|usb.*\(error\|unable\)'
[ $? = 1 ]
'''


def event(kind, code, value):
    return (kind.to_bytes(2, 'little') + code.to_bytes(2, 'little') + (value & 0xffffffff).to_bytes(4, 'little')).hex()


KEY, REL, ABS = 1, 2, 3
EXPECTED = {     # device, then what it must have told, in this order
    'Tablet': [event(ABS, 0, 1234), event(ABS, 1, 5678)],
    'Keyboard': [event(KEY, 42, 1), event(KEY, 30, 1), event(KEY, 30, 0), event(KEY, 42, 0)],
    'Mouse': [event(KEY, 0x110, 1), event(KEY, 0x110, 0), event(REL, 0, 127), event(REL, 0, 127), event(REL, 0, 46)],
}


def move(s):
    s.ask('send-key', keys=[{'type': 'qcode', 'data': 'shift'}, {'type': 'qcode', 'data': 'a'}])
    s.ask('input-send-event', events=[{'type': 'abs', 'data': {'axis': 'x', 'value': 1234}},
                                      {'type': 'abs', 'data': {'axis': 'y', 'value': 5678}}])
    for down in True, False:
        s.ask('input-send-event', events=[{'type': 'btn', 'data': {'button': 'left', 'down': down}}])
    s.ask('input-send-event', events=[{'type': 'rel', 'data': {'axis': 'x', 'value': 300}}])


def in_order(lines, wanted):
    rest = iter(lines)
    return all(w in rest for w in wanted)


def main():
    quern, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    if not (guest / 'vmlinuz-pc').exists():
        tap.skip('USB', f'no guest in {guest} (scripts/make-guest)')
        tap.done()
        return
    with tempfile.TemporaryDirectory() as d:
        argv = g.with_pc_kernel(g.command(quern, guest, SCRIPT, extra=(
            '-device', 'qemu-xhci,id=usb', '-device', 'usb-tablet', '-device', 'usb-kbd', '-device', 'usb-mouse,id=mouse',
            '-qmp', f'unix:{d}/qmp,server=on,wait=off')))
        s = Session(argv, f'{d}/qmp')
        try:
            if s.until('LISTENING'):
                move(s)
            if s.until('UNPLUG'):
                s.ask('device_del', id='mouse')
            if s.until('UNPLUGGED'):
                s.ask('device_add', driver='usb-mouse', id='again', bus='usb.0')
            result = s.finish()
        finally:
            s.p.kill()
    why = '' if result.script_ok else result.why()
    for device, events in EXPECTED.items():
        told = [line.split()[1] for line in result.output.splitlines() if line.startswith(device + ' ')]
        tap.result(in_order(told, events), f'the guest hears the {device.lower()}', why or f'# {told}')
    for what in 'UNPLUGGED', 'PLUGGED':
        tap.result(what in result.output.split(), what.lower(), why)
    tap.result(result.script_ok, 'nothing is wrong to the guest', why)
    tap.done()


main()
