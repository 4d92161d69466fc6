"""A place in a bucket, and what lies there. rclone has the credentials by its environment alone, never by its arguments."""

import hashlib
import json
import os
import re
import subprocess
import tempfile

from base.document import Maybe
from base.secrets import hide, values
from bucket.rclone import find_program

# `url`: s3://, r2:// or gs://, with bucket and prefix.
BUCKET = {"url": str, "endpoint": Maybe(str), "region": Maybe(str)}
# As plan/bucket.ts has them.
NEEDED = {
    "s3": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    "r2": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    "gs": ["GOOGLE_CREDENTIALS"],
}
# What a user may have set for tools of their own.
OTHERS = ("AWS_", "RCLONE_", "GOOGLE_")
NOTHING_THERE = (3, 4)
BLOCK = 1 << 20
LONGEST_REASON = 600
# Of what rclone complained of, the end that is read.
COMPLAINT = 64 << 10


class BucketError(Exception):
    """What could not be done with a bucket, and why."""


class MissingKeys(BucketError):
    """The bucket needs secrets that aren't here."""


class Bucket:
    def __init__(self, told, secrets=None):
        """`secrets`: values by name, where they are not those of the runs here."""
        self.url = told["url"].rstrip("/")
        self.scheme, _, self.path = self.url.partition("://")
        self.environment = {**plain_environment(), **settings(self.scheme, told, secrets)}
        self.program = find_program()

    def name(self, *below):
        """How rclone calls what lies there."""
        return "bucket:" + "/".join([self.path, *below])

    def shown(self, *below):
        return "/".join([self.url, *below])

    def reach(self):
        """Sees that it answers, without the patience of a transfer. @raises BucketError"""
        self.run("lsf", "--dirs-only", self.name(), allowed=NOTHING_THERE, tries=1)

    def start(self, *words, tries=2, complaint=subprocess.PIPE):
        quick = ["--retries", str(tries), "--low-level-retries", str(2 * tries), "--contimeout", "20s"]
        return subprocess.Popen(
            [self.program, *words, *quick],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaint,
        )

    def run(self, *words, allowed=(), tries=2):
        """What it prints; None where it ended with an allowed status. @raises BucketError"""
        process = self.start(*words, tries=tries)
        out, complaint = process.communicate()
        if process.returncode in allowed:
            return None
        if process.returncode != 0:
            raise BucketError(f"{self.url}: {reason_in(complaint, process.returncode)}")
        return out

    def listing(self, *below, only=()):
        """What lies there: path -> (size, MD5 or None). `only`: rclone's patterns."""
        words = ["lsjson", "--recursive", "--files-only", "--no-modtime", "--hash", "--hash-type", "md5", *including(only)]
        text = self.run(*words, self.name(*below), allowed=NOTHING_THERE)
        found = json.loads(text or b"[]")
        return {each["Path"]: (each["Size"], (each.get("Hashes") or {}).get("md5")) for each in found}

    def folders(self, *below):
        """Names of the folders right there, sorted."""
        text = self.run("lsf", "--dirs-only", self.name(*below), allowed=NOTHING_THERE) or b""
        return sorted(line.rstrip("/") for line in text.decode().splitlines())

    def text(self, *below, most=64 << 20):
        """The text of a small file; None where there is none."""
        text = self.run("cat", "--count", str(most), self.name(*below), allowed=NOTHING_THERE)
        return None if not text else text.decode("utf-8", "replace")

    def sha256(self, *below):
        """SHA-256 of a file, all of which is read."""
        digest = hashlib.sha256()
        # To a file: a pipe that nobody reads yet holds 64 kB, and then rclone waits.
        with tempfile.TemporaryFile() as complaint, self.start("cat", self.name(*below), complaint=complaint) as process:
            while True:
                block = process.stdout.read(BLOCK)
                if not block:
                    break
                digest.update(block)
            if process.wait() != 0:
                raise BucketError(f"{self.shown(*below)}: {reason_in(end_of(complaint), process.returncode)}")
        return digest.hexdigest()

    def send(self, folder, *below):
        """Copies what lies in a folder, links followed; what is there already by its checksum isn't sent again."""
        self.run("copy", "--copy-links", "--checksum", "--transfers", "8", folder, self.name(*below))

    def send_file(self, path, *below):
        self.run("copyto", "--ignore-times", path, self.name(*below))

    def fetch(self, folder, *below, only=()):
        """`only`: rclone's patterns."""
        self.run("copy", "--transfers", "8", *including(only), self.name(*below), folder)

    def fetch_file(self, path, *below):
        self.run("copyto", self.name(*below), path)

    def remove(self, *below):
        self.run("purge", self.name(*below), allowed=NOTHING_THERE)

    def require_same(self, files, *below):
        """Sees that what lies there is as told: path -> (size, MD5, SHA-256). @raises BucketError"""
        there = self.listing(*below)
        for path, (size, md5, sha256) in files.items():
            has, known = there.get(path, (None, None))
            if has != size or (known is not None and known != md5):
                what = "is missing" if has is None else "isn't as it is here (size or MD5)"
                raise BucketError(f"{self.shown(*below, path)} {what}")
            # Of a file that went in parts a server may know no checksum.
            if known is None and self.sha256(*below, path) != sha256:
                raise BucketError(f"{self.shown(*below, path)} isn't as it is here (SHA-256)")


