"""What was uploaded to this instance, as the records of the uploads tell it."""

import os

from base.files import BASE, fact, under_home
from results.places import below, within
from upload.entries import read_lines
from upload.uploads import Stored, unchanged

# Where copies of workspaces lie, in which jobs and commands run (see jobs/copies.py).
COPIES = "lambda-train"


class Uploads:
    """What was uploaded. Its records are read only where something below it came or changed: they may be long."""

    def __init__(self, workspace):
        folder = os.path.join(BASE, "manifests")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        roots = {os.path.realpath(fact(folder, name)) for name in names if name.endswith(".extracted")}
        self.known = []
        for name in names:
            if name.endswith(".json") and not name.endswith((".owned.json", ".next.json")):
                upload = name[: -len(".json")]
                root = root_of(os.path.join(folder, name))
                if root is not None:
                    self.known.append((os.path.realpath(root), root, upload))
                    roots.add(os.path.realpath(root))
        self.datasets = {root for root in roots if below(root, workspace)}
        self.records = {}

    def hold(self, full):
        """Whether this file is as it was uploaded."""
        return any(unchanged(root, record) for root, record in self.records_of(full))

    def know(self, full):
        """Whether something was uploaded to this path, whatever is there now."""
        return any(True for _ in self.records_of(full))

    def records_of(self, full):
        for real, root, upload in self.known:
            relative = below(full, real)
            if relative:
                if upload not in self.records:
                    records = Stored(upload, root).records()
                    self.records[upload] = {record.pop("path"): record for record in records}
                record = self.records[upload].get(relative)
                if record is not None:
                    yield root, {**record, "path": relative}


def workspace_uploaded():
    """The workspace as the uploads tell it: the folder that lies in no other's; None without one."""
    copies = os.path.realpath(under_home(COPIES))
    known = [real for real, _, _ in Uploads("/").known if not within(real, [copies])]
    return next((root for root in known if not any(below(root, other) for other in known)), None)


def root_of(manifest):
    """The folder of an upload; its name alone does not tell."""
    facts = next(read_lines(manifest), None)
    return facts.get("root") if isinstance(facts, dict) else None
