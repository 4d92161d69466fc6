"""LaTeX as tokens, and the vocabulary of a training split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\S")

BLANK = 0
"""Index of the CTC blank; the tokens start at 1."""


def tokenize(latex: str) -> list[str]:
    """Split LaTeX into commands (`\\frac`), escaped characters (`\\{`) and single characters; spaces mean nothing."""
    return _TOKEN.findall(latex)


def detokenize(tokens: Sequence[str]) -> str:
    """LaTeX text of tokens; a space only where a command would run into a following letter."""
    text = ""
    for token in tokens:
        if token[:1].isalpha() and re.search(r"\\[a-zA-Z]+$", text):
            text += " "
        text += token
    return text


class Vocabulary:
    """Tokens in sorted order, numbered from 1 (0 is the CTC blank)."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens: list[str] = sorted(set(tokens))
        self._index = {token: number for number, token in enumerate(self.tokens, start=1)}

    @classmethod
    def of_labels(cls, labels: Iterable[str]) -> Vocabulary:
        """The vocabulary of LaTeX labels."""
        return cls(token for label in labels for token in tokenize(label))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def classes(self) -> int:
        """Number of outputs of a model: the tokens and the blank."""
        return len(self.tokens) + 1

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """Indices of the tokens that are known; the others can't be learned and are left out."""
        return [self._index[token] for token in tokens if token in self._index]

    def decode(self, indices: Sequence[int]) -> list[str]:
        """Tokens of indices; blanks are left out."""
        return [self.tokens[index - 1] for index in indices if index != BLANK]