def including(patterns):
    return [f"--include={pattern}" for pattern in patterns]


def end_of(file):
    file.seek(max(0, os.fstat(file.fileno()).st_size - COMPLAINT))
    return file.read()


def plain_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}


def settings(scheme, told, secrets=None):
    """rclone's variables for the bucket. @raises MissingKeys where a secret isn't here"""
    known = values() if secrets is None else secrets
    missing = [name for name in NEEDED[scheme] if not known.get(name)]
    if missing:
        raise MissingKeys(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not on the instance, and {told['url']} needs them"
        )
    own = gs_settings(told, known) if scheme == "gs" else s3_settings(scheme, told, known)
    named = {f"RCLONE_CONFIG_BUCKET_{name.upper()}": value for name, value in own.items() if value}
    # No file of anybody's has a part in it.
    return {"RCLONE_CONFIG": os.devnull, **named}


def s3_settings(scheme, told, known):
    provider = "Cloudflare" if scheme == "r2" else "Other" if told.get("endpoint") else "AWS"
    return {
        "type": "s3",
        "provider": provider,
        "access_key_id": known["AWS_ACCESS_KEY_ID"],
        "secret_access_key": known["AWS_SECRET_ACCESS_KEY"],
        "endpoint": told.get("endpoint"),
        "session_token": known.get("AWS_SESSION_TOKEN"),
        "region": told.get("region") or ("auto" if scheme == "r2" else "us-east-1"),
        # A key for one prefix alone may not ask for the bucket.
        "no_check_bucket": "true",
    }


def gs_settings(told, known):
    server = told.get("endpoint")
    return {
        "type": "google cloud storage",
        # It takes one line.
        "service_account_credentials": known["GOOGLE_CREDENTIALS"].replace("\n", " "),
        "bucket_policy_only": "true",
        "endpoint": f"{server.rstrip('/')}/storage/v1/" if server else None,
        "no_check_bucket": "true",
    }


def reason_in(complaint, code):
    """The last thing that rclone complained of, without the numbers of a request."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    said = [line for line in lines if "ERROR" in line or "Failed" in line] or lines
    if not said:
        return f"rclone ended with status {code}"
    plain = re.sub(r"^[\d/]+ [\d:]+ \w+ *: |RequestID: [^,]*, |HostID: [^,]*, ", "", said[-1])
    return hide(plain[:LONGEST_REASON])


def digests_of(path):
    """MD5 and SHA-256 of a file, which is read once."""
    md5, sha256 = hashlib.md5(), hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while True:
            block = file.read(BLOCK)
            if not block:
                return md5.hexdigest(), sha256.hexdigest()
            md5.update(block)
            sha256.update(block)
