#!/usr/bin/env python3
"""Attacks with requests: by whoever may log in, or tries to.

    python3 bench/attacks/requests.py target/release/pith [NAME...]
"""

import json
import sys
import threading
import time

from common import HOST, OTHERS, Server, Table, at_once, get
from packages import publish_packages

PACKAGES = 20_000


def joined(threads, seconds=60):
    end = time.time() + seconds
    for thread in threads:
        thread.join(max(0.1, end - time.time()))


def by_ann(server, method, path, body):
    return server.call(method, path, body, user="ann", password="secret")


def bodies(server):
    body = ('{"delta":[' + '{"":0},' * 748_000 + "{}]}").encode()
    joined(at_once(20, lambda _: by_ann(server, "PUT", "/users/ann/", body)))


def smaller_bodies(server):
    body = ('{"delta":[' + '{"":0},' * 60_000 + "{}]}").encode()
    joined(at_once(100, lambda _: by_ann(server, "PUT", "/users/ann/", body)))


def unknown_keys(server):
    body = json.dumps({"delta": {f"unknown-{n}": 0 for n in range(250_000)}}).encode()
    sizes = []
    joined(at_once(10, lambda _: sizes.append(len(by_ann(server, "PUT", "/users/ann/", body)[1]))))
    print(f"  the largest answer has {max(sizes)} bytes")


def passwords(server):
    joined(at_once(150, lambda _: by_ann(server, "PUT", "/users/ann/", {"delta": {"password": "secret"}})))


def certificates(server):
    joined(at_once(150, lambda _: by_ann(server, "POST", "/actions/login/", {})))


def guesses(server):
    def guess(number):
        for _ in range(15):
            server.call("GET", "/users/", user="admin", password=f"wrong{number}")
    joined(at_once(100, guess))


def guesses_of_many_logins(server):
    def guess(number):
        for n in range(15):
            server.call("GET", "/users/", user=f"nobody{number}-{n}", password="wrong")
    joined(at_once(100, guess))


def guesses_from_many_addresses(server):
    def guess(number):
        for _ in range(10):
            server.call("GET", "/users/", user="admin", password="wrong", source=f"127.0.1.{number + 1}")
    joined(at_once(50, guess))


def search(server, criteria):
    return by_ann(server, "POST", "/repositories/packages/search/units/", {"criteria": criteria})


def sort_keys(server):
    keys = [["description", "ascending"]] * 800
    joined(at_once(4, lambda _: search(server, {"type_ids": ["rpm"], "sort": {"unit": keys}})))


def sorts(server):
    keys = [["description", "ascending"], ["provides", "ascending"]] * 16
    joined(at_once(8, lambda _: search(server, {"type_ids": ["rpm"], "sort": {"unit": keys}})), 120)


def filters(server, unit, count=4):
    answers = []

    def ask(_):
        began = time.time()
        status = search(server, {"type_ids": ["rpm"], "filters": {"unit": unit}})[0]
        answers.append(f"{status} after {time.time() - began:.0f} s")
    joined(at_once(count, ask), 240)
    print(f"  {', '.join(answers)}")


ATTACKS = {
    "20 bodies of 748,000 objects": bodies,
    "100 bodies of 60,000 objects": smaller_bodies,
    "10 bodies of 250,000 unknown keys": unknown_keys,
    "150 passwords set at once": passwords,
    "150 login certificates at once": certificates,
    "1,500 wrong passwords of admin": guesses,
    "1,500 wrong passwords of as many logins": guesses_of_many_logins,
    "500 wrong passwords from 50 addresses": guesses_from_many_addresses,
    "4 sorts by 800 keys": sort_keys,
    "8 sorts by 32 keys of long values": sorts,
    "4 filters $nor of 9,000": lambda server: filters(server, {"$nor": [{"provides.name": f"v{n}"} for n in range(9000)]}),
    "4 filters $nin of 9,000 lists": lambda server: filters(server, {"provides.name": {"$nin": [[f"v{n}"] for n in range(9000)]}}),
    "4 filters of 200 expressions": lambda server: filters(server, {"$nor": [{"provides.name": {"$regex": f"v.*{n}x$"}} for n in range(200)]}),
}


def main():
    binary, names = sys.argv[1], sys.argv[2:]
    table = Table()
    server = Server(binary)
    try:
        publish_packages(server, PACKAGES)
        server.done("POST", "/users/", {"login": "ann", "password": "secret"})
        server.done("POST", "/users/", {"login": "bob", "password": "secret"})
        for resource, operations in {"/v2/users/ann/": ["UPDATE"], "/v2/actions/login/": ["CREATE", "READ"], "/v2/repositories/packages/": ["READ"]}.items():
            server.done("POST", "/permissions/actions/grant_to_user/", {"login": "ann", "resource": resource, "operations": operations})
        for name, attack in ATTACKS.items():
            if names and not any(word in name for word in names):
                continue

            def live():
                return get(server.port, "/livez", source=OTHERS[0], timeout=30)[0] == 200

            def admin():
                return server.call("GET", "/users/", source=OTHERS[0], timeout=60)[0] == 200

            fresh = iter(range(10**9))

            def new_login():
                # Of a user that was not recognised before: made by an administrator, then tried.
                login = f"{'x' * 3}{time.time_ns()}{next(fresh)}"
                made = server.call("POST", "/users/", {"login": login, "password": "secret"}, source=OTHERS[0])[0]
                began = time.time()
                status = server.call("GET", "/users/", user=login, password="secret", source=OTHERS[0])[0]
                waits.append(time.time() - began)
                return made == 201 and status == 401

            waits = []
            table.row(server, name, lambda: attack(server), {"/livez": live, "admin": admin, "new login (made and used)": new_login})
            print(f"  a first login took up to {max(waits, default=0):.2f} s")
    finally:
        server.stop()


main()
