"""The review page served on this machine only, so that corrections are saved."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import mimetypes
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import cv2

from hoseg.errors import HosegError, InputError, OutputError
from hoseg.report.paths import inside
from hoseg.report.review.case import CASE_FILE, blinded_script
from hoseg.report.review.exports import ossification_of
from hoseg.report.review.page import blind, page
from hoseg.report.review.store import STORE, Correction, ReviewStore

MAX_BODY_BYTES = 32 * 1024**2
COOKIE = "hoseg-token"
_FILES = ("film.jpg", "thumb.jpg", "overlay.png", "masks.png", "result.json", CASE_FILE)
_FOUND = ("thumb.jpg", "overlay.png", "masks.png", "result.json")  # show the computer's result
_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class ReviewSettings:
    """What is served.

    run: folder written by ``hoseg run``
    entries: of the gallery, from ``page.index``
    blinded: nothing that the computer found leaves the server
    token: secret of this session; whoever has it may read and write
    """

    run: Path
    entries: list[dict[str, Any]]
    blinded: bool = False
    token: str = ""


class ReviewServer(ThreadingHTTPServer):
    """A server on the loopback address.

    port: 0 = any free one

    Raises
    ------
    OutputError: the port is taken, or the history cannot be written
    """

    daemon_threads = True

    def __init__(self, settings: ReviewSettings, port: int = 0) -> None:
        self.settings = settings
        self.token = settings.token or secrets.token_urlsafe(24)
        self.images = {str(entry["id"]) for entry in settings.entries}
        ReviewStore(settings.run / STORE).__exit__(None, None, None)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise OutputError(f"port {port}: {error.strerror}; choose another --port") from error

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
        if not self._allowed():
            return
        path = unquote(urlsplit(self.path).path)
        if path in ("/", "/review.html"):
            self._send_page()
        elif path == "/api/history":
            image = parse_qs(urlsplit(self.path).query).get("image", [""])[0]
            with ReviewStore(self.server.settings.run / STORE) as store:
                self._send_json(list(store.history(image or None)))
        elif path == "/api/mask":
            self._send_mask()
        else:
            self._send_file(path.lstrip("/"))

    def do_POST(self) -> None:
        if not self._allowed(writing=True):
            return
        if urlsplit(self.path).path != "/api/review":
            self._fail(HTTPStatus.NOT_FOUND, "no such address")
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self._fail(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
            return
        if not 0 < length <= MAX_BODY_BYTES:
            self.close_connection = True
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
            return
        try:
            number = self._save(self.rfile.read(length))
        except HosegError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._send_json({"number": number})

    def _save(self, body: bytes) -> int:
        try:
            data = json.loads(body)
            png = data.pop("mask_png", None) if isinstance(data, dict) else None
            data["blinded"] = self.server.settings.blinded
            correction = Correction(**data)
            mask = base64.b64decode(png, validate=True) if png else None
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, binascii.Error) as error:
            raise InputError("request", f"malformed ({error})", code="bad_review") from error
        except RecursionError as error:
            raise InputError("request", "nested too deeply", code="bad_review") from error
        if correction.image not in self.server.images:
            raise InputError("request", "no such image", code="bad_review")
        if (correction.kind == "mask") != (mask is not None):
            raise InputError("request", "kind 'mask' goes with mask_png", code="bad_review")
        if mask is not None:
            self._check_mask(correction.image, mask)
        with ReviewStore(self.server.settings.run / STORE) as store:
            return store.add(correction, mask)

    def _check_mask(self, image: str, png: bytes) -> None:
        """Refuse a mask that is not of the film's size."""
        path = inside(self.server.settings.run, image, "masks.png")
        film = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        shape = ossification_of(png).shape
        if film is None or shape != film.shape[:2]:
            raise InputError("mask", f"{shape} is not the film's size", code="bad_review")

    def _allowed(self, *, writing: bool = False) -> bool:
        """Whether host, origin and token are this session's; answers when they are not."""
        port = self.server.server_port
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        if self.headers.get("Host") not in hosts:
            self._fail(HTTPStatus.FORBIDDEN, "wrong host")
            return False
        origin = self.headers.get("Origin")
        if (writing or origin) and origin not in [f"http://{host}" for host in hosts]:
            self._fail(HTTPStatus.FORBIDDEN, "wrong origin")
            return False
        offered = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self._cookie_name)
        given = offered or (cookie.value if cookie else "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            self._fail(HTTPStatus.FORBIDDEN, "open the address that hoseg review printed")
            return False
        return True

    @property
    def _cookie_name(self) -> str:
        return f"{COOKIE}-{self.server.server_port}"

    def _send_page(self) -> None:
        settings = self.server.settings
        entries = blind(settings.entries) if settings.blinded else settings.entries
        body = page(entries, served=True, blinded=settings.blinded).encode()
        cookie = f"{self._cookie_name}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        self._send(body, "text/html; charset=utf-8", {"Set-Cookie": cookie})

    def _send_file(self, relative: str) -> None:
        folder, _, name = relative.rpartition("/")
        hidden = self.server.settings.blinded and name in _FOUND
        if folder not in self.server.images or name not in _FILES or hidden:
            self._fail(HTTPStatus.NOT_FOUND, "no such file")
            return
        try:
            body = inside(self.server.settings.run, folder, name).read_bytes()
        except (OSError, OutputError):
            self._fail(HTTPStatus.NOT_FOUND, "no such file")
            return
        if self.server.settings.blinded and name == CASE_FILE:
            body = blinded_script(body.decode()).encode()
        self._send(body, mimetypes.guess_type(name)[0] or "application/octet-stream")

    def _send_mask(self) -> None:
        """Send the newest corrected mask of an image, or nothing."""
        query = parse_qs(urlsplit(self.path).query)
        image = query.get("image", [""])[0]
        with ReviewStore(self.server.settings.run / STORE) as store:
            png = store.latest_mask(image, query.get("reader", [None])[0])
        if png is None:
            self._fail(HTTPStatus.NOT_FOUND, "no corrected mask")
        else:
            self._send(png, "image/png")

    def _send_json(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _send(self, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self._head(HTTPStatus.OK, len(body), kind, more or {})
        self.wfile.write(body)

    def _fail(self, status: HTTPStatus, sentence: str) -> None:
        body = json.dumps({"error": sentence}).encode()
        self.close_connection = True  # a body that was not read must not be taken for a request
        self._head(status, len(body), "application/json", {"Connection": "close"})
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, size: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**fixed, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold identifiers."""
