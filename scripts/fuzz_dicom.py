"""Decode randomly damaged files, or films as other programs write them, and count what happens.

    python scripts/fuzz_dicom.py --copies 2000 --seed 0 [FILE_OR_FOLDER ...]
    python scripts/fuzz_dicom.py --kinds 3000 --seed 0

Without files, pydicom's own test set is damaged, and some small pictures. Every copy is cut short,
has bits flipped, bytes overwritten, a length field replaced, or a block removed or repeated. A copy
passes when it is decoded or refused with a reason code; anything else (another exception, a crash,
a decode that takes longer than the limit) is printed and makes the exit status 1.

With ``--kinds`` so many films of known truth are made (``film_kinds``) in every transfer syntax by
every encoder that is here (``film_encoders``), and a quarter as many pictures (``picture_kinds``).
Each must be read as what it is, be refused where it has to be, or carry the note that belongs to
what contradicts in it; the rest is printed and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom.data
from film_encoders import Coded, make_pool, missing
from film_kinds import RESULTS, Outcome, try_film
from picture_kinds import try_picture
from PIL import Image

from hoseg.dicom import Limits, Source, decode
from hoseg.dicom.read import silence_warnings
from hoseg.errors import InputError

LIMITS = Limits(file_bytes=64 * 1024**2, decoded_bytes=256 * 1024**2)
LARGEST_SEED_BYTES = 2 * 1024**2


def seeds(paths: list[Path]) -> list[Path]:
    """Return the files to damage: images of a moderate size that decode undamaged."""
    files = [f for p in paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    small = [f for f in files if f.is_file() and 0 < f.stat().st_size < LARGEST_SEED_BYTES]
    return [f for f in small if attempt(f) == "decoded"]  # leaves reports and plans out


def example_pictures(folder: Path) -> list[Path]:
    """Write small pictures in the formats that are read beside DICOM."""
    ramp = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    pictures = {
        "grey.png": Image.fromarray(ramp),
        "deep.png": Image.fromarray(ramp.astype(np.uint16) * 257),
        "colour.png": Image.merge("RGB", [Image.fromarray(ramp)] * 3),
        "grey.jpg": Image.fromarray(ramp),
        "grey.tif": Image.fromarray(ramp),
        "deep.tif": Image.fromarray(ramp.astype(np.uint16) * 257),
    }
    for name, picture in pictures.items():
        picture.save(folder / name)
    picture.save(folder / "packed.tif", compression="tiff_lzw")
    return sorted(folder.iterdir())


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged copy."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if len(out) < 16:
            break
        # Half of the blows hit the header, where the structure is.
        end = len(out) if rng.random() < 0.5 else min(len(out), 2048)
        at = int(rng.integers(0, end))
        kind = rng.integers(0, 7)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            n = int(rng.integers(1, 16))
            out[at : at + n] = rng.bytes(n)
        elif kind == 3:
            values = (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFFE, 0x10000)
            out[at : at + 4] = values[int(rng.integers(0, len(values)))].to_bytes(4, "little")
        elif kind == 4:
            del out[at : at + int(rng.integers(1, 64))]
        elif kind == 5:
            out[at:at] = out[at : at + int(rng.integers(1, 256))]
        else:
            out[at : at + 2] = b"\xff\xff"
    return bytes(out)


def attempt(path: Path) -> str:
    """Decode one file and return "decoded" or the reason code."""
    try:
        decode(Source(path, path.name), LIMITS)
    except InputError as error:
        return error.code
    return "decoded"


def worker(jobs: list[tuple[int, str]], seed: int, folder: str, pipe) -> None:
    """Damage and decode the files of a list, reporting each before and after."""
    faulthandler.enable()
    for index, name in jobs:
        rng = np.random.default_rng([seed, index])
        copy = Path(folder) / f"{index}{Path(name).suffix}"
        copy.write_bytes(damage(Path(name).read_bytes(), rng))
        pipe.send((index, "started", 0.0))
        began = time.monotonic()
        try:
            result = attempt(copy)
        except BaseException as error:
            result = f"UNEXPECTED {type(error).__name__}: {error}"
        pipe.send((index, result, time.monotonic() - began))
        copy.unlink()
    pipe.send((-1, "finished", 0.0))


def run(files: list[Path], copies: int, seed: int, limit_s: float) -> tuple[Counter[str], float]:
    """Decode damaged copies in a process of their own, replaced when it dies or hangs."""
    rng = np.random.default_rng(seed)
    jobs = [(i, str(files[int(rng.integers(0, len(files)))])) for i in range(copies)]
    counts: Counter[str] = Counter()
    slowest = 0.0
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        while jobs:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=worker, args=(jobs, seed, folder, theirs))
            process.start()
            theirs.close()
            current = jobs[0][0]
            done = False
            while not done:
                try:
                    fine = ours.poll(limit_s + 20)
                    index, result, seconds = ours.recv() if fine else (current, "HANG", limit_s)
                except EOFError:
                    index, result, seconds = current, "CRASH", 0.0
                if result == "started":
                    current = index
                    continue
                done = result in ("finished", "HANG", "CRASH")
                if result == "finished":
                    jobs = []
                    continue
                if seconds > limit_s:
                    result = "HANG"
                slowest = max(slowest, seconds)
                counts[result] += 1
                if result.isupper() or result.startswith("UNEXPECTED"):
                    print(f"copy {index} of {dict(jobs)[index]}: {result}", file=sys.stderr)
                jobs = [job for job in jobs if job[0] > index]
                done = done or not jobs
            process.kill()
            process.join()
    return counts, slowest


def run_kinds(pool: list[Coded], count: int, seed: int) -> list[Outcome]:
    """Write each film of a pool in several kinds and read it, and a quarter as many pictures."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = []
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            outcomes.append(try_film(pool[index % len(pool)], rng, Path(folder)))
        for index in range(count // 4):
            rng = np.random.default_rng([seed, index, 1])
            outcomes.append(try_picture(index, rng, Path(folder)))
    return outcomes


def report_kinds(outcomes: list[Outcome]) -> int:
    """Print counts and every fault; the exit status."""
    faults = [outcome for outcome in outcomes if outcome.is_fault]
    for outcome in faults:
        print(f"{outcome.result}: {outcome.film}, {outcome.kinds}: {outcome.detail}")
    results = Counter(outcome.result for outcome in outcomes)
    by_kind = Counter(kind for outcome in outcomes for kind in outcome.kinds)
    codes = Counter(outcome.detail for outcome in outcomes if outcome.result == "refused")
    encodings = {outcome.film for outcome in outcomes}
    print(f"{len(outcomes)} films in {len(encodings)} encodings, {len(by_kind)} kinds")
    for result in RESULTS:
        print(f"{results[result]:6d}  {result}")
    print("refused:", ", ".join(f"{n} {code}" for code, n in codes.most_common()))
    print("kinds:", ", ".join(f"{n} {kind}" for kind, n in by_kind.most_common()))
    if lost := missing():
        print(f"not here: {', '.join(lost)}")
    return int(bool(faults) or not outcomes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--copies", type=int, default=2000)
    parser.add_argument("--kinds", type=int, default=0, help="films of known truth instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit-s", type=float, default=10.0, help="time limit of one decode")
    options = parser.parse_args()
    began = time.monotonic()
    silence_warnings()
    if options.kinds:
        pool = make_pool(np.random.default_rng(options.seed), rounds=3)
        status = report_kinds(run_kinds(pool, options.kinds, options.seed))
        print(f"all {time.monotonic() - began:.0f} s")
        return status
    paths = options.files
    if not paths:
        paths = [Path(pydicom.data.__file__).parent / "test_files"]
    with tempfile.TemporaryDirectory() as folder:
        files = seeds([*paths, *example_pictures(Path(folder))])
        counts, slowest = run(files, options.copies, options.seed, options.limit_s)
    total = sum(counts.values())
    print(f"{total} damaged copies of {len(files)} files, seed {options.seed}")
    for result, count in counts.most_common():
        print(f"{count:6d}  {result}")
    print(f"slowest decode {slowest:.2f} s, all {time.monotonic() - began:.0f} s")
    return int(any(r.isupper() or r.startswith("UNEXPECTED") for r in counts) or total == 0)


if __name__ == "__main__":
    sys.exit(main())
