#!/usr/bin/env python3
"""Networks by QMP and the command line: back ends, links, receive filters, frames over sockets.

Frames are made here and go through a hub inside the emulator: what comes in at one socket comes out
of the other.
"""
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import quern

EMPTY = ('-machine', 'none')
Q35 = ('-machine', 'q35', '-S', '-m', '64')
FRAME = bytes.fromhex('ffffffffffff' '525400aabbcc' '88b5') + b'quern' * 20


def hub_pair(first, second):
    """Options that join two back ends in a hub."""
    return ['-netdev', first, '-netdev', second, '-netdev', 'hubport,id=h0,hubid=0,netdev=a',
            '-netdev', 'hubport,id=h1,hubid=0,netdev=b']


def send_frame(sock, frame, length=None):
    sock.sendall(struct.pack('>I', len(frame) if length is None else length) + frame)


def receive_exactly(sock, n):
    data = b''
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def receive_frame(sock):
    return receive_exactly(sock, struct.unpack('>I', receive_exactly(sock, 4))[0])


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(path)
    return sock


class Netdevs(unittest.TestCase):
    def test_add_and_delete(self):
        with quern.Quern(*EMPTY) as q:
            add = {'type': 'hubport', 'id': 'n0', 'hubid': 3}
            q.command('netdev_add', add)
            self.assertEqual(q.error('netdev_add', add), ('GenericError', "Duplicate ID 'n0'"))
            self.assertEqual(q.hmp('info network'), 'hub 3\r\n \\ n0\r\n')
            q.command('netdev_del', {'id': 'n0'})
            self.assertEqual(q.error('netdev_del', {'id': 'n0'}), ('DeviceNotFound', "Device 'n0' not found"))
            q.command('netdev_add', add)

    def test_what_is_refused(self):
        cases = [
            ({'type': 'hubport', 'id': '1x', 'hubid': 0}, "Parameter 'id' expects an identifier"),
            ({'type': 'bogus', 'id': 'x'}, "does not accept value 'bogus'"),
            ({'type': 'hubport', 'id': 'x'}, "Parameter 'hubid' is missing"),
            ({'type': 'hubport', 'id': 'x', 'hubid': 0, 'netdev': 'y'}, "'y' not found"),
            ({'type': 'stream', 'id': 'x'}, "Parameter 'addr' is missing"),
            ({'type': 'stream', 'id': 'x', 'addr': {'type': 'unix', 'path': 'p' * 200}, 'server': True}, 'must be 1..107 bytes'),
            ({'type': 'stream', 'id': 'x', 'addr': {'type': 'inet', 'host': '127.0.0.1', 'port': '0'}, 'server': True,
              'reconnect-ms': 1}, 'incompatible with socket in server mode'),
            ({'type': 'stream', 'id': 'x', 'addr': {'type': 'fd', 'str': '99'}}, "'99'"),
            ({'type': 'dgram', 'id': 'x'}, 'requires local='),
            ({'type': 'dgram', 'id': 'x', 'local': {'type': 'inet', 'host': '127.0.0.1', 'port': '0'}}, 'remote'),
            ({'type': 'socket', 'id': 'x'}, 'exactly one of'),
            ({'type': 'socket', 'id': 'x', 'listen': ':0', 'mcast': '230.0.0.1:1'}, 'exactly one of'),
            ({'type': 'socket', 'id': 'x', 'udp': '127.0.0.1:1'}, 'localaddr= is mandatory'),
            ({'type': 'socket', 'id': 'x', 'mcast': '10.0.0.1:1'}, 'no IPv4 multicast address'),
            ({'type': 'tap', 'id': 'x', 'fd': '9', 'ifname': 'y'}, 'invalid with fd='),
            ({'type': 'tap', 'id': 'x', 'fd': '0'}, 'file descriptor 0'),
            ({'type': 'tap', 'id': 'x', 'queues': 0}, 'queues must be 1..64, got 0'),
            ({'type': 'tap', 'id': 'x', 'ifname': 'a-name-that-is-too-long'}, 'longer than 15 bytes'),
            ({'type': 'tap', 'id': 'x', 'vhost': True}, "'vhost' is unexpected"),
        ]
        with quern.Quern(*EMPTY) as q:
            for arguments, message in cases:
                with self.subTest(str(arguments)):
                    cls, desc = q.error('netdev_add', arguments)
                    self.assertEqual(cls, 'GenericError')
                    self.assertIn(message, desc)
            self.assertEqual(q.hmp('info network'), '')         # nothing half-made stays

    def test_user_network_options(self):
        bad = [
            ({'net': 'zz'}, 'Failed to parse network'), ({'net': '10.0.0.0/99'}, 'Failed to parse netmask'),
            ({'net': '10.0.0.0/24', 'host': '1.2.3.4'}, "Host doesn't belong to network"),
            ({'dns': '10.0.2.2'}, 'DNS must be different from host'), ({'dhcpstart': '10.0.2.255'}, 'DHCP start'),
            ({'ipv4': False, 'ipv6': False}, 'IPv4 and IPv6 disabled'), ({'ipv4': False, 'net': '10.0.2.0/24'}, 'IPv4 disabled but'),
            ({'ipv6-prefix': 'q'}, 'Failed to parse IPv6'), ({'ipv6-prefixlen': 127}, 'between 0 and 126'),
            ({'hostname': 'h' * 34}, 'longer than 33'), ({'domainname': ''}, 'domainname'),
            ({'hostfwd': [{'str': 'sctp::1-:2'}]}, 'Bad protocol name'), ({'hostfwd': [{'str': 'tcp::x-:2'}]}, 'Bad host port'),
            ({'hostfwd': [{'str': 'tcp:h:1-:2'}]}, 'Bad host address'), ({'hostfwd': [{'str': 'tcp::1-:0'}]}, 'Bad guest port'),
            ({'hostfwd': [{'str': 'tcp::1-g:2'}]}, 'Bad guest address'), ({'guestfwd': [{'str': 'udp:10.0.2.9:1-null'}]}, 'Invalid guest'),
            ({'guestfwd': [{'str': 'tcp:1.2.3.4:80-cmd:cat'}]}, 'Conflicting/invalid'), ({'smb': '/'}, "'smb' is unexpected"),
        ]
        with quern.Quern(*EMPTY) as q:
            if 'not compiled' in q.request('netdev_add', {'type': 'user', 'id': 'n'}).get('error', {}).get('desc', ''):
                self.skipTest('built without libslirp')
            for options, message in bad:
                with self.subTest(str(options)):
                    self.assertIn(message, q.error('netdev_add', {'type': 'user', 'id': 'x', **options})[1])
            q.command('netdev_add', {'type': 'user', 'id': 'm', 'net': '192.168.7.0/24', 'restrict': True,
                                     'guestfwd': [{'str': 'tcp:192.168.7.9:80-cmd:cat'}, {'str': 'tcp:192.168.7.9:81-null'}]})
            self.assertIn('m: index=0,type=user,net=192.168.7.0,restrict=on', q.hmp('info network'))
            with socket.create_server(('127.0.0.1', 0)) as taken:
                port = taken.getsockname()[1]
                self.assertIn('in use', q.hmp('hostfwd_add m tcp:127.0.0.1:%d-:80' % port))
            self.assertEqual(q.hmp('hostfwd_add m tcp:127.0.0.1:%d-:80' % port), '')
            self.assertIn('TCP[HOST_FORWARD]', q.hmp('info usernet'))
            self.assertIn('removed', q.hmp('hostfwd_remove m tcp:127.0.0.1:%d' % port))
            self.assertIn('not found', q.hmp('hostfwd_remove m tcp:127.0.0.1:%d' % port))
            self.assertIn("unrecognized netdev id 'q'", q.hmp('hostfwd_add q tcp::1-:2'))
            self.assertEqual(q.hmp('netdev_add user,id=t,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=udp:127.0.0.1:0-:81,'
                                   'ipv6-net=fd00::/64,dnssearch=a.b,dnssearch=c.d'), '')
            self.assertEqual(q.hmp('info usernet').count('HOST_FORWARD'), 2)

    def test_help(self):
        self.assertIn('hubport\n', quern.run('-netdev', 'help')[1])
        self.assertIn('virtio-net-pci\n', quern.run('-nic', 'model=help')[1])


