#!/usr/bin/env python3
"""Networks with Debian's virtio_net and e1000: DHCP, TCP both ways through libslirp, forwarded ports, link, hotplug,
receive filters, each transport and ring layout; two guests over sockets; a tap of the host.
"""
import base64
import fcntl
import gzip
import hashlib
import http.server
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402
from session import Session   # noqa: E402

SIZE = 3 << 20
DATA = os.urandom(SIZE)
SUM = hashlib.sha256(DATA).hexdigest()

# PASS or FAIL for each check; the tests look for the names.
PRELUDE = r'''
check() { if "$@"; then echo "PASS $what"; else echo "FAIL $what"; fi; }
same() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'"; false; }; }
sum() { sha256sum | cut -d' ' -f1; }
bit() { cut -c$(($1 + 1)) /sys/class/net/eth0/device/features; }
soon() { n=0; until eval "$1"; do sleep 0.05; n=$((n+1)); [ $n -lt 400 ] || return 1; done; }
'''
DHCP = r'''
cat > /tmp/dhcp <<'X'
case "$1" in bound|renew) ip addr add $ip/24 dev $interface; ip route add default via $router 2>/dev/null; echo "DHCP $interface $ip $router $dns $domain";; esac
X
chmod +x /tmp/dhcp
ip link set eth0 up
what=dhcp; check udhcpc -i eth0 -n -q -f -s /tmp/dhcp
'''
TRAFFIC = r'''
what=download; check same "$(wget -q -O - http://@HOST@:@HTTP@/data | sum)" @SUM@
wget -q -O /tmp/data http://@HOST@:@HTTP@/data
what=upload; check nc @HOST@ @SINK@ < /tmp/data
'''
NO_OOPS = r'''
what=no-oops; dmesg | grep -i 'BUG:\|Oops\|Call Trace\|hw csum failure\|rx error\|NETDEV WATCHDOG'; check test $? = 1
'''


class Host:
    """Servers that guests reach: HTTP with DATA, and a sink that tells what came."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Length', str(SIZE))
                self.end_headers()
                self.wfile.write(DATA)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(('', 0), Handler)
        self.http.daemon_threads = True
        self.sink = socket.create_server(('', 0))
        self.uploads = []
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.sink.accept()
            threading.Thread(target=self.drain, args=(client,), daemon=True).start()

    def drain(self, client):
        got, left = hashlib.sha256(), SIZE
        while left and (part := client.recv(1 << 16)):
            got.update(part)
            left -= len(part)
        self.uploads.append(got.hexdigest())
        client.close()                      # busybox's nc does not end before

    def wait_uploads(self, n):
        for _ in range(400):
            if self.uploads.count(SUM) >= n:
                return True
            time.sleep(0.05)
        return False

    def fill(self, text, host='10.0.2.2'):
        for key, value in {'HOST': host, 'HTTP': self.http.server_port, 'SINK': self.sink.getsockname()[1], 'SUM': SUM}.items():
            text = text.replace(f'@{key}@', str(value))
        return text


def packed(script):
    """The kernel's command line takes 2047 bytes."""
    return f'echo {base64.b64encode(gzip.compress(script.encode())).decode()}|base64 -d|gunzip>/tmp/s;sh /tmp/s'


def passed(result, *names):
    """None, or what is missing."""
    missing = [n for n in names if f'PASS {n}' not in result.output]
    return f'# not passed: {missing}\n{result.why()}' if missing or not result.script_ok else None


# --- transports, layouts, offloads ---

CASES = [
    ('pc transitional', 'pc', 'virtio-net-pci', ''),
    ('pc legacy only', 'pc', 'virtio-net-pci', ',disable-modern=on'),
    ('pc legacy only, no mergeable buffers, no event index', 'pc', 'virtio-net-pci', ',disable-modern=on,mrg_rxbuf=off,event_idx=off'),
    ('q35 packed', 'q35', 'virtio-net-pci', ',packed=on'),
    ('q35 packed, no mergeable buffers, no event index', 'q35', 'virtio-net-pci', ',packed=on,mrg_rxbuf=off,event_idx=off'),
    ('q35 no offloads', 'q35', 'virtio-net-pci', ',csum=off,guest_csum=off'),
    ('q35 no control queue, INTx', 'q35', 'virtio-net-pci', ',ctrl_vq=off,vectors=0'),
    ('microvm mmio', 'microvm', 'virtio-net-device', ''),
    ('pc e1000', 'pc', 'e1000', ''),
    ('q35 e1000', 'q35', 'e1000', ''),
]


def test_case(quern, guest, host, case):
    _, machine, device, options = case
    script = PRELUDE + DHCP + host.fill(TRAFFIC) + NO_OOPS
    argv = g.command(quern, guest, script, machine=machine,
                     extra=('-netdev', 'user,id=n0', '-device', f'{device},netdev=n0{options}'))
    return passed(g.run(g.with_pc_kernel(argv) if device == 'e1000' else argv, 120), 'dhcp', 'download', 'upload', 'no-oops')


