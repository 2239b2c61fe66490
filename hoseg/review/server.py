"""The review page served on this machine only, so that corrections are saved."""

from __future__ import annotations

import hmac
import json
import mimetypes
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import cv2

from hoseg.errors import InputError, OutputError
from hoseg.picture_files import read_pixels
from hoseg.report.overlay import THUMBNAIL_PX
from hoseg.report.paths import inside
from hoseg.review.case import CASE_FILE, blinded_script
from hoseg.review.page import blind, page
from hoseg.review.requests import MAX_BODY_BYTES, check_request, read_request
from hoseg.review.store import STORE, ReviewStore

COOKIE = "hoseg-token"
_FILES = ("film.jpg", "thumb.jpg", "overlay.png", "masks.png", "result.json", CASE_FILE)
_BLINDED_FILES = ("film.jpg", "thumb.jpg", CASE_FILE)  # the last two without what was found
_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; script-src 'self' 'nonce-{nonce}'; "
    "style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class ReviewSettings:
    """What is served.

    run: folder written by ``hoseg run``
    entries: of the gallery, from ``page.index``
    blinded: nothing that the computer or another reader found leaves the server
    """

    run: Path
    entries: list[dict[str, Any]]
    blinded: bool = False


class ReviewServer(ThreadingHTTPServer):
    """A server on the loopback address.

    port: 0 = any free one
    token: secret of this session; whoever has it may read and write

    Raises
    ------
    OutputError: the port is taken, or the history cannot be written
    """

    daemon_threads = True

    def __init__(self, settings: ReviewSettings, port: int = 0) -> None:
        self.settings = settings
        self.token = secrets.token_urlsafe(24)
        self.images = {str(entry["id"]) for entry in settings.entries}
        with self.history():
            pass  # it can be written
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise OutputError(f"port {port}: {error.strerror}; choose another --port") from error

    def server_bind(self) -> None:
        """Bind without asking for the name of this machine, which could go to the network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a fault of this program; a browser that went away is none."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def history(self) -> ReviewStore:
        """Open the history of the run."""
        return ReviewStore(self.settings.run / STORE)

    @property
    def url(self) -> str:
        """Address with the token, to be opened once."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version = "hoseg"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        pages: dict[str, Callable[[], None]] = {
            "/": self._send_page,
            "/review.html": self._send_page,
            "/api/history": self._send_history,
            "/api/mask": self._send_mask,
        }
        if self._allowed():
            pages.get(path, lambda: self._send_file(path.removeprefix("/")))()

    def do_POST(self) -> None:
        if not self._allowed(writing=True):
            return
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/api/review":
            self._fail(HTTPStatus.NOT_FOUND, "no such address")
        elif not length.isdecimal():
            self._fail(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        elif len(length) > 9 or int(length) > MAX_BODY_BYTES:
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
        else:
            self._save(self.rfile.read(int(length)))

    def _save(self, body: bytes) -> None:
        try:
            request = read_request(body, blinded=self.server.settings.blinded)
            check_request(request, self.server.settings.run, self.server.images)
            with self.server.history() as store:
                number = store.add(request.correction, request.mask_png)
        except InputError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        except (OutputError, OSError) as error:
            self._fail(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
        else:
            self._send_json({"number": number})

    def _allowed(self, *, writing: bool = False) -> bool:
        """Whether host, origin and token are this session's; answers when they are not."""
        port = self.server.server_port
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        origin = self.headers.get("Origin")
        given = self._query.get("token") or self._cookie
        if self.headers.get("Host") not in hosts:
            self._fail(HTTPStatus.FORBIDDEN, "wrong host")
        elif (writing or origin) and origin not in [f"http://{host}" for host in hosts]:
            self._fail(HTTPStatus.FORBIDDEN, "wrong origin")
        elif not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self._fail(HTTPStatus.FORBIDDEN, "open the address that hoseg review printed")
        else:
            return True
        return False

    @property
    def _query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def _cookie(self) -> str:
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == f"{COOKIE}-{self.server.server_port}":
                return value
        return ""

    def _send_page(self) -> None:
        settings = self.server.settings
        entries = blind(settings.entries) if settings.blinded else settings.entries
        nonce = secrets.token_urlsafe(16)
        text = page(entries, served=True, blinded=settings.blinded, nonce=nonce)
        name = f"{COOKIE}-{self.server.server_port}"  # cookies do not tell ports apart
        more = {
            "Set-Cookie": f"{name}={self.server.token}; HttpOnly; SameSite=Strict; Path=/",
            "Content-Security-Policy": _POLICY.format(nonce=nonce),
        }
        self._send(text.encode(), "text/html; charset=utf-8", more)

    def _send_file(self, relative: str) -> None:
        folder, _, name = relative.rpartition("/")
        blinded = self.server.settings.blinded
        known = folder in self.server.images and name in (_BLINDED_FILES if blinded else _FILES)
        try:
            if not known:
                raise FileNotFoundError(relative)
            body = self._read(folder, name, blinded)
        except (OSError, OutputError):
            self._fail(HTTPStatus.NOT_FOUND, "no such file")
        else:
            self._send(body, mimetypes.guess_type(name)[0] or "application/octet-stream")

    def _read(self, folder: str, name: str, blinded: bool) -> bytes:
        if blinded and name == "thumb.jpg":
            return _plain_thumbnail(inside(self.server.settings.run, folder, "film.jpg"))
        body = inside(self.server.settings.run, folder, name).read_bytes()
        return blinded_script(body.decode()).encode() if blinded and name == CASE_FILE else body

    def _send_history(self) -> None:
        """Send the history of an image, or of all; in a blinded session, that of this reader."""
        query, blinded = self._query, self.server.settings.blinded
        with self.server.history() as store:
            entries = list(store.history(query.get("image")))
        if blinded:
            reader = query.get("reader", "")
            entries = [entry for entry in entries if entry["blinded"] and entry["reader"] == reader]
        self._send_json(entries)

    def _send_mask(self) -> None:
        """Send the reader's newest mask of an image, else anybody's; nothing without one."""
        image, reader = self._query.get("image", ""), self._query.get("reader", "")
        blinded = self.server.settings.blinded
        with self.server.history() as store:
            png = store.latest_mask(image, reader, blinded=blinded)
            if png is None and not blinded:
                png = store.latest_mask(image)
        self._send(png or b"", "image/png")

    def _send_json(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _fail(self, status: HTTPStatus, sentence: str) -> None:
        self.close_connection = True  # a body that was not read must not be taken for a request
        body = json.dumps({"error": sentence}).encode()
        self._send(body, "application/json", {"Connection": "close"}, status)

    def _send(
        self,
        body: bytes,
        kind: str,
        more: dict[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**fixed, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold identifiers."""


def _plain_thumbnail(film: Path) -> bytes:
    """A film, small and without outlines, as JPEG."""
    picture = read_pixels(film, cv2.IMREAD_REDUCED_GRAYSCALE_2)
    if picture is None:
        raise FileNotFoundError(film)
    scale = min(1.0, THUMBNAIL_PX / max(picture.shape))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small)[1].tobytes()