class Tap(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0 and os.access('/dev/net/tun', os.W_OK) and shutil.which('ip'), 'needs root, tun and ip')
    def test_the_interface_is_deleted_below_us(self):
        name = 'qt%d' % os.getpid()
        with quern.Quern(*EMPTY, '-netdev', 'tap,id=t,ifname=%s,script=no,downscript=no' % name) as q:
            subprocess.run(['ip', 'link', 'del', name], check=True)
            deadline = time.monotonic() + quern.TIMEOUT_S
            while 'the interface is gone' not in q.hmp('info network'):     # and it is looked at no more
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            q.command('netdev_del', {'id': 't'})


class Devices(unittest.TestCase):
    def test_device_back_end_and_link(self):
        with quern.Quern(*Q35, '-netdev', 'hubport,id=n0,hubid=0', '-device', 'virtio-net-pci,netdev=n0,id=net0',
                         '-device', 'virtio-net-pci', '-device', 'virtio-net-pci,mac=52:54:00:00:00:01,id=net2') as q:
            self.assertEqual(q.hmp('info network'),
                             'hub 0\r\n \\ n0: net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\r\n'
                             'virtio-net-pci.1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57\r\n'
                             'net2: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01\r\n')
            self.assertEqual(q.error('set_link', {'name': 'x', 'up': True}), ('DeviceNotFound', "Device 'x' not found"))
            q.command('set_link', {'name': 'n0', 'up': False})
            self.assertIn('macaddr=52:54:00:12:34:56,link=down', q.hmp('info network'))
            self.assertEqual(q.hmp('set_link net0 on'), '')
            self.assertNotIn('link=down', q.hmp('info network'))
            q.command('netdev_del', {'id': 'n0'})
            self.assertIn('net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56,link=down', q.hmp('info network'))

    def test_receive_filters(self):
        with quern.Quern(*Q35, '-netdev', 'hubport,id=n0,hubid=0', '-device', 'virtio-net-pci,netdev=n0,id=net0') as q:
            [info] = q.command('query-rx-filter')
            self.assertEqual(info.pop('vlan-table'), list(range(4095, -1, -1)))
            self.assertEqual(info, {
                'name': 'net0', 'promiscuous': True, 'multicast': 'normal', 'unicast': 'normal', 'vlan': 'all',
                'broadcast-allowed': True, 'multicast-overflow': False, 'unicast-overflow': False,
                'main-mac': '52:54:00:12:34:56', 'unicast-table': [], 'multicast-table': []})
            self.assertEqual(len(q.command('query-rx-filter', {'name': 'net0'})), 1)
            self.assertEqual(q.error('query-rx-filter', {'name': 'n0'})[1], "net client(n0) isn't a NIC")
            self.assertEqual(q.error('query-rx-filter', {'name': 'x'})[1], 'invalid net client name: x')

    def test_bad_properties(self):
        netdev = ('-netdev', 'hubport,id=n0,hubid=0')
        for properties, message in [
                ('netdev=x', "can't find value 'x'"), ('mac=1:2', "must be an Ethernet address"),
                ('mac=01:00:00:00:00:00', 'multicast address'), ('rx_queue_size=300', 'power of two'),
                ('tx_queue_size=2048', '1024'), ('host_mtu=67', '68'), ('speed=-2', '-1'), ('duplex=both', 'must be one of')]:
            with self.subTest(properties):
                status, _, err = quern.run(*Q35, '-display', 'none', '-nodefaults', *netdev, '-device', 'virtio-net-pci,' + properties)
                self.assertEqual((status, err.count('\n')), (1, 1), err)
                self.assertIn(message, err)
        status, _, err = quern.run(*Q35, '-display', 'none', '-nodefaults', *netdev, '-device', 'virtio-net-pci,netdev=n0',
                                   '-device', 'virtio-net-pci,netdev=n0')
        self.assertIn("can't take value 'n0', it's in use", err)
        self.assertEqual(status, 1)

    def test_nothing_is_left_of_a_start_that_fails(self):
        with tempfile.TemporaryDirectory(prefix='quern-net-') as folder:
            status, _, _ = quern.run(*EMPTY, '-display', 'none', '-netdev', 'stream,id=a,server=on,addr.type=unix,addr.path='
                                     + os.path.join(folder, 's'), '-device', 'nosuch')
            self.assertEqual(status, 1)
            self.assertEqual(os.listdir(folder), [])

    def test_a_nic_without_model_is_the_machine_s_default(self):
        for machine, model in ('pc', 'e1000'), ('q35', 'virtio-net-pci'):
            with quern.Quern('-machine', machine, '-S', '-nic', 'hubport,hubid=5,id=p') as q:
                self.assertIn(f'model={model}', q.hmp('info network'))
                self.assertEqual(next(m for m in q.command('query-machines') if m.get('alias', m['name']) == machine)['default-ram-id'], 'pc.ram')
        self.assertIn('give model=', quern.run('-machine', 'microvm', '-display', 'none', '-nic', 'hubport,hubid=5')[2])

    def test_who_says_nothing_has_a_network(self):
        def networks(*args):
            status, out, err = quern.run(*args, '-display', 'none', '-S', '-monitor', 'stdio', stdin='info network\rquit\r')
            self.assertEqual((status, err), (0, ''))
            return [line for line in out.replace('\r', '').split('\n') if line.startswith((' \\', 'hub'))]

        for machine, model in ('pc', 'e1000'), ('q35', 'virtio-net-pci'):
            self.assertEqual(networks('-machine', machine), [
                'hub 0', f' \\ #hub0port0: {model}.0: index=0,type=nic,model={model},macaddr=52:54:00:12:34:56',
                ' \\ #hub0port1: #net0: index=0,type=user,net=10.0.2.0,restrict=off'])
        for args in (['-nodefaults'], ['-nic', 'none'], ['-net', 'none'], ['-machine', 'microvm'], ['-machine', 'none']):
            self.assertEqual(networks('-machine', 'q35', *args), [])

    def test_nic_and_net_options(self):
        with quern.Quern(*Q35, '-nic', 'hubport,hubid=5,id=p,model=virtio-net-pci,mac=52:54:00:00:00:09',
                         '-net', 'nic,model=virtio', '-net', 'socket,listen=127.0.0.1:0') as q:
            self.assertEqual(q.hmp('info network').split('\r\n')[:2],
                             ['hub 5', ' \\ p: virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:09'])
            self.assertIn('hub 0\r\n \\ #hub0port0: virtio-net-pci.1: ', q.hmp('info network'))
        with quern.Quern(*Q35, '-nic', 'none', '-net', 'none') as q:
            self.assertEqual(q.hmp('info network'), '')


