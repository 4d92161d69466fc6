"""A connection to the agent of another machine, over which much comes."""

import json
import os
import select
import subprocess
import tempfile

from base.files import widen, write_all
from fleet.link import CONNECT, Unreachable, place_of, result_of, ssh

PIECE = 1 << 20
LINE = 1 << 16
# Seconds without a byte after which the other machine counts as lost.
SILENT = 30


class Stream:
    """With one verb of the other machine, which is asked and answers until the stream is closed. @raises Unreachable, Refused"""

    def __init__(self, machine, verb, document):
        self.machine = machine
        self.held = b""
        self.last_words = ""
        address, port = place_of(machine)
        words = ssh(machine, address, port, CONNECT, shared=False)
        # A file: nobody reads along.
        self.said = tempfile.TemporaryFile()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said}
        self.process = subprocess.Popen(words, bufsize=0, **pipes)
        try:
            widen(self.process.stdout, PIECE)
            self.ask({"verb": verb, "document": document})
            result_of(self.told())
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, question):
        try:
            write_all(self.process.stdin.fileno(), json.dumps(question).encode() + b"\n")
        except OSError as error:
            raise self.lost(str(error)) from None

    def told(self):
        """The object in the next line that it says."""
        while b"\n" not in self.held and len(self.held) < LINE:
            self.held += self.more(LINE)
        line, _, self.held = self.held.partition(b"\n")
        value = value_of(line)
        if not isinstance(value, dict):
            raise self.lost("it said something that is no answer")
        return value

    def some(self, most):
        """Some of the bytes that follow, one at least."""
        piece = self.held or self.more(min(most, PIECE))
        piece, self.held = piece[:most], piece[most:]
        return piece

    def more(self, most):
        out = self.process.stdout.fileno()
        if not select.select([out], [], [], SILENT)[0]:
            raise self.lost(f"nothing came for {SILENT} s")
        piece = os.read(out, most)
        if not piece:
            raise self.lost("the connection was closed")
        return piece

    def lost(self, otherwise):
        self.close()
        return Unreachable(f"{self.machine} does not go on: {self.last_words or otherwise}")

    def close(self):
        if self.said.closed:
            return
        # Whatever it still sends: nobody waits for it.
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.said.seek(0)
        self.last_words = self.said.read(4096).decode(errors="replace").strip().split("\n")[-1]
        self.said.close()


def value_of(line):
    """None for a line that is no JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None
