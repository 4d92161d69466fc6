"""The dashboard's HTTP server: the page, its two assets, and the same facts as JSON."""

from __future__ import annotations

import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .page import render
from .state import experiment, names

_STATIC = {
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/refresh.js": ("refresh.js", "text/javascript; charset=utf-8"),
}
_HTML, _JSON = "text/html; charset=utf-8", "application/json; charset=utf-8"


class Handler(BaseHTTPRequestHandler):
    """Answers GET: `/`, `/?experiment=NAME`, `/api` (all names), `/api?experiment=NAME`, `/healthz`."""

    server_version = "hmer-ink"

    def __init__(self, *arguments: Any, outputs: Path, **options: Any) -> None:
        self.outputs = outputs
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        """Answer one request."""
        url = urlsplit(self.path)
        wanted = parse_qs(url.query).get("experiment", [None])[0]
        if url.path in _STATIC:
            name, kind = _STATIC[url.path]
            self._answer(200, kind, (Path(__file__).parent / "static" / name).read_text(encoding="utf-8"))
        elif url.path == "/healthz":
            self._answer(200, _JSON, '{"status": "ok"}\n')
        elif url.path == "/api":
            self._answer_json(wanted)
        elif url.path == "/":
            known = names(self.outputs)
            chosen = wanted or (known[0] if known else None)
            state = experiment(self.outputs, chosen) if chosen else None
            self._answer(404 if wanted and state is None else 200, _HTML, render(known, state))
        else:
            self._answer(404, _JSON, '{"error": "not found"}\n')

    def _answer_json(self, wanted: str | None) -> None:
        value = {"experiments": names(self.outputs)} if wanted is None else experiment(self.outputs, wanted)
        if value is None:
            value = {"error": f"no experiment {wanted}", "experiments": names(self.outputs)}
        self._answer(404 if "error" in value else 200, _JSON, json.dumps(value, indent=2) + "\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src data:; base-uri 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a page that refreshes itself would fill the terminal."""


def make_server(host: str, port: int, outputs: Path) -> ThreadingHTTPServer:
    """A server that is bound but does not serve yet; port 0 takes a free one. Raises OSError when it is taken."""
    server = ThreadingHTTPServer((host, port), partial(Handler, outputs=outputs))
    server.daemon_threads = True
    return server
