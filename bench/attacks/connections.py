#!/usr/bin/env python3
"""Attacks with connections: none of them may keep others from being served, nor take memory without limit.

    python3 bench/attacks/connections.py target/release/pith [NAME...]
"""

import socket
import ssl
import struct
import sys
import time

from common import HOST, OTHERS, Server, Table, get

# How long each attack stands.
STAND = 12
LARGE = 64 << 20


def connect(port):
    try:
        connection = socket.create_connection((HOST, port), timeout=5)
        connection.settimeout(5)
        return connection
    except OSError:
        return None


def opened(port, count, first=b""):
    """Connections that send `first` and read nothing."""
    connections = []
    for _ in range(count):
        connection = connect(port)
        if connection:
            try:
                connection.sendall(first)
            except OSError:
                pass
            connections.append(connection)
    return connections


def stand(connections):
    time.sleep(STAND)
    for connection in connections:
        connection.close()


def silent(server):
    stand(opened(server.port, 4150))


def silent_tls(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connections = []
    for connection in opened(server.tls_port, 1500):
        try:
            connections.append(context.wrap_socket(connection))
        except OSError:
            pass
    stand(connections)


def unread(server):
    stand(opened(server.port, 4096, b"GET /pulp/isos/files/large.bin HTTP/1.1\r\nHost: x\r\n\r\n"))


def heads(server):
    field = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(48))
    stand(opened(server.port, 2000, field))


def short_heads(server):
    field = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 7500) for n in range(4))
    stand(opened(server.port, 4096, field))


def dripping_heads(server):
    connections = opened(server.port, 1500, b"GET / HTTP/1.1\r\n")
    end = time.time() + STAND
    while time.time() < end:
        for connection in connections:
            try:
                connection.sendall(b"X")
            except OSError:
                pass
        time.sleep(1)
    stand(connections)


def bodies(server):
    stand(opened(server.port, 2000, b"PUT /pulp/api/v2/users/x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n{"))


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    return bytes([len(value)]) + value


def streams(port, count, path):
    """The start of an HTTP/2 connection that asks `count` times and has no room for any answer."""
    settings = struct.pack(">HI", 4, 0)
    head = b"\x82\x86" + b"\x04" + text(path) + b"\x01" + text(b"x")
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, settings) + frame(4, 1, 0)
    return start + b"".join(frame(1, 5, 2 * n + 1, head) for n in range(count))


def window(server):
    stand(opened(server.port, 20, streams(server.port, 200, b"/pulp/isos/files/large.bin")))


def windows(server):
    stand(opened(server.port, 1000, streams(server.port, 64, b"/pulp/isos/files/large.bin")))


def small_windows(server):
    connections = []
    for number in range(200):
        path = b"/pulp/isos/files/small%d.bin" % (number % 50)
        connections += opened(server.port, 1, streams(server.port, 64, path))
    stand(connections)


ATTACKS = {
    "4,150 connections that send nothing": silent,
    "1,500 TLS connections that send nothing": silent_tls,
    "4,096 GETs of 64 MB that are not read": unread,
    "2,000 heads of 390 KB without end": heads,
    "4,096 heads of 30 KB without end": short_heads,
    "1,500 heads that drip": dripping_heads,
    "2,000 bodies without end": bodies,
    "HTTP/2 window 0: 20 connections, 200 streams": window,
    "HTTP/2 window 0: 1,000 connections, 64 streams": windows,
    "HTTP/2 window 0: 200 connections, 64 small files": small_windows,
}


def main():
    binary, names = sys.argv[1], sys.argv[2:]
    table = Table()
    for name, attack in ATTACKS.items():
        if names and not any(word in name for word in names):
            continue
        server = Server(binary)
        try:
            server.publish_files({"large.bin": LARGE, "file.bin": 1 << 20, "tiny.bin": 2000, **{f"small{n}.bin": 60_000 for n in range(50)}})

            def asks(source):
                return lambda: all(
                    get(server.port, path, source=source, timeout=20)[0] == 200
                    for path in ("/livez", "/pulp/isos/files/tiny.bin", "/pulp/isos/files/file.bin"))

            table.row(server, name, lambda: attack(server), {source: asks(source) for source in OTHERS})
        finally:
            server.stop()


main()
