"""The document that tells a verb what to do, and its check."""

import json
import os
import re

from base.say import die

LONGEST = 64 << 20


class Wrong(Exception):
    """What is wrong with a document."""


class Maybe:
    """A member that may be left out or null."""

    def __init__(self, shape):
        self.shape = shape


def takes(**shape):
    """
    Says which document a verb takes; it gets the members as arguments. A shape is a type, a list with the shape of all
    items, a dictionary of members, or `{str: shape}` for names that are anything; `object` is anything at all. Members that no shape names are for
    a later release of the agent, or of an earlier one, and are left out.
    """

    def told(verb):
        verb.takes = shape
        return verb

    return told


def document_of(verb, shape, word):
    """The checked document of a call as arguments; ends the call where it is another one."""
    if not shape:
        if word is None:
            first_line()
        return {}
    try:
        return arguments(parsed(word), shape)
    except Wrong as error:
        die(2, f"{verb}: {error}. Its document has: {', '.join(shape)}")


def arguments(value, shape):
    """The checked members of a document as arguments. @raises Wrong"""
    return {argument(name): member for name, member in checked(value, shape, "").items()}


def argument(name):
    return re.sub("[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


def parsed(word):
    text = first_line() if word is None else word
    if word is not None and not word.startswith("{"):
        # In a terminal's command line: in this form no shell finds anything to expand in it.
        text = bytes.fromhex(word)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Wrong(f"what it is told is no JSON ({error})") from None


def first_line():
    """The first line of standard input, and no byte after it: what follows may be for another program."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < LONGEST:
        letter = os.read(0, 1)
        if letter == b"":
            break
        line += letter
    return bytes(line)


def checked(value, shape, at):
    """The value, with the members that its shape names. @raises Wrong where it has not the shape"""
    if isinstance(shape, Maybe):
        return None if value is None else checked(value, shape.shape, at)
    if isinstance(shape, list):
        require(isinstance(value, list), at, "a list")
        return [checked(each, shape[0], f"{at}[{number}]") for number, each in enumerate(value)]
    if isinstance(shape, dict):
        require(isinstance(value, dict), at, "an object")
        if str in shape:
            return {name: checked(each, shape[str], f"{at}.{name}") for name, each in value.items()}
        return {name: member(value, name, each, at) for name, each in shape.items()}
    if shape is object:
        return value
    kinds = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    right = isinstance(value, (int, float) if shape is float else shape)
    require(right and (shape is bool or not isinstance(value, bool)), at, kinds[shape])
    return value


def member(value, name, shape, at):
    path = f"{at}.{name}" if at else name
    if name not in value and not isinstance(shape, Maybe):
        raise Wrong(f"{path} is missing")
    return checked(value.get(name), shape, path)


def require(right, at, what):
    if not right:
        raise Wrong(f"{at or 'it'} must be {what}")
