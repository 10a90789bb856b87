#!/usr/bin/env python3
"""Attacks with documents, feeds and uploads at full size.

Prints for each attack the most memory that the server took and the longest time that a well-behaved client waited for
/livez and for published content meanwhile. The limits are 300 MiB and one second.

    PITH_BIN=target/release/pith python3 bench/attacks/documents.py [ATTACK...]
"""

import gzip
import hashlib
import http.server
import json
import lzma
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import base64

PITH = os.environ.get("PITH_BIN", "target/release/pith")
MOST_MEMORY, MOST_WAIT = 300, 1.0
NS = "http://linux.duke.edu/metadata"
VERSION = '<version epoch="0" ver="1" rel="1"/>'


class Feed(http.server.ThreadingHTTPServer):
    """Serves what is in `files`; of paths below /drip/ a few bytes a second."""

    daemon_threads = True

    def __init__(self):
        self.files = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.server.files.get(self.path.split("?")[0])
                if body is None:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    if self.path.startswith("/drip/"):
                        while True:
                            self.wfile.write(b" " * 200)
                            time.sleep(2)
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def repository(self, path, **documents):
        """Puts a repository with these documents, beside the usual ones."""
        pkgid = "0" * 64
        usual = {
            "primary": f'<metadata xmlns="{NS}/common" packages="0"></metadata>'.encode(),
            "filelists": f'<filelists xmlns="{NS}/filelists" packages="0"></filelists>'.encode(),
            "other": f'<otherdata xmlns="{NS}/other" packages="0"></otherdata>'.encode(),
        }
        data = ""
        for kind, body in {**usual, **documents}.items():
            self.files[f"{path}repodata/{kind}"] = body
            data += (
                f'<data type="{kind}"><checksum type="sha256">{hashlib.sha256(body).hexdigest()}</checksum>'
                f'<location href="repodata/{kind}"/><size>{len(body)}</size></data>'
            )
        repomd = f'<repomd xmlns="{NS}/repo"><revision>1</revision>{data}</repomd>'
        self.files[f"{path}repodata/repomd.xml"] = repomd.encode()


class Server:
    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        log = open(os.path.join(self.folder.name, "log"), "wb")
        command = [PITH, "serve", "--data", self.folder.name + "/data", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--tls-listen", "off", *options]
        environment = {**os.environ, "PITH_ADMIN_PASSWORD": "admin"}
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        for _ in range(600):
            try:
                self.raw("GET", "/readyz")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(open(log.name).read())

    def raw(self, method, path, body=None, timeout=600):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read()

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self.raw(method, "/pulp/api/v2" + path, data) or b"null")

    def rpm(self, name, feed, **config):
        distributor = {"http": True, "https": False, "relative_url": name}
        self.call("POST", "/repositories/", {
            "id": name, "importer_type_id": "yum_importer",
            "importer_config": {"feed": feed, "download_policy": "on_demand", **config},
            "distributors": [{"distributor_type_id": "yum_distributor", "distributor_id": "d", "distributor_config": distributor}],
        })

    def start(self, path, body=None):
        spawned = self.call("POST", path, body or {})["spawned_tasks"]
        return [task["task_id"] for task in spawned]

    def sync(self, name):
        return self.start(f"/repositories/{name}/actions/sync/")

    def publish(self, name):
        return self.start(f"/repositories/{name}/actions/publish/", {"id": "d"})

    def wait(self, tasks, limit=600):
        ended = []
        until = time.monotonic() + limit
        for task in tasks:
            while True:
                found = self.call("GET", f"/tasks/{task}/")
                if found["state"] not in ("waiting", "running"):
                    break
                if time.monotonic() > until:
                    self.call("DELETE", f"/tasks/{task}/")
                    break
                time.sleep(0.2)
            error = (found.get("error") or {}).get("description", "")
            ended.append(f"{found['state']} {error}".strip())
        return ended

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


