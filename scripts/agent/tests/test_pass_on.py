"""An upload that one machine takes from another one: the other is a process with a home of its own."""

import hashlib
import io
import json
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from types import SimpleNamespace
from unittest import mock

from base.processes import AGENT
from fleet import link, stream
from upload import compare, take
from upload.entries import line_of

CONTENTS = {"a/small.txt": b"small", "big.bin": os.urandom(3 << 20), "z.txt": b"last"}
HASH = "e" * 64


def digest(content):
    return hashlib.sha256(content).hexdigest()


class PassOn(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = os.path.join(folder.name, "giver")
        self.root = os.path.join(self.home, "work/data")
        self.fresh = os.path.join(folder.name, "fresh")
        self.here = os.path.join(folder.name, "archives/x")
        os.makedirs(self.fresh)
        self.answers_first = ""

    def upload(self, contents):
        lines = []
        for path, content in contents.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as file:
                file.write(content)
            entry = {"path": path, "size": len(content), "sha256": digest(content), "executable": False}
            lines.append(line_of({**entry, "mtime": os.stat(full).st_mtime_ns}))
        facts = {"root": self.root, "hash": HASH, "count": len(lines)}
        self.put(".lambda-train/manifests/work-data.json", b"".join([line_of(facts), *lines]))

    def put(self, path, content):
        full = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)
        return full

    def giver(self):
        """Lets this process ask the other one as if over SSH."""
        program = f"import sys; sys.path.insert(0, {AGENT!r}); {self.answers_first or 'pass'}; import runpy; "
        program += f"sys.argv = ['agent', 'peer']; runpy.run_path({AGENT!r}, run_name='__main__')"
        words = ["env", f"HOME={self.home}", sys.executable, "-IS", "-c", program]
        places = {"giver": {"addresses": ["10.19.0.2"], "port": 22}}
        patches = (
            mock.patch.object(stream, "ssh", return_value=words),
            mock.patch.object(link, "fleet", return_value={"me": "taker", "machines": places}),
        )
        for each in patches:
            each.start()
            self.addCleanup(each.stop)

    def plan(self, contents, begun=None):
        """What the manifest from home needs here."""
        entries = [
            {"path": path, "size": len(content), "sha256": digest(content), "executable": False}
            for path, content in contents.items()
        ]
        plan = SimpleNamespace(fresh=self.fresh, begun={}, found=SimpleNamespace(name="work-data"))
        plan.needs, plan.coming = bytearray([compare.COMES] * len(entries)), bytearray([(1 << len(entries)) - 1])
        plan.bytes = sum(len(content) for content in contents.values())
        plan.entries = lambda _: ((at, need, entries[at]) for at, need in enumerate(plan.needs) if need == compare.COMES)
        plan.has_arrived = lambda number, entry: compare.Plan.has_arrived(plan, number, entry)
        for number, part in (begun or {}).items():
            path = os.path.join(self.fresh, entries[number]["path"])
            with open(path, "wb") as file:
                file.write(part)
            plan.begun[number] = hashlib.sha256(part), len(part)
            plan.bytes -= len(part)
        return plan

    def taken(self, plan):
        self.giver()
        with redirect_stdout(io.StringIO()) as said:
            take.tree("giver", plan, HASH)
        words = [json.loads(line) for line in said.getvalue().splitlines()]
        return [each for each in words if "taken" not in each]

    def arrived(self):
        found = {}
        for folder, _, names in os.walk(self.fresh):
            for name in names:
                full = os.path.join(folder, name)
                with open(full, "rb") as file:
                    found[os.path.relpath(full, self.fresh)] = file.read()
        return found

    def test_comes_whole(self):
        self.upload(CONTENTS)
        plan = self.plan(CONTENTS)
        (told,) = self.taken(plan)
        self.assertEqual((told["took"]["files"], told["took"]["wrong"], told["took"]["from"]), (3, 0, "giver"))
        self.assertEqual(self.arrived(), CONTENTS)
        self.assertEqual((plan.bytes, bytes(plan.coming), set(plan.needs)), (0, b"\0", {compare.ARRIVED}))

    def test_goes_on_where_content_has_begun(self):
        self.upload(CONTENTS)
        plan = self.plan(CONTENTS, begun={1: CONTENTS["big.bin"][: 1 << 20]})
        (told,) = self.taken(plan)
        self.assertEqual(told["took"]["bytes"], sum(map(len, CONTENTS.values())) - (1 << 20))
        self.assertEqual(self.arrived(), CONTENTS)
        self.assertEqual((plan.bytes, plan.begun), (0, {}))

    def test_leaves_to_home_what_is_another_one_there(self):
        self.upload({**CONTENTS, "z.txt": b"evil"})
        os.utime(os.path.join(self.root, "a/small.txt"))
        plan = self.plan(CONTENTS)
        (told,) = self.taken(plan)
        self.assertEqual((told["took"]["files"], told["took"]["wrong"]), (1, 2))
        self.assertEqual(list(self.arrived()), ["big.bin"])
        self.assertEqual((plan.bytes, bytes(plan.coming)), (9, b"\x05"))

    def test_ends_where_a_file_is_longer_than_it_may_be(self):
        self.upload({**CONTENTS, "big.bin": CONTENTS["big.bin"] + b"more"})
        plan = self.plan(CONTENTS)
        told = self.taken(plan)
        self.assertIn("another size than big.bin", told[1]["lost"])
        self.assertEqual(list(self.arrived()), ["a/small.txt"])
        self.assertEqual(bytes(plan.coming), b"\x06")

    def test_keeps_what_has_come_where_the_giver_is_lost(self):
        self.upload(CONTENTS)
        self.answers_first = (
            "from upload import give; whole = give.send; give.send = lambda file, start, out: whole(file, start, out) "
            "if file.seek(0, 2) < 1000 else (out.write(b'{\"bytes\": 3145728}\\nhalf'), out.flush(), sys.exit(1))"
        )
        plan = self.plan(CONTENTS)
        told = self.taken(plan)
        self.assertIn("giver does not go on", told[1]["lost"])
        self.assertEqual(list(self.arrived()), ["a/small.txt"])
        self.assertEqual(bytes(plan.coming), b"\x06")

    def test_is_refused_for_another_dataset_or_a_place_of_ours(self):
        self.upload(CONTENTS)
        self.put(".ssh/id", b"secret")
        self.put("work/data/not-uploaded", b"secret")
        for path in ("not-uploaded", "../../.ssh/id", "/etc/passwd"):
            plan = self.plan({path: b"secret"})
            self.assertEqual(self.taken(plan)[0]["took"]["files"], 0, path)
        plan = self.plan(CONTENTS)
        self.giver()
        with redirect_stdout(io.StringIO()) as said:
            take.tree("giver", plan, "f" * 64)
        self.assertIn("the upload is not here", said.getvalue())

    def test_is_said_where_the_other_machine_answers_nonsense(self):
        self.answers_first = "print('[1]', flush=True); sys.exit(0)"
        told = self.taken(self.plan(CONTENTS))
        self.assertIn("no answer", told[1]["lost"])

    def test_may_be_an_archive(self):
        content = CONTENTS["big.bin"]
        self.put(f".lambda-train/archives/{digest(content)}", content)
        os.makedirs(os.path.dirname(self.here))
        with open(f"{self.here}.part", "wb") as file:
            file.write(content[:1000])
        self.giver()
        with redirect_stdout(io.StringIO()) as said:
            take.archive("giver", self.here, len(content), digest(content))
        self.assertEqual(json.loads(said.getvalue().splitlines()[-1])["took"]["bytes"], len(content) - 1000)
        with open(self.here, "rb") as file:
            self.assertEqual(file.read(), content)

    def test_is_not_an_archive_that_is_damaged_there(self):
        content = CONTENTS["big.bin"]
        self.put(f".lambda-train/archives/{digest(content)}", content[:-1] + b"x")
        self.giver()
        with redirect_stdout(io.StringIO()) as said:
            take.archive("giver", self.here, len(content), digest(content))
        self.assertEqual(json.loads(said.getvalue().splitlines()[-1])["took"]["wrong"], 1)
        self.assertEqual(os.listdir(os.path.dirname(self.here)), [])


if __name__ == "__main__":
    unittest.main()
