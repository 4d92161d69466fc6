import io
import os
import tarfile
import tempfile
import unittest

from steps.archive import Writer, extract_rare_tar, extract_tar, head_of
from steps.tar import Damaged, Unusual

NAMES = ("a", "b/c", "d" * 120 + "/" + "e" * 90, "f" * 230, "ü/🙂")


def member(name, **facts):
    info = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


class Tar(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "archive")

    def make(self, members, mode="w", **options):
        with tarfile.open(self.path, mode, **options) as archive:
            for info, content in members:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    def damage(self, at, content):
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(content)

    def extract(self, how=lambda path, writer: extract_tar(path, head_of(path), writer)):
        with tempfile.TemporaryDirectory() as out:
            how(self.path, Writer(out))
            found = {}
            for top, _, names in os.walk(out):
                for name in names:
                    path = os.path.join(top, name)
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, out)] = (os.stat(path).st_mode, file.read())
            return found

    def test_is_read_as_by_the_module_of_python(self):
        contents = (b"", b"x", b"y" * 512, b"z" * 3_000_000, b"w")
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            for mode in ("w", "w:gz", "w:bz2", "w:xz"):
                names = [name for name in NAMES if form != tarfile.USTAR_FORMAT or len(name) < 230]
                members = [(member(name, mode=0o755, mtime=1.5), content) for name, content in zip(names, contents)]
                self.make(members, mode, format=form)

                def by_module(path, writer):
                    with open(path, "rb") as file:
                        extract_rare_tar(file, "r:*", writer)

                found = self.extract()
                self.assertEqual(len(found), len(names))
                self.assertEqual(found, self.extract(by_module))

    def test_what_is_rare_is_left_to_the_module(self):
        self.make([(member("a", pax_headers={"GNU.sparse.major": "1"}), b"x")], format=tarfile.PAX_FORMAT)
        self.assertRaises(Unusual, self.extract)
        self.make([(member("a", type=tarfile.GNUTYPE_SPARSE), b"")])
        self.assertRaises(Unusual, self.extract)
        with open(self.path, "wb") as file:
            file.write(b"no tar at all" * 100)
        self.assertRaises(Unusual, self.extract)

    def test_is_damaged_where_it_ends_early_or_a_header_is_wrong(self):
        members = [(member("a"), b"x" * 600), (member("b"), b"y")]
        self.make(members)
        self.damage(1536 + 10, b"?")
        self.assertRaises(Damaged, self.extract)
        self.make(members)
        os.truncate(self.path, 700)
        self.assertRaises(Damaged, self.extract)
        self.make(members, "w:gz")
        os.truncate(self.path, os.path.getsize(self.path) - 4)
        self.assertRaises(Damaged, self.extract)

    def test_no_header_takes_the_memory_or_the_rest(self):
        for info in (member("a", type=b"L"), member("a", type=b"x")):
            self.make([(info, b"z" * (2 << 20))])
            self.assertRaises(Damaged, self.extract)
        self.make([(member("a"), b"x")])
        with open(self.path, "rb") as file:
            header = bytearray(file.read(512))
        header[124:136] = b"-0000000001\0"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        self.damage(0, header)
        self.assertRaises(Damaged, self.extract)


if __name__ == "__main__":
    unittest.main()
