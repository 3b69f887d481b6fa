#!/usr/bin/env python3
"""TCP throughput between the guest and its host over the user mode network, both ways, beside QEMU by turns.

The host's end measures, from the first byte to the last; the guest's end is busybox nc.
"""
import argparse
import shutil
import socket
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / 'boot'))
import guest as g   # noqa: E402

SCRIPT = r'''
ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
dd if=/dev/zero bs=64k count=@CHUNKS@ 2>/dev/null | nc 10.0.2.2 @UP@
nc 10.0.2.2 @DOWN@ < /dev/null > /dev/null
'''
CHUNK = 64 << 10


def take(server, total):
    client, _ = server.accept()
    with client:
        left, start = total - len(client.recv(CHUNK)), time.monotonic()
        while left > 0:
            part = client.recv(1 << 20)
            if not part:
                sys.exit('the guest sent less than it should')
            left -= len(part)
        return total / (time.monotonic() - start)


def give(server, total):
    client, _ = server.accept()
    with client:
        start = time.monotonic()
        for _ in range(total // CHUNK):
            client.sendall(bytes(CHUNK))
        client.shutdown(socket.SHUT_WR)
        client.recv(1)                      # the guest's end is closed when it has all
        return total / (time.monotonic() - start)


def measure(emulator, guest, total, options):
    with socket.create_server(('127.0.0.1', 0)) as up, socket.create_server(('127.0.0.1', 0)) as down, ThreadPoolExecutor(2) as pool:
        script = SCRIPT.replace('@CHUNKS@', str(total // CHUNK)).replace('@UP@', str(up.getsockname()[1])) \
            .replace('@DOWN@', str(down.getsockname()[1]))
        sent, received = pool.submit(take, up, total), pool.submit(give, down, total)
        r = g.run(g.command(emulator, guest, script, extra=(
            '-accel', 'tcg', '-netdev', 'user,id=n0', '-device', 'virtio-net-pci,netdev=n0' + options)), 180)
        if not r.script_ok:
            sys.exit(f'{emulator} did not finish:\n{r.why()}')
        return sent.result(10) / 1e6, received.result(10) / 1e6


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--build', default='build')
    ap.add_argument('--runs', type=int, default=3)
    ap.add_argument('--mib', type=int, default=128)
    ap.add_argument('--options', default='', help='further properties of the device, as in ,packed=on')
    args = ap.parse_args()
    emulators = [f'{args.build}/quern'] + [e for e in [shutil.which('qemu-system-x86_64')] if e]
    samples = [[] for _ in emulators]
    for _ in range(args.runs):
        for i, e in enumerate(emulators):
            samples[i].append(measure(e, Path(args.build) / 'guest', args.mib << 20, args.options))
    for way, title in enumerate(('guest to host', 'host to guest')):
        ours, *peer = [[s[way] for s in one] for one in samples]
        text = f'{title}: {statistics.median(ours):.0f} MB/s'
        if peer:
            ratios = sorted(a / b for a, b in zip(ours, peer[0]))
            text += f', QEMU {statistics.median(peer[0]):.0f} MB/s, ratio {statistics.median(ratios):.2f}' \
                    f' ({ratios[0]:.2f}..{ratios[-1]:.2f})'
        print(text, flush=True)


main()
