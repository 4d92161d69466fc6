"""What verbs say to whoever called them."""

import json


def say(text):
    """A line for the person who reads along."""
    print(text, flush=True)


def word(value):
    """A line for the program that called, as JSON."""
    print(json.dumps(value), flush=True)


class Failed(SystemExit):
    """The end of a verb that says why."""

    def __init__(self, code, text):
        super().__init__(code)
        self.text = text


def die(code, text):
    """Ends the verb with a message."""
    raise Failed(code, text)
