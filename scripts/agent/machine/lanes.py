"""
One stream of a verb over several SSH connections: one connection carries a window's worth of bytes for each round trip,
which on a long line is less than the line takes.

A stream goes in pieces: its number, its length, its bytes. On each lane the numbers ascend. A piece without bytes ends a
lane, and its number says how many pieces there are on all lanes. The first lane is the connection that calls the verb; the
others join in when they are there.
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


@takes(name=str, way=str, verb=str)
def lanes(name, way, verb):
    """Runs a verb whose standard input (way "up") or output ("down") goes over lanes. Ends as the verb ends."""
    home = os.getcwd()
    listener = listening(name)
    command = [sys.executable, "-IS", sys.path[0], verb]
    pipe = {"stdin": subprocess.PIPE} if way == "up" else {"stdout": subprocess.PIPE}
    try:
        with subprocess.Popen(command, bufsize=0, cwd=home, **pipe) as child:
            pieces = Pieces(child, way)
            failed = 0
            try:
                pieces.carry(listener)
            except OSError as error:
                print(f"A lane broke: {error}", file=sys.stderr, flush=True)
                failed = 1
            # How the verb ends, whose stream this may cut, tells more.
            pieces.stream.close()
            code = child.wait()
    finally:
        unlink_if_there(name)
    # At once: a lane may be waiting for what never comes.
    os._exit(code or failed)


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


def listening(name):
    """A socket in a folder that nobody else may open. Its address is relative: a long one would not fit."""
    folder = os.path.join(BASE, "lanes")
    own_folder(folder)
    os.chdir(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(64)
    return listener


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

    def __init__(self, child, way):
        self.child, self.way = child, way
        self.stream = child.stdin if way == "up" else child.stdout
        widen(self.stream, PIPE)
        self.next = 0
        # Pieces that have come before their turn, and how many there are, once that is known.
        self.early = {}
        self.total = None
        self.left = 0
        self.is_over = False
        self.broken = None
        self.turn = threading.Condition()

    def carry(self, listener):
        """Does the work for each lane side by side, until all is carried. @raises OSError as soon as one fails"""
        self.join(sys.stdin.buffer if self.way == "up" else sys.stdout.buffer.raw)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()
        threading.Thread(target=self.watch, daemon=True).start()
        with self.turn:
            self.turn.wait_for(lambda: self.broken is not None or self.is_done())
        if self.broken is not None:
            raise self.broken

    def is_done(self):
        return self.is_over or self.next == self.total if self.way == "up" else self.left == 0

    def watch(self):
        """A verb that has ended reads no more, whatever comes."""
        self.child.wait()
        with self.turn:
            self.is_over = True
            self.turn.notify_all()

    def accept(self, listener):
        while True:
            there = listener.accept()[0]
            self.join(there.makefile("rb", PIPE) if self.way == "up" else there.makefile("wb", 0))

    def join(self, lane_):
        with self.turn:
            self.left += 1
        threading.Thread(target=self.run, args=(lane_,), daemon=True).start()

    def run(self, lane_):
        work = self.take if self.way == "up" else self.give
        error = None
        try:
            work(lane_)
        except (OSError, ValueError) as problem:
            # ValueError: one that came when all was carried finds the stream closed.
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
                with self.turn:
                    self.total = number
                    self.turn.notify_all()
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