class Client:
    """A well-behaved client, in a process of its own: asks again and again, and remembers the longest wait."""

    def __init__(self, server):
        command = [sys.executable, __file__, "--client", str(server.port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def worst(self):
        return float(self.process.communicate()[0])


def client(port):
    going, worst = [True], 0.0
    threading.Thread(target=lambda: (sys.stdin.read(), going.clear()), daemon=True).start()
    while going:
        for path in ("/livez", "/pulp/repos/good/repodata/repomd.xml"):
            began = time.monotonic()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60).read()
            except OSError:
                worst = 60.0
            worst = max(worst, time.monotonic() - began)
        time.sleep(0.02)
    print(worst)


def packed(head, piece, count, tail):
    import io
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as gz:
        gz.write(head)
        for number in range(count):
            gz.write(piece(number))
        gz.write(tail)
    return out.getvalue()


def update(inside):
    return b'<updates><update from="f" status="s" type="t" version="1"><id>A</id>' + inside


def long_text(server, feed):
    piece = b"x" * (1 << 20) + b"<!-- -->" + os.urandom(2600).hex().encode()
    body = packed(update(b"<description>"), lambda _: piece, 2000, b"</description></update></updates>")
    feed.repository("/a/", updateinfo=body)
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a"))


def many_advisories(server, feed):
    one = lambda n: f'<update from="f" status="s" type="t" version="1"><id>A{n}</id></update>'.encode()
    feed.repository("/a/", updateinfo=packed(b"<updates>", one, 1_000_000, b"</updates>"))
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a"))


def heavy_advisories(server, feed):
    lists = b"<pkglist><collection>" + b"<package/>" * 99_000 + b"</collection></pkglist>"
    one = lambda n: f'<update from="f" status="s" type="t" version="1"><id>A{n}</id>'.encode() + lists + b"</update>"
    feed.repository("/a/", updateinfo=packed(b"<updates>", one, 20, b"</updates>"))
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a")) + server.wait(server.publish("a"))


def groups(count):
    def attack(server, feed):
        one = lambda n: f"<group><id>g{n}</id><name>n</name></group>".encode()
        feed.repository("/a/", group=packed(b"<comps>", one, count, b"</comps>"))
        server.rpm("a", feed.url("/a/"))
        return server.wait(server.sync("a")) + server.wait(server.publish("a"))
    return attack


def modules(documents, artifacts):
    def attack(server, feed):
        listed = "".join(f"      - package-{n}-0:1.0-1.x86_64\n" for n in range(artifacts))
        one = lambda n: (
            f"---\ndocument: modulemd\nversion: 2\ndata:\n  name: m{n}\n  stream: s\n  version: 1\n"
            f"  artifacts:\n    rpms:\n{listed}...\n"
        ).encode()
        feed.repository("/a/", modules=packed(b"", one, documents, b""))
        names = ["a", "b", "c"]
        for name in names:
            server.rpm(name, feed.url("/a/"))
        tasks = [task for name in names for task in server.sync(name)]
        ended = server.wait(tasks)
        return ended[:1] + server.wait(server.publish("a"))
    return attack


def put_heavy_packages(feed, count, relation):
    entries = "".join(f"<rpm:entry name='p{n}' flags='GE' epoch='0' ver='{n}' rel='1'/>" for n in range(49_000))
    entries = f"<rpm:{relation}>{entries}</rpm:{relation}>"
    def one(n):
        return (
            f'<package type="rpm"><name>p{n}</name><arch>noarch</arch>{VERSION}<checksum type="sha256" pkgid="YES">{n:064x}'
            f'</checksum><location href="p{n}.rpm"/><format>{entries}</format></package>'
        ).encode()
    head = f'<metadata xmlns="{NS}/common" xmlns:rpm="{NS}/rpm" packages="{count}">'.encode()
    feed.repository("/a/", primary=packed(head, one, count, b"</metadata>"))


def heavy_packages(server, feed):
    put_heavy_packages(feed, 12, "provides")
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a")) + server.wait(server.publish("a"))


def heavy_copy(server, feed):
    put_heavy_packages(feed, 40, "requires")
    server.rpm("a", feed.url("/a/"))
    ended = server.wait(server.sync("a"))
    server.rpm("b", feed.url("/b/"))
    body = {"source_repo_id": "a", "criteria": {}, "override_config": {"recursive": True}}
    return ended + server.wait(server.start("/repositories/b/actions/associate/", body))


def large_filelists(server, feed):
    count = 8
    def package(n):
        return (
            f'<package type="rpm"><name>p{n}</name><arch>noarch</arch>{VERSION}<checksum type="sha256" pkgid="YES">{n:064x}'
            f'</checksum><location href="p{n}.rpm"/><format/></package>'
        ).encode()
    def files(n):
        paths = b"".join(b"<file>/" + random.randbytes(40).hex().encode() + b"</file>" for _ in range(230_000))
        return f'<package pkgid="{n:064x}" name="p{n}" arch="noarch">{VERSION}'.encode() + paths + b"</package>"
    head = f'<metadata xmlns="{NS}/common" packages="{count}">'.encode()
    listed = f'<filelists xmlns="{NS}/filelists" packages="{count}">'.encode()
    feed.repository(
        "/a/", primary=packed(head, package, count, b"</metadata>"),
        filelists=packed(listed, files, count, b"</filelists>"),
    )
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a")) + server.wait(server.publish("a"))


def foreign_filelists(server, feed):
    one = lambda n: f'<package pkgid="{n:064x}" name="p" arch="noarch">{VERSION}</package>'.encode()
    package = (
        f'<metadata xmlns="{NS}/common" packages="1"><package type="rpm"><name>p</name><arch>noarch</arch>{VERSION}'
        f'<checksum type="sha256" pkgid="YES">{"f" * 64}</checksum><location href="p.rpm"/><format/></package></metadata>'
    ).encode()
    head = f'<filelists xmlns="{NS}/filelists" packages="1">'.encode()
    feed.repository("/a/", primary=package, filelists=packed(head, one, 999_000, b"</filelists>"))
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a"))


def dictionaries(server, feed):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 64 << 20}]
    def document(root, space):
        noise = random.randbytes(1 << 20).hex().encode()
        body = f'<{root} xmlns="{NS}/{space}" packages="0">'.encode() + (b"<!--" + noise + b"-->") * 60 + f"</{root}>".encode()
        return lzma.compress(body, lzma.FORMAT_XZ, filters=filters)
    feed.repository(
        "/a/", primary=document("metadata", "common"), filelists=document("filelists", "filelists"),
        other=document("otherdata", "other"),
    )
    server.rpm("a", feed.url("/a/"))
    return server.wait(server.sync("a"))


