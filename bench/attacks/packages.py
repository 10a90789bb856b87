"""A repository of many packages that exist in metadata alone, each with some things that it provides."""

import gzip
import hashlib


def publish_packages(server, count):
    """Makes the repository `packages` and syncs it, with the files left where they are."""
    folder = server.feed / "packages"
    (folder / "repodata").mkdir(parents=True)
    version = '<version epoch="0" ver="1" rel="1"/>'
    primary, other = [], []
    for number in range(count):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        provides = "".join(f'<rpm:entry name="provided-{number}-{n}"/>' for n in range(10))
        primary.append(
            f'<package type="rpm"><name>package{number}</name><arch>noarch</arch>{version}<checksum type="sha256" pkgid="YES">'
            f'{digest}</checksum><summary>s</summary><description>{"about this " * 10}{number}</description><size package="100"/>'
            f'<location href="p{number}.rpm"/><format><rpm:provides>{provides}</rpm:provides></format></package>')
        other.append(f'<package pkgid="{digest}" name="package{number}" arch="noarch">{version}</package>')
    space = "http://linux.duke.edu/metadata/"
    documents = {
        "primary": f'<metadata xmlns="{space}common" xmlns:rpm="{space}rpm" packages="{count}">{"".join(primary)}</metadata>',
        "filelists": f'<filelists xmlns="{space}filelists" packages="{count}">{"".join(other)}</filelists>',
        "other": f'<otherdata xmlns="{space}other" packages="{count}">{"".join(other)}</otherdata>',
    }
    data = ""
    for kind, text in documents.items():
        packed = gzip.compress(text.encode(), 1)
        (folder / "repodata" / f"{kind}.xml.gz").write_bytes(packed)
        data += (f'<data type="{kind}"><checksum type="sha256">{hashlib.sha256(packed).hexdigest()}</checksum>'
                 f'<location href="repodata/{kind}.xml.gz"/></data>')
    (folder / "repodata" / "repomd.xml").write_text(f'<repomd xmlns="{space}repo"><revision>1</revision>{data}</repomd>')
    server.done("POST", "/repositories/", {
        "id": "packages", "importer_type_id": "yum_importer",
        "importer_config": {"feed": f"file://{folder}/", "download_policy": "on_demand"}, "distributors": []})
    server.done("POST", "/repositories/packages/actions/sync/", {})
