"""A front for a provider's ledger that changes what is read there, or does something while it is read."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from pytest_django import Settings

Entries = list[dict[str, Any]]
Tell = Callable[[Entries], Entries]
Lying = Callable[[str, Tell], AbstractContextManager[None]]


def front(settings: Settings) -> Lying:
    @contextmanager
    def lying(provider: str, tell: Tell) -> Iterator[None]:
        """Within, this provider's pages are what `tell` makes of them."""
        setting = f"{provider.upper()}_URL"
        real = getattr(settings, setting)

        class Front(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with urllib.request.urlopen(real.rstrip("/") + self.path) as answer:  # noqa: S310 (our own URL)
                    page = json.load(answer)
                body = json.dumps({**page, "entries": tell(page["entries"])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
            serving = Thread(target=server.serve_forever)
            serving.start()
            setattr(settings, setting, f"http://127.0.0.1:{server.server_port}")
            try:
                yield
            finally:
                setattr(settings, setting, real)
                server.shutdown()
                serving.join()

    return lying
