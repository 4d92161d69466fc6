from __future__ import annotations

import random
import unittest
from functools import lru_cache

from hmer_ink.metrics import Score, chance, edit_distance, score
from hmer_ink.tokens import Vocabulary, detokenize, tokenize


def slow_distance(first: str, second: str) -> int:
    """The definition, as a recursion."""

    @lru_cache(None)
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        change = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, change)

    return distance(len(first), len(second))


class ScoresTest(unittest.TestCase):
    def test_edit_distance_is_that_of_the_definition(self) -> None:
        generator = random.Random(0)
        for _ in range(300):
            first, second = ("".join(generator.choice("abc") for _ in range(generator.randint(0, 7))) for _ in range(2))
            self.assertEqual(edit_distance(first, second), slow_distance(first, second), (first, second))

    def test_rates(self) -> None:
        result = score([("ab", "ab"), ("a", "abc"), ("", "xy")])
        self.assertEqual(result, Score(expressions=3, correct=1, tokens=7, errors=4))
        self.assertAlmostEqual(result.token_error_rate, 4 / 7)
        self.assertAlmostEqual(result.expression_accuracy, 1 / 3)
        self.assertEqual(Score().token_error_rate, 0.0)

    def test_chance_is_repeatable_and_poor(self) -> None:
        labels = [list("abcd"), list("efgh"), list("ijkl"), list("mnop")]
        self.assertEqual(chance(labels, labels), chance(labels, labels))
        self.assertGreater(chance(labels * 20, labels).token_error_rate, 0.6)

    def test_tokens(self) -> None:
        self.assertEqual(tokenize("\\frac{a}{b_{1}} + \\{x\\}")[:4], ["\\frac", "{", "a", "}"])
        self.assertEqual(tokenize("\\{ x\\}"), ["\\{", "x", "\\}"])
        for latex in ("\\pi x", "\\frac{a}{\\pi}", "3+x=7", "\\sqrt{\\pi y}"):
            self.assertEqual(detokenize(tokenize(latex)), latex)

    def test_vocabulary(self) -> None:
        vocabulary = Vocabulary.of_labels(["3+x", "x^{2}"])
        self.assertEqual(vocabulary.decode(vocabulary.encode(tokenize("x+3"))), ["x", "+", "3"])
        self.assertEqual(vocabulary.encode(["?"]), [])
        self.assertEqual(Vocabulary(reversed(vocabulary.tokens)).tokens, vocabulary.tokens)
        self.assertNotIn(0, vocabulary.encode(vocabulary.tokens))
