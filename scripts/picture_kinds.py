"""Pictures of known pixels by several writers: PNG, TIFF and JPEG, whole, cut short or padded."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from film_encoders import picture
from film_kinds import Outcome
from PIL import Image, ImageOps

from hoseg.dicom import Limits, Source, decode
from hoseg.errors import InputError

_ORIENTATION = 274


def _tiff_by_tifffile(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    import tifffile

    compressions = (None, "zlib", "lzw", "packbits", "zstd")
    options: dict[str, object] = {
        "photometric": "minisblack",
        "compression": compressions[int(rng.integers(5))],
        "byteorder": "<>"[int(rng.integers(2))],
        "bigtiff": bool(rng.integers(2)),
    }
    if rng.random() < 0.5:
        options["tile"] = (32, 32)
    if options["compression"] in ("zlib", "lzw"):
        options["predictor"] = bool(rng.integers(2))
    if rng.random() < 0.3:
        pixels = np.stack([pixels, np.full_like(pixels, 100)], -1)
        options["extrasamples"] = [("assocalpha", "unassalpha")[int(rng.integers(2))]]
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def _by_pillow(kind: str) -> Callable[[np.ndarray, np.random.Generator], bytes]:
    def write(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
        stream = io.BytesIO()
        options = {}
        if kind == "TIFF":
            packings = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")
            options["compression"] = packings[int(rng.integers(4))]
        Image.fromarray(pixels).save(stream, kind, **options)
        return stream.getvalue()

    return write


def _by_opencv(suffix: str) -> Callable[[np.ndarray, np.random.Generator], bytes]:
    return lambda pixels, rng: cv2.imencode(suffix, pixels)[1].tobytes()


PICTURES: tuple[tuple[str, str, tuple[str, ...], Callable[..., bytes]], ...] = (
    (".png", "Pillow", ("u1", "u2"), _by_pillow("PNG")),
    (".png", "OpenCV", ("u1", "u2"), _by_opencv(".png")),
    (".tif", "tifffile", ("u1", "u2", "i2", "f4", "f2", "f8", "i1", "u4"), _tiff_by_tifffile),
    (".tif", "Pillow", ("u1", "u2", "f4"), _by_pillow("TIFF")),
    (".tif", "OpenCV", ("u1", "u2", "f4"), _by_opencv(".tif")),
    (".jpg", "Pillow", ("u1",), _by_pillow("JPEG")),
    (".jpg", "OpenCV", ("u1",), _by_opencv(".jpg")),
    (".jpg", "lossless", ("u1", "u2"),
     lambda a, rng: bytes(imagecodecs.jpeg8_encode(a, lossless=True))),
)  # fmt: skip
"""Suffix, writer, types of samples, function."""


def try_picture(number: int, rng: np.random.Generator, folder: Path) -> Outcome:
    """Write one picture, perhaps cut it short, read it, and compare."""
    suffix, writer, types, encode = PICTURES[number % len(PICTURES)]
    dtype = np.dtype(types[int(rng.integers(len(types)))])
    pixels = picture(rng, 7 if dtype == np.int8 else 8).astype(dtype)
    if dtype.kind == "f":
        pixels = pixels / dtype.type(8)
    data = encode(pixels, rng)
    truth = pixels.astype(np.float64)
    if suffix == ".jpg" and writer != "lossless":
        truth = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)
    kind = ("plain", "bytes_behind", "cut", "exif_orientation")[int(rng.integers(4))]
    if kind == "cut":
        data = data[: int(rng.uniform(0.3, 0.95) * len(data))]
    elif kind == "exif_orientation" and suffix == ".jpg":
        orientation = int(rng.integers(2, 9))
        data = with_orientation(data, orientation)
        image = Image.fromarray(truth.astype(np.float32))
        image.getexif()[_ORIENTATION] = orientation
        truth = np.asarray(ImageOps.exif_transpose(image)).astype(np.float64)
    elif kind == "bytes_behind":
        data += bytes(int(rng.integers(1, 99)))
    path = folder / f"film{suffix}"
    path.write_bytes(data)
    result, detail = judge_picture(truth, kind == "cut", path)
    return Outcome(f"{suffix[1:].upper()} by {writer}", (kind, dtype.str[1:]), result, detail)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment behind the start of a JPEG (APP1, CIPA DC-008)."""
    entry = struct.pack(">HHIHH", _ORIENTATION, 3, 1, orientation, 0)
    body = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def judge_picture(truth: np.ndarray, must: bool, path: Path) -> tuple[str, str]:
    """Read a picture and say what came of it."""
    try:
        (read,) = decode(Source(path, path.name), Limits())
    except InputError as error:
        return ("refused", error.code) if must else ("lost", f"{error.code}: {error.sentence}")
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"
    same = read.pixels.shape == truth.shape and np.allclose(read.pixels, truth, atol=1)
    if not same:
        return "silent", f"{[note.code for note in read.notes]}"
    return "read", ""  # a file cut behind its last pixel is whole
