"""Fetches a dataset from Hugging Face's hub, or a server of the same API, each file compared with its checksum there."""

import hashlib
import json
import os
import re
import tempfile
from urllib.parse import quote

from base.files import inside
from base.say import die, say
from base.threads import in_threads
from steps.fetch import NOT_THERE, WRONG_CHECKSUM, curl, fetch

# `repository`: owner/name; `path`: a folder or file in it, empty for all.
HUB = {"endpoint": str, "repository": str, "revision": str, "path": str}
NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
BLOCK = 1 << 20


def fetch_hub(hub, folder, token):
    """All files of a dataset's commit below a path, into a folder."""
    base, name = hub["endpoint"].rstrip("/"), quote(hub["repository"])
    # Of a branch that moves meanwhile all files are of one commit.
    told = asked(f"{base}/api/datasets/{name}/revision/{quote(hub['revision'], safe='')}", token)[0]
    commit = told.get("sha") if isinstance(told, dict) else None
    if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}", commit):
        die(NOT_THERE, f"{base} tells no commit of {hub['repository']} at {hub['revision']}.")
    files = [each for each in tree(base, name, commit, token) if is_below(each["path"], hub["path"])]
    if not files:
        die(NOT_THERE, f"{hub['repository']} holds no file below {hub['path'] or '/'} at {hub['revision']} ({commit}).")
    size = sum(each["size"] for each in files) / 1e6
    say(f"Fetching {len(files)} files, {size:.1f} MB, from {hub['repository']} at {commit}")

    def bring(each):
        target = os.path.join(folder, os.path.relpath(each["path"], hub["path"] or "."))
        if each["path"] == hub["path"]:
            target = os.path.join(folder, os.path.basename(each["path"]))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        fetch(f"{base}/datasets/{name}/resolve/{commit}/{quote(each['path'])}", target, "", token)
        require_same(target, each)

    in_threads(bring, files)


def tree(base, name, commit, token):
    """The files of a commit, page by page."""
    url = f"{base}/api/datasets/{name}/tree/{commit}?recursive=true"
    while url is not None:
        page, url = asked(url, token)
        for each in page if isinstance(page, list) else ():
            if each.get("type") != "file":
                continue
            path = each.get("path")
            if not isinstance(path, str) or not inside("", path) or not isinstance(each.get("size"), int):
                die(NOT_THERE, f"{base} lists {path!r}, which is no file below a folder.")
            yield each
        if url is not None and not url.startswith(f"{base}/"):
            die(NOT_THERE, f"{base} leads to another server for the rest of its list, which is not followed.")


def asked(url, token):
    """What the server answers, as JSON, and the address of the next page or None."""
    with tempfile.NamedTemporaryFile() as headers:
        answer = curl(url, "--dump-header", headers.name, token=token)
        if answer.returncode != 0:
            die(
                NOT_THERE,
                f"{url} can't be read (curl status {answer.returncode}, reason above). Check dataset.source, and dataset.token "
                "where the dataset isn't public.",
            )
        head = headers.read().decode("utf-8", "replace")
    links = [line for line in head.splitlines() if line.lower().startswith("link:")]
    found = NEXT.search(links[-1]) if links else None
    try:
        return json.loads(answer.stdout), found and found.group(1)
    except ValueError:
        return die(NOT_THERE, f"{url} answers no JSON.")


def is_below(path, above):
    return above == "" or path == above or path.startswith(f"{above}/")


def require_same(path, told):
    """Compares with SHA-256 of a big file, and with git's own checksum of any other."""
    expected = (told.get("lfs") or {}).get("oid")
    digest = hashlib.sha256() if expected else hashlib.sha1(b"blob %d\0" % os.path.getsize(path))
    with open(path, "rb", buffering=0) as file:
        while True:
            block = file.read(BLOCK)
            if not block:
                break
            digest.update(block)
    if digest.hexdigest() != (expected or told.get("oid")):
        os.unlink(path)
        die(WRONG_CHECKSUM, f"{told['path']} isn't here as it is there (checksum). Run `up` again.")
