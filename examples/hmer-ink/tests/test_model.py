from __future__ import annotations

import random
import unittest

import numpy as np
import torch

from hmer_ink.config import ModelConfig
from hmer_ink.features import FEATURES, augment, features, normalize
from hmer_ink.inkml import Ink
from hmer_ink.model import Recognizer, ctc_loss, decode
from hmer_ink.synthetic.writer import write_expression


def moved(ink: Ink, scale: float, dx: float, dy: float) -> list[list[tuple[float, float, float]]]:
    return [[(x * scale + dx, y * scale + dy, t) for x, y, t in stroke] for stroke in ink.strokes]


class ModelTest(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(0)
        self.model = Recognizer(ModelConfig(channels=16, blocks=4, dropout=0.0), 10).eval()

    def test_features_do_not_depend_on_place_or_size_of_the_writing(self) -> None:
        for number in range(20):
            ink, generator = write_expression(f"e{number}", 0), random.Random(number)
            points, strokes = normalize(ink.strokes, 0.1, 1024)
            scale, dx, dy = (
                generator.choice((0.25, 2.0, 8.0)),
                generator.randint(-500, 500),
                generator.randint(-500, 500),
            )
            again, same = normalize(moved(ink, scale, dx, dy), 0.1, 1024)
            self.assertLessEqual(abs(len(points) - len(again)), 2)
            if len(points) == len(again):
                np.testing.assert_allclose(points, again, atol=1e-3)
                np.testing.assert_array_equal(strokes, same)

    def test_odd_ink_is_still_finite(self) -> None:
        dot, point = [(5.0, 5.0, 0.0)], [(1.0, 1.0, 0.0)] * 3
        line = [(float(x), 0.0, 0.0) for x in range(5000)]
        for strokes in ([dot], [point], [dot, line], [line] * 50):
            points, numbers = normalize(strokes, 0.1, 256)
            values = features(points, numbers, 0.1)
            self.assertTrue(np.isfinite(values).all())
            self.assertEqual(int(values[:, 5].sum()), len(strokes))
            self.assertLessEqual(len(points), 256)
        self.assertEqual(features(*normalize([], 0.1, 256), 0.1).shape, (0, FEATURES))

    def test_augmentation_depends_on_its_generator_alone(self) -> None:
        points, strokes = normalize(write_expression("e", 0).strokes, 0.1, 1024)
        first, second = (augment(points, strokes, np.random.default_rng([1, 2, 3])) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        self.assertGreater(
            float(np.abs(first - augment(points, strokes, np.random.default_rng([1, 2, 4]))).max()), 0.01
        )

    def test_padding_changes_nothing(self) -> None:
        for length in range(1, 40):
            inputs = torch.randn(1, FEATURES, length)
            alone, size = self.model(inputs, torch.tensor([length]))
            padded = torch.nn.functional.pad(inputs, (0, 23))
            beside, same = self.model(padded, torch.tensor([length]))
            self.assertEqual(size.tolist(), same.tolist())
            torch.testing.assert_close(alone[: int(size)], beside[: int(size)], rtol=1e-4, atol=1e-5)

    def test_decoding_joins_repetitions_and_drops_blanks(self) -> None:
        path = torch.tensor([1, 1, 0, 1, 2, 2, 0, 0, 3, 9])
        scores = torch.nn.functional.one_hot(path, 10).float()[:, None, :]
        self.assertEqual(decode(scores, torch.tensor([9])), [[1, 1, 2, 3]])

    def test_ink_too_short_for_its_label_has_no_loss(self) -> None:
        log_probs = torch.randn(2, 1, 10).log_softmax(2)
        loss = ctc_loss(log_probs, torch.tensor([2]), torch.tensor([1, 2, 3]), torch.tensor([3]))
        self.assertEqual(float(loss), 0.0)
