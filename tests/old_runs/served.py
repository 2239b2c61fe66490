"""A review server of a run, and a reader who speaks to it as the page does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from hoseg.batch.run import review_entries
from hoseg.review.server import ReviewServer, ReviewSettings


class Reader:
    """Asks a server, and sends it corrections.

    url: address with the token, as the server prints it
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._home = f"{parts.scheme}://{parts.netloc}"
        self._token = parts.query.removeprefix("token=")

    def get(self, path: str, **query: str) -> bytes:
        """Body of an answer."""
        with urlopen(self._address(path, query), timeout=20) as answer:
            return bytes(answer.read())

    def send(self, **correction: str) -> int:
        """Send a correction; returns its number."""
        body = json.dumps(correction).encode()
        headers = {"Origin": self._home, "Content-Type": "application/json"}
        request = Request(self._address("/api/review", {}), body, headers)
        with urlopen(request, timeout=20) as answer:
            return int(json.loads(answer.read())["number"])

    def history(self, **query: str) -> list[dict[str, Any]]:
        """The corrections that the server knows of."""
        return list(json.loads(self.get("/api/history", **query)))

    def _address(self, path: str, query: dict[str, str]) -> str:
        return f"{self._home}{quote(path)}?{urlencode({**query, 'token': self._token})}"


@contextmanager
def serving(run: Path, *, blinded: bool = False) -> Iterator[Reader]:
    """Serve the review page of a run meanwhile."""
    settings = ReviewSettings(run, review_entries(run), blinded)
    server = ReviewServer(settings)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Reader(server.url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
