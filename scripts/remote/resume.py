#!/usr/bin/env python3
"""Finds the checkpoint from which an attempt resumes.

Usage: resume.py OUTPUTS [PATTERN]
  OUTPUTS  the experiment's output folder
  PATTERN  glob in it; left out or empty: the places in which training frameworks keep checkpoints
Prints the absolute path of the newest match, or nothing. A file that is empty or still has a temporary name is none.
Exit codes: 0, 2 usage.
"""
import glob
import os
import sys

USUAL = ("checkpoint-*", "checkpoints/*", "*.pt", "*.pth", "*.ckpt", "*.safetensors", "**/checkpoints/*.ckpt")
TEMPORARY = (".tmp", ".temp", ".part", ".partial")


def newest(outputs, pattern):
    found = []
    for each in (pattern,) if pattern else USUAL:
        for path in glob.glob(os.path.join(glob.escape(outputs), each), recursive=True):
            try:
                seen = os.stat(path)
            except OSError:
                continue
            if seen.st_size > 0 and not path.endswith(TEMPORARY):
                found.append((seen.st_mtime_ns, path))
    return max(found)[1] if found else None


if len(sys.argv) not in (2, 3):
    print(__doc__.split("\n")[2], file=sys.stderr)
    sys.exit(2)
path = newest(os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "")
if path:
    print(path)