def header(files):
    """A package of which the header lists so many files."""
    def attack(server, feed):
        names = b"".join(b"f%d\0" % n for n in range(files))
        tags = [
            (1000, 6, 1, b"p\0"), (1001, 6, 1, b"1\0"), (1002, 6, 1, b"1\0"), (1022, 6, 1, b"noarch\0"),
            (1028, 4, files, b"\0\0\0\1" * files), (1030, 3, files, b"\x81\xa4" * files), (1034, 4, files, b"\0\0\0\1" * files),
            (1037, 4, files, b"\0\0\0\0" * files), (1116, 4, files, b"\0\0\0\0" * files), (1117, 8, files, names),
            (1118, 8, 1, b"/usr/\0"), (1035, 8, files, (b"a" * 64 + b"\0") * files), (1036, 8, files, b"\0" * files),
            (5011, 4, 1, b"\0\0\0\x08"), (1039, 8, files, b"r\0" * files), (1040, 8, files, b"r\0" * files),
        ]
        index, store = b"", b""
        for tag, kind, count, value in sorted(tags):
            store += b"\0" * (-len(store) % 4)
            index += struct.pack(">IIII", tag, kind, len(store), count)
            store += value
        magic = b"\x8e\xad\xe8\1\0\0\0\0"
        lead = b"\xed\xab\xee\xdb\3\0" + b"\0" * 90
        signature = magic + struct.pack(">II", 0, 0)
        bytes_ = lead + signature + magic + struct.pack(">II", len(index) // 16, len(store)) + index + store
        server.rpm("a", feed.url("/a/"))
        upload = server.call("POST", "/content/uploads/", {})["upload_id"]
        server.raw("PUT", f"/pulp/api/v2/content/uploads/{upload}/0/", bytes_)
        body = {"upload_id": upload, "unit_type_id": "rpm", "unit_key": {}, "unit_metadata": {}}
        return [f"{len(bytes_) >> 20} MiB"] + server.wait(server.start("/repositories/a/actions/import_upload/", body))
    return attack


def manifest(server, feed):
    feed.files["/a/PULP_MANIFEST"] = b"x" * (250 << 20) + b"," + b"0" * 64 + b",1\n"
    server.call("POST", "/repositories/", {
        "id": "a", "importer_type_id": "iso_importer", "importer_config": {"feed": feed.url("/a/")},
    })
    return server.wait(server.sync("a"))


def drip(server, feed):
    feed.files["/drip/repodata/repomd.xml"] = b" " * (8 << 20)
    for number in range(4):
        server.rpm(f"d{number}", feed.url("/drip/"))
        server.sync(f"d{number}")
    time.sleep(2)
    began = time.monotonic()
    ended = server.wait(server.publish("good"), 120)
    return ended + [f"published after {time.monotonic() - began:.1f} s"]


def sparse(server, feed):
    upload = server.call("POST", "/content/uploads/", {})["upload_id"]
    try:
        server.raw("PUT", f"/pulp/api/v2/content/uploads/{upload}/6442450943/", b"x")
    except urllib.error.HTTPError as error:
        return [f"status {error.code}"]
    return ["taken"]


ATTACKS = {
    "a description of 2 GB in pieces": long_text,
    "1,000,000 advisories": many_advisories,
    "20 advisories of 99,000 packages": heavy_advisories,
    "1,000,000 groups": groups(1_000_000),
    "100,000 groups, published": groups(100_000),
    "modules.yaml: 60 x 100,000 packages, 3 syncs": modules(60, 100_000),
    "modules.yaml: 4 x 100,000 packages, 3 syncs": modules(4, 100_000),
    "12 packages with 49,000 provides each": heavy_packages,
    "40 packages with 49,000 requires each, copied recursively": heavy_copy,
    "8 packages with 230,000 random files each": large_filelists,
    "filelists of 999,000 other packages": foreign_filelists,
    "xz with windows of 64 MiB": dictionaries,
    "package header of 2,500,000 files": header(2_500_000),
    "package header of 200,000 files": header(200_000),
    "PULP_MANIFEST with a line of 250 MiB": manifest,
    "4 dripping feeds": drip,
    "one byte at 6 GiB of an upload": sparse,
}


def run(name, attack):
    feed, server = Feed(), Server("--workers", "2")
    try:
        feed.repository("/good/")
        server.rpm("good", feed.url("/good/"))
        server.wait(server.sync("good") + server.publish("good"))
        client = Client(server)
        ended = attack(server, feed)
        worst = client.worst()
        peak, alive = server.peak(), server.process.poll() is None
        held = alive and peak < MOST_MEMORY and worst < MOST_WAIT
        said = "; ".join(text[:110] for text in ended)
        print(f"| {name} | {peak:.0f} MiB | {worst:.2f} s | {'held' if held else 'FAILED'} | {said} |", flush=True)
        return held
    finally:
        server.stop()
        feed.shutdown()


def main():
    if sys.argv[1:2] == ["--client"]:
        return client(int(sys.argv[2]))
    wanted = sys.argv[1:]
    print("| attack | peak RSS | longest wait of a well-behaved client | | what came of it |\n|---|---|---|---|---|", flush=True)
    chosen = [(n, a) for n, a in ATTACKS.items() if not wanted or any(w in n for w in wanted)]
    held = [run(name, attack) for name, attack in chosen]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
