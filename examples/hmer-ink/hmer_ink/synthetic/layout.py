"""Expressions as trees, their LaTeX, and where their strokes go on the page."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from .glyphs import GLYPHS

Curve = list[tuple[float, float]]

AXIS = -0.5
"""Height of a fraction bar: the middle of a digit, with the baseline at 0 and y running down."""
GAP = 0.16


@dataclass(frozen=True)
class Node:
    """`kind` is symbol, row, fraction, power, index or root; a symbol has its token as `text`, others have parts."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()


@dataclass
class Box:
    """Strokes drawn from x = 0 with the baseline at y = 0, in writing order, and the room they take."""

    strokes: list[Curve]
    width: float
    top: float
    bottom: float

    def moved(self, dx: float, dy: float, scale: float = 1.0) -> list[Curve]:
        """The strokes, scaled and then moved."""
        return [[(x * scale + dx, y * scale + dy) for x, y in stroke] for stroke in self.strokes]


def latex(node: Node) -> str:
    """LaTeX of a tree, in MathWriting's normalized form (braces always, no spaces but after commands)."""
    inner = [latex(part) for part in node.parts]
    if node.kind == "symbol":
        return node.text
    if node.kind == "fraction":
        return f"\\frac{{{inner[0]}}}{{{inner[1]}}}"
    if node.kind == "power":
        return f"{inner[0]}^{{{inner[1]}}}"
    if node.kind == "index":
        return f"{inner[0]}_{{{inner[1]}}}"
    if node.kind == "root":
        return f"\\sqrt{{{inner[0]}}}"
    text = ""
    for part in inner:
        text += " " + part if text.endswith("\\pi") and part[:1].isalpha() else part
    return text


def _symbol(text: str, hand: random.Random) -> Box:
    scale, tilt = hand.uniform(0.9, 1.1), hand.uniform(-0.08, 0.08)
    cos, sin = math.cos(tilt) * scale, math.sin(tilt) * scale
    strokes: list[Curve] = []
    for path in GLYPHS[text]:
        wobbly = [(x + hand.gauss(0, 0.018), y - 1 + hand.gauss(0, 0.018)) for x, y in path]
        strokes.append([(x * cos - y * sin, x * sin + y * cos) for x, y in wobbly])
    left = min(x for stroke in strokes for x, _ in stroke)
    ys = [y for stroke in strokes for _, y in stroke]
    moved = [[(x - left, y) for x, y in stroke] for stroke in strokes]
    return Box(moved, max(x for stroke in moved for x, _ in stroke), min(ys), max(ys))


def _row(parts: list[Box], hand: random.Random) -> Box:
    strokes: list[Curve] = []
    x = 0.0
    for number, part in enumerate(parts):
        x += GAP * hand.uniform(0.7, 1.5) if number else 0.0
        strokes += part.moved(x, hand.gauss(0, 0.025))
        x += part.width
    return Box(strokes, x, min(part.top for part in parts), max(part.bottom for part in parts))


def _fraction(above: Box, below: Box, hand: random.Random) -> Box:
    scale, gap = 0.8, 0.15
    width = max(above.width, below.width) * scale + 0.3
    bar = [(0.0, AXIS + hand.gauss(0, 0.02)), (width / 2, AXIS), (width, AXIS + hand.gauss(0, 0.02))]
    up, down = AXIS - gap - above.bottom * scale, AXIS + gap - below.top * scale
    strokes = [*above.moved((width - above.width * scale) / 2, up, scale), bar]
    strokes += below.moved((width - below.width * scale) / 2, down, scale)
    return Box(strokes, width, up + above.top * scale, down + below.bottom * scale)


def _script(base: Box, script: Box, raised: bool, hand: random.Random) -> Box:
    scale = 0.6
    dx = base.width + 0.06 * hand.uniform(0.5, 1.5)
    # The script is beside the base's top or under its baseline, whatever its own height is.
    dy = base.top + 0.25 - script.bottom * scale if raised else 0.12 - (script.top + script.bottom) / 2 * scale
    strokes = base.moved(0, 0) + script.moved(dx, dy, scale)
    top, bottom = dy + script.top * scale, dy + script.bottom * scale
    return Box(strokes, dx + script.width * scale, min(base.top, top), max(base.bottom, bottom))


def _root(body: Box) -> Box:
    roof, floor = body.top - 0.15, max(0.0, body.bottom)
    end = 0.5 + body.width + 0.1
    hook = [
        (0.0, AXIS + 0.1),
        (0.12, AXIS + 0.06),
        (0.26, floor),
        (0.42, roof),
        (0.5 + body.width / 2, roof),
        (end, roof),
    ]
    return Box([hook, *body.moved(0.5, 0)], end, roof, floor)


def lay_out(node: Node, hand: random.Random) -> Box:
    """Draw a tree; `hand` gives the wobble of the writing."""
    parts = [lay_out(part, hand) for part in node.parts]
    if node.kind == "symbol":
        return _symbol(node.text, hand)
    if node.kind == "fraction":
        return _fraction(parts[0], parts[1], hand)
    if node.kind in ("power", "index"):
        return _script(parts[0], parts[1], node.kind == "power", hand)
    if node.kind == "root":
        return _root(parts[0])
    return _row(parts, hand)
