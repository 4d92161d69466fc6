import io
import json
import os
import struct
import tempfile
import unittest
import zipfile

from run.soundness import damage_of


def zipped(**options):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", **options) as archive:
        archive.writestr("archive/data.pkl", b"weights" * 1000)
        archive.writestr("archive/version", b"3\n")
    return written.getvalue()


def safetensors(held, **offsets):
    header = json.dumps({name: {"dtype": "F32", "data_offsets": each} for name, each in offsets.items()}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(range(1, held + 1))


class Soundness(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def damage(self, name, content, deep=False):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content)
        return damage_of(self.path(name), deep)

    def test_files_that_are_whole(self):
        hdf = b"\x89HDF\r\n\x1a\n" + bytes([2, 8, 8, 0]) + struct.pack("<QQQ", 0, 0, 100)
        for name, content in (
            ("a.pt", zipped()),
            ("a.npz", zipped(compression=zipfile.ZIP_DEFLATED)),
            ("legacy.pt", b"\x80\x02\x8a\nl\xfc"),
            ("a.safetensors", safetensors(8, a=[0, 4], b=[4, 8])),
            ("a.h5", hdf.ljust(100, b"x")),
            ("a.json", b'{"step": 3}'),
            ("lines.json", b'{"step": 3}\n{"step": 4}\n'),
            ("unknown.bin", b"anything"),
        ):
            self.assertIsNone(self.damage(name, content, deep=True), name)

    def test_files_that_end_too_early_hold_nothing_or_something_else(self):
        hdf = b"\x89HDF\r\n\x1a\n" + bytes([2, 8, 8, 0]) + struct.pack("<QQQ", 0, 0, 100)
        whole = zipped()
        for name, content, why in (
            ("a.pt", b"", "it is empty"),
            ("b.pt", bytes(5000), "zeros"),
            *((f"{cut}.pt", whole[:-cut], "") for cut in (1, 22, 100, 4000)),
            ("a.safetensors", safetensors(7, a=[0, 4], b=[4, 8]), "7 of 8 bytes"),
            ("b.safetensors", safetensors(0)[:5], "header"),
            ("c.safetensors", struct.pack("<Q", 4) + b"{{{{", "header"),
            ("a.h5", hdf, "of 100 bytes"),
            ("a.json", b'{"step": 3', "JSON"),
        ):
            self.assertIn(why, self.damage(name, content) or self.fail(f"{name} counts as whole"), name)

    def test_checksums_are_read_where_that_is_asked_for(self):
        whole = zipped()
        changed = whole.replace(b"weightsweights", b"weightsWeights", 1)
        self.assertIsNone(self.damage("a.pt", changed))
        self.assertIn("archive/data.pkl", self.damage("a.pt", changed, deep=True))

    def test_a_file_without_any_right_checksum_was_written_without(self):
        with zipfile.ZipFile(io.BytesIO(zipped())) as archive:
            sums = [struct.pack("<I", info.CRC) for info in archive.infolist()]
        content = zipped()
        for each in sums:
            content = content.replace(each, b"\1\2\3\4")
        self.assertIsNone(self.damage("a.pt", content, deep=True))

    def test_more_than_4_gib_have_a_larger_record(self):
        content = zipped()
        end = content.rfind(b"PK\5\6")
        length, begin = struct.unpack("<II", content[end + 12 : end + 20])
        record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, length, begin)
        locator = b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
        large = content[:end] + record + locator + content[end : end + 12] + b"\xff" * 8 + content[end + 20 :]
        self.assertIsNone(self.damage("a.pt", large))
        self.assertIsNotNone(
            self.damage("a.pt", content[:end] + content[end : end + 12] + b"\xff" * 8 + content[end + 20 :])
        )

    def test_folders(self):
        self.damage("checkpoint-1/model.safetensors", safetensors(4, a=[0, 4]))
        self.assertIsNone(damage_of(self.path("checkpoint-1")))
        os.makedirs(self.path("checkpoint-2"))
        self.assertIn("nothing", damage_of(self.path("checkpoint-2")))
        self.damage("checkpoint-2/model.safetensors.tmp", b"x")
        self.assertIn("not finished", damage_of(self.path("checkpoint-2")))
        os.rename(self.path("checkpoint-2/model.safetensors.tmp"), self.path("checkpoint-2/model.safetensors"))
        self.assertIn("model.safetensors", damage_of(self.path("checkpoint-2")))
        # What others have last, a half one lacks.
        self.damage("checkpoint-3/model.safetensors", safetensors(4, a=[0, 4]))
        self.damage("checkpoint-1/trainer_state.json", b"{}")
        self.assertIn("trainer_state.json", damage_of(self.path("checkpoint-3")))
        self.damage("checkpoint-1/model.safetensors.index.json", b'{"weight_map": {"a": "model-2.safetensors"}}')
        self.assertIn("model-2.safetensors", damage_of(self.path("checkpoint-1")))


if __name__ == "__main__":
    unittest.main()
