"""
Secrets of the workload: variables of its commands whose values nothing shows.

~/.lambda-train/secrets/, for its user alone:
  values.json  the values by name, there for as long as a run or a step may need them (see run/secrets.py)
  once-*.json  those of one command, which removes them as it begins
"""

import glob
import json
import os
import secrets
import time

from base.document import takes
from base.files import BASE, modified, own_folder, put, read_json, unlink_if_there
from base.say import die, say

FOLDER = os.path.join(BASE, "secrets")
VALUES = os.path.join(FOLDER, "values.json")
# A line of a longer value, as of a key in PEM, is hidden by itself.
LONG_LINE = 16
BLOCK = 1 << 20
# Seconds after which what was brought for one command is for none any more.
FORGOTTEN = 300
# Bytes at the end of a log that are looked at before it is read.
TAIL = 256 << 10


def values():
    """By name; none where nothing needs them now."""
    return KNOWN.now().values


def put_values(values):
    """`values`: all that there are from now on."""
    if not values:
        unlink_if_there(VALUES)
        return
    own_folder(FOLDER)
    put(VALUES, json.dumps(values))


@takes(values={str: str})
def bring(values):
    put_values(values)


@takes(values={str: str})
def bring_once(values):
    """Prints the name by which one command takes them."""
    say(keep_once(values))


def keep_once(values):
    name = secrets.token_hex(16)
    own_folder(FOLDER)
    for path in glob.glob(os.path.join(glob.escape(FOLDER), "once-*.json")):
        # Its command never came, as where the connection was lost.
        if time.time() - (modified(path) or 0) / 1e9 > FORGOTTEN:
            unlink_if_there(path)
    put(once_path(name), json.dumps(values))
    return name


def take_once(name):
    """The values that were brought for one command; those of the runs here where it was told no name."""
    if name is None:
        return {}
    if not name.isalnum():
        die(2, "This is no name of secrets that were brought.")
    found = read_json(once_path(name), {})
    unlink_if_there(once_path(name))
    return found


def once_path(name):
    return os.path.join(FOLDER, f"once-{name}.json")


class Known:
    """What the file holds, and what is to be hidden of it, the longest first; read again where it is another one."""

    def __init__(self):
        self.mark, self.values, self.words = None, {}, []

    def now(self):
        try:
            info = os.stat(VALUES)
            mark = (info.st_ino, info.st_mtime_ns, info.st_size)
        except OSError:
            mark = None
        if mark != self.mark:
            self.values = read_json(VALUES, {}) if mark else {}
            self.mark, self.words = mark, words_in(self.values)
        return self


def words_in(found):
    texts = set()
    for value in found.values():
        for text in (value, *(line for line in value.splitlines() if len(line.strip()) >= LONG_LINE)):
            texts.update((text, json.dumps(text)[1:-1]))
    return sorted(texts, key=len, reverse=True)


KNOWN = Known()


def hide(text):
    """The text with as many asterisks in place of each secret."""
    for word in KNOWN.now().words:
        if word in text:
            text = text.replace(word, "*" * len(word))
    return text


def hidden_bytes():
    return [word.encode("utf-8", "surrogateescape") for word in KNOWN.now().words]


class Hiding:
    """A stream of text that shows no secret."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        return self.stream.write(hide(text))

    def __getattr__(self, name):
        return getattr(self.stream, name)


def cover(path, begin=0, words=None):
    """
    Overwrites each secret in a log with as many asterisks, from a place on: what has been read of it, and where, stays right.
    Others may go on to add to it. Gives the place to which it has looked.
    """
    words = hidden_bytes() if words is None else words
    if not words:
        return begin
    overlap = max(map(len, words)) - 1
    try:
        with open(path, "r+b", buffering=0) as log:
            # What was cut in two by the end of the log, the last time, is whole now.
            place = max(0, begin - overlap)
            while True:
                block = os.pread(log.fileno(), BLOCK + overlap, place)
                for word in words:
                    at = block.find(word)
                    while at >= 0:
                        os.pwrite(log.fileno(), b"*" * len(word), place + at)
                        at = block.find(word, at + len(word))
                if len(block) < BLOCK + overlap:
                    return place + len(block)
                place += BLOCK
    except OSError:
        return begin


def cover_end(path):
    """The same for the end of a log that somebody covers as it grows, before it is shown."""
    if not KNOWN.now().words:
        return
    try:
        cover(path, max(0, os.path.getsize(path) - TAIL))
    except OSError:
        pass
