import base64
import socket
import threading

import cv2
import numpy as np
import pytest

from hoseg.errors import OutputError
from hoseg.review.requests import MAX_BODY_BYTES
from hoseg.review.server import ReviewServer, ReviewSettings
from hoseg.review.store import STORE, ReviewStore

from .films import CURRENT, SINGLE

FILM = CURRENT.folder


def said(**changes):
    base = {"reader": "Ada", "image": FILM, "kind": "grade", "side": "left", "value": "2"}
    return base | changes


def png(shape, kind=np.uint8):
    return base64.b64encode(cv2.imencode(".png", np.zeros(shape, kind))[1]).decode()


def history(run):
    with ReviewStore(run / STORE) as store:
        return list(store.history())


# --- who may speak ------------------------------------------------------------------------------


def test_the_server_listens_on_this_machine_only(client):
    assert client.server.server_address[0] == "127.0.0.1"
    assert client.server.socket.getsockname()[0] == "127.0.0.1"


def test_the_printed_address_opens_the_page_and_sets_the_cookie(client):
    path = client.server.url.removeprefix(f"http://{client.home}")
    status, headers, body = client.get(path, Cookie=None, Origin=None)
    assert status == 200
    assert b"Research use only" in body
    assert "HttpOnly; SameSite=Strict" in headers["Set-Cookie"]
    assert "script-src 'self' 'nonce-" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


STRANGERS = (
    {"Host": "evil.example"},
    {"Host": "127.0.0.1"},
    {"Host": None},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Cookie": None},
    {"Cookie": "hoseg-token=wrong"},
    {"Cookie": "a/b=c; d; =; ü=ö"},
)


@pytest.mark.parametrize("path", ["/", f"/{FILM}/film.jpg", "/api/history", "/api/mask", "/none"])
def test_strangers_read_nothing(client, path):
    for headers in STRANGERS:
        status, _, body = client.get(path, **headers)
        assert status == 403, headers
        assert len(body) < 100


def test_strangers_write_nothing(client, run):
    for headers in (*STRANGERS, {"Origin": None}):
        status, _ = client.post(said(), **headers)
        assert status == 403, headers
    assert history(run) == []


def test_a_wrong_token_in_the_address_is_refused(client):
    assert client.get("/?token=wrong")[0] == 403
    assert client.get("/?token=%C3%BC%ED%A0%80", Cookie=None)[0] == 403


def test_other_methods_are_refused(client):
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"):
        assert client.ask(method, "/")[0] == 501


# --- what may be read ---------------------------------------------------------------------------


def test_the_files_of_an_image_are_served(client):
    kinds = {
        "film.jpg": "image/jpeg", "thumb.jpg": "image/jpeg", "overlay.png": "image/png",
        "masks.png": "image/png", "result.json": "application/json", "case.js": "text/javascript",
    }  # fmt: skip
    for name, kind in kinds.items():
        status, headers, body = client.get(f"/{FILM}/{name}")
        assert (status, headers["Content-Type"]) == (200, kind)
        assert body == (client.server.settings.run / FILM / name).read_bytes()


TRICKS = (
    "/../run/run.json",
    "/..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    f"/{FILM}/../../../journal.sqlite",
    f"/{FILM}/..\\..\\journal.sqlite",
    f"/{FILM}/film.jpg%00.png",
    f"/{FILM}%00/film.jpg",
    f"/{FILM}//film.jpg",
    f"/./{FILM}/film.jpg",
    f"/{FILM}/",
    f"/{FILM}",
    f"/{FILM}/film.jpg/",
    "/review.sqlite",
    "/journal.sqlite",
    "/studies",
    "/file:///etc/passwd",
    "/%ff%fe",
    "/" + "a" * 5000,
)


def test_nothing_else_is_served(client):
    for path in TRICKS:
        status, _, body = client.get(path)
        assert status == 404, path
        assert b"no such file" in body


