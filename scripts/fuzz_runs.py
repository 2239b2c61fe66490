"""Run whole studies of simulated films as other programs write them, and judge every result.

    python scripts/fuzz_runs.py OUT --films 3000 --seed 0

Some base films are simulated once; every film is one of them turned or mirrored, in another
encoding and with other attributes, and goes through ``hoseg run --dicom``. A traceback, a hip
whose side is not that of the nearest true femoral head while no note doubts it, and any
error that dciodvfy or dsrdump finds in what was written are faults: each is printed and makes the
exit status 1. Batches that are done are kept in ``OUT/journal.jsonl``: a second call continues.

What nobody can notice is not made: a mirrored film whose orientation is unstated or wrong.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom
from pydicom.tag import Tag

HOSEG = [sys.executable, "-m", "hoseg.cli"]
DOUBTS = frozenset({"orientation_assumed", "turned_by_picture", "orientation_unusual",
                    "side_contradicts"})  # fmt: skip
"""Notes of an image that tell a reader not to trust its sides. That no attribute states a side
("side_missing") is no such doubt: a whole pelvis has both."""
OPPOSITE = dict(zip("LRFH", "RLHF", strict=True))
ENCODINGS = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless,
             uid.JPEGLSLossless)  # fmt: skip
ODD_VALUES: tuple[tuple[str, str | None], ...] = (
    ("PatientAge", "79"), ("PatientAge", ""), ("PatientAge", None), ("PatientBirthDate", "1940"),
    ("StudyDate", "2020.06.15"), ("StudyDate", None), ("StudyTime", "25:61"),
    ("PatientName", "Ιωάννου^Άννα"), ("PatientID", ""), ("PatientSex", "female"),
    ("AccessionNumber", "A" * 40), ("StudyID", None), ("SeriesNumber", "one"),
    ("InstanceNumber", ""), ("Manufacturer", None), ("StudyInstanceUID", "1.2.03.4"),
    ("ImageLaterality", ""), ("ImageLaterality", None), ("ImageLaterality", "wrong"),
    ("ViewPosition", "AP SUPINE"), ("ViewPosition", "A.P."), ("ViewPosition", ""),
    ("BodyPartExamined", ""), ("BodyPartExamined", "Hüfte"),
    ("PixelAspectRatio", "1\\1"), ("NumberOfFrames", "0"), ("RescaleSlope", ""),
    ("SmallestImagePixelValue", None), ("ReferringPhysicianName", "x" * 80),
)  # fmt: skip


def turned(
    pixels: NDArray[Any], heads: dict[str, list[float]], quarters: int, mirrored: bool
) -> tuple[NDArray[Any], dict[str, list[float]], list[str]]:
    """Pixels, true femoral heads (row, column) and Patient Orientation of a film stored so."""
    right, down = "L", "F"
    if mirrored:
        width = pixels.shape[1]
        pixels, right = pixels[:, ::-1], "R"
        heads = {side: [row, width - 1 - column] for side, (row, column) in heads.items()}
    for _ in range(quarters):
        width = pixels.shape[1]
        pixels = np.rot90(pixels)
        heads = {side: [width - 1 - column, row] for side, (row, column) in heads.items()}
        right, down = down, OPPOSITE[right]
    return np.ascontiguousarray(pixels), heads, [right, down]


def lie(ds: Dataset, heads: dict[str, list[float]], rng: np.random.Generator) -> dict[str, Any]:
    """Turn a film, say so, or leave out or contradict how it lies; the kind and the heads."""
    kind = str(rng.choice(["said", "said", "said", "absent", "empty", "wrong"]))
    quarters = int(rng.integers(0, 4))
    mirrored = kind == "said" and bool(rng.integers(0, 2))
    pixels, heads, orientation = turned(ds.pixel_array, heads, quarters, mirrored)
    if quarters % 2:
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            if ds.get(keyword):
                ds[keyword].value = list(ds[keyword].value)[::-1]
    ds.PatientOrientation = orientation
    if kind == "absent":
        del ds.PatientOrientation
    elif kind != "said":
        ds.PatientOrientation = "" if kind == "empty" else ["L", "F"]
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = pixels.tobytes()
    lying = f"{kind}, {90 * quarters} degrees{', mirrored' if mirrored else ''}"
    return {"kinds": [f"orientation {lying}"], "heads": heads}


def pad(ds: Dataset, heads: dict[str, list[float]]) -> dict[str, list[float]]:
    """Put a frame of padding round the film."""
    dtype = np.dtype(f"{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}")
    count = ds.Rows * ds.Columns  # an odd number of bytes has one more behind it
    pixels = np.frombuffer(ds.PixelData, dtype, count).reshape(ds.Rows, ds.Columns)
    pixels = np.pad(pixels, 24, constant_values=pixels.min())
    ds.Rows, ds.Columns = pixels.shape
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    return {side: [row + 24, column + 24] for side, (row, column) in heads.items()}


def odd_value(ds: Dataset, rng: np.random.Generator) -> str:
    """Set one attribute as other programs do; its name and value."""
    keyword, value = ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))]
    if value == "wrong":
        value = {"L": "R", "R": "L"}.get(str(ds.get(keyword, "")), "L")
    if value is None:
        if keyword in ds:
            del ds[keyword]
        return f"{keyword} absent"
    data = value.encode()
    data += b" " * (len(data) % 2)
    tag = Tag(keyword)  # raw, as other programs write it: past pydicom's checks
    vr = pydicom.datadict.dictionary_VR(tag)
    implicit = ds.file_meta.TransferSyntaxUID.is_implicit_VR
    ds[tag] = RawDataElement(tag, vr, len(data), data, 0, implicit, True)
    return f"{keyword} {value[:12]!r}"


def make_film(base: Path, path: Path, seed: list[int]) -> dict[str, Any]:
    """Write one variant of a base film; its kinds, and its true femoral heads by side."""
    rng = np.random.default_rng(seed)
    ds = pydicom.dcmread(base / "image.dcm")
    truth = json.loads((base / "truth.json").read_text())
    heads = {hip["side"]: hip["head_px"] for hip in truth["hips"]}
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        ds.decompress()
    film = lie(ds, heads, rng)
    if rng.random() < 0.2:
        film["heads"] = pad(ds, film["heads"])
        film["kinds"].append("padded")
    if rng.random() < 0.2 and ds.BitsStored < 16 and not ds.PixelRepresentation:
        ds.PixelRepresentation = 1  # the sign bit is never used, so the pixels stay
        ds.BitsStored, ds.HighBit = ds.BitsStored + 1, ds.HighBit + 1
        film["kinds"].append("signed")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid(
        entropy_srcs=[str(seed), "image"]
    )
    ds.SeriesInstanceUID = uid.generate_uid(entropy_srcs=[str(seed), "series"])
    ds.StudyInstanceUID = uid.generate_uid(entropy_srcs=[str(seed), "study"])
    syntax = ENCODINGS[int(rng.integers(0, len(ENCODINGS)))]
    film["kinds"].append(syntax.name)
    if syntax.is_compressed:
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    film["kinds"] += [odd_value(ds, rng) for _ in range(int(rng.integers(0, 4)))]
    film["name"] = path.name
    pydicom.dcmwrite(path, ds, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    return film


def wrong_sides(result: dict[str, Any], heads: dict[str, list[float]]) -> list[str]:
    """What is wrong in a result with the sides of its hips, where nothing doubts them."""
    faults = []
    codes = {note["code"] for note in result["notes"]}
    for hip in result["hips"]:
        place = (hip.get("landmarks") or {}).get("head_px")
        if place is None or hip.get("abstained") or hip["side"] not in ("left", "right"):
            continue
        nearest = min(heads, key=lambda side: np.hypot(*np.subtract(heads[side], place)))
        if hip["side"] != nearest:
            doubt = "doubted" if codes & DOUBTS else "SILENT"
            faults.append(f"{doubt}: {nearest} hip called {hip['side']}; notes {sorted(codes)}")
    return faults


def object_errors(path: Path) -> list[str]:
    """What dciodvfy, and for a report dsrdump, call an error in a written object."""
    programs = ["dciodvfy", "dsrdump"] if path.name == "report.dcm" else ["dciodvfy"]
    errors = []
    for program in programs:
        done = subprocess.run([program, path], capture_output=True, check=False)
        text = done.stderr.decode(errors="replace")
        found = [line for line in text.splitlines() if line.startswith(("Error", "E:", "F:"))]
        if done.returncode and not found:
            found = [f"exit status {done.returncode}"]
        errors += [f"{program} {path.name}: {line}" for line in found]
    return errors


def run_films(bases: list[Path], numbers: range, seed: int, room: Path) -> dict[str, Any]:
    """Make, run and judge a batch of films in an empty folder; counts and faults."""
    shutil.rmtree(room, ignore_errors=True)
    (room / "films").mkdir(parents=True)
    films = {}
    for number in numbers:
        path = room / "films" / f"{number:06d}.dcm"
        films[path.name] = make_film(bases[number % len(bases)], path, [seed, number])
    command = [*HOSEG, "run", "films", "--out", "run", "--model", "hip-sim-1", "--workers", "1",
               "--runtime", "onnx", "--dicom", "--no-parquet"]  # fmt: skip
    done = subprocess.run(
        command, cwd=room, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    faults = []
    if "Traceback" in done.stdout + done.stderr or not (room / "run" / "images.csv").exists():
        faults.append(f"traceback: {(done.stdout + done.stderr)[-2000:]}")
    rows = list(csv.DictReader((room / "run" / "images.csv").open())) if not faults else []
    counts: Counter[str] = Counter(f"{r['status']} {r['reason']}".strip() for r in rows)
    for row in rows:
        film = films[Path(row["source"]).name]
        film["seen"] = True
        told = [f"traceback: {row['sentence']}"] if row["reason"] == "internal_error" else []
        if row["folder"]:
            result = json.loads((room / "run" / row["folder"] / "result.json").read_text())
            counts["hips"] += len(result["hips"])
            told += [f"wrong side, {text}" for text in wrong_sides(result, film["heads"])]
        faults += [f"{text}: {film['name']}, {film['kinds']}" for text in told]
    faults += [f"lost: {name}" for name, film in films.items() if "seen" not in film]
    objects = sorted((room / "run").rglob("*.dcm"))
    counts["objects"] = len(objects)
    faults += [f"object: {text}" for path in objects for text in object_errors(path)]
    kinds = Counter(kind for film in films.values() for kind in film["kinds"])
    return {"films": len(films), "counts": counts, "kinds": kinds, "faults": faults}


def base_films(folder: Path) -> list[Path]:
    """Some small films of whole pelves and single hips, simulated once."""
    command = [*HOSEG, "simulate", "--out", str(folder), "--count", "24", "--seed", "7",
               "--dicom", "--spacing-mm", "0.8", "--workers", "1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    found = sorted(folder.glob("*/image.dcm"))
    return [path.parent for path in found if is_dicom(path)]  # some are bare on purpose


def report(batches: list[dict[str, Any]]) -> int:
    """Print counts and every silent fault; the exit status."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    faults = [fault for batch in batches for fault in batch["faults"]]
    for batch in batches:
        counts.update(batch["counts"])
        kinds.update(batch["kinds"])
    hard = [fault for fault in faults if not fault.startswith("wrong side, doubted")]
    print(*hard, sep="\n")
    print(f"{sum(batch['films'] for batch in batches)} films, {len(kinds)} kinds")
    print("\n".join(f"{n:7d}  {name}" for name, n in counts.most_common()))
    print("\n".join(f"{n:7d}  {name}" for name, n in kinds.most_common()))
    for name in ("traceback", "wrong side, SILENT", "wrong side, doubted", "object", "lost"):
        print(f"{sum(fault.startswith(name) for fault in faults):7d}  faults: {name}")
    return int(bool(hard) or not batches)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--films", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bases = base_films(options.out / "base")
    journal = options.out / "journal.jsonl"
    batches = []
    if journal.exists():
        batches = [json.loads(line) for line in journal.read_text().splitlines()]
    for first in range(sum(b["films"] for b in batches), options.films, options.batch):
        numbers = range(first, min(first + options.batch, options.films))
        batches.append(run_films(bases, numbers, options.seed, options.out / "room"))
        with journal.open("a") as stream:
            stream.write(json.dumps(batches[-1]) + "\n")
    return report(batches)


if __name__ == "__main__":
    sys.exit(main())
