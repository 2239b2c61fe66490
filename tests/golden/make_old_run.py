"""Make the old run: ``python -m golden.make_old_run``, with the code of 0.3.1 and never again.

Three simulated films are read with the network, and three readers say all that can be said of
them: two through the review server, one of these in a blinded session, and one by a file from a
page that was opened from disk.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

import hoseg

from . import names
from .frozen import read_picture
from .known import dicom_objects, what_is_known
from .served import Reader, serving
from .store import RELEASE

HERE = Path(__file__).resolve().parent
ARCHIVE, EXPECTED = "run-0.3.1.tar.xz", "run-0.3.1.json"
RUN = Path("run")
SEED, COUNT, SPACING_MM = 1, 3, 0.8
DROPPED = ("truth.json", "ignore.png", "index.csv")
"""Of the simulator, not of the run."""
HO = 8
"""Bit of ossification."""


def main() -> None:
    """Make the run, talk about it, and write the archive and what is known of it."""
    if hoseg.__version__ != RELEASE:
        raise SystemExit(f"hoseg is {hoseg.__version__}; the old run is one of {RELEASE}")
    with TemporaryDirectory() as place:
        os.chdir(place)
        _run_hoseg()
        images = [names.read_result(path).folder for path in sorted(RUN.glob("studies/*/*/*.json"))]
        _speak(images)
        _import(images)
        _strip()
        _pack(HERE / ARCHIVE)
        known = {"known": what_is_known(RUN), "dicom": dicom_objects(RUN)}
        os.chdir(HERE)
    text = json.dumps(known, indent=1, ensure_ascii=False)
    (HERE / EXPECTED).write_text(text + "\n", encoding="utf-8")


def _run_hoseg() -> None:
    """Simulate the films and run the released model on them."""
    simulate = f"simulate --out films --count {COUNT} --seed {SEED} --spacing-mm {SPACING_MM}"
    inputs = [f"films/{index:06d}/image.dcm" for index in range(COUNT)]
    _call(*simulate.split(), "--dicom", "--workers", "1", "--json")
    _call("run", *inputs, "--out", RUN.name, "--runtime", "onnx", "--workers", "1", "--json")


def _call(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "hoseg.cli", *arguments], check=True)


def _speak(images: Sequence[str]) -> None:
    """Everything that a page can send, by a reader who sees the result and one who does not."""
    with serving(RUN) as page:
        _ada(page, images)
    with serving(RUN, blinded=True) as page:
        _bela(page, images)
    with serving(RUN) as page:  # later, with the result in sight
        page.say(reader="Béla", image=images[0], kind="grade", side="left", value="4")
        page.say(reader="Béla", image=images[0], kind="comment", value="Seen the result now.")


def _ada(page: Reader, images: Sequence[str]) -> None:
    first, second, third = images
    about = {"reader": "Ada", "image": first}
    page.say(**about, kind="grade", side="left", value="4")
    page.say(**about, kind="grade", side="left", value="3")
    page.say(**about, kind="comment", value='"Bridge"? <b>Gap</b> of 2 mm, α & ω;\nnext line')
    page.say(**about, kind="false_ossification", side="left")
    page.say(**about, kind="missed_ossification", side="left", value="120.5,98.0")
    page.say(**about, kind="mask", mask_png=_drawn(first, 0))
    mistaken = page.say(**about, kind="mask", mask_png=_drawn(first, 40))
    page.say(**about, kind="withdraw", value=str(mistaken))
    page.say(**about, kind="sign")
    about = {"reader": "Ada", "image": third}
    page.say(**about, kind="grade", side="right", value="4")
    hasty = page.say(**about, kind="grade", side="left", value="0")
    page.say(**about, kind="grade", side="left", value="2")
    page.say(**about, kind="withdraw", value=str(hasty))
    page.say(**about, kind="mask", mask_png=_drawn(third, 0))
    signature = page.say(**about, kind="sign")
    page.say(**about, kind="withdraw", value=str(signature))
    page.say(reader="Ada", image=second, kind="grade", side="unknown", value="1")


def _bela(page: Reader, images: Sequence[str]) -> None:
    first, second, third = images
    about = {"reader": "Béla", "image": first}
    page.say(**about, kind="grade", side="left", value="2")
    page.say(**about, kind="mask", mask_png=_drawn(first, 15))
    page.say(**about, kind="sign")
    about = {"reader": "Béla", "image": second}
    page.say(**about, kind="grade", side="left", value="0")
    page.say(**about, kind="missed_ossification", side="left", value="33.0,44.5")
    page.say(**about, kind="comment", value="Überlagerung?")
    page.say(**about, kind="sign")
    about = {"reader": "Béla", "image": third}
    mark = page.say(**about, kind="false_ossification", side="right")
    page.say(**about, kind="withdraw", value=str(mark))
    page.say(**about, kind="grade", side="right", value="3")
    grade = page.say(**about, kind="grade", side="left", value="1")
    page.say(**about, kind="withdraw", value=str(grade))


def _import(images: Sequence[str]) -> None:
    """A file of corrections, as a page offers it that was opened from disk."""
    mask = {"kind": "mask", "mask_png": _drawn(images[1], 5)}
    said = [
        {"kind": "grade", "side": "left", "value": "1", "time": "2026-02-03T04:05:06.789Z"},
        {"kind": "comment", "value": "From disk.", "time": "2026-02-03T05:05:06.789+01:00"},
        {**mask, "time": "2026-02-03T04:06:00Z"},
        {"kind": "sign", "time": "2026-02-03T04:07:00Z"},
    ]
    entries = [{"reader": "Carl", "image": images[1], **one} for one in said]
    path = Path("corrections.json")
    path.write_text(json.dumps({"schema_id": "hoseg-corrections-1", "corrections": entries}))
    names.import_corrections(RUN, path, set(images))
    path.unlink()


def _drawn(image: str, rows: int) -> str:
    """Base64 of a reader's mask: the computer's, moved down, and a square more."""
    mask = (read_picture(RUN / image / "masks.png") & HO) > 0
    mask = np.roll(mask, rows, axis=0)
    mask[20:44, 30:54] = True
    return base64.b64encode(_rgba(mask)).decode()


def _rgba(mask: NDArray[np.bool_]) -> bytes:
    """PNG of a mask as a page sends it: opaque where ossification is."""
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = (41, 133, 255, 255)
    return cv2.imencode(".png", picture)[1].tobytes()


def _strip() -> None:
    for path in sorted(Path().rglob("*")):
        if path.name in DROPPED or path.match("films/*/masks.png"):
            path.unlink()


def _pack(archive: Path) -> None:
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in sorted(path for path in Path().rglob("*") if path.is_file()):
            tar.add(path, filter=_nobody)


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of whoever packs."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
