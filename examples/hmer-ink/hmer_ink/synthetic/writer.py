"""Random expressions and the ink of writing them down, the same for the same seed."""

from __future__ import annotations

import random

from ..inkml import Ink, Point
from .glyphs import DIGITS, LETTERS, OPERATORS, RELATIONS
from .layout import Curve, Node, latex, lay_out

_STEP = 0.07
"""Distance of two sampled points, in digit heights."""


def _symbols(*texts: str) -> tuple[Node, ...]:
    return tuple(Node("symbol", text) for text in texts)


def _small(generator: random.Random) -> Node:
    if generator.random() < 0.25:
        operator = generator.choice(OPERATORS)
        return Node("row", parts=_symbols(generator.choice(LETTERS), operator, generator.choice(DIGITS)))
    return _symbols(generator.choice(DIGITS + LETTERS))[0]


def _term(generator: random.Random) -> Node:
    kind = generator.choices(
        ("number", "letter", "power", "index", "fraction", "root", "bracket"), (4, 4, 3, 2, 3, 2, 1)
    )[0]
    letter, digit = _symbols(generator.choice(LETTERS), generator.choice(DIGITS))
    if kind == "letter":
        return letter
    if kind == "number":
        return Node("row", parts=(digit, *_symbols(generator.choice(DIGITS)))) if generator.random() < 0.4 else digit
    if kind in ("power", "index"):
        return Node(kind, parts=(letter, digit if generator.random() < 0.7 else _small(generator)))
    if kind == "fraction":
        return Node(kind, parts=(_small(generator), _small(generator)))
    if kind == "root":
        return Node(kind, parts=(_small(generator),))
    inner = _symbols(generator.choice(LETTERS), generator.choice(OPERATORS), generator.choice(DIGITS))
    return Node("row", parts=(*_symbols("("), *inner, *_symbols(")")))


def random_expression(generator: random.Random) -> Node:
    """An expression of one to three terms with an operator or a relation between two."""
    parts = [_term(generator)]
    for _ in range(generator.choices((0, 1, 2), (1, 5, 3))[0]):
        relation = generator.random() < 0.45 and not any(part.text in RELATIONS for part in parts)
        parts += [*_symbols(generator.choice(RELATIONS if relation else OPERATORS)), _term(generator)]
    return Node("row", parts=tuple(parts))


def smooth(curve: Curve, step: float = _STEP) -> Curve:
    """Points of a Catmull-Rom curve through the control points, about `step` apart."""
    points = [curve[0]]
    for i in range(len(curve) - 1):
        before, start, end, after = curve[max(0, i - 1)], curve[i], curve[i + 1], curve[min(len(curve) - 1, i + 2)]
        length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
        count = max(1, round(length / step))
        for k in range(1, count + 1):
            u = k / count
            weights = (-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, u**3 - u**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (before, start, end, after))) / 2 for axis in (0, 1))
            points.append((x, y))
    return points


def write_expression(name: str, seed: int) -> Ink:
    """The ink of the expression called `name`: every name and seed give one expression in one handwriting."""
    generator = random.Random(f"{seed}/{name}")
    node = random_expression(generator)
    box = lay_out(node, generator)
    size, slant, aspect = generator.uniform(60, 140), generator.uniform(-0.2, 0.2), generator.uniform(0.85, 1.15)
    left, top, speed = generator.uniform(20, 200), generator.uniform(20, 200), generator.uniform(3, 6)
    strokes: list[list[Point]] = []
    time = 0.0
    for curve in box.strokes:
        stroke: list[Point] = []
        for x, y in smooth(curve):
            # Writing is a slanted, stretched version of the layout with a shake of the pen.
            page_x = left + size * ((x - slant * y) * aspect + generator.gauss(0, 0.006))
            page_y = top + size * (y - box.top + generator.gauss(0, 0.006))
            stroke.append((page_x, page_y, time))
            time += _STEP / speed
        strokes.append(stroke)
        time += generator.uniform(0.1, 0.3)
    label = latex(node)
    return Ink(strokes, {"sampleId": name, "label": label, "normalizedLabel": label, "inkCreationMethod": "synthetic"})
