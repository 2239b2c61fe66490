from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hoseg.batch.run import review_entries
from hoseg.review.server import COOKIE, ReviewServer, ReviewSettings

from .films import write_run
from .pages import CHROMIUM

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--no-default-browser-check",
)  # fmt: skip


class Client:
    """Speaks to a review server as a browser would that opened its address."""

    def __init__(self, server: ReviewServer) -> None:
        self.server = server
        self.home = f"127.0.0.1:{server.server_port}"
        self.headers = {
            "Host": self.home,
            "Cookie": f"{COOKIE}-{server.server_port}={server.token}",
            "Origin": f"http://{self.home}",
        }

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str | None):
        """(status, headers, body); a header set to None is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Length", str(len(body)))
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def get(self, path: str, **headers: str | None):
        return self.ask("GET", path, **headers)

    def json(self, path: str):
        status, _, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def post(self, said: dict | bytes, **headers: str | None):
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        status, _, answer = self.ask("POST", "/api/review", body, **headers)
        return status, json.loads(answer)


@contextmanager
def serving(run: Path, *, blinded: bool = False) -> Iterator[ReviewServer]:
    server = ReviewServer(ReviewSettings(run, review_entries(run), blinded))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that no test changes."""
    return write_run(tmp_path_factory.mktemp("review"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run of one's own; its inputs stay where they are."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def client(run: Path) -> Iterator[Client]:
    with serving(run) as server:
        yield Client(server)


@pytest.fixture
def blinded(run: Path) -> Iterator[Client]:
    with serving(run, blinded=True) as server:
        yield Client(server)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser) -> Iterator:
    """A page whose errors and requests are written down; no error is allowed."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(30_000)  # generous: the machine may be busy
    page.said, page.asked = [], []
    page.on("console", lambda line: page.said.append(line.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    assert page.said == []
    context.close()


@pytest.fixture
def served(tab, run) -> Iterator:
    with serving(run) as server:
        tab.goto(server.url)
        tab.fill("#reader", "Ada")
        tab.keyboard.press("Tab")
        tab.run = run
        yield tab


@pytest.fixture
def from_disk(tab, run):
    tab.goto((run / "review.html").as_uri())
    return tab
