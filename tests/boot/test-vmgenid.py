#!/usr/bin/env python3
"""The virtual machine generation id: where firmware puts it and where a direct boot does; the guest hears of a change.

usage: test-vmgenid.py QUERN GUEST
"""
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / 'client'))
import guest as g   # noqa: E402
import quern        # noqa: E402

TIMEOUT_S = 100
FIRST, SECOND = uuid.UUID('324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87'), uuid.UUID('00112233-4455-6677-8899-aabbccddeeff')
GPE = '/sys/firmware/acpi/interrupts/gpe05'

SCRIPT = f'''
cat /sys/bus/acpi/devices/QEMUVGID:00/hid /sys/bus/acpi/devices/QEMUVGID:00/status
[ $(awk '{{print $1}}' {GPE}) = 0 ] || exit 1
echo "guest is ready"
for i in $(seq 600); do
    [ $(awk '{{print $1}}' {GPE}) = 1 ] && echo "guest was told" && exit 0
    usleep 100000 2>/dev/null || sleep 1
done
exit 1
'''


def memory(q, folder, start, size):
    path = os.path.join(folder, 'memory')
    q.command('pmemsave', {'val': start, 'size': size, 'filename': path})
    return Path(path).read_bytes()


def wait_for(what, step=0.2):
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(step)
    raise AssertionError('timed out')


def firmware(machine):
    """SeaBIOS places the page and tells where: a change gets there."""
    with tempfile.TemporaryDirectory(prefix='quern-') as folder, \
            quern.Quern('-machine', machine, '-m', '16', '-device', f'vmgenid,id=v,guid={FIRST}', '-bios', '/usr/share/seabios/bios-256k.bin') as q:
        def find():
            data = memory(q, folder, 0, 16 << 20)
            at = data.find(FIRST.bytes_le)
            return at if at > 0 and b'VM_Gen_Counter' in data else None
        at = wait_for(find)
        assert at % 4096 == 40, hex(at)
        q.command('qom-set', {'path': '/machine/peripheral/v', 'property': 'guid', 'value': str(SECOND)})
        wait_for(lambda: memory(q, folder, at, 16) == SECOND.bytes_le)      # firmware writes the address at its end
        assert q.command('query-vm-generation-id') == {'guid': str(SECOND)}


def direct(machine, folder):
    serial = Path(folder) / 'serial'
    argv = g.command('', Path(sys.argv[2]), SCRIPT, machine=machine, memory='128')[1:]
    argv[argv.index('-serial') + 1] = f'file:{serial}'
    with quern.Quern(*argv, '-device', f'vmgenid,id=v,guid={FIRST}') as q:
        wait_for(lambda: 'guest is ready' in serial.read_text(errors='replace'))
        assert memory(q, folder, 0xef028, 16) == FIRST.bytes_le
        q.command('qom-set', {'path': '/machine/peripheral/v', 'property': 'guid', 'value': str(SECOND)})
        assert memory(q, folder, 0xef028, 16) == SECOND.bytes_le
        wait_for(lambda: q.process.poll() is not None)
    text = serial.read_text(errors='replace')
    assert 'QEMUVGID' in text and '\n15\n' in text and 'guest was told' in text, text[-2000:]


def main():
    quern.BINARY = sys.argv[1]
    tap = g.Tap()
    with tempfile.TemporaryDirectory(prefix='quern-') as folder:
        for machine in 'pc', 'q35':
            cases = [(f'SeaBIOS places it on {machine}', Path('/usr/share/seabios/bios-256k.bin').exists(), lambda m=machine: firmware(m)),
                     (f'Linux hears of a change on {machine}', g.have_guest(Path(sys.argv[2])), lambda m=machine: direct(m, folder))]
            for name, possible, case in cases:
                if not possible:
                    tap.skip(name, 'no firmware (package seabios)' if 'SeaBIOS' in name else 'no guest (scripts/make-guest)')
                    continue
                try:
                    case()
                    tap.result(True, name)
                except AssertionError as e:
                    tap.result(False, name, '# ' + str(e).replace('\n', '\n# '))
    tap.done()


main()
