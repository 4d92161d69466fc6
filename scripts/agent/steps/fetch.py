"""Fetches the archive of a dataset from its address, from where an earlier try ended."""

import os
import re
import subprocess
import time
from urllib.parse import urlsplit

from base.checksum import sha256_of
from base.files import fact, put, unlink_if_there
from base.say import die, say

NOT_THERE, WRONG_CHECKSUM = 3, 5
TRIES = 5
MOST_REDIRECTS = 10


def curl(url, *arguments, token=None, follow=True):
    """The address goes by standard input, as the token does: arguments are for all to see."""
    here = url.startswith("http://127.")
    protocols = "=http,https" if here else "=https"
    lines = [f"url = {quoted(url)}"]
    if token is not None:
        lines.append(f"header = {quoted(f'Authorization: Bearer {token}')}")
    command = [
        "curl",
        "--config",
        "-",
        "--fail",
        # With a token, redirects are followed by `landing` alone.
        *(["--location"] if follow and token is None else []),
        "--proto",
        protocols,
        "--proto-redir",
        "=https",
        "--silent",
        "--show-error",
        "--connect-timeout",
        "30",
        "--speed-limit",
        "1",
        "--speed-time",
        "120",
        # A proxy is for what is elsewhere.
        *(["--noproxy", "*"] if here else []),
        *arguments,
    ]
    return subprocess.run(
        command,
        input="".join(f"{line}\n" for line in lines).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if "--head" in arguments else None,
        check=False,
    )


def quoted(text):
    """As curl's configuration takes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def landing(url, token):
    """
    Where an address leads in the end, and the token that is for there: none from the first other host on. An address that is
    signed may be good for a short time, so it is asked for before each try.
    """
    for _ in range(MOST_REDIRECTS if token is not None else 0):
        asked = curl(url, "--head", "--output", os.devnull, "--write-out", "%{redirect_url}", token=token, follow=False)
        to = asked.stdout.decode(errors="replace").strip()
        if to == "":
            break
        if host_of(to) != host_of(url):
            if not to.startswith("https://"):
                die(
                    NOT_THERE, f"The dataset's address leads to {host_of(to)[1]} without encryption, which is not followed."
                )
            return to, None
        url = to
    return url, token


def host_of(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def size_of(path):
    return os.path.getsize(path) if os.path.exists(path) else None


def fetch(asked, archive, sha256, secret=None):
    """Goes on where an earlier try ended if the file is still the same. `secret`: a bearer token for the host."""
    part = f"{archive}.part"
    url, token = landing(asked, secret)
    head = curl(url, "--head", token=token).stdout.decode(errors="replace").replace("\r", "").split("\n")
    tag = "\n".join(line for line in head if re.match("(etag|last-modified|content-length):", line, re.IGNORECASE))
    if os.path.exists(part) and (not tag or tag != fact(f"{part}.tag")) and not sha256:
        os.unlink(part)
    put(f"{part}.tag", tag)
    tries = 0
    while True:
        code = curl(url, "--continue-at", "-", "--output", part, token=token).returncode
        # 22 with everything there: the server has no bytes after the last one. 33: it cannot go on in the middle.
        whole = f"content-length: {size_of(part)}" in tag.lower().split("\n")
        if code == 0 or (code == 22 and whole):
            break
        if code == 33:
            unlink_if_there(part)
        tries += 1
        if tries == TRIES:
            die(
                NOT_THERE,
                f"The dataset could not be fetched (curl status {code}, reason above). Check dataset.source and that "
                "the instance may reach it.",
            )
        say(f"Trying again, {size_of(part) or 0} bytes are here")
        time.sleep(tries * 2)
        url, token = landing(asked, secret)
    require_checksum(part, sha256)
    os.replace(part, archive)
    unlink_if_there(f"{part}.tag")


def require_checksum(part, expected):
    found = sha256_of(part) if expected else ""
    if found != expected:
        for path in (part, f"{part}.tag"):
            unlink_if_there(path)
        die(
            WRONG_CHECKSUM,
            f"The dataset's checksum is {found}, expected {expected}. Either the file at the address changed or "
            "dataset.sha256 is wrong.",
        )
