"""How much burned-in text the de-identification removes, and how much anatomy it takes with it.

Plants random texts (fonts of the system and of OpenCV, 12-80 px, any quarter turn, any grey, with
or without a box) on films, inside the exposed field, in its borders and across their edge, and
cleans the films as ``hoseg deidentify`` does. A text counts as removed when more than 97 % of its
visible pixels are painted out; tesseract, which knows nothing of the detector, then reads what is
left of it. The same films without text give the share of the field that is masked for nothing.

    python scripts/bench_burned_in.py FILM.dcm FOLDER_OF_FILMS --texts 300 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import string
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hoseg.dicom.burned_in import find_text
from hoseg.dicom.pixels import iter_frames, read_layout
from hoseg.dicom.read import parse
from hoseg.dicom.source import Limits, Source
from hoseg.dicom.unexposed import unexposed

Array = NDArray[Any]
COVERED = 0.97
VISIBLE = 0.9  # share of the text's pixels that must differ from the film for it to count
NAMES = ("Zyxwolf Quentin", "MUSTERMANN ERIKA", "de la Cruz, Ana", "O'Neill S.", "Li Wei", "JS")


@dataclass(frozen=True)
class Text:
    """One planted text and what became of it."""

    film: str
    text: str
    place: str
    height_px: int
    contrast: float
    bits: int
    covered: float
    read_before: float = 0.0
    read_after: float = 0.0


def main() -> None:
    """Measure and print; nothing is written but what ``--pictures`` and ``--json`` name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-films", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write every text and film here")
    parser.add_argument("--pictures", type=Path, help="write missed texts and masked films here")
    args = parser.parse_args()
    films = _films(args.films)[: args.most_films]
    rng = np.random.default_rng(args.seed)
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    clean = [_clean_film(path, args.pictures) for path in films]
    texts = [
        _one_text(films[int(rng.integers(len(films)))], rng, args.pictures, number)
        for number in range(args.texts)
    ]
    kept = [text for text in texts if text is not None]
    _print_texts(kept)
    _print_films(clean)
    if args.json:
        document = {"texts": [asdict(text) for text in kept], "films": clean}
        args.json.write_text(json.dumps(document, indent=1))


