#!/usr/bin/env python3
"""Kill a run (-9) at random moments, resume it, and compare with an undisturbed run.

    python scripts/kill_test.py FOLDER_OF_FILMS [--kills 20] [--copies 60] [RUN OPTIONS]

FOLDER_OF_FILMS holds a few DICOM or picture files; they are copied until there are enough, each
DICOM copy with a SOP Instance UID of its own, but for some that are copies of the film before:
whole, cut short, or under its UID with other pixels. Prints the moments of the kills and whether
the tables, masks and overlays of both runs are the same, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid


def make_inputs(source: Path, target: Path, count: int, *, spoil: bool = True) -> None:
    """Copy the films of ``source`` until there are ``count``.

    spoil: some are copies of the film before, whole, cut short or under its UID
    """
    films = sorted(p for p in source.rglob("*") if p.suffix in (".dcm", ".png"))
    if not films:
        sys.exit(f"no .dcm or .png files in {source}")
    target.mkdir(parents=True)
    uid, previous = "", target
    for number, film in zip(range(count), cycle(films), strict=False):
        copy = target / f"{number:04d}{film.suffix}"
        kind = {2: "whole", 5: "cut", 8: "other pixels"}.get(number % 9, "new")
        kind = kind if spoil else "new"
        if kind in ("whole", "cut"):
            data = previous.read_bytes()
            copy = copy.with_suffix(previous.suffix)
            copy.write_bytes(data[: len(data) // 2] if kind == "cut" else data)
            continue
        previous = copy
        try:
            dataset = pydicom.dcmread(film)
            if kind == "new" or not uid:
                uid = generate_uid(entropy_srcs=[str(number), film.name])
            dataset.SOPInstanceUID = uid
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(copy)
        except InvalidDicomError:
            shutil.copy(film, copy)


def results(out: Path) -> dict[str, str]:
    """Digest of every table and picture of a run, by relative path."""
    names = [*out.glob("*.csv"), *out.glob("studies/*/*/*")]
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in names
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--copies", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments, options = parser.parse_known_args()
    options = [option for option in options if option != "--"]
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        inputs, disturbed, whole = (Path(folder) / name for name in ("in", "killed", "whole"))
        make_inputs(arguments.films, inputs, arguments.copies)
        hoseg = [sys.executable, "-m", "hoseg.cli", "run", str(inputs), *options, "--out"]
        started = time.monotonic()
        if subprocess.run([*hoseg, str(whole)], stdout=subprocess.DEVNULL).returncode not in (0, 1):
            sys.exit("the undisturbed run failed")
        usual = time.monotonic() - started
        print(f"undisturbed run of {arguments.copies} images: {usual:.1f} s")
        kills = 0
        while kills < arguments.kills:
            process = subprocess.Popen([*hoseg, str(disturbed)], stdout=subprocess.DEVNULL)
            try:
                # Long enough to get past start-up most of the time, short enough to kill often.
                process.wait(chance.uniform(0.05, 1.0) * max(usual / 4, 3.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                continue
            shutil.rmtree(disturbed)  # finished too soon: start over
        subprocess.run([*hoseg, str(disturbed)], stdout=subprocess.DEVNULL)
        first, second = results(whole), results(disturbed)
        different = sorted(
            name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
        )
    print(f"{kills} kills; {len(first)} files compared; {len(different)} differ")
    for name in different[:20]:
        print(f"  {name}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
