"""No name in a data set leads out of it, to read or to write."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.dataset import app
from hoseg.datasets import FORMATS, open_dataset
from hoseg.datasets.formats import convert, writable
from hoseg.datasets.labelled import LabelledImage, LazyFilm
from hoseg.datasets.places import check_case, relative_name
from hoseg.errors import HosegError, InputError

WAYS_OUT = [
    "../../evil.png", "..\\..\\evil.png", "a/../../evil.png", "../images/../../evil.png",
    "images/../../../evil.png", "..", "../evil.png", "", ".", "a\0.png", "../images/..",
]  # fmt: skip
OF_ANOTHER_MACHINE = [
    "/etc/film.png", "C:\\study\\film.png", "\\\\server\\share\\film.png", "C:film.png",
    "https://example.org/a/film.png", "file:///data/film.png", "D:/../../film.png",
]  # fmt: skip


@pytest.mark.parametrize("name", WAYS_OUT)
def test_ways_out_are_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        relative_name(name, Path("set.json"))
    assert caught.value.code == "unsafe_path"


@pytest.mark.parametrize("name", OF_ANOTHER_MACHINE)
def test_of_another_machine_only_the_name_counts(name: str) -> None:
    assert relative_name(name, Path("set.json")).as_posix() == "film.png"


@pytest.mark.parametrize(
    ("name", "path"),
    [("a\\b\\film.png", "a/b/film.png"), ("./film.png", "film.png"), ("a:b.png", None),
     ("..\\images\\film.png", "film.png"), ("a//film.png", "a/film.png"), ("..film.png", None)],
)  # fmt: skip
def test_names_within(name: str, path: str | None) -> None:
    assert relative_name(name, Path("set.json")).as_posix() == path or name


@pytest.mark.parametrize("case", [*WAYS_OUT, *OF_ANOTHER_MACHINE, "a\\b", "a\n", "a//b"])
def test_no_case_is_named_so(case: str) -> None:
    with pytest.raises(InputError):
        LazyFilm(case, "p", Path("set.json"), lambda: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError):
        check_case(case, Path("set.json"))


@pytest.mark.parametrize("name", writable())
@pytest.mark.parametrize("case", ["../evil", "/tmp/evil", "a\\..\\evil", "C:evil"])
def test_nothing_is_written_outside(
    name: str, case: str, images: list[LabelledImage], tmp_path: Path
) -> None:
    from dataclasses import replace

    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    writer = FORMATS[name].write
    assert writer is not None
    with pytest.raises(InputError) as caught:
        writer([replace(images[0], case=case)], out)
    assert caught.value.code == "unsafe_path"
    assert [p for p in tmp_path.rglob("*evil*")] == []  # noqa: C416


def coco(root: Path, file_name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    polygon = [[5, 5, 15, 5, 15, 12, 5, 12]]
    content = {
        "images": [{"id": 1, "file_name": file_name, "height": 20, "width": 30}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": polygon}],
        "categories": [{"id": 1, "name": "femur"}],
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def labelme(root: Path, file_name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    shape = {"label": "femur", "points": [[5, 5], [15, 5], [15, 12], [5, 12]]}
    content = {"shapes": [shape], "imagePath": file_name, "imageHeight": 20, "imageWidth": 30}
    (root / "film.json").write_text(json.dumps(content))
    return root


def grades(root: Path, file_name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "grades.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "brooker"), (file_name, "II")])
    return root / "grades.csv"


def simulated(root: Path, file_name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "index.csv").open("w", newline="") as stream:
        rows = [("name", "image", "masks", "truth"), ("film", file_name, file_name, file_name)]
        csv.writer(stream).writerows(rows)
    return root


SETS = {"coco": coco, "labelme": labelme, "grades": grades, "simulated": simulated}


def private_film(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30), 700, np.uint16))
    return path


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("way", ["../../private/film.png", "ABSOLUTE", "..\\..\\private\\film.png"])
def test_no_film_outside_is_read(name: str, way: str, tmp_path: Path) -> None:
    private = private_film(tmp_path / "private" / "film.png")
    path = SETS[name](tmp_path / "a" / "set", way.replace("ABSOLUTE", str(private)))
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["convert", str(path), "--format", name, "--out", str(out), "--spacing-mm", "0.5"]
    )
    assert isinstance(done.exception, HosegError)
    assert not list(out.rglob("*.png"))
    with pytest.raises(HosegError):
        open_dataset(path, name).films[0].read()


@pytest.mark.parametrize("name", SETS)
def test_links_out_of_the_set_are_not_followed(name: str, tmp_path: Path) -> None:
    private = private_film(tmp_path / "private" / "film.png")
    path = SETS[name](tmp_path / "set", "film.png")
    (tmp_path / "set" / "film.png").symlink_to(private)
    with pytest.raises(InputError) as caught:
        open_dataset(path, name).films[0].read()
    assert caught.value.code == "unsafe_path"
    (tmp_path / "set" / "film.png").unlink()
    if name in ("coco", "labelme", "grades"):
        (tmp_path / "set" / "images").symlink_to(private.parent)
        with pytest.raises(InputError):
            open_dataset(path, name).films[0].read()


@pytest.mark.parametrize("name", ["folder", "nnunet", "dicom_seg"])
def test_links_in_folders_are_not_followed(
    name: str, images: list[LabelledImage], tmp_path: Path
) -> None:
    writer = FORMATS[name].write
    assert writer is not None
    writer(images[:1], tmp_path / "set")
    for file in sorted((tmp_path / "set").rglob("film0*")):
        moved = tmp_path / "private" / file.name
        moved.parent.mkdir(exist_ok=True)
        shutil.move(file, moved)
        file.symlink_to(moved)
        with pytest.raises(InputError) as caught:
            open_dataset(tmp_path / "set", name).films[0].read()
        assert caught.value.code == "unsafe_path"
        file.unlink()
        shutil.move(moved, file)
    open_dataset(tmp_path / "set", name).films[0].read()


def test_a_set_may_itself_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert open_dataset(tmp_path / "link").films[0].read().masks is not None


def test_an_ending_leads_nowhere(images: list[LabelledImage], tmp_path: Path) -> None:
    writer = FORMATS["nnunet"].write
    assert writer is not None
    writer(images[:1], tmp_path)
    header = json.loads((tmp_path / "dataset.json").read_text())
    for ending in ("/../../*.png", "*", ".dcm"):
        header["file_ending"] = ending
        (tmp_path / "dataset.json").write_text(json.dumps(header))
        with pytest.raises(InputError, match="file_ending"):
            open_dataset(tmp_path)


def test_two_films_of_one_name_are_not_written_over_each_other(tmp_path: Path) -> None:
    root = coco(tmp_path / "set", "film.png")
    content = json.loads((root / "annotations.json").read_text())
    content["images"].append({**content["images"][0], "id": 2, "file_name": "FILM.tif"})
    content["images"].append({**content["images"][0], "id": 3, "file_name": "a/film.png"})
    (root / "annotations.json").write_text(json.dumps(content))
    for name in ("film.png", "FILM.tif", "a/film.png"):
        private_film(root / name)
    with pytest.raises(InputError) as caught:
        convert(open_dataset(root), "folder", tmp_path / "out")
    assert caught.value.code == "duplicate"


def test_folders_within_a_set_survive_every_format(tmp_path: Path) -> None:
    root = coco(tmp_path / "set", "train/film.png")
    private_film(root / "train" / "film.png")
    for name in writable():
        out = tmp_path / name
        assert convert(open_dataset(root, spacing_mm=0.5), name, out) == 1
        assert [film.case for film in open_dataset(out, name).films] == ["train_film"]


def test_formulas_in_a_table_come_back_as_they_were(
    images: list[LabelledImage], tmp_path: Path
) -> None:
    from dataclasses import replace

    writer = FORMATS["folder"].write
    assert writer is not None
    writer([replace(images[0], patient="=cmd|' /C calc'!A0")], tmp_path)
    assert "'=cmd" in (tmp_path / "dataset.csv").read_text()
    assert open_dataset(tmp_path).films[0].patient == "=cmd|' /C calc'!A0"
