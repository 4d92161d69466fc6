"""What was started on this instance, and on what it stands."""

import json
import os

from base.document import Maybe, takes
from base.files import BASE, fact
from run.state import runs
from upload.entries import read_lines
from upload.uploads import manifest_path


def code_hash(name):
    # While an upload is being put into place the folder is neither the old nor the new one.
    if os.path.exists(manifest_path(name, ".next")):
        return None
    facts = next(read_lines(manifest_path(name)), None)
    return facts.get("hash") if isinstance(facts, dict) else None


@takes(workspace=Maybe(str))
def tell(workspace):
    """
    `workspace`: name under which the upload of the code keeps its manifest. Prints {"experiments": [names], "code",
    "dataset", "environment": hashes, each left out where nothing is known}.
    """
    found = {
        "experiments": [run.experiment for run in runs()],
        "code": None if workspace is None else code_hash(workspace),
        "dataset": fact(BASE, "steps", "dataset", "hash") or None,
        "environment": fact(BASE, "steps", "setup", "hash") or None,
    }
    print(json.dumps({key: value for key, value in found.items() if value is not None}))
