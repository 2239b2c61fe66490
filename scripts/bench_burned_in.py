"""Measure how ``hoseg deidentify`` finds what is written into films.

Random texts (``planted_texts.py``, in fonts the detector was not fitted to) are planted on films:
in corners, in the border, across its edge, and inside the exposed field over metal, bone, soft
tissue and air. A third of the films then goes through lossy JPEG. A text counts as masked when
more than 97 % of its ink is painted out, else as missed. Tesseract judges a part of them again.
Films without text show what is masked needlessly.

    python scripts/bench_burned_in.py RG2=RG2_UNC.dcm infants=FOLDER --simulated 16 --texts 400
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from planted_texts import Kind, Planted, plant, spoiled, through_jpeg
from read_back import legible, shown
from wordless_films import wordless_film

from hoseg.deidentify.burned_in import MAX_MASKED_SHARE, find_text, paint_out
from hoseg.deidentify.unexposed import fill_flat, unexposed
from hoseg.dicom.pixels import iter_frames, read_layout
from hoseg.dicom.read import parse
from hoseg.dicom.source import Limits, Source
from hoseg.radiograph import Structure

Array = NDArray[Any]
COVERED = 0.97
TALLEST_SHARE = 0.05  # of the longer side of the film
TEXTS_A_FILM = 6
OUTCOMES = ("masked", "missed")
PLACES = ("corner", "border", "across", "metal", "bone", "soft tissue", "air", "inside", "inside")


@dataclass(frozen=True, eq=False)
class Film:
    """A film without text.

    outside: (H, W) bool, the border
    structures: (H, W) bits of ``Structure``, or None where not known
    """

    family: str
    name: str
    pixels: Array
    inverted: bool
    outside: Array
    structures: Array | None = None


@dataclass(frozen=True)
class Fate:
    """What became of one text."""

    family: str
    place: str
    kind: Kind
    film: str
    covered: float
    outcome: str
    read_before: float | None = None
    read_after: float | None = None


def main() -> None:
    """Measure and print; nothing is written but what ``--pictures`` and ``--json`` name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", nargs="*", help="FAMILY=FILE_OR_FOLDER")
    parser.add_argument("--simulated", type=int, default=16, help="films to simulate")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--read", type=int, default=80, help="texts that tesseract reads as well")
    parser.add_argument("--seed", type=int, default=9100)
    parser.add_argument("--json", type=Path, help="write every text and film here")
    parser.add_argument("--pictures", type=Path, help="write missed texts and masked films here")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    films = [film for argument in args.films for film in _read(argument)]
    films += [_simulated(args.seed, index) for index in range(args.simulated)]
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    clean = [_clean_film(film, args.pictures) for film in films]
    _print_films(clean)
    families = sorted({film.family for film in films})
    fates: list[Fate] = []
    while len(fates) < args.texts:
        family = families[int(rng.integers(len(families)))]
        mine = [film for film in films if film.family == family]
        to_read = args.read - sum(fate.read_before is not None for fate in fates)
        fates += _texts(mine[int(rng.integers(len(mine)))], rng, to_read, args.pictures)
    _print_fates(fates)
    if args.json:
        document = {"texts": [asdict(fate) for fate in fates], "films": clean}
        args.json.write_text(json.dumps(document, indent=1))


def _read(argument: str) -> list[Film]:
    family, _, place = argument.partition("=")
    path, limits = Path(place), Limits()
    films = []
    for file in sorted(path.rglob("*.dcm")) if path.is_dir() else [path]:
        source = Source(file, str(file))
        dataset = parse(source.read(limits), source, limits)
        layout = read_layout(dataset, source, limits)
        frame = next(iter_frames(dataset, layout, source))
        pixels = frame.pixels
        grey = pixels.mean(axis=2).astype(pixels.dtype) if pixels.ndim == 3 else pixels
        inverted = frame.photometric == "MONOCHROME1"
        outside = unexposed(grey, inverted=inverted)
        films.append(Film(family, file.stem, grey, inverted, outside))
    return films


def _simulated(seed: int, index: int) -> Film:
    pixels, structures, dark_bone = wordless_film(seed, index)
    outside = unexposed(pixels, inverted=dark_bone)
    return Film("simulated", f"{index}", pixels, dark_bone, outside, structures)


def _clean_film(film: Film, pictures: Path | None) -> dict[str, Any]:
    """What is masked on a film that shows no text."""
    start = perf_counter()
    border = film.outside
    found = find_text(film.pixels)
    seconds = perf_counter() - start
    within = found & ~border
    row: dict[str, Any] = {
        "family": film.family,
        "film": film.name,
        "border": float(border.mean()),
        "field masked": float(within.sum() / max((~border).sum(), 1)),
        "refused": bool(within.mean() > MAX_MASKED_SHARE),
        "seconds": seconds,
    }
    if film.structures is not None:
        implant = (film.structures & np.uint8(Structure.IMPLANT)) > 0
        if implant.sum() > 200:
            row["implant masked"] = float(within[implant].mean())
    if pictures and within.any():
        picture = cv2.cvtColor(shown(film.pixels), cv2.COLOR_GRAY2BGR)
        picture[within] = (0.5 * picture[within] + (0, 0, 120)).astype(np.uint8)
        cv2.imwrite(str(pictures / f"film-{film.family}-{film.name}.jpg"), picture)
    return row


