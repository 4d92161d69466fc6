"""What verbs say to whoever called them."""
import sys


def say(text):
    """A line for the person who reads along."""
    print(text, flush=True)


def die(code, text):
    """Ends the verb with a message."""
    print(text, file=sys.stderr, flush=True)
    sys.exit(code)
