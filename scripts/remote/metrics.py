#!/usr/bin/env python3
"""Prints the JSON files of an output folder that match a glob as one JSON object, path -> content.

Usage: metrics.py FOLDER GLOB
Files over 1 MiB, the 101st and later ones and what is not JSON are left out, each with a line on stderr.
NaN and infinities, which Python writes and JSON does not have, become null.
Exit codes: 0 (also where nothing matches), 2 usage.
"""
import glob
import json
import os
import sys

MOST_BYTES = 1 << 20
MOST_FILES = 100


def main():
    if len(sys.argv) != 3:
        print(__doc__.split("\n")[2], file=sys.stderr)
        sys.exit(2)
    folder, pattern = sys.argv[1:]
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
    json.dump(found, sys.stdout)


main()