def _texts(film: Film, rng: np.random.Generator, to_read: int, pictures: Path | None) -> list[Fate]:
    """Plant several texts on one film and say what becomes of each."""
    pixels, bits = spoiled(film.pixels, rng)
    taken = np.zeros(pixels.shape, np.uint8)
    planted: list[tuple[str, Planted]] = []
    for _ in range(3 * TEXTS_A_FILM):
        place = PLACES[int(rng.integers(len(PLACES)))]
        centre = _centre(place, film, rng)
        tallest = TALLEST_SHARE * max(pixels.shape)
        text = plant(pixels, centre, tallest, rng, fitted=False) if centre else None
        if text is None or taken[text.marked].any() or len(planted) == TEXTS_A_FILM:
            continue
        pixels = text.pixels
        taken |= cv2.dilate(text.marked.astype(np.uint8), np.ones((41, 41), np.uint8))
        planted.append((place, text))
    if rng.random() < 1 / 3:
        quality = int(rng.integers(50, 96))
        span = max(float(np.ptp(pixels)), 1.0)
        eight = ((pixels - pixels.min()) * (255 / span)).round().astype(np.uint8)
        pixels, bits = through_jpeg(eight, quality), f"JPEG {quality // 25 * 25}+"
    border = unexposed(pixels, inverted=film.inverted)
    found = find_text(pixels)
    cleaned = fill_flat(paint_out(pixels, found & ~border), border)
    fates = []
    for place, text in planted:
        covered = float((found | border)[text.ink].mean())
        outcome = "masked" if covered > COVERED else "missed"
        before = after = None
        if len(fates) < to_read and text.kind.content != "handwriting" and len(text.kind.text) > 2:
            before, after = (legible(picture, text) for picture in (pixels, cleaned))
        fates.append(Fate(film.family, place, text.kind, bits, covered, outcome, before, after))
        if pictures and outcome == "missed":
            _save_pair(pictures, text, pixels, cleaned, f"{film.family}-{place}-{covered:.2f}")
    return fates


def _centre(place: str, film: Film, rng: np.random.Generator) -> tuple[int, int] | None:
    """Row and column of a random point of a kind of place; None when the film has none."""
    rows, columns = film.pixels.shape
    if place == "corner":
        return int(rng.integers(2)) * (rows - 1), int(rng.integers(2)) * (columns - 1)
    where = _region(place, film)
    points = np.flatnonzero(where[::4, ::4])
    if not len(points):
        return None
    row, column = divmod(int(points[rng.integers(len(points))]), where[::4, ::4].shape[1])
    return 4 * row, 4 * column


def _region(place: str, film: Film) -> Array:
    outside = film.outside
    if place == "border":
        return outside
    if place == "across":
        wide = cv2.dilate(outside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        return np.asarray(wide & ~outside)
    if place == "inside":
        return ~outside
    if film.structures is not None:
        implant = (film.structures & np.uint8(Structure.IMPLANT)) > 0
        bone = (film.structures & np.uint8(Structure.PELVIS | Structure.FEMUR)) > 0
    else:  # bright parts stand for bone
        level = -film.pixels.astype(np.float32) if film.inverted else film.pixels
        implant, bone = np.zeros_like(outside), level > np.percentile(level[~outside], 65)
    values = -film.pixels.astype(np.float32) if film.inverted else film.pixels
    air = values <= np.percentile(values[~outside], 12)
    regions = {"metal": implant, "bone": bone, "air": air, "soft tissue": ~bone & ~air}
    return np.asarray(regions[place] & ~outside)


def _save_pair(folder: Path, text: Planted, before: Array, after: Array, name: str) -> None:
    rows, columns = np.nonzero(text.marked)
    cut = np.s_[
        max(rows.min() - 60, 0) : rows.max() + 60, max(columns.min() - 60, 0) : columns.max() + 60
    ]
    both = np.hstack([shown(picture[cut]) for picture in (before, after)])
    cv2.imwrite(str(folder / f"missed-{name}-{rows.min()}-{columns.min()}.png"), both)


def _print_fates(fates: list[Fate]) -> None:
    groups: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        kind = fate.kind
        size = (
            "< 16 px" if kind.height_px < 16 else "16-40 px" if kind.height_px < 40 else "> 40 px"
        )
        labels = (fate.family, fate.place, kind.content, kind.writing, kind.turn, kind.style)
        groups["all"].append(fate)
        for label in (*labels, f"ink {kind.ink}", f"height {size}", fate.film):
            groups[label].append(fate)
    print(f"\n{'texts':24} {'n':>5} {'masked':>7} {'missed':>7}")
    for name, group in sorted(groups.items(), key=lambda entry: (entry[0] != "all", entry[0])):
        masked, missed = (sum(f.outcome == o for f in group) for o in OUTCOMES)
        print(f"{name:24} {len(group):5d} {masked:7d} {missed:7d}")
    read = [f for f in fates if f.read_before is not None and f.read_before >= 0.6]
    still = sum(f.read_after is not None and f.read_after >= 0.4 for f in read)
    print(f"tesseract: read {len(read)} before, {still} of them afterwards")


def _print_films(films: list[dict[str, Any]]) -> None:
    print("films without text")
    for family in sorted({film["family"] for film in films}):
        mine = [film for film in films if film["family"] == family]
        print(f"{family:12} n = {len(mine)}, refused {sum(film['refused'] for film in mine)}")
        for key in ("field masked", "implant masked", "seconds"):
            values = [film[key] for film in mine if key in film]
            if values:
                print(
                    f"  {key:15} median {np.median(values):8.4f} mean {np.mean(values):8.4f} "
                    f"largest {max(values):8.4f}"
                )


if __name__ == "__main__":
    main()