def test_a_link_out_of_the_run_is_not_followed(client, run, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    film = run / FILM / "film.jpg"
    film.unlink()
    film.symlink_to(tmp_path / "secret.jpg")
    assert client.get(f"/{FILM}/film.jpg")[0] == 404


def test_an_over_long_address_is_refused(client):
    assert client.get("/" + "a" * 70_000)[0] == 414


# --- what may be written ------------------------------------------------------------------------


def test_a_grade_is_saved(client, run):
    status, answer = client.post(said())
    assert (status, answer) == (200, {"number": 1})
    (entry,) = history(run)
    assert entry["value"] == "2"
    assert entry["blinded"] is False
    assert client.json(f"/api/history?image={FILM}") == [entry]
    assert client.json("/api/history?image=other") == []


def test_a_mask_of_the_films_size_is_saved(client, run):
    shape = cv2.imread(str(run / FILM / "masks.png"), cv2.IMREAD_UNCHANGED).shape
    mine = png((*shape, 4))
    assert client.post(said(kind="mask", side="", value="", mask_png=mine))[0] == 200
    assert client.get(f"/api/mask?image={FILM}")[2] == base64.b64decode(mine)
    assert client.get(f"/api/mask?image={SINGLE.folder}")[::2] == (200, b"")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reader": ""}, "reader"),
        ({"reader": 5}, "reader"),
        ({"reader": "\ud800"}, "body"),
        ({"image": "../../etc"}, "no such image"),
        ({"image": None}, "image"),
        ({"kind": "drop table"}, "kind"),
        ({"value": "9"}, "value"),
        ({"value": 3}, "value"),
        ({"side": "up"}, "side"),
        ({"blinded": True}, "blinded"),
        ({"time": "2001-01-01"}, "time"),
        ({"mask_png": "AAAA"}, "goes with mask_png"),
        ({"kind": "mask"}, "goes with mask_png"),
        ({"kind": "mask", "mask_png": ""}, "goes with mask_png"),
        ({"kind": "mask", "mask_png": "!!!"}, "mask_png"),
        ({"kind": "mask", "mask_png": "ü"}, "mask_png"),
        ({"kind": "mask", "mask_png": "AAAA"}, "not a PNG"),
        ({"kind": "mask", "mask_png": png((40, 40))}, "the film has"),
        ({"value": "x" * 5000, "kind": "comment"}, "value"),
    ],
)
def test_what_makes_no_sense_is_refused(client, run, changes, sentence):
    status, answer = client.post(said(**changes))
    assert status == 400
    assert sentence in answer["error"]
    assert history(run) == []


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"", b"[]", b"null", b'"text"', b"5", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000,
        b'{"reader": ' + b"1" * 10_000 + b"}", b"NaN", b"\0" * 100,
    ],
)  # fmt: skip
def test_malformed_bodies_are_refused(client, run, body):
    status, answer = client.post(body)
    assert status == 400
    assert answer["error"]
    assert history(run) == []
    assert client.get("/")[0] == 200  # and the server lives on


def test_a_damaged_mask_of_the_right_size_is_refused(client, run):
    shape = cv2.imread(str(run / FILM / "masks.png"), cv2.IMREAD_UNCHANGED).shape
    whole = base64.b64decode(png(shape))
    half = base64.b64encode(whole[: len(whole) // 2]).decode()
    assert client.post(said(kind="mask", value="", mask_png=half))[0] == 400
    deep = png(shape, np.uint16)
    assert client.post(said(kind="mask", value="", mask_png=deep))[0] == 400
    assert history(run) == []


def test_a_bomb_is_refused_by_its_header(client):
    bomb = bytearray(base64.b64decode(png((4, 4))))
    bomb[16:24] = b"\x00\x00\xff\xff" * 2
    status, answer = client.post(
        said(kind="mask", value="", mask_png=base64.b64encode(bomb).decode())
    )
    assert status == 400
    assert "65535" in answer["error"]


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(MAX_BODY_BYTES + 1), 413), ("9" * 30, 413), ("-1", 411), ("1e3", 411), ("", 411),
        (None, 411), ("0" * 12 + "5", 413),
    ],
)  # fmt: skip
def test_the_length_is_checked_before_the_body_is_read(client, run, length, status):
    found, _ = client.post(said(), Content_Length=length)
    assert found == status
    assert history(run) == []


def test_posts_elsewhere_are_refused(client):
    assert client.ask("POST", "/", b"{}")[0] == 404
    assert client.ask("POST", f"/{FILM}/masks.png", b"{}")[0] == 404


def test_readers_at_the_same_time_lose_nothing(client, run):
    def speak(reader):
        for value in "01234":
            assert client.post(said(reader=reader, value=value))[0] == 200

    threads = [threading.Thread(target=speak, args=(f"R{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = history(run)
    assert len(entries) == 20
    assert all([e["value"] for e in entries if e["reader"] == f"R{k}"] == list("01234")
               for k in range(4))  # fmt: skip


# --- the machine --------------------------------------------------------------------------------


def test_a_taken_port_is_said_so(run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port}.*--port"):
            ReviewServer(ReviewSettings(run, []), port)


def test_a_full_disk_is_an_answer_not_a_crash(client, run, monkeypatch):
    def full(self, correction, mask_png=None):
        raise OutputError("review.sqlite: disk full; free space and save again")

    monkeypatch.setattr(ReviewStore, "add", full)
    status, answer = client.post(said())
    assert status == 507
    assert "disk full" in answer["error"]
