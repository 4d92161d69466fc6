"""Line charts as inline SVG; colours come from the page's style, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 28

Series = tuple[str, Sequence[float]]


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    return [low + (high - low) * part / 4 for part in range(5)]


def line_chart(title: str, series: Sequence[Series], logarithmic: bool = False, top: float | None = None) -> str:
    """A chart over epochs from 1; logarithmic for values that fall by powers of ten, `top` for a fixed scale from 0."""
    values = [value for _, line in series for value in line if not logarithmic or value > 0]
    if not values:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="empty">after the first epoch</p></figure>'
    ticks = _ticks(min(values) if logarithmic else 0.0, top or max(values), logarithmic)
    count = max(len(line) for _, line in series)

    def place_x(position: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (position / (count - 1) if count > 1 else 0.5)

    def place_y(value: float) -> float:
        low, high = ticks[0], ticks[-1]
        if logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = (value - low) / ((high - low) or 1.0)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(1.0, max(0.0, share))

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">']
    for tick in ticks:
        y = place_y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for position in sorted({0, count // 2, count - 1}):
        x = place_x(position)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{position + 1}</text>')
    legend: list[str] = []
    for number, (name, line) in enumerate(series):
        points = [(place_x(position), place_y(value)) for position, value in enumerate(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line s{number}" points="{path}"/>')
        for (x, y), value in zip(points, line):
            hint = f"<title>{escape(name)} {value:.4g}</title>"
            parts.append(f'<circle class="dot s{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">{hint}</circle>')
        legend.append(f'<span class="key s{number}">{escape(name)} {line[-1]:.4g}</span>')
    parts.append("</svg>")
    return f"<figure><figcaption>{escape(title)} {' '.join(legend)}</figcaption>{''.join(parts)}</figure>"
