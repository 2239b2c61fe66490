"""Write random texts into films: what ``bench_burned_in.py`` and ``fit_burned_in.py`` share.

Printed words, initials, dates and handwriting, in fonts of the system, of OpenCV and of bitmaps,
upright, turned or oblique, in white, black or grey, plain, outlined, shadowed, on a box, or like
the name plate of a cassette (blurred and noisy as the film itself).
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import make_interp_spline

Array = NDArray[Any]
NAMES = ("Zyxwolf Quentin", "MUSTERMANN ERIKA", "de la Cruz, Ana", "O'Neill S.", "Li Wei")
FITTED = (
    "DejaVuSans",
    "LiberationSerif",
    "LiberationMono",
    "NimbusSansNarrow",
    "P052",
    "URWGothic",
)
"""Fonts the detector was fitted to; it is judged on the others."""
VISIBLE = 0.9  # share of the ink that must differ from the film for a text to count
NOISES = 3.0  # ... by this many standard deviations of the noise


@dataclass(frozen=True)
class Kind:
    """What was written, for tables."""

    text: str
    content: str
    writing: str
    turn: str
    style: str
    ink: str
    height_px: int
    angle: float


@dataclass(frozen=True, eq=False)
class Planted:
    """A film with one more text.

    pixels: (H, W)
    ink: (H, W) bool, the letters
    marked: (H, W) bool, all that was written: letters, outline, box
    """

    pixels: Array
    ink: Array
    marked: Array
    kind: Kind


def plant(
    film: Array,
    centre: tuple[int, int],
    tallest_px: float,
    rng: np.random.Generator,
    *,
    fitted: bool,
) -> Planted | None:
    """Write a random text at a place; None where it would not be seen.

    Parameters
    ----------
    film : (H, W)
        Stored values.
    centre : (row, column)
        The middle of the text; it is moved inside the film.
    tallest_px : float
        Height of the largest letters.
    rng : Generator
        Draws the text and its looks.
    fitted : bool
        Use the fonts for fitting, else the others.
    """
    height = round(float(np.exp(rng.uniform(np.log(9), np.log(max(tallest_px, 10.0))))))
    text, content = random_text(rng)
    alpha, writing = _handwriting(height, rng), "hand"
    if content != "handwriting":
        alpha, writing = _print(text, height, rng, fitted=fitted)
    turn, angle = _angle(rng)
    style = str(
        rng.choice(["plain", "box", "outline", "shadow", "plate"], p=[0.52, 0.12, 0.1, 0.1, 0.16])
    )
    pad = max(3, round(0.35 * height))
    alpha = np.pad(alpha, pad)
    under = _under(alpha, style, pad, rng)
    soft = writing != "bitmap" and bool(np.any((alpha > 0) & (alpha < 1)))
    alpha, under = (_turned(layer, angle, soft=soft) for layer in (alpha, under))
    if any(a > b for a, b in zip(alpha.shape, film.shape, strict=True)):
        return None
    row, column = (
        int(np.clip(c - n // 2, 0, size - n))
        for c, n, size in zip(centre, alpha.shape, film.shape, strict=True)
    )
    there = np.s_[row : row + alpha.shape[0], column : column + alpha.shape[1]]
    value, ink_name = _value(film, film[there], rng)
    noise = noise_of(film[there])
    low, high = float(film.min()), float(film.max())
    other = high if value < (low + high) / 2 else low
    background = film[there].astype(np.float64)
    patch = background * (1 - under) + other * under
    patch = patch * (1 - alpha) + value * alpha
    if style == "plate":
        blurred = cv2.GaussianBlur(patch, (0, 0), float(rng.uniform(0.6, max(0.7, 0.06 * height))))
        plate = cv2.GaussianBlur(np.maximum(alpha, under), (0, 0), 1.0)
        patch = np.where(plate > 0.02, blurred + rng.normal(0, noise, patch.shape), patch)
    pixels = film.copy()
    top = np.iinfo(film.dtype).max
    pixels[there] = np.clip(patch.round(), 0, top).astype(film.dtype)
    ink, marked = np.zeros(film.shape, bool), np.zeros(film.shape, bool)
    ink[there] = alpha > 0.5
    marked[there] = (alpha > 0.1) | (under > 0.1)
    reference = background if not under[alpha > 0.5].any() else np.full(patch.shape, other)
    seen = np.abs(pixels[there] - reference)[alpha > 0.5] >= max(2.0, NOISES * noise)
    if not seen.size or seen.mean() < VISIBLE:
        return None
    return Planted(
        pixels, ink, marked, Kind(text, content, writing, turn, style, ink_name, height, angle)
    )


def random_text(rng: np.random.Generator) -> tuple[str, str]:
    """A text and what kind of text it is."""
    content = str(
        rng.choice(["words", "number", "initials", "handwriting"], p=[0.4, 0.2, 0.2, 0.2])
    )
    digits = "".join(rng.choice(list(string.digits), 8))
    letters = "".join(rng.choice(list(string.ascii_letters), int(rng.integers(3, 14))))
    if content == "words":
        return str(rng.choice([*NAMES, letters, letters.upper()])), content
    if content == "number":
        dates = (
            f"{digits[:2]}.{digits[2:4]}.19{digits[4:6]}",
            f"19{digits[:2]}-0{digits[3]}-1{digits[4]}",
        )
        return str(rng.choice([digits, f"MRN {digits}", *dates])), content
    if content == "initials":
        return "".join(rng.choice(list(string.ascii_uppercase), int(rng.integers(1, 3)))), content
    return "", content


def spoiled(film: Array, rng: np.random.Generator) -> tuple[Array, str]:
    """The film as it is, in 8 bits, or in 16, and how it is called."""
    bits = int(rng.choice([0, 0, 8, 16]))
    if bits == 0 or film.dtype == np.uint8:
        return film, f"{8 * film.dtype.itemsize}-bit as it is"
    scaled = (film - film.min()) * ((2.0**bits - 1) / max(float(np.ptp(film)), 1.0))
    return scaled.round().astype(np.uint8 if bits == 8 else np.uint16), f"{bits}-bit"


def through_jpeg(film: Array, quality: int) -> Array:
    """An 8-bit film after lossy compression."""
    ok, packed = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError(f"JPEG at quality {quality} failed")
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED))


def noise_of(part: Array) -> float:
    """Standard deviation of what changes from pixel to pixel."""
    values = part.astype(np.float32)
    return 1.48 * float(np.median(np.abs(values - cv2.blur(values, (3, 3)))))


def _angle(rng: np.random.Generator) -> tuple[str, float]:
    turn = str(rng.choice(["upright", "vertical", "oblique"], p=[0.45, 0.15, 0.4]))
    if turn == "upright":
        return turn, 0.0
    return turn, float(rng.choice([90, -90]) if turn == "vertical" else rng.uniform(-180, 180))


def _print(text: str, height: int, rng: np.random.Generator, *, fitted: bool) -> tuple[Array, str]:
    """Opacity (h, w) of printed letters in 0 to 1, and the kind of font."""
    how = str(rng.choice(["font", "hershey", "bitmap"], p=[0.65, 0.25, 0.1]))
    smooth = rng.random() < 0.6
    if how == "hershey":
        font = int(rng.choice([0, 1, 2, 3, 4, 5]))
        thick = max(1, round(height * float(rng.uniform(0.05, 0.16))))
        scale = height / 22.0 * (2.2 if font in (1, 5) else 1.0)
        (w, h), base = cv2.getTextSize(text, font, scale, thick)
        layer = np.zeros((h + base + 2 * thick + 4, w + 2 * thick + 4), np.uint8)
        line = cv2.LINE_AA if smooth else cv2.LINE_8
        cv2.putText(layer, text, (thick + 2, h + thick + 2), font, scale, 255, thick, line)
        return _cropped(layer / 255.0), how
    files = font_files(fitted=fitted)
    face: Any
    if how == "bitmap" or not files:
        face, how = ImageFont.load_default_imagefont(), "bitmap"
    else:
        face = ImageFont.truetype(str(rng.choice(files)), max(8, round(height * 1.38)))
    left, top, right, bottom = face.getbbox(text)
    picture = Image.new("L", (int(right - left) + 6, int(bottom - top) + 6))
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "L" if smooth and how == "font" else "1"
    draw.text((3 - left, 3 - top), text, fill=255, font=face)
    layer = _cropped(np.asarray(picture) / 255.0)
    times = max(1, round(height / 9)) if how == "bitmap" else 1
    return np.kron(layer, np.ones((times, times))), how


@cache
def font_files(*, fitted: bool) -> list[str]:
    """Fonts with Latin letters below ``/usr/share/fonts``."""
    folder = Path("/usr/share/fonts")
    files = [f for kind in ("*.ttf", "*.otf") for f in sorted(folder.rglob(kind))]
    latin = [f for f in files if not f.name.startswith(("D050000L", "StandardSymbols", "Droid"))]
    return [str(f) for f in latin if f.name.startswith(FITTED) == fitted]


def _handwriting(height: int, rng: np.random.Generator) -> Array:
    """Opacity of a few joined letters by a pen: smooth curves with lifts."""
    letters = int(rng.integers(2, 8))
    width = height * rng.uniform(0.45, 0.8)
    thick = max(1, round(height * float(rng.uniform(0.04, 0.14))))
    strokes: list[list[tuple[float, float]]] = [[]]
    for k in range(letters):
        points = rng.uniform((0, 0), (1.1, 1), (int(rng.integers(3, 6)), 2))
        points = points[np.argsort(points[:, 0] + rng.normal(0, 0.35, len(points)))]
        strokes[-1] += [((k + x) * width, y * height) for x, y in points]
        if rng.random() < 0.3:
            strokes.append([])
    margin = thick + height
    layer = np.zeros((3 * height + 2 * thick, int(letters * width + 2 * margin + width)), np.uint8)
    line = cv2.LINE_AA if rng.random() < 0.6 else cv2.LINE_8
    for stroke in filter(lambda points: len(points) > 3, strokes):
        spline = make_interp_spline(np.arange(len(stroke)), np.array(stroke), k=3)
        path = spline(np.linspace(0, len(stroke) - 1, 20 * len(stroke))) + margin
        cv2.polylines(layer, [(path * 16).astype(np.int32)], False, 255, thick, line, 4)
    return _cropped(layer / 255.0)


def _cropped(layer: Array) -> Array:
    rows, columns = np.flatnonzero(layer.any(axis=1)), np.flatnonzero(layer.any(axis=0))
    if not len(rows):
        return layer
    return layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _under(alpha: Array, style: str, pad: int, rng: np.random.Generator) -> Array:
    """Opacity of what lies under the letters: a box, an outline, a shadow, or nothing."""
    under = np.zeros(alpha.shape)
    if style == "box" or (style == "plate" and rng.random() < 0.6):
        gap = int(rng.integers(0, pad // 2 + 1))
        under[gap : alpha.shape[0] - gap, gap : alpha.shape[1] - gap] = 1
    elif style == "outline":
        size = 2 * max(1, pad // 6) + 1
        under = cv2.dilate(alpha, np.ones((size, size), np.uint8))
    elif style == "shadow":
        under = np.roll(alpha, (max(1, pad // 5),) * 2, axis=(0, 1))
    return under


def _turned(layer: Array, angle: float, *, soft: bool) -> Array:
    """The layer rotated about its middle on a canvas that holds all of it."""
    if angle % 90 == 0:
        return np.rot90(layer, round(angle / 90))
    rows, columns = layer.shape
    turn = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    high = int(abs(turn[0, 1]) * columns + abs(turn[0, 0]) * rows) + 2
    wide = int(abs(turn[0, 0]) * columns + abs(turn[0, 1]) * rows) + 2
    turn[:, 2] += ((wide - columns) / 2, (high - rows) / 2)
    how = cv2.INTER_LINEAR if soft else cv2.INTER_NEAREST
    return np.asarray(cv2.warpAffine(layer, turn, (wide, high), flags=how))


def _value(film: Array, background: Array, rng: np.random.Generator) -> tuple[float, str]:
    """Grey of the letters: the extremes, or a little or a lot beside what is there."""
    low, high = float(film.min()), float(film.max())
    kind = rng.random()
    if kind < 0.35:
        return (
            (high, "white")
            if rng.random() < 0.7
            else (float(2 ** int(high).bit_length() - 1), "white")
        )
    if kind < 0.5:
        return low, "black"
    share = float(np.exp(rng.uniform(np.log(0.02), np.log(0.6))))
    value = float(np.median(background)) + float(rng.choice([-1, 1])) * share * (high - low)
    return float(np.clip(value, low, max(high, 1))), "grey"