# --- everything that a running machine can be asked ---

SCRIPT = PRELUDE + DHCP + TRAFFIC + r'''
what=lease; check test "$(ip -4 addr show eth0 | grep -c 192.168.77.20)" = 1
what=checksum-offload; check same "$(bit 0)$(bit 11)" 11
what=address; check same "$(cat /sys/class/net/eth0/address)" 52:54:00:77:00:01
what=guestfwd; check same "$(echo through | nc 192.168.77.100 7)" through
mkdir -p /tmp/www; cp /tmp/data /tmp/www/data; httpd -p 80 -h /tmp/www
what=carrier-up; check soon '[ "$(cat /sys/class/net/eth0/carrier)" = 1 ]'
echo READY-FOR-LINK
what=carrier-down; check soon '[ "$(cat /sys/class/net/eth0/carrier)" = 0 ]'
echo LINK-IS-DOWN
what=carrier-again; check soon '[ "$(cat /sys/class/net/eth0/carrier)" = 1 ]'
what=after-link; check same "$(wget -q -O - http://@HOST@:@HTTP@/data | sum)" @SUM@
ip link set eth0 promisc on
echo PROMISC
what=hotplug; check soon '[ -e /sys/class/net/eth1 ]'
ip link set eth1 up
what=dhcp-hotplugged; check udhcpc -i eth1 -n -q -f -s /tmp/dhcp
echo PLUGGED
what=unplug; check soon '[ ! -e /sys/class/net/eth1 ]'
what=end; check soon '[ "$(cat /sys/class/net/eth0/carrier)" = 0 ]'
''' + NO_OOPS


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def fetch(port):
    with socket.create_connection(('127.0.0.1', port), timeout=60) as s:
        s.sendall(b'GET /data HTTP/1.0\r\n\r\n')
        reply = b''
        while part := s.recv(1 << 16):
            reply += part
    return hashlib.sha256(reply.partition(b'\r\n\r\n')[2]).hexdigest()


def test_running_machine(quern, guest, host, tap):
    port = free_port()
    with tempfile.TemporaryDirectory() as d:
        argv = g.command(quern, guest, packed(host.fill(SCRIPT, '192.168.77.2')), smp='2', extra=(
            '-netdev', f'user,id=n0,net=192.168.77.0/24,dhcpstart=192.168.77.20,hostname=quern,hostfwd=tcp:127.0.0.1:{port}-:80,'
            'guestfwd=tcp:192.168.77.100:7-cmd:cat', '-device', 'virtio-net-pci,netdev=n0,id=net0,mac=52:54:00:77:00:01',
            '-device', 'pcie-root-port,id=rp0,chassis=1,slot=1', '-qmp', f'unix:{d}/qmp,server=on,wait=off'))
        s = Session(argv, f'{d}/qmp')
        try:
            s.until('READY-FOR-LINK')
            tap.result(fetch(port) == SUM, 'a forwarded port leads to the guest\'s server')
            s.ask('set_link', name='net0', up=False)
            s.until('LINK-IS-DOWN')
            s.ask('set_link', name='net0', up=True)
            s.until('PROMISC')
            event = s.event('NIC_RX_FILTER_CHANGED')['data']
            [info] = s.ask('query-rx-filter', name='net0')
            tap.result(event == {'name': 'net0', 'path': '/machine/peripheral/net0/virtio-backend'} and info['promiscuous']
                       and info['main-mac'] == '52:54:00:77:00:01' and info['vlan'] == 'normal'
                       and '01:00:5e:00:00:01' in info['multicast-table'], 'the driver\'s receive filter is told', f'# {event} {info}')
            s.ask('netdev_add', type='user', id='n1', net='10.9.0.0/24')
            r = s.ask('device_add', driver='virtio-net-pci', netdev='n1', id='net1', bus='rp0')
            s.until('PLUGGED')
            r2 = s.ask('device_del', id='net1')
            tap.result(r == {} and r2 == {} and s.event('DEVICE_DELETED') and s.ask('netdev_del', id='n1') == {},
                       'a device is plugged and unplugged', f'# {r} {r2}')
            s.ask('set_link', name='net0', up=False)
            result = s.finish()
        finally:
            s.p.kill()
    why = passed(result, 'dhcp', 'download', 'upload', 'lease', 'checksum-offload', 'address', 'guestfwd', 'carrier-up',
                 'carrier-down', 'carrier-again', 'after-link', 'hotplug', 'dhcp-hotplugged', 'unplug', 'no-oops')
    tap.result(not why, 'DHCP, TCP, link state, hotplug as the guest sees them', why or '')


# --- two guests ---

