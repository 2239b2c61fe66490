"""Compare two checkouts with the network: ``python -m golden.compare_network OLD NEW``.

Both run ``hoseg run FILMS --runtime onnx`` over the golden films and over DICOM files named with
``--also``. Every difference in results, tables and pictures is printed; exit status 1 when there
are any. Only what names the version may differ.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import cv2
import numpy as np

from . import COUNT, SEED, SPACING_MM

TABLES = ("images.csv", "findings.csv")
SHOWN = 20
"""Differences printed of one file."""


def main() -> int:
    """Run both and compare; returns how the process should end."""
    told = _arguments()
    place = Path(told.place or mkdtemp(prefix="compare-network-"))
    place.mkdir(parents=True, exist_ok=True)
    inputs = _inputs(place, told)
    for name, checkout in (("old", told.old), ("new", told.new)):
        shutil.rmtree(place / name, ignore_errors=True)  # or the run would continue an older one
        _hoseg(told.python, checkout, place, _run_arguments(inputs, name, told))
    differences = list(_compare(place / "old", place / "new"))
    for line in differences:
        print(line)
    images = len(list((place / "old").glob("studies/*/*/result.json")))
    print(f"{len(differences)} differences in {len(inputs)} inputs, {images} with results; {place}")
    return 1 if differences or not images else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", type=Path, help="checkout of 0.3.1, which also simulates the films")
    parser.add_argument("new", type=Path, help="checkout that is compared with it")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="more DICOM files")
    parser.add_argument("--place", help="folder for films and runs; default: a temporary one")
    parser.add_argument("--python", default=sys.executable, help="interpreter with the packages")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runtime", default="onnx")
    return parser.parse_args()


def _inputs(place: Path, told: argparse.Namespace) -> list[str]:
    """Simulate the films once and copy the others; names are relative to ``place``."""
    films, others = place / "films", place / "others"
    if not (films / "index.csv").exists():
        how = ["--count", str(COUNT), "--seed", str(SEED), "--spacing-mm", str(SPACING_MM)]
        how += ["--dicom", "--workers", str(told.workers), "--json"]
        _hoseg(told.python, told.old, place, ["simulate", "--out", films.name, *how])
    others.mkdir(exist_ok=True)
    for path in told.also:
        shutil.copy(path, others / path.name)
    found = [*films.glob("*/image.dcm"), *others.iterdir()]
    return [path.relative_to(place).as_posix() for path in sorted(found)]


def _run_arguments(inputs: Sequence[str], out: str, told: argparse.Namespace) -> list[str]:
    how = ["--runtime", told.runtime, "--device", "cpu", "--workers", str(told.workers)]
    return ["run", *inputs, "--out", out, *how]


def _hoseg(python: str, checkout: Path, place: Path, arguments: Sequence[str]) -> None:
    """Run the command line of a checkout in a folder.

    A run may end with status 1: inputs that fail are part of what is compared.
    """
    package = checkout.resolve()
    environment = {**os.environ, "PYTHONPATH": str(package)}
    ask = [python, "-c", "import hoseg; print(hoseg.__file__)"]
    asked = subprocess.run(
        ask, env=environment, cwd=place, capture_output=True, text=True, check=True
    )
    if not Path(asked.stdout.strip()).is_relative_to(package):
        raise SystemExit(f"{package}: {python} imports hoseg from {asked.stdout.strip()}")
    done = subprocess.run(
        [python, "-m", "hoseg.cli", *arguments], env=environment, cwd=place, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{checkout}: hoseg {arguments[0]} ended with {done.returncode}")


def _compare(old: Path, new: Path) -> Iterator[str]:
    """Every difference between two runs."""
    for name in TABLES:
        yield from _compare_tables(name, old / name, new / name)
    names = [_files(run) for run in (old, new)]
    yield from (f"{name}: only in the old run" for name in sorted(names[0] - names[1]))
    yield from (f"{name}: only in the new run" for name in sorted(names[1] - names[0]))
    for name in sorted(names[0] & names[1]):
        if (old / name).read_bytes() != (new / name).read_bytes():
            yield from _explain(name, old / name, new / name)


def _files(run: Path) -> set[str]:
    """Files of the images of a run."""
    return {path.relative_to(run).as_posix() for path in run.glob("studies/*/*/*")}


def _explain(name: str, old: Path, new: Path) -> Iterator[str]:
    """In what two files differ; nothing when it is only the version."""
    if old.suffix in (".png", ".jpg"):
        yield _explain_pictures(name, old, new)
    elif old.name == "result.json":
        found = list(_leaves(json.loads(_text(old)), json.loads(_text(new))))
        if not found and _text(old) != _text(new):
            found = ["written differently"]
        yield from _shortened(name, found)
    elif _text(old) != _text(new):
        yield f"{name}: {_first(_text(old), _text(new))}"


def _first(old: str, new: str) -> str:
    """Where two texts begin to differ."""
    pairs = enumerate(zip(old, new, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(old), len(new)))
    was, now = (text[max(0, same - 30) : same + 30] for text in (old, new))
    return f"character {same}: {was!r} -> {now!r}"


def _explain_pictures(name: str, old: Path, new: Path) -> str:
    was, now = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (old, new))
    if was is None or now is None or was.shape != now.shape:
        return f"{name}: pictures of other sizes"
    count = int(np.count_nonzero(was != now))
    return f"{name}: {count} values differ" if count else f"{name}: same pixels, other bytes"


def _leaves(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Every value in which two JSON trees differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _leaves(old.get(key), new.get(key), f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _leaves(was, now, f"{where}[{number}]")
    elif old != new:
        yield f"{where}: {old!r:.120} -> {new!r:.120}"


def _compare_tables(name: str, old: Path, new: Path) -> Iterator[str]:
    was, now = (_rows(path) for path in (old, new))
    if len(was) != len(now):
        yield f"{name}: {len(was)} rows -> {len(now)} rows"
    found = [
        f" row {number}{line}"
        for number, pair in enumerate(zip(was, now, strict=False), start=1)
        for line in _leaves(*pair)
    ]
    yield from _shortened(name, found)


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table without the version."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: cell for key, cell in row.items() if key != "hoseg_version"} for row in rows]


def _text(path: Path) -> str:
    """A text without the version."""
    return re.sub(r'("hoseg_version": ?)"[^"]*"', r'\1""', path.read_text(encoding="utf-8"))


def _shortened(name: str, lines: Sequence[str]) -> Iterator[str]:
    yield from (f"{name}{line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"{name}: and {len(lines) - SHOWN} more"


if __name__ == "__main__":
    sys.exit(main())
