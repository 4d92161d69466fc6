"""A process of the agent on another machine that answers question after question: no new one is started for each."""

import json
import os
import select
import subprocess
import tempfile
import threading
import time

PIECE = 1 << 16
# Seconds for its end, once nobody asks any more.
ENDING = 2


class Ended(Exception):
    """It gives no more answers; the text tells why."""


class Conversation:
    """With the process that `words` start, over SSH. Threads may share it."""

    def __init__(self, words):
        self.lock = threading.Lock()
        self.answers = 0
        # A file: nobody reads along.
        self.said = tempfile.TemporaryFile()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said}
        self.process = subprocess.Popen(words, bufsize=0, **pipes)

    def ask(self, question, timeout):
        """The line that answers. @raises Ended, also where none comes within so many seconds"""
        until = time.monotonic() + timeout
        if not self.lock.acquire(timeout=max(0, timeout)):
            raise Ended("no answer in time")
        try:
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            line = self.line(until)
            self.answers += 1
            return line
        except (OSError, ValueError) as error:
            # ValueError: another thread has closed it.
            raise Ended(self.last_words() or str(error)) from None
        finally:
            self.lock.release()

    def line(self, until):
        """What comes up to the end of a line: no more, since nothing is asked before the answer is there."""
        parts = []
        out = self.process.stdout.fileno()
        while not parts or not parts[-1].endswith(b"\n"):
            if not select.select([out], [], [], max(0, until - time.monotonic()))[0]:
                raise Ended("no answer in time")
            part = os.read(out, PIECE)
            if part == b"":
                raise Ended(self.last_words() or "the connection was closed")
            parts.append(part)
        return b"".join(parts)

    def last_words(self):
        try:
            self.process.wait(ENDING)
            self.said.seek(0)
        except (subprocess.TimeoutExpired, ValueError):
            return ""
        said = self.said.read(4096).decode(errors="replace").strip().split("\n")[-1]
        return said or f"status {self.process.returncode}"

    def close(self):
        """Ends it; without questions it ends by itself."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.said.close()


class Conversations:
    """Those of one process, by place."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open = {}

    def ask(self, place, words, question, timeout):
        """The line that answers. `words`: those that begin a conversation where none is open. @raises Ended"""
        until = time.monotonic() + timeout
        while True:
            conversation = self.with_(place, words)
            # The other side ends one in which nothing was asked for a while. Each question may come twice.
            may_be_over = conversation.answers > 0
            try:
                return conversation.ask(question, until - time.monotonic())
            except Ended:
                self.forget(place, conversation)
                if not may_be_over or time.monotonic() >= until:
                    raise

    def with_(self, place, words):
        with self.lock:
            if place not in self.open:
                self.open[place] = Conversation(words)
            return self.open[place]

    def forget(self, place, conversation):
        """Ends one, which another may have replaced already."""
        with self.lock:
            if self.open.get(place) is conversation:
                del self.open[place]
        conversation.close()

    def close(self):
        for place, conversation in list(self.open.items()):
            self.forget(place, conversation)
