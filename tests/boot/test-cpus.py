#!/usr/bin/env python3
"""CPU topology, NUMA nodes and CPU hotplug as Debian's kernel sees them."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402
from qmp import Qmp   # noqa: E402

# One line per CPU: package die core thread-siblings node
LIST = r'''
cd /sys/devices/system/cpu
for c in $(seq 0 {last}); do
  t=cpu$c/topology
  echo "CPU $c $(cat $t/physical_package_id) $(cat $t/die_id) $(cat $t/thread_siblings_list) $(cat $t/core_siblings_list) \
$(cat $t/die_cpus_list) $(ls -d cpu$c/node* 2>/dev/null | sed 's/.*node//')"
done
for n in /sys/devices/system/node/node[0-9]*; do
  echo "NODE ${{n##*node}} cpus $(cat $n/cpulist) kib $(awk '/MemTotal/ {{ print $4 }}' $n/meminfo) distance $(cat $n/distance)"
done
dmesg | grep -q -i 'BUG:\|Oops\|Call Trace\|firmware bug' && exit 9
true
'''


def memdevs(*sizes):
    out = []
    for i, size in enumerate(sizes):
        out += ['-object', f'memory-backend-ram,id=m{i},size={size}M']
    return out


def topology(tap, quern, guest):
    name = 'sockets, dies, cores and threads'
    r = g.run(g.command(quern, guest, LIST.format(last=15), smp='16,sockets=2,dies=2,cores=2,threads=2', extra=('-cpu', 'Westmere')))
    ok = r.script_ok and all(line in r.output for line in (
        'CPU 0 0 0 0-1 0-7 0-3', 'CPU 3 0 0 2-3 0-7 0-3', 'CPU 5 0 1 4-5 0-7 4-7', 'CPU 15 1 1 14-15 8-15 12-15'))
    tap.result(ok, name, r.why())

    name = 'the same on AMD'
    r = g.run(g.command(quern, guest, LIST.format(last=15), smp='16,sockets=2,dies=2,cores=2,threads=2',
                        extra=('-cpu', 'EPYC-Milan,check=off')))
    ok = r.script_ok and all(line in r.output for line in (
        'CPU 0 0 0 0-1 0-7 0-3', 'CPU 3 0 0 2-3 0-7 0-3', 'CPU 5 0 1 4-5 0-7 4-7', 'CPU 15 1 1 14-15 8-15 12-15'))
    tap.result(ok, name, r.why())

    name = 'counts that are no powers of two'
    r = g.run(g.command(quern, guest, LIST.format(last=8), smp='9,sockets=3,cores=3'))
    ok = r.script_ok and all(line in r.output for line in ('CPU 2 0 0 2 0-2 0-2', 'CPU 3 1 1 3 3-5 3-5', 'CPU 8 2 2 8 6-8 6-8'))
    tap.result(ok, name, r.why())


def numa(tap, quern, guest):
    extra = memdevs(256, 128, 128) + [
        '-numa', 'node,memdev=m0,cpus=0-1', '-numa', 'node,memdev=m1,cpus=2', '-numa', 'node,memdev=m2,cpus=3',
        '-numa', 'dist,src=0,dst=1,val=15', '-numa', 'dist,src=0,dst=2,val=30', '-numa', 'dist,src=1,dst=2,val=25']
    r = g.run(g.command(quern, guest, LIST.format(last=3), smp='4,sockets=4', extra=extra))
    ok = r.script_ok and all(line in r.output for line in ('CPU 1 1 1 1 1 1 0', 'CPU 2 2 2 2 2 2 1', 'CPU 3 3 3 3 3 3 2',
                                                           'distance 10 15 30', 'distance 15 10 25', 'distance 30 25 10'))
    tap.result(ok, 'three nodes with distances', r.why())


PLUG = r'''
cd /sys/devices/system/cpu
online() { # CPU: it came; take it into use, run on it
  n=0; until [ -e cpu$1/online ] || [ $n = 300 ]; do sleep 0.1; n=$((n+1)); done
  [ "$(cat cpu$1/online)" = 1 ] || echo 1 > cpu$1/online || exit 1
  taskset $((1 << $1)) sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' || exit 2
  before=$(awk -v c=cpu$1 '$1 == c { print $2 + $4 }' /proc/stat)
  [ "$before" -gt 0 ] || exit 3
  echo "USED $1"
}
gone() { n=0; while [ -e cpu$1 ] && [ $n != 300 ]; do sleep 0.1; n=$((n+1)); done; [ -e cpu$1 ] && exit 4; echo "GONE $1"; }
if [ "$(nproc)" != 1 ]; then
  echo "REBOOTED $(nproc)"
  [ "$(nproc)" = 3 ] || exit 6
  taskset 7 true && taskset 6 true && exit 0
fi
'''


def check_translation(q):
    """The monitor's three views of the kernel's linear mapping agree."""
    def hmp(line):
        return q.ask('human-monitor-command', command_line=line)
    va, pa, flags = next(line.replace(':', '').split() for line in hmp('info tlb').split('\r\n') if line.startswith('ffff8') and line.endswith('W'))
    answer = hmp('gva2gpa 0x' + va)
    assert answer.startswith('gpa: ') and int(answer[5:], 0) == int(pa, 16), (va, pa, answer)
    ranges = [line.split() for line in hmp('info mem').split('\r\n') if line]
    assert any(r[0].split('-')[0] <= va < r[0].split('-')[1] and r[2] == '-rw' for r in ranges), (va, flags)


def hotplug(tap, quern, guest, machine, accel='tcg'):
    name = f'{machine}, {accel}: plug, use, unplug, plug again, reboot with all'
    if accel == 'kvm' and not os.access('/dev/kvm', os.R_OK | os.W_OK):
        tap.skip(name, 'no usable /dev/kvm')
        return
    # Linux numbers CPUs as they come
    script = PLUG + 'echo READY; online 1; online 2; echo TWO; gone 1; online 1; [ "$(nproc)" = 3 ] || exit 5; reboot -f'
    with tempfile.TemporaryDirectory() as d:
        argv = g.command(quern, guest, script, machine=machine, smp='1,maxcpus=4',
                         extra=('-accel', accel, '-qmp', f'unix:{d}/qmp,server=on,wait=off'))
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
            seen = []

            def until(text):
                for raw in p.stdout:
                    seen.append(raw.decode(errors='replace'))
                    if text in seen[-1]:
                        return
                raise EOFError(text)

            def add(cpu_id, core):
                r = q.ask('device_add', driver='qemu64-x86_64-cpu', id=cpu_id, socket_id=0, core_id=core, thread_id=0)
                assert r == {}, r
                q.wait_event('ACPI_DEVICE_OST', device=cpu_id, source=1, status=0)

            try:
                q = Qmp(f'{d}/qmp')
                until('READY')
                check_translation(q)
                add('a', 2)
                add('b', 3)
                until('TWO')
                assert [c['cpu-index'] for c in q.ask('query-cpus-fast')] == [0, 2, 3]
                assert q.ask('device_del', id='a') == {}
                q.wait_event('DEVICE_DELETED', device='a', path='/machine/peripheral/a')
                until('GONE 1')
                there = [c['props']['core-id'] for c in q.ask('query-hotpluggable-cpus') if 'qom-path' in c]
                assert there == [3, 0], there
                assert [s['device'] for s in q.ask('query-acpi-ospm-status') if 'device' in s] == ['b']
                q.ask('set-action', reboot='reset')
                add('c', 2)
                until('REBOOTED')
                until('QUERN-SCRIPT-STATUS')
                p.wait(60)
                tap.result('STATUS 0' in seen[-1] and p.returncode == 0, name, '# ' + '# '.join(seen[-20:]))
            except (AssertionError, EOFError, OSError) as e:
                p.kill()
                tap.result(False, name, f'# {e!r}\n# ' + '# '.join(seen[-20:] + [p.stdout.read().decode(errors='replace')[-2000:]]))


def main():
    quern, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    if not g.have_guest(guest):
        tap.skip('cpus', f'no guest in {guest} (scripts/make-guest)')
    else:
        topology(tap, quern, guest)
        numa(tap, quern, guest)
        hotplug(tap, quern, guest, 'q35')
        hotplug(tap, quern, guest, 'pc')
        hotplug(tap, quern, guest, 'q35', 'kvm')
    tap.done()


main()
