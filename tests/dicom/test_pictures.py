"""JPEG pictures: the rare kinds are read, what is cut off is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from hoseg.errors import InputError
from hoseg.reasons import Reason

from .build import EXACT, film, read


def colour(rows: int = 96, columns: int = 128) -> np.ndarray:
    grey = (film(rows, columns, 8) // 2 + 60).astype(np.uint8)
    return np.stack([grey, grey // 2 + 30, grey], -1)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "syntax", [uid.JPEGExtended12Bit, uid.JPEGLosslessSV1, uid.JPEGLSLossless], ids=lambda s: s.name
)
def test_jpeg_that_pillow_cannot_read(syntax, tmp_path):
    (tmp_path / "film.jpg").write_bytes(EXACT[syntax](film(), 12))
    got = read(tmp_path / "film.jpg")[0].pixels
    assert got.dtype == np.uint16
    error = np.abs(got.astype(int) - film())
    assert error.max() == 0 if syntax != uid.JPEGExtended12Bit else error.mean() < 12


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_usual_jpeg_are_read_as_pillow_reads_them(kind, progressive, tmp_path):
    pixels = colour() if kind == "colour" else colour()[..., 0]
    data = jpeg(pixels, progressive=progressive)
    (tmp_path / "film.jpg").write_bytes(data)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    difference = read(tmp_path / "film.jpg")[0].pixels.astype(int) - expected
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_a_jpeg_that_was_cut_off_is_refused(kind, share, end, tmp_path):
    pixels = colour() if kind == "colour" else colour()[..., 0]
    data = jpeg(pixels)
    (tmp_path / "film.jpg").write_bytes(data[: int(share * len(data))].rstrip(b"\xff") + end)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "film.jpg")
    assert caught.value.code == Reason.TRUNCATED
