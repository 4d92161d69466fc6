"""The metrics of a run: the JSON files of an output folder that match a glob."""

import glob
import json
import os

from base.document import takes
from results.digest import left, scores_of, size_of, too_long

MOST_FILES = 100
# All files together: they become outputs of the stack.
MOST_TOGETHER = 256 << 10


@takes(folder=str, pattern=str)
def read(folder, pattern):
    """
    Prints {"files": {path: content}, "left": [{path, bytes, why}]}: what they hold besides lists, such as one of samples,
    long texts and objects of hundreds of members. NaN and infinities, which Python writes and JSON does not have, become
    null. `left`: files of which nothing is told, and why.
    """
    files, not_read, together = {}, [], 0
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)):
        name = os.path.relpath(path, folder)
        if not os.path.isfile(path) or name.startswith(".."):
            continue
        size = size_of(path)
        why = too_long(size) or (f"the {MOST_FILES} files before it were read" if len(files) >= MOST_FILES else None)
        try:
            content = scores_of(path) if why is None else None
            length = len(json.dumps(content))
            if together + length > MOST_TOGETHER:
                why = f"the numbers of all files are longer than {MOST_TOGETHER >> 10} KiB"
        except (ValueError, OSError, RecursionError) as error:
            why = f"no JSON ({error})"
        if why is not None:
            not_read.append(left(name, size, why))
        elif content is not None:
            together += length
            files[name] = content
    print(json.dumps({"files": files, "left": not_read[:MOST_FILES]}))
