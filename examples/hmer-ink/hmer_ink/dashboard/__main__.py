"""Start the dashboard: streamlit where it is installed, else the built-in page.

It listens on 127.0.0.1 unless told otherwise: on a rented machine it is reached through an SSH tunnel.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from pathlib import Path

from ..errors import WorkloadError, exit_with
from .server import make_server


def _run_streamlit(host: str, port: int, outputs: Path) -> None:
    app = Path(__file__).with_name("streamlit_app.py")
    options = [f"--server.address={host}", f"--server.port={port}", "--server.headless=true"]
    options.append("--browser.gatherUsageStats=false")
    command = [sys.executable, "-m", "streamlit", "run", str(app), *options, "--", str(outputs)]
    os.execv(sys.executable, command)


def main() -> int:
    """Parse the arguments and serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("PORT") or 8501), help="8501; 0 takes a free one"
    )
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--plain", action="store_true", help="the built-in page also where streamlit is installed")
    arguments = parser.parse_args()
    if not arguments.plain and importlib.util.find_spec("streamlit"):
        _run_streamlit(arguments.host, arguments.port, arguments.outputs)
    try:
        server = make_server(arguments.host, arguments.port, arguments.outputs)
    except OSError as error:
        exit_with(
            WorkloadError(f"can't listen on {arguments.host}:{arguments.port} ({error.strerror}); choose another PORT")
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"dashboard: http://{arguments.host}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