def _films(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.dcm")) if path.is_dir() else [path]
    return found


def read_film(path: Path) -> tuple[Array, bool]:
    """Pixels as stored, one sample a pixel, and whether small values are shown bright."""
    source, limits = Source(path, str(path)), Limits()
    dataset = parse(source.read(limits), source, limits)
    pixels, photometric = next(iter_frames(dataset, read_layout(dataset, source, limits), source))
    grey = pixels.mean(axis=2).astype(pixels.dtype) if pixels.ndim == 3 else pixels
    return grey, photometric == "MONOCHROME1"


def _mask(pixels: Array, inverted: bool) -> tuple[Array, Array]:
    """What is painted out, and the part of it that lies outside the exposed field."""
    outside = unexposed(pixels, inverted=inverted)
    masked = outside.copy()
    for box in find_text(pixels) + (find_text(pixels, outside) if outside.any() else []):
        masked[box.row : box.row_end, box.column : box.column_end] = True
    return masked, outside


def _one_text(
    path: Path, rng: np.random.Generator, pictures: Path | None, number: int
) -> Text | None:
    film, inverted = read_film(path)
    film, bits = requantised(film, rng)
    planted, alpha, text, place, height = plant(film, inverted, rng)
    difference = np.abs(planted.astype(np.float64) - film)
    noise = _noise(film, alpha)
    visible = (alpha > 0.5) & (difference >= max(2.0, 3 * noise))
    if visible.sum() < VISIBLE * (alpha > 0.5).sum():
        return None
    masked, _ = _mask(planted, inverted)
    covered = float(masked[visible].mean())
    cleaned = np.where(masked, np.median(planted), planted)
    before, after = (_legible(picture, alpha, text) for picture in (planted, cleaned))
    if covered <= COVERED and pictures:
        rows, columns = np.nonzero(alpha)
        r0, r1 = max(rows.min() - 60, 0), rows.max() + 60
        c0, c1 = max(columns.min() - 60, 0), columns.max() + 60
        both = np.hstack([_shown(p[r0:r1, c0:c1]) for p in (planted, cleaned)])
        cv2.imwrite(str(pictures / f"missed-{number}-{place}-{covered:.2f}.png"), both)
    contrast = float(np.median(difference[visible]) / max(np.ptp(film), 1))
    return Text(path.parent.name, text, place, height, contrast, bits, covered, before, after)


def requantised(film: Array, rng: np.random.Generator) -> tuple[Array, int]:
    """The film as it is, in 8 bits, or in 16."""
    bits = int(rng.choice([0, 8, 16]))
    if bits == 0 or film.dtype == np.uint8:
        return film, int(film.max()).bit_length()
    scaled = (film - film.min()) * ((2.0**bits - 1) / max(float(np.ptp(film)), 1.0))
    return scaled.round().astype(np.uint8 if bits == 8 else np.uint16), bits


def plant(
    film: Array, inverted: bool, rng: np.random.Generator
) -> tuple[Array, Array, str, str, int]:
    """Film with a text, its (H, W) opacity, the text, the kind of place and the height."""
    text = _random_text(rng)
    height = int(np.exp(rng.uniform(np.log(12), np.log(80))))
    height = max(9, min(height, int(0.06 * max(film.shape))))
    ink, box = _ink(text, height, rng)
    turns = int(rng.choice([0, 0, 0, 1, 3]))
    ink, box = np.rot90(ink, turns), np.rot90(box, turns)
    if ink.shape[0] >= film.shape[0] or ink.shape[1] >= film.shape[1]:
        return plant(film, inverted, rng)
    row, column, place = _place(film, inverted, ink.shape, rng)
    there = np.s_[row : row + ink.shape[0], column : column + ink.shape[1]]
    background = film[there].astype(np.float64)
    value = _value(film, background, rng)
    out = film.astype(np.float64)
    if rng.random() < 0.12:  # white on a black box, or the reverse
        background = np.where(box, film.max() + film.min() - value, background)
    out[there] = background * (1 - ink) + value * ink
    alpha = np.zeros(film.shape)
    alpha[there] = ink
    top = np.iinfo(film.dtype).max
    return np.clip(out.round(), 0, top).astype(film.dtype), alpha, text, place, height


def _random_text(rng: np.random.Generator) -> str:
    digits = "".join(rng.choice(list(string.digits), 8))
    letters = "".join(rng.choice(list(string.ascii_letters), int(rng.integers(2, 14))))
    day, month, year = digits[:2], digits[2:4], f"19{digits[4:6]}"
    dates = (f"{day}.{month}.{year}", f"{year}-{month}-{day}")
    return str(rng.choice([*NAMES, letters, letters.upper(), digits, f"MRN {digits}", *dates]))


def _ink(text: str, height: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Opacity of the letters and of a box round them, both of the same shape."""
    if rng.random() < 0.3:
        scale, thick = height / 22.0, max(1, round(height * float(rng.uniform(0.05, 0.15))))
        font = int(rng.choice([0, 1, 2, 3, 4, 5]))
        scale *= 2.2 if font in (1, 5) else 1.0
        (w, h), base = cv2.getTextSize(text, font, scale, thick)
        layer = np.zeros((h + base + 2 * thick + 4, w + 2 * thick + 4), np.uint8)
        line = cv2.LINE_AA if rng.random() < 0.6 else cv2.LINE_8
        cv2.putText(layer, text, (thick + 2, h + thick + 2), font, scale, 255, thick, line)
    else:
        font_file = str(rng.choice(_font_files()))
        face = ImageFont.truetype(font_file, max(8, round(height * 1.38)))
        left, top, right, bottom = face.getbbox(text)
        picture = Image.new("L", (int(right - left) + 6, int(bottom - top) + 6))
        draw = ImageDraw.Draw(picture)
        draw.fontmode = "L" if rng.random() < 0.6 else "1"
        draw.text((3 - left, 3 - top), text, fill=255, font=face)
        layer = np.asarray(picture)
    return layer / 255.0, np.ones(layer.shape, bool)


def _font_files() -> list[str]:
    wanted = ("DejaVuSans", "DejaVuSerif", "Liberation", "Nimbus")
    files = sorted(Path("/usr/share/fonts").rglob("*.ttf"))
    chosen = [str(f) for f in files if f.name.startswith(wanted)]
    if not chosen:
        raise SystemExit("no TrueType fonts below /usr/share/fonts")
    return chosen


def _place(
    film: Array, inverted: bool, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int, str]:
    """Row, column and kind of a place: corner, edge of the image, border, its edge, anywhere."""
    rows, columns = film.shape[0] - shape[0], film.shape[1] - shape[1]
    wish = str(rng.choice(["corner", "edge", "border", "across", "inside", "inside"]))
    if wish == "corner":
        gap = int(rng.integers(0, 12))
        row = min(gap, rows) if rng.random() < 0.5 else max(rows - gap, 0)
        return row, min(gap, columns) if rng.random() < 0.5 else max(columns - gap, 0), wish
    if wish == "edge":
        if rng.random() < 0.5:
            return int(rng.choice([0, rows])), int(rng.integers(columns + 1)), wish
        return int(rng.integers(rows + 1)), int(rng.choice([0, columns])), wish
    outside = unexposed(film, inverted=inverted)
    for _ in range(200):
        row, column = int(rng.integers(rows + 1)), int(rng.integers(columns + 1))
        share = float(outside[row : row + shape[0], column : column + shape[1]].mean())
        if {"border": share > 0.99, "across": 0.2 < share < 0.8, "inside": share < 0.01}[wish]:
            return row, column, wish
    return row, column, "anywhere"


def _value(film: Array, background: Array, rng: np.random.Generator) -> float:
    """Grey of the letters: the extremes, or a little or a lot beside what is there."""
    low, high = float(film.min()), float(film.max())
    kind = rng.random()
    if kind < 0.3:
        return high if rng.random() < 0.7 else low
    if kind < 0.4:
        return float(2 ** int(high).bit_length() - 1)
    share = float(np.exp(rng.uniform(np.log(0.01), np.log(0.6))))
    sign = 1 if rng.random() < 0.5 else -1
    middle = float(np.median(background))
    value = middle + sign * share * (high - low)
    return float(np.clip(value, low, max(high, 1)))


def _noise(film: Array, alpha: Array) -> float:
    """Spread of neighbouring pixels where the text stands."""
    rows, columns = np.nonzero(alpha)
    part = film[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
    return 1.48 * float(np.median(np.abs(part - cv2.blur(part, (3, 3)))))


def _shown(part: Array) -> Array:
    low, high = np.percentile(part, (0.5, 99.5))
    if high <= low:
        low, high = float(part.min()), max(float(part.max()), float(part.min()) + 1)
    return np.clip((part - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)


def _legible(picture: Array, alpha: Array, text: str) -> float:
    """Share of the text that tesseract reads, in the best of several views of the place."""
    if shutil.which("tesseract") is None:
        return float("nan")
    rows, columns = np.nonzero(alpha)
    part = picture[
        max(rows.min() - 12, 0) : rows.max() + 13, max(columns.min() - 12, 0) : columns.max() + 13
    ]
    view = _shown(part)
    turned = [view] if view.shape[1] > view.shape[0] else [np.rot90(view), np.rot90(view, 3)]
    wanted = "".join(c for c in text.lower() if c.isalnum())
    return max(_share_read(wanted, _ocr(v)) for t in turned for v in (t, 255 - t))


def _share_read(wanted: str, read: str) -> float:
    blocks = SequenceMatcher(None, wanted, read, autojunk=False).get_matching_blocks()
    return sum(b.size for b in blocks if b.size >= min(2, len(wanted))) / max(len(wanted), 1)


def _ocr(view: Array) -> str:
    scale = 40 / max(min(view.shape), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    view = cv2.resize(np.ascontiguousarray(view), None, fx=scale, fy=scale, interpolation=how)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        cv2.imwrite(file.name, cv2.copyMakeBorder(view, 15, 15, 15, 15, cv2.BORDER_REPLICATE))
        done = subprocess.run(
            ["tesseract", file.name, "-", "--psm", "7"],
            env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    return "".join(c for c in done.stdout.lower() if c.isalnum())


def _clean_film(path: Path, pictures: Path | None) -> dict[str, Any]:
    """Share of the exposed field, and of the labelled bone when there is truth, that is masked."""
    film, inverted = read_film(path)
    start = perf_counter()
    masked, outside = _mask(film, inverted)
    seconds = perf_counter() - start
    within = masked & ~outside
    row: dict[str, Any] = {
        "film": f"{path.parent.name}/{path.name}",
        "outside": float(outside.mean()),
        "field_masked": float(within.sum() / max((~outside).sum(), 1)),
        "seconds": seconds,
    }
    truth_file = path.parent / "masks.png"
    if truth_file.exists():
        truth = cv2.imread(str(truth_file), cv2.IMREAD_UNCHANGED)
        if truth.shape[:2] == film.shape and truth.any():
            row["anatomy_outside"] = float(outside[truth > 0].mean())
            row["anatomy_masked"] = float(within[truth > 0].mean())
    if pictures and (within.any() or outside.any()):
        shown = cv2.cvtColor(_shown(film), cv2.COLOR_GRAY2BGR)
        shown[outside] = (0.5 * shown[outside] + (80, 0, 0)).astype(np.uint8)
        shown[within] = (0.5 * shown[within] + (0, 0, 120)).astype(np.uint8)
        cv2.imwrite(str(pictures / f"film-{path.parent.name}-{path.stem}.jpg"), shown)
    return row


def _print_texts(texts: list[Text]) -> None:
    groups: dict[str, list[Text]] = defaultdict(list)
    for text in texts:
        few = " (1-2 letters)" if sum(c.isalnum() for c in text.text) < 3 else ""
        groups["all"].append(text)
        groups[text.place + few].append(text)
        groups[f"{text.bits}-bit"].append(text)
        groups["contrast < 5 %" if text.contrast < 0.05 else "contrast >= 5 %"].append(text)
    print(f"{'texts':28} {'n':>5} {'removed':>8} {'read before':>12} {'read after':>11}")
    for name, group in sorted(groups.items()):
        removed = np.mean([t.covered > COVERED for t in group])
        before = sum(t.read_before >= 0.6 for t in group)
        after = sum(t.read_before >= 0.6 and t.read_after >= 0.4 for t in group)
        print(f"{name:28} {len(group):5d} {removed:8.1%} {before:12d} {after:11d}")


def _print_films(films: list[dict[str, Any]]) -> None:
    print(f"\n{len(films)} films without text")
    for key in ("field_masked", "anatomy_masked", "anatomy_outside", "outside"):
        values = [film[key] for film in films if key in film]
        if values:
            print(
                f"{key:16} mean {np.mean(values):.3%} median {np.median(values):.3%} "
                f"largest {max(values):.3%} (n = {len(values)})"
            )
    print(f"seconds          median {np.median([film['seconds'] for film in films]):.2f}")


if __name__ == "__main__":
    main()
