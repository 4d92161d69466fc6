"""The page as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from .chart import line_chart

_QUIET = 120
"""Seconds without a line in the log from which on a running experiment looks doubtful."""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f"<dl>{items}</dl>"


def _status(state: dict[str, Any]) -> str:
    status, quiet = state["status"], state["quiet_seconds"]
    if status in ("running", "starting"):
        doubtful = quiet > _QUIET
        text = f"{status}, last line {_duration(quiet)} ago" + (": is it still alive?" if doubtful else "")
        return f'<p class="status {"doubtful" if doubtful else status}">{text}</p>'
    return f'<p class="status {escape(status, quote=True)}">{escape(status)}</p>'


def _summary(state: dict[str, Any]) -> str:
    train, history, evaluation = state["train"], state["history"], state["evaluation"]
    pairs: list[tuple[str, str]] = []
    if train:
        pairs += [
            ("epochs", f"{len(history)} of {train['epochs']}"),
            ("device", f"{train['device']}, {train['processes']} process(es)"),
            ("expressions", str(train["train_expressions"])),
        ]
    if history:
        best = min(history, key=lambda entry: entry["valid_token_error_rate"])
        pairs += [
            ("best epoch", str(best["epoch"])),
            ("valid token error rate", f"{best['valid_token_error_rate']:.4f}"),
            ("valid expression accuracy", f"{best['valid_expression_accuracy']:.4f}"),
        ]
    if evaluation:
        guess = evaluation["chance"]
        for key in ("token_error_rate", "expression_accuracy"):
            name = f"{evaluation['split']} {key.replace('_', ' ')}"
            pairs.append((name, f"{evaluation[key]:.4f} (chance {guess[key]:.4f})"))
    return _facts(pairs)


def _charts(history: list[dict[str, Any]]) -> str:
    def column(name: str) -> list[float]:
        return [entry[name] for entry in history]

    loss = line_chart("Loss", [("train", column("train_loss")), ("valid", column("valid_loss"))], logarithmic=True)
    scores = [("token error rate", column("valid_token_error_rate"))]
    scores.append(("expression accuracy", column("valid_expression_accuracy")))
    return f'<div class="charts">{loss}{line_chart("Validation", scores, top=1.0)}</div>'


def render(names: Sequence[str], state: dict[str, Any] | None) -> str:
    """The whole page: the experiments, and one of them in full."""
    current = state["name"] if state else ""
    links = "".join(
        f'<a href="?experiment={quote(name)}"{" aria-current=page" if name == current else ""}>{escape(name)}</a>'
        for name in names
    )
    if state:
        log = escape("\n".join(state["log"]))
        files = escape(", ".join(state["checkpoints"]) or "none yet")
        body = f"<h1>{escape(current)}</h1>{_status(state)}{_summary(state)}{_charts(state['history'])}"
        body += f"<h2>Log</h2><pre>{log}</pre><h2>Checkpoints</h2><p>{files}</p>"
    else:
        body = "<h1>No experiments yet</h1><p>They appear here once <code>make train</code> has begun one.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(current or 'experiments')} · HMER-Ink</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">'
        '<script src="refresh.js" defer></script>'
        '<noscript><meta http-equiv="refresh" content="5"></noscript></head>'
        f'<body><nav aria-label="Experiments">{links}</nav><main>{body}</main></body></html>'
    )
