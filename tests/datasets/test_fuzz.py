"""Whatever stands in the files of a data set: it is read, or one error of hoseg says why not."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoseg.datasets import FORMATS, open_dataset
from hoseg.datasets.check import check
from hoseg.errors import HosegError

from .conftest import make_image

COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30, "spacing_mm": 0.5}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[5, 5, 15, 5, 15, 12]]},
        {"id": 2, "image_id": 1, "category_id": 2, "iscrowd": 1,
         "segmentation": {"size": [20, 30], "counts": [100, 40, 460]}},
        {"id": 3, "image_id": 1, "category_id": 2,
         "segmentation": {"size": [20, 30], "counts": "PPYo1"}},
    ],
    "categories": [{"id": 1, "name": "femur"}, {"id": 2, "name": "HO"}],
}  # fmt: skip
LABELME = {
    "shapes": [
        {"label": "femur", "points": [[5, 5], [15, 5], [15, 12]], "shape_type": "polygon"},
        {"label": "HO", "points": [[5, 5], [15, 12]], "shape_type": "rectangle"},
        {"label": "HO", "points": [[9, 9], [12, 9]], "shape_type": "circle"},
        {"label": "HO", "points": [[5, 5], [6, 6]], "shape_type": "mask", "mask": "iVBORw0KGgo="},
    ],
    "imagePath": "a.png", "imageHeight": 20, "imageWidth": 30, "imageData": "iVBORw0KGgo=",
}  # fmt: skip
NNUNET = {
    "channel_names": {"0": "XR"}, "labels": {"background": 0, "femur": [1, 2], "HO": 2},
    "file_ending": ".png",
}  # fmt: skip
TRUTH = {
    "view": "ap_pelvis", "side": "unknown", "spacing_mm": 0.5,
    "orientation": {"columns": "left", "rows_to_feet": True},
    "hips": [{"side": "left", "brooker_3d": 2, "head_px": [5, 5], "components": [
        {"maturity": 0.5, "attached_to": ["pelvis"], "centroid_px": [1, 2]}]}],
}  # fmt: skip

FILES = {
    "coco": ("annotations.json", COCO),
    "labelme": ("a.json", LABELME),
    "nnunet": ("dataset.json", NNUNET),
    "simulated": ("truth.json", TRUTH),
}
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 10**400, 1e308, -1e308, 0.5, float("nan"),
    float("inf"), "", "x", "0", "a.png", "\0", "\ud800", "../../a.png", "/etc/passwd", "C:\\a.png",
    "mask", "circle", "left", "=1", "é" * 300, [], [[]], [1], [[1, 2]], [[[1, 2]]],
    [1, 2, 3, 4, 5, 6], {}, {"a": 1}, {"size": [20, 30]},
]  # fmt: skip


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    for name in FILES:
        for place in (".", "imagesTr", "labelsTr"):
            (tmp_path / name / place).mkdir(parents=True, exist_ok=True)
        pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
        for place in ("a.png", "imagesTr/a_0000.png"):
            cv2.imwrite(str(tmp_path / name / place), pixels)
        for place in ("masks.png", "labelsTr/a.png"):
            cv2.imwrite(str(tmp_path / name / place), (pixels % 3).astype(np.uint8))
    index = "name,image,masks,truth\nfilm,a.png,masks.png,truth.json\n"
    (tmp_path / "simulated" / "index.csv").write_text(index)
    return tmp_path


def places(content: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value of a JSON document."""
    keys: Any = ()
    if isinstance(content, dict):
        keys = list(content)
    elif isinstance(content, list):
        keys = range(len(content))
    below = [path for key in keys for path in places(content[key], (*here, key))]
    return [here, *below] if here else below


def changed(content: Any, seed: int) -> Any:
    """A document in which a few values are odd, gone, doubled or elsewhere."""
    draw = random.Random(seed)
    content = copy.deepcopy(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        known = places(content)
        if not known:
            break
        *path, key = draw.choice(known)
        parent = content
        for step in path:
            parent = parent[step]
        act = draw.random()
        if act < 0.15:
            del parent[key]
        elif act < 0.25 and isinstance(parent, list):
            parent.append(parent[key])
        elif act < 0.35:
            parent[key] = [parent[key]]
        else:
            parent[key] = copy.deepcopy(draw.choice(ODD))
    return content


def examine(path: Path, name: str) -> None:
    """Open and check; only errors of hoseg, in one line that is no document."""
    try:
        said = [finding.text for finding in check(open_dataset(path, name))[1]]
    except HosegError as error:
        said = [str(error)]
    for text in said:
        assert len(text.splitlines()) == 1
        assert len(text) < 700


@pytest.mark.parametrize("name", FILES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_documents(sets: Path, name: str, seed: int) -> None:
    file, content = FILES[name]
    (sets / name / file).write_text(json.dumps(changed(content, seed)))
    examine(sets / name, name)


def damaged(text: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(text))
    end = min(len(text), start + draw.choice((0, 1, 5, 50)))
    middle = draw.choice([b"", b"\xff", b"\0", b"[" * 3000, b"{", b'"', b",,", bytes(range(256))])
    return text[:start] + middle + text[end:]


@pytest.mark.parametrize("name", FILES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=800, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_documents(sets: Path, name: str, seed: int) -> None:
    file, content = FILES[name]
    data = json.dumps(content).encode()
    (sets / name / file).write_bytes(damaged(data, random.Random(seed)))
    examine(sets / name, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "make",
    [lambda p: p.write_bytes(b""), lambda p: p.mkdir(), lambda p: p.symlink_to("/dev/zero"),
     lambda p: p.symlink_to(p.name), lambda p: p.write_text("[" * 100_000),
     lambda p: p.write_text("null")],
)  # fmt: skip
def test_what_is_no_document(sets: Path, name: str, make: Callable[[Path], object]) -> None:
    path = sets / name / FILES[name][0]
    make(path)
    for format in (name, "auto"):
        examine(sets / name, format)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_tables(sets: Path, seed: int) -> None:
    table = b"image,patient,split,side,brooker,gap_mm\na.png,p,train,left,III,8.5\n"
    path = sets / "coco" / "grades.csv"
    path.write_bytes(damaged(damaged(table, random.Random(seed)), random.Random(seed + 1)))
    examine(path, "grades")
    index = b"name,image,masks,truth\nfilm,a.png,masks.png,truth.json\n"
    (sets / "simulated" / "truth.json").write_text(json.dumps(TRUTH))
    (sets / "simulated" / "index.csv").write_bytes(damaged(index, random.Random(seed)))
    examine(sets / "simulated", "simulated")


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_segmentations(tmp_path: Path, seed: int) -> None:
    writer = FORMATS["dicom_seg"].write
    assert writer is not None
    writer([make_image("film0", "p", 1)], tmp_path)
    draw = random.Random(seed)
    path = tmp_path / draw.choice(("film0.dcm", "film0.seg.dcm", "film0.seg.dcm"))
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 2, 5))):
        start = draw.randrange(132, len(data))
        if draw.random() < 0.5:
            data[start] = draw.randrange(256)
        else:
            cut, more = draw.choice((0, 1, 2, 8)), draw.choice((0, 1, 2, 8))
            data[start : start + cut] = draw.randbytes(more)
    path.write_bytes(data)
    examine(tmp_path, "dicom_seg")
