"""
One stream of a verb over several SSH connections: one connection carries a window's worth of bytes for each round trip,
which on a long line is less than the line takes.

A stream goes in pieces: its number, its length, its bytes. On each lane the numbers ascend. A piece without bytes ends a
lane, and its number says how many pieces there are on all lanes. The first lane is the connection that calls the verb.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

from base.document import takes
from base.files import BASE, own_folder, unlink_if_there, widen, write_all
from base.say import die

HEAD = struct.Struct(">II")
LONGEST = 1 << 20
# A piece is what is read from a pipe at once.
PIPE = 1 << 18
EARLY = 96
SECONDS = 30


@takes(name=str, way=str, count=int, verb=str)
def lanes(name, way, count, verb):
    """Runs a verb whose standard input (way "up") or output ("down") goes over `count` lanes. Ends as the verb ends."""
    home = os.getcwd()
    listener = listening(name)
    command = [sys.executable, "-IS", sys.path[0], verb]
    pipe = {"stdin": subprocess.PIPE} if way == "up" else {"stdout": subprocess.PIPE}
    with subprocess.Popen(command, bufsize=0, cwd=home, **pipe) as child:
        stream = child.stdin if way == "up" else child.stdout
        widen(stream, PIPE)
        failed = 0
        try:
            pieces = Pieces(stream)
            pieces.carry(pieces.take if way == "up" else pieces.give, [own(way), *accepted(listener, name, count - 1, way)])
        except OSError as error:
            print(f"A lane broke: {error}", file=sys.stderr)
            failed = 1
        # How the verb ends, whose stream this may cut, tells more.
        stream.close()
        sys.exit(child.wait() or failed)


@takes(name=str, way=str)
def lane(name, way):
    """A further lane of the verb that was called under this name."""
    with connected(name) as there:
        if way == "up":
            source, sink = sys.stdin.buffer.raw, there.makefile("wb", buffering=0)
        else:
            source, sink = there.makefile("rb", buffering=0), sys.stdout.buffer.raw
        while True:
            piece = source.read(LONGEST)
            if not piece:
                return
            write_all(sink.fileno(), piece)


def own(way):
    return sys.stdin.buffer if way == "up" else sys.stdout.buffer.raw


def listening(name):
    """A socket in a folder that nobody else may open. Its address is relative: a long one would not fit."""
    folder = os.path.join(BASE, "lanes")
    own_folder(folder)
    os.chdir(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(64)
    listener.settimeout(SECONDS)
    return listener


def accepted(listener, name, count, way):
    with listener:
        try:
            found = [listener.accept()[0] for _ in range(count)]
        finally:
            unlink_if_there(name)
    for there in found:
        there.settimeout(None)
    return [there.makefile("rb", PIPE) if way == "up" else there.makefile("wb", 0) for there in found]


def connected(name):
    """The socket of the verb, which may still be about to start."""
    until = time.monotonic() + SECONDS
    while True:
        there = socket.socket(socket.AF_UNIX)
        try:
            os.chdir(os.path.join(BASE, "lanes"))
            there.connect(name)
            return there
        except OSError as error:
            there.close()
            if time.monotonic() > until:
                die(1, f"The verb to carry a lane of is not there: {error.strerror}.")
            time.sleep(0.02)


class Pieces:
    """The pieces of a stream on their lanes."""

    def __init__(self, stream):
        self.stream = stream
        self.next = 0
        # Pieces that have come before their turn.
        self.early = {}
        self.left = 0
        self.broken = None
        self.turn = threading.Condition()

    def carry(self, work, lanes_):
        """Does the work for each lane side by side. @raises OSError as soon as one fails"""
        self.left = len(lanes_)
        for each in lanes_:
            threading.Thread(target=self.run, args=(work, each), daemon=True).start()
        with self.turn:
            self.turn.wait_for(lambda: self.left == 0 or self.broken is not None)
        if self.broken is not None:
            raise self.broken

    def run(self, work, lane_):
        error = None
        try:
            work(lane_)
        except OSError as problem:
            error = problem
        with self.turn:
            self.left -= 1
            self.broken = self.broken or error
            self.turn.notify_all()

    def take(self, source):
        """Writes the pieces of a lane, each when it is its turn."""
        while True:
            number, length = HEAD.unpack(exactly(source, HEAD.size))
            if length == 0:
                return
            if length > LONGEST:
                raise OSError(f"a piece of {length} bytes")
            piece = exactly(source, length)
            with self.turn:
                self.early[number] = piece
                while self.next in self.early:
                    write_all(self.stream.fileno(), self.early.pop(self.next))
                    self.next += 1
                    self.turn.notify_all()
                # A lane that stopped at each piece whose turn has not come would leave its window unused.
                self.turn.wait_for(lambda: self.broken is not None or number - self.next < EARLY)
                if self.broken is not None:
                    return

    def give(self, sink):
        """Takes the next pieces of the stream onto a lane, as long as it is free for them."""
        while True:
            with self.turn:
                piece = self.stream.read(PIPE)
                head = HEAD.pack(self.next, len(piece))
                self.next += len(piece) > 0
            write_all(sink.fileno(), head + piece)
            if not piece:
                return


def exactly(source, length):
    content = source.read(length)
    if len(content) < length:
        raise OSError("it ended within its stream")
    return content
