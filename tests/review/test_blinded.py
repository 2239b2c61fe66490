"""A blinded session: nothing that the computer or another reader found leaves the server."""

import base64
import json

import cv2
import numpy as np

from hoseg.review.store import STORE, Correction, ReviewStore

from .films import ABSTAINED, CURRENT, MODEL, SINGLE
from .test_server import FILM, png, said


def test_a_blinded_session_shows_nothing_that_was_found(blinded, run):
    page = blinded.get("/")[2].decode()
    assert "abstained" not in page.split("const INDEX")[1].split("\n")[0]
    assert "brooker" not in page.split("const INDEX")[1].split("\n")[0]
    for name in ("overlay.png", "masks.png", "result.json"):
        assert blinded.get(f"/{FILM}/{name}")[0] == 404
    for film in (CURRENT, SINGLE, ABSTAINED):
        text = blinded.get(f"/{film.folder}/case.js")[2].decode()
        for word in ("rooker", "gap", "summary", "trace", "implant", MODEL, "abstain", 'pelvis":['):
            assert word not in text, word
        assert film.patient in text


def test_a_blinded_thumbnail_is_the_plain_film(blinded, run):
    drawn = (run / FILM / "thumb.jpg").read_bytes()
    body = blinded.get(f"/{FILM}/thumb.jpg")[2]
    plain = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert body != drawn
    assert np.ptp(plain, axis=-1).max() == 0  # grey: no coloured outline
    coloured = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(coloured, axis=-1).max() > 100


def test_a_blinded_reader_sees_nobody_elses_opinion(blinded, run):
    shape = cv2.imread(str(run / FILM / "masks.png"), cv2.IMREAD_UNCHANGED).shape
    mask = base64.b64decode(png((*shape, 4)))
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", FILM, "grade", "left", "4"))  # not blinded
        store.add(Correction("Bob", FILM, "grade", "left", "1", blinded=True))
        store.add(Correction("Ada", FILM, "mask"), mask)
    assert blinded.json(f"/api/history?image={FILM}&reader=Ada") == []
    assert blinded.json(f"/api/history?image={FILM}") == []
    assert blinded.get(f"/api/mask?image={FILM}&reader=Ada")[2] == b""
    assert blinded.get(f"/api/mask?image={FILM}")[2] == b""
    assert blinded.post(said())[0] == 200
    (mine,) = blinded.json(f"/api/history?image={FILM}&reader=Ada")
    assert mine["blinded"] is True


def test_the_blinded_order_says_nothing(blinded):
    page = blinded.get("/")[2].decode()
    index = page.split("const INDEX = ")[1].split(";\n")[0]
    names = [entry["id"] for entry in json.loads(index)]
    assert names == sorted(names)
    fields = {"id", "source", "sop", "patient", "date", "view", "side", "hips", "need"}
    assert set(json.loads(index)[0]) <= fields
