"""The metrics of a run: the JSON files of an output folder that match a glob."""

import glob
import json
import os
import sys

from base.document import takes

MOST_BYTES = 1 << 20
MOST_FILES = 100


@takes(folder=str, pattern=str)
def read(folder, pattern):
    """
    Prints them as one JSON object, path -> content. Files over 1 MiB, the 101st and later ones and what is not JSON are left
    out, each with a line on stderr. NaN and infinities, which Python writes and JSON does not have, become null.
    """
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)):
        name = os.path.relpath(path, folder)
        if not os.path.isfile(path) or name.startswith(".."):
            continue
        try:
            if len(found) >= MOST_FILES or os.path.getsize(path) > MOST_BYTES:
                print(f"left out: {name}", file=sys.stderr)
                continue
            with open(path, encoding="utf-8") as file:
                found[name] = json.load(file, parse_constant=lambda _: None)
        except (ValueError, OSError, RecursionError) as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
    print(json.dumps(found))
