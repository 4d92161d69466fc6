"""The metric of a sweep in logs and files."""

import json
import os
import tempfile
import unittest

from sweep.logged import LoggedMetric, Names, numbers_in, place_in
from sweep.metric import named, numbers_of
from sweep.tables import TabledMetric


class Logs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = os.path.join(folder.name, "train.log")

    def told(self, text, metric):
        with open(self.log, "w", encoding="utf-8") as file:
            file.write(text)
        return LoggedMetric(self.log, 0, metric).new(ended=True)

    def test_tell_it_in_many_forms(self):
        for line, metric, found in (
            ("epoch 3 valid_loss=0.5", "valid_loss", ("epoch", 3, 0.5)),
            ("Epoch 3/10: train_loss: 0.7, val_loss: 0.5", "val_loss", ("epoch", 3, 0.5)),
            ("Step 120 | val: loss 0.25 acc 0.9", "val_loss", ("step", 120, 0.25)),
            ('{"epoch": 2, "valid_loss": 1e-3}', "valid_loss", ("epoch", 2, 0.001)),
            ("{'loss': 0.31, 'grad_norm': 2.0, 'epoch': 0.5}", "loss", (None, None, 0.31)),
            ("step 7 loss 0.3", "train_loss", None),
            ("step 7 train_loss 0.3", "loss", ("step", 7, 0.3)),
            ("epoch 4, Valid Loss: 0.2", "valid_loss", ("epoch", 4, 0.2)),
            ("epoch 1 valid_loss=nan", "valid_loss", ("epoch", 1, None)),
            ("throughput=120.5 step=9", "throughput", ("step", 9, 120.5)),
            ("epoch 3 throughput 120.5", "throughput", ("epoch", 3, 120.5)),
            ("epoch 3/5 valid_token_error_rate 0.9", "valid_token_error_rate", ("epoch", 3, 0.9)),
            ("epoch 9 best valid_loss=0.1", "valid_loss", None),
            ("=== lambda-train: valid_loss=3", "valid_loss", None),
        ):
            with self.subTest(line=line):
                told = self.told(f"{line}\n", metric)
                shown = [(kind, count, None if value != value else value) for kind, count, value in told]
                self.assertEqual(shown, [] if found is None else [found])

    def test_are_read_as_they_grow(self):
        reader = LoggedMetric(self.log, 0, "loss")
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("epoch 1 loss=0.5\nepoch 2 loss=0.")
            file.flush()
            self.assertEqual(reader.new(), [("epoch", 1, 0.5)])
            file.write("25\n")
            file.flush()
            self.assertEqual(reader.new(), [("epoch", 2, 0.25)])
            self.assertEqual(reader.new(ended=True), [])

    def test_may_tell_the_epoch_in_a_line_of_its_own(self):
        self.assertEqual(self.told("Epoch 2/5\nval_loss: 0.5\n", "val_loss"), [("epoch", 2, 0.5)])

    def test_tell_the_names_that_there_are(self):
        reader = LoggedMetric(self.log, 0, "valid_loss")
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("epoch 1 train_loss=0.5 acc=0.1\n")
        self.assertEqual(reader.new(ended=True), [])
        self.assertEqual(sorted(reader.seen), ["acc", "epoch", "train_loss"])

    def test_count_batches_of_an_epoch_by_themselves(self):
        self.assertIsNone(place_in("epoch 1 batch 3 loss 0.5"))
        self.assertIsNone(place_in("Epoch: [1][ 10/500] loss 0.5"))
        self.assertEqual(place_in("epoch 1 step 30 loss 0.5"), ("step", 30))

    def test_scopes_are_part_of_the_name(self):
        names = [name for name, _, _ in numbers_in("Test: loss 0.5, train loss 0.4")]
        self.assertEqual(names, ["test_loss", "train_loss"])


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def put(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_of_each_form_tell_it(self):
        for name, text, found in (
            ("metrics.csv", "epoch,valid/loss,x\n1,0.5,a\n2,0.25,b\n3,0.1", [("epoch", 1, 0.5), ("epoch", 2, 0.25)]),
            ("log.jsonl", '{"step": 1, "valid": {"loss": 2}}\n{"step": 2}\n{"half', [("step", 1, 2.0)]),
            ("history.json", '{"valid_loss": [3, 2], "acc": [0, 1]}', [("epoch", 1, 3.0), ("epoch", 2, 2.0)]),
            ("trainer_state.json", '{"log_history": [{"step": 5, "valid_loss": 1.5}]}', [("step", 5, 1.5)]),
        ):
            with self.subTest(name=name):
                self.put(name, text)
                self.assertEqual(TabledMetric("valid_loss", 0).points(self.folder), found)
                os.unlink(os.path.join(self.folder, name))

    def test_of_an_earlier_attempt_tell_nothing(self):
        self.put("metrics.csv", "epoch,loss\n1,0.5\n")
        self.assertEqual(TabledMetric("loss", 2**63).points(self.folder), [])

    def test_of_an_evaluation_are_named_with_dots(self):
        self.put("eval.json", json.dumps({"test": {"wer": 0.25, "n": 3}, "ok": True, "list": [1]}))
        numbers = numbers_of(os.path.join(self.folder, "eval.json"))
        self.assertEqual(numbers, {"test.wer": 0.25, "test.n": 3.0})
        self.assertEqual(
            [named(numbers, name) for name in ("test.wer", "test_wer", "wer", "cer")], ["test.wer"] * 3 + [None]
        )


class NamesOfMetrics(unittest.TestCase):
    def test_fit_by_their_own_name_first(self):
        names = Names("loss")
        self.assertEqual(names.best(["train_loss", "val_loss", "loss"]), "loss")
        self.assertEqual(names.best(["train_loss", "val_loss"]), "train_loss")
        self.assertIsNone(names.best(["val_loss"]))