SERVER = PRELUDE + r'''
ip link set eth0 up; ip addr add 10.1.1.1/24 dev eth0
mkdir -p /tmp/www; dd if=/dev/urandom of=/tmp/www/data bs=64k count=32 2>/dev/null
sum < /tmp/www/data > /tmp/www/sum; httpd -p 80 -h /tmp/www
what=served; check soon '[ -e /tmp/www/done ] || wget -q -O /tmp/www/done http://10.1.1.2/done 2>/dev/null && [ -s /tmp/www/done ]'
'''
CLIENT = PRELUDE + r'''
ip link set eth0 up; ip addr add 10.1.1.2/24 dev eth0
soon 'wget -q -O /tmp/sum http://10.1.1.1/sum 2>/dev/null'
what=fetched; check same "$(wget -q -O - http://10.1.1.1/data | sum)" "$(cat /tmp/sum)"
mkdir -p /tmp/www; echo yes > /tmp/www/done; httpd -p 80 -h /tmp/www; sleep 1
'''


def test_two_guests(quern, guest, netdevs):
    """The first listens; None or what went wrong."""
    def boot(i):
        script = (SERVER, CLIENT)[i] + NO_OOPS
        return g.run(g.command(quern, guest, script, memory='256', extra=(
            '-netdev', netdevs[i], '-device', f'virtio-net-pci,netdev=n0,mac=52:54:00:01:01:0{i + 1}')), 120)
    with ThreadPoolExecutor(2) as pool:
        server, client = pool.map(boot, (0, 1))
    return passed(server, 'served', 'no-oops') or passed(client, 'fetched', 'no-oops')


# --- tap ---

TAP = PRELUDE + r'''
ip link set eth0 up; ip addr add 198.18.77.2/24 dev eth0
what=queues; check same "$(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)" 2
''' + TRAFFIC + NO_OOPS


def tap_up(name):
    """Give the interface an address and bring it up, by ioctl."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        def address(ip):
            return struct.pack('16sH2s4s8s', name.encode(), socket.AF_INET, b'', socket.inet_aton(ip), b'')
        fcntl.ioctl(s, 0x8916, address('198.18.77.1'))          # SIOCSIFADDR
        fcntl.ioctl(s, 0x891c, address('255.255.255.0'))        # SIOCSIFNETMASK
        fcntl.ioctl(s, 0x8914, struct.pack('16sH14s', name.encode(), 0x41, b''))    # SIOCSIFFLAGS: up, running


def test_tap(quern, guest, host, name):
    with tempfile.TemporaryDirectory() as d:
        argv = g.command(quern, guest, host.fill(TAP, '198.18.77.1'), smp='2', extra=(
            '-netdev', f'tap,id=n0,ifname={name},script=no,downscript=no,queues=2', '-S',
            '-device', 'virtio-net-pci,netdev=n0,mq=on', '-qmp', f'unix:{d}/qmp,server=on,wait=off'))
        s = Session(argv, f'{d}/qmp')
        try:
            tap_up(name)
            s.ask('cont')
            result = s.finish()
        finally:
            s.p.kill()
    return passed(result, 'queues', 'download', 'upload', 'no-oops')


def have_tap():
    try:
        os.close(os.open('/dev/net/tun', os.O_RDWR))
    except OSError as e:
        return f'/dev/net/tun: {e.strerror}'
    return None if os.geteuid() == 0 else 'needs root'


def have_user(quern):
    done = subprocess.run([quern, '-netdev', 'help'], capture_output=True, text=True, check=False)
    return 'user\n' in done.stdout


def main():
    quern, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    if not g.have_guest(guest):
        tap.skip('networks', f'no guest in {guest} (scripts/make-guest)')
        tap.done()
        return
    host = Host()
    if have_user(quern):
        for n, case in enumerate(CASES):
            why = test_case(quern, guest, host, case)
            tap.result(not why and host.wait_uploads(n + 1), case[0], why or '# the upload did not arrive whole')
        test_running_machine(quern, guest, host, tap)
    else:
        tap.skip('user networks', 'built without libslirp')
    with tempfile.TemporaryDirectory() as d:
        stream = 'stream,id=n0,server=%s,addr.type=unix,addr.path=' + f'{d}/s'
        why = test_two_guests(quern, guest, (stream % 'on', stream % 'off' + ',reconnect-ms=100'))
        tap.result(not why, 'two guests over a stream', why or '')
        dgram = 'dgram,id=n0,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s'
        why = test_two_guests(quern, guest, (dgram % (f'{d}/a', f'{d}/b'), dgram % (f'{d}/b', f'{d}/a')))
        tap.result(not why, 'two guests over datagrams', why or '')
    if missing := have_tap():
        tap.skip('tap', missing)
    else:
        why = test_tap(quern, guest, host, f'qt{os.getpid() % 100000}')
        tap.result(not why, 'a tap with two queues', why or '')
    tap.done()


main()
