"""InkML as MathWriting has it: annotations, and traces of `x y t` points separated by commas."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import WorkloadError

NAMESPACE = "http://www.w3.org/2003/InkML"

Point = tuple[float, float, float]
Stroke = Sequence[Point]


@dataclass(frozen=True)
class Ink:
    """One handwritten expression: strokes of (x, y, time in seconds) and the annotations by type."""

    strokes: Sequence[Stroke]
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """LaTeX of the expression: the normalized label where there is one (MathWriting scores by it)."""
        return self.annotations.get("normalizedLabel") or self.annotations.get("label", "")


def _parse_point(text: str) -> Point:
    values = [float(value) for value in text.split()]
    if len(values) < 2:
        raise ValueError(f"a point needs x and y, got {text.strip()!r}")
    return values[0], values[1], values[2] if len(values) > 2 else 0.0


def parse_inkml(source: str | bytes) -> Ink:
    """Parse InkML text. Raises ValueError (or its subclass ParseError) when it is not InkML."""
    root = ElementTree.fromstring(source)
    annotations: dict[str, str] = {}
    strokes: list[list[Point]] = []
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "annotation":
            annotations[element.get("type", "")] = (element.text or "").strip()
        elif tag == "trace":
            points = [_parse_point(part) for part in (element.text or "").split(",") if part.strip()]
            if points:
                strokes.append(points)
    return Ink(strokes, annotations)


def read_inkml(path: Path) -> Ink:
    """Read one file; the error names it."""
    try:
        return parse_inkml(path.read_bytes())
    except (ValueError, ElementTree.ParseError) as error:
        raise WorkloadError(f"{path} is not readable InkML: {error}") from error


def format_inkml(ink: Ink) -> str:
    """InkML text of an expression; coordinates keep two decimals, times three (milliseconds)."""
    root = ElementTree.Element("ink", xmlns=NAMESPACE)
    trace_format = ElementTree.SubElement(root, "traceFormat")
    for name, unit in (("X", None), ("Y", None), ("T", "s")):
        attributes = {"name": name, "type": "decimal"} | ({"units": unit} if unit else {})
        ElementTree.SubElement(trace_format, "channel", attributes)
    for kind, text in ink.annotations.items():
        ElementTree.SubElement(root, "annotation", type=kind).text = text
    for number, stroke in enumerate(ink.strokes):
        trace = ElementTree.SubElement(root, "trace", id=str(number))
        trace.text = ",".join(f"{x:.2f} {y:.2f} {t:.3f}" for x, y, t in stroke)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
