"""A day of a release team with pubtools-pulplib, unmodified, against a live server.

Usage: pulplib_day.py URL PASSWORD RPM. Every step asserts what it must see; the last line printed is "done".
"""

import gzip
import io
import os
import re
import sys

import requests
from pubtools.pulplib import (
    Client,
    CopyOptions,
    Criteria,
    ErratumPackage,
    ErratumPackageCollection,
    ErratumReference,
    ErratumUnit,
    FileUnit,
    Matcher,
    PublishOptions,
    RpmUnit,
)
from pubtools.pulplib._impl import compat_attr as attr

URL, PASSWORD, RPM = sys.argv[1:]


def create(repo_id, kind, importer, distributor, config):
    """Creates a repository as pulp-admin does: the library's own way has no room for http and https."""
    body = {
        "id": repo_id,
        "notes": {"_repo-type": kind},
        "importer_type_id": importer,
        "importer_config": {},
        "distributors": [
            {
                "distributor_id": distributor,
                "distributor_type_id": distributor,
                "distributor_config": config,
                "auto_publish": False,
            }
        ],
    }
    answer = requests.post(
        URL + "/pulp/api/v2/repositories/", json=body, auth=("admin", PASSWORD)
    )
    assert answer.status_code == 201, answer.text


def served(path):
    answer = requests.get(URL + path)
    answer.raise_for_status()
    return answer.content


def names(units):
    return sorted(unit.name for unit in units)


def repositories(client):
    for repo_id in ("day-rpm", "day-copy"):
        create(
            repo_id,
            "rpm-repo",
            "yum_importer",
            "yum_distributor",
            {"relative_url": repo_id, "http": True, "https": True},
        )
    create(
        "day-files",
        "iso-repo",
        "iso_importer",
        "iso_distributor",
        {"relative_url": "day-files", "serve_http": True, "serve_https": True},
    )
    by_id = client.search_repository(Criteria.with_id(["day-rpm", "day-files", "none"]))
    assert sorted(r.id for r in by_id) == ["day-files", "day-rpm"]
    matched = client.search_repository(
        Criteria.and_(
            Criteria.with_field("id", Matcher.regex("^day-")),
            Criteria.with_field("notes._repo-type", "rpm-repo"),
        )
    )
    assert sorted(r.id for r in matched) == ["day-copy", "day-rpm"]
    distributors = client.search_distributor(
        Criteria.with_field("repo_id", Matcher.in_(["day-rpm", "day-files"]))
    )
    assert sorted(d.type_id for d in distributors) == ["iso_distributor", "yum_distributor"]


def files(client):
    repo = client.get_repository("day-files").result()
    tasks = repo.upload_file(io.BytesIO(b"hello\n"), "greetings/hello.txt").result()
    assert [t.completed and t.succeeded for t in tasks] == [True], tasks
    (unit,) = list(repo.search_content(Criteria.with_unit_type(FileUnit)).result())
    assert (unit.path, unit.size) == ("greetings/hello.txt", 6), unit
    client.update_content(attr.evolve(unit, description="A greeting")).result()
    (unit,) = list(repo.search_content(Criteria.with_unit_type(FileUnit)).result())
    assert unit.description == "A greeting", unit
    repo.publish(PublishOptions(force=True)).result()
    assert served("/pulp/isos/day-files/greetings/hello.txt") == b"hello\n"


def packages(client):
    repo = client.get_repository("day-rpm").result()
    repo.upload_rpm(RPM, cdn_path="/content/some/package.rpm").result()
    (rpm,) = list(
        client.search_content(
            Criteria.and_(
                Criteria.with_unit_type(RpmUnit),
                Criteria.with_field("filename", os.path.basename(RPM)),
            )
        ).result()
    )
    assert rpm.repository_memberships == ["day-rpm"], rpm
    assert rpm.cdn_path == "/content/some/package.rpm", rpm
    repo.upload_erratum(erratum(rpm)).result()
    (found,) = list(repo.search_content(Criteria.with_unit_type(ErratumUnit)).result())
    assert found.id == "DAY-2026:1" and found.pkglist[0].packages[0].name == rpm.name, found
    repo.publish(PublishOptions(force=True, clean=True)).result()
    repomd = served("/pulp/repos/day-rpm/repodata/repomd.xml").decode()
    (href,) = re.findall(r'href="(repodata/[^"]*updateinfo[^"]*)"', repomd)
    assert b"DAY-2026:1" in gzip.decompress(served("/pulp/repos/day-rpm/" + href))
    return rpm


def erratum(rpm):
    package = ErratumPackage(
        name=rpm.name,
        epoch=rpm.epoch,
        version=rpm.version,
        release=rpm.release,
        arch=rpm.arch,
        filename=rpm.filename,
        src="",
        sha256sum=rpm.sha256sum,
    )
    return ErratumUnit(
        id="DAY-2026:1",
        version="1",
        status="final",
        updated="2026-01-02 03:04:05 UTC",
        issued="2026-01-02 03:04:05 UTC",
        description="Mends the greeting.",
        pushcount="1",
        reboot_suggested=False,
        from_="team@example.com",
        rights="",
        title="greet",
        type="bugfix",
        severity="",
        release="1",
        solution="",
        summary="greet",
        content_types=["rpm"],
        references=[
            ErratumReference(href="https://example.com/1", id="1", title="one", type="self")
        ],
        pkglist=[
            ErratumPackageCollection(name="", short="", packages=[package], module=None)
        ],
    )


def curation(client, rpm):
    source = client.get_repository("day-rpm").result()
    target = client.get_repository("day-copy").result()
    criteria = Criteria.and_(
        Criteria.with_unit_type(RpmUnit), Criteria.with_field("name", rpm.name)
    )
    (task,) = client.copy_content(source, target, criteria, options=CopyOptions()).result()
    assert names(task.units) == [rpm.name], task
    (copied,) = list(target.search_content(Criteria.with_unit_type(RpmUnit)).result())
    assert copied.unit_id == rpm.unit_id
    (task,) = target.remove_content(criteria).result()
    assert names(task.units) == [rpm.name], task
    assert list(target.search_content(Criteria.with_unit_type(RpmUnit)).result()) == []


def ending(client):
    tasks = list(
        client.search_task(
            Criteria.with_field("tags", Matcher.in_(["pulp:repository:day-rpm"]))
        ).result()
    )
    assert len(tasks) >= 4 and all(task.succeeded for task in tasks), tasks
    for repo_id in ("day-rpm", "day-copy", "day-files"):
        repo = client.get_repository(repo_id).result()
        repo.delete().result()
    left = client.search_repository(Criteria.with_field("id", Matcher.regex("^day-")))
    assert list(left) == []


def main():
    with Client(URL, auth=("admin", PASSWORD)) as client:
        repositories(client)
        files(client)
        rpm = packages(client)
        curation(client, rpm)
        ending(client)
    print("done")


main()
