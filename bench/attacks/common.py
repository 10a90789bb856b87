"""What the attacks share: a server of their own, its memory, and a client that behaves."""

import base64
import http.client
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time

API = "/pulp/api/v2"
HOST = "127.0.0.1"
# Whoever behaves well comes from elsewhere, and from the same machine as the attack.
OTHERS = ("127.0.0.2", HOST)


def raise_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """`pith serve` in a folder of its own, with a published file of 64 MB below /pulp/isos/files/."""

    def __init__(self, binary, options=()):
        raise_files()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pith-attack-"))
        self.feed = self.folder / "feed"
        self.feed.mkdir()
        with socket.create_server((HOST, 0)) as plain, socket.create_server((HOST, 0)) as tls:
            self.port, self.tls_port = plain.getsockname()[1], tls.getsockname()[1]
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [binary, "serve", "--data", str(self.folder / "data"), "--listen", f"{HOST}:{self.port}",
             "--tls-listen", f"{HOST}:{self.tls_port}", "--allow-file-feeds", str(self.feed), *options],
            env={**os.environ, "PITH_ADMIN_PASSWORD": "admin"}, stderr=self.log)
        until(lambda: get(self.port, "/livez")[0] == 200, 60)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None, user="admin", password="admin", source=HOST, timeout=120):
        """One request below the API: status and answer."""
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return get(self.port, API + path, method, data, headers, source, timeout)

    def done(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status < 300, (method, path, status, answer[:500])
        answer = json.loads(answer)
        for task in (answer or {}).get("spawned_tasks", []) if isinstance(answer, dict) else []:
            until(lambda: self.ended(task["task_id"]), 600)
        return answer

    def ended(self, task):
        state = json.loads(self.call("GET", f"/tasks/{task}/")[1])
        assert state["state"] != "error", state
        return state["state"] == "finished"

    def publish_files(self, sizes):
        """Files of these sizes, by name."""
        import hashlib
        lines = []
        for name, size in sizes.items():
            data = os.urandom(1 << 20) * (size >> 20) if size >> 20 else os.urandom(size)
            (self.feed / name).write_bytes(data)
            lines.append(f"{name},{hashlib.sha256(data).hexdigest()},{len(data)}")
        (self.feed / "PULP_MANIFEST").write_text("\n".join(lines) + "\n")
        self.done("POST", "/repositories/", {
            "id": "files", "importer_type_id": "iso_importer", "importer_config": {"feed": f"file://{self.feed}/"},
            "distributors": [{"distributor_id": "d", "distributor_type_id": "iso_distributor",
                              "distributor_config": {"serve_http": True, "serve_https": True, "relative_url": "files"}}]})
        self.done("POST", "/repositories/files/actions/sync/", {})
        self.done("POST", "/repositories/files/actions/publish/", {"id": "d"})

    def memory(self, key="VmHWM"):
        """Resident memory in MiB: its peak, or with `VmRSS` at the moment."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(key + ":"):
                return int(line.split()[1]) >> 10
        return 0

    def forget_peak(self):
        try:
            pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except OSError:
            pass


def get(port, path, method="GET", body=None, headers=None, source=HOST, timeout=60):
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


def until(condition, seconds):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "it does not come about"
        time.sleep(0.05)


def at_once(count, work):
    """Runs `work(number)` on as many threads."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


class Probe:
    """Asks all the time, like somebody who behaves well, and keeps the longest wait."""

    def __init__(self, name, ask):
        self.name, self.ask = name, ask
        self.longest, self.failed, self.count = 0.0, 0, 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            began = time.time()
            ok = self.ask()
            if self.stopped.is_set():
                return
            self.longest = max(self.longest, time.time() - began)
            self.count += 1
            self.failed += not ok
            self.stopped.wait(0.2)

    def stop(self):
        self.stopped.set()
        self.thread.join(1)
        if self.thread.is_alive():
            self.failed += 1
        return f"{self.longest:.2f} s" + (f" ({self.failed} of {self.count} failed)" if self.failed else "")


class Table:
    """Prints a line for each attack."""

    def __init__(self):
        print(f"| {'attack':58} | peak RSS | served within |")
        print(f"|{'-' * 60}|---------:|---------------|")

    def row(self, server, name, attack, asks):
        """Runs `attack` while each of `asks` is asked for again and again."""
        server.forget_peak()
        probes = [Probe(kind, ask) for kind, ask in asks.items()]
        try:
            attack()
        finally:
            shown = "; ".join(f"{probe.name} {probe.stop()}" for probe in probes)
            print(f"| {name:58} | {server.memory():4} MiB | {shown} |", flush=True)