class Sockets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='quern-net-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def stream(self, name, server=True):
        return 'stream,id=%s,server=%s,addr.type=unix,addr.path=%s' % (name, 'on' if server else 'off', self.path(name))

    def test_frames_go_from_stream_to_stream(self):
        with quern.Quern(*EMPTY, *hub_pair(self.stream('a'), self.stream('b'))) as q:
            a, b = connect(self.path('a')), connect(self.path('b'))
            for name in ('a', 'b'):
                event = q.wait_event('NETDEV_STREAM_CONNECTED')
                self.assertEqual((event['data']['netdev-id'], event['data']['addr']['type']), (name, 'unix'))
            for size in (60, 1514, 65536, 68 * 1024):
                frame = FRAME[:14] + os.urandom(size - 14)
                send_frame(a, frame)
                self.assertEqual(receive_frame(b), frame)
            for i in range(200):                                # many in one write, the last in two
                frame = FRAME + bytes([i])
                a.sendall(struct.pack('>I', len(frame)) + frame[:40])
                a.sendall(frame[40:])
            self.assertEqual([receive_frame(b)[-1] for i in range(200)], list(range(200)))
            send_frame(a, b'short')                             # dropped: no Ethernet header
            send_frame(b, FRAME)
            self.assertEqual(receive_frame(a), FRAME)
            a.close()
            self.assertEqual(q.wait_event('NETDEV_STREAM_DISCONNECTED')['data'], {'netdev-id': 'a'})
            with connect(self.path('a')) as again:
                q.wait_event('NETDEV_STREAM_CONNECTED')
                send_frame(b, FRAME)
                self.assertEqual(receive_frame(again), FRAME)
            b.close()
            q.command('quit')
            q.wait()
        self.assertEqual(os.listdir(self.folder), [])           # sockets are gone with the process

    def test_a_length_beyond_the_limit_ends_the_connection(self):
        with quern.Quern(*EMPTY, *hub_pair(self.stream('a'), self.stream('b'))) as q:
            for length in (68 * 1024 + 1, 0xffffffff):
                with connect(self.path('a')) as a:
                    q.wait_event('NETDEV_STREAM_CONNECTED')
                    send_frame(a, b'', length)
                    self.assertEqual(a.recv(1), b'')
                    q.wait_event('NETDEV_STREAM_DISCONNECTED')
            self.assertIn('oversized=2', q.hmp('info network'))

    def test_a_reader_that_is_slow_costs_a_bounded_queue(self):
        with quern.Quern(*EMPTY, *hub_pair(self.stream('a'), self.stream('b'))) as q:
            a, b = connect(self.path('a')), connect(self.path('b'))
            with open('/proc/%d/statm' % q.process.pid, encoding='ascii') as f:
                before = int(f.read().split()[1])
            frame = FRAME[:14] + bytes(60000)
            for _ in range(1000):                               # 60 MB that nobody reads
                send_frame(a, frame)
            q.command('query-status')
            with open('/proc/%d/statm' % q.process.pid, encoding='ascii') as f:
                self.assertLess((int(f.read().split()[1]) - before) * 4096, 16 << 20)
            self.assertIn('dropped=', q.hmp('info network'))
            self.assertEqual(len(receive_frame(b)), len(frame))
            a.close()
            b.close()

    def test_link_down_drops(self):
        with quern.Quern(*EMPTY, *hub_pair(self.stream('a'), self.stream('b'))) as q:
            with connect(self.path('a')) as a, connect(self.path('b')) as b:
                q.wait_event('NETDEV_STREAM_CONNECTED')
                q.wait_event('NETDEV_STREAM_CONNECTED')
                q.command('set_link', {'name': 'b', 'up': False})
                send_frame(a, FRAME + b'1')
                while 'dropped=1' not in q.hmp('info network'):
                    time.sleep(0.01)
                q.command('set_link', {'name': 'b', 'up': True})
                send_frame(a, FRAME + b'2')
                self.assertEqual(receive_frame(b), FRAME + b'2')

    def test_client_reconnects(self):
        addr = {'type': 'unix', 'path': self.path('s')}
        with quern.Quern(*EMPTY) as q:
            q.command('netdev_add', {'type': 'stream', 'id': 'c', 'addr': addr, 'reconnect-ms': 20})
            self.assertIn('error: ', q.hmp('info network'))
            for _ in range(2):
                with socket.socket(socket.AF_UNIX) as server:
                    server.bind(self.path('s'))
                    server.listen(1)
                    server.settimeout(20)
                    server.accept()[0].close()
                os.unlink(self.path('s'))
                q.wait_event('NETDEV_STREAM_CONNECTED')
                q.wait_event('NETDEV_STREAM_DISCONNECTED')
            q.command('netdev_del', {'id': 'c'})

    def test_two_processes(self):
        """A frame through one emulator's hub over its stream to another one's, and back as datagrams."""
        server = hub_pair(self.stream('a'), 'stream,id=b,server=on,addr.type=unix,addr.path=' + self.path('between'))
        with quern.Quern(*EMPTY, *server) as one:
            client = hub_pair('stream,id=a,addr.type=unix,addr.path=' + self.path('between'),
                              'dgram,id=b,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s'
                              % (self.path('d-in'), self.path('d-out')))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as d, quern.Quern(*EMPTY, *client) as two:
                d.settimeout(20)
                d.bind(self.path('d-out'))
                while 'type=stream,unix:' not in two.hmp('info network'):
                    time.sleep(0.01)
                a = connect(self.path('a'))
                one.wait_event('NETDEV_STREAM_CONNECTED')
                one.wait_event('NETDEV_STREAM_CONNECTED')
                send_frame(a, FRAME)
                self.assertEqual(d.recv(2000), FRAME)
                d.sendto(FRAME + b'back', self.path('d-in'))
                self.assertEqual(receive_frame(a), FRAME + b'back')
                a.close()

    def test_old_spellings(self):
        with socket.create_server(('127.0.0.1', 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.bind(('127.0.0.1', 0))
            u.settimeout(20)
            pair = hub_pair('socket,id=a,connect=127.0.0.1:%d' % server.getsockname()[1],
                            'socket,id=b,udp=127.0.0.1:%d,localaddr=127.0.0.1:0' % u.getsockname()[1])
            with quern.Quern(*EMPTY, *pair):
                a = server.accept()[0]
                send_frame(a, FRAME)
                self.assertEqual(u.recv(2000), FRAME)
                a.close()

    def give(self, q, sock):
        text = b'{"execute": "getfd", "arguments": {"fdname": "pipe"}}\r\n'
        socket.send_fds(q.socket, [text], [sock.fileno()])
        self.assertEqual(q.exchange(b''), {'return': {}})

    def test_descriptors_of_other_kinds_are_refused(self):
        streams, datagrams = socket.socketpair(), socket.socketpair(type=socket.SOCK_DGRAM)
        packets = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with socket.create_server(('127.0.0.1', 0)) as server, quern.Quern(*EMPTY) as q:
            stream, dgram = {'type': 'stream', 'addr': {'type': 'fd', 'str': 'pipe'}}, {'type': 'dgram', 'local': {'type': 'fd', 'str': 'pipe'}}
            for sock, options, why in ((datagrams[0], stream, 'of streams'), (server, stream, 'that listens'),
                                       (streams[0], {**stream, 'server': True}, 'does not listen'), (streams[0], dgram, 'of datagrams'),
                                       (packets[0], {'type': 'socket', 'fd': 'pipe'}, 'streams or datagrams')):
                self.give(q, sock)
                self.assertIn(why, q.error('netdev_add', {'id': 'x', **options})[1])
                self.assertIn('not found', q.error('closefd', {'fdname': 'pipe'})[1])
        for s in (*streams, *datagrams, *packets):
            s.close()

    def test_inherited_and_received_descriptors(self):
        for options in {'type': 'stream', 'addr': {'type': 'fd', 'str': 'pipe'}}, {'type': 'socket', 'fd': 'pipe'}:
            with self.subTest(options['type']):
                self.try_received(options)

    def try_received(self, options):
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        with quern.Quern(*EMPTY, '-netdev', self.stream('a'), '-netdev', 'hubport,id=h0,hubid=0,netdev=a') as q:
            self.give(q, theirs)
            theirs.close()
            q.command('netdev_add', {'id': 'b', **options})
            q.command('netdev_add', {'type': 'hubport', 'id': 'h1', 'hubid': 0, 'netdev': 'b'})
            with connect(self.path('a')) as a:
                send_frame(a, FRAME)
                self.assertEqual(receive_frame(ours), FRAME)
            q.command('netdev_del', {'id': 'b'})
            self.assertEqual(ours.recv(1), b'')                 # it was closed
            self.assertIn('has not been found', q.error('netdev_add', {'id': 'b', **options})[1])
        ours.close()

    def test_multicast_group(self):
        group = 'socket,id=%s,mcast=239.192.0.77:%d,localaddr=127.0.0.1'
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(('', 0))
            port = s.getsockname()[1]
        with quern.Quern(*EMPTY, *hub_pair(self.stream('a'), group % ('b', port))) as one, \
             quern.Quern(*EMPTY, *hub_pair('stream,id=a,server=on,addr.type=unix,addr.path=' + self.path('a2'),
                                           group % ('b', port))) as two, \
             connect(self.path('a')) as a, connect(self.path('a2')) as a2:
            one.wait_event('NETDEV_STREAM_CONNECTED')
            two.wait_event('NETDEV_STREAM_CONNECTED')
            send_frame(a, FRAME)
            self.assertEqual(receive_frame(a2), FRAME)


if __name__ == '__main__':
    quern.BINARY = sys.argv.pop(1)
    unittest.main()
