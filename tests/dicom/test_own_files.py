"""hoseg never reads its own results, nor what systems keep, but every film that lies among them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import cv2
import pytest

from hoseg.dicom import Source, discover
from hoseg.reasons import Reason

from .build import dataset, film, save

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(80)
RESULT_HEAD = '{\n "schema_id": "hoseg-result-1",\n "hoseg_version": "0.3.1"\n}\n'


def write_tree(root: Path, files: dict[str, str | bytes | None]) -> Path:
    """Write files by path; None writes a film, as DICOM or, by its suffix, as a picture."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif content is not None:
            path.write_bytes(content)
        elif path.suffix in (".png", ".jpg"):
            cv2.imwrite(str(path), (film() >> 4).astype("uint8"))
        else:
            save(dataset(film()), path)
    return root


def write_image(root: Path, folder: str) -> None:
    """What ``hoseg run --dicom`` writes for one image."""
    names = ("masks.png", "overlay.png", "film.jpg", "thumb.jpg", "segmentation.dcm", "overlay.dcm")
    files: dict[str, str | bytes | None] = dict.fromkeys(f"{folder}/{name}" for name in names)
    files |= {f"{folder}/result.json": RESULT_HEAD, f"{folder}/case.js": "x"}
    write_tree(root, files)


def write_run(root: Path) -> Path:
    """A folder as ``hoseg run`` leaves it."""
    for image in ("1.2.3", "1.2.4"):
        write_image(root, f"studies/1.2/{image}")
    tables = ("images.csv", "findings.csv", "images.parquet", "review.html", "review.sqlite")
    return write_tree(
        root,
        dict.fromkeys(tables, "x")
        | {"run.json": '{\n "hoseg_version": "0.3.1"\n}\n'}
        | {"journal.sqlite": b"SQLite format 3\0" + bytes(84), "journal.sqlite-wal": b""}
        | {"studies/1.2/report.dcm": None, "studies/1.2/report.html": "x"}
        | {"studies/1.2/1.2.4/report.dcm": None, "studies/1.2/1.2.4/report.html": "x"}
        | {"deidentified/p/s/a.dcm": None, ".partial/77/overlay.png": None},
    )


def by_reason(sources: list[Source], root: Path) -> dict[str, list[str]]:
    """Paths below ``root``, sorted, of those to be read ("") and by reason."""
    rows: dict[str, list[str]] = {}
    for source in sources:
        place = source.path.relative_to(root).as_posix()
        place += f"!{source.member}" if source.member else ""
        rows.setdefault(source.problem[0] if source.problem else "", []).append(place)
    return {reason: sorted(places) for reason, places in rows.items()}


def test_another_runs_results_have_one_row(tmp_path):
    write_tree(tmp_path, {"a.dcm": None})
    write_run(tmp_path / "old")
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found == {"": ["a.dcm"], Reason.OWN_RESULT: ["old"]}


@pytest.mark.parametrize("known_by", ["run.json", "journal.sqlite"])
def test_a_run_is_known_by_either_file(known_by, tmp_path):
    write_run(tmp_path / "old")
    (tmp_path / "old" / ({"run.json", "journal.sqlite"} - {known_by}).pop()).unlink()
    assert by_reason(list(discover([tmp_path])), tmp_path) == {Reason.OWN_RESULT: ["old"]}


def test_films_among_results_are_read(tmp_path):
    run = write_run(tmp_path / "run")
    strangers = ["b.dcm", "studies/1.2/1.2.3/c.png", "studies/mine/masks.png", "studies/d.dcm"]
    write_tree(run, dict.fromkeys(strangers))
    found = by_reason(list(discover([tmp_path])), run)
    assert found[""] == sorted(strangers)


def test_files_of_the_same_names_that_hoseg_did_not_write_are_read(tmp_path):
    theirs = {
        "a/run.json": '{"step": 3}',
        "a/studies/1/film.jpg": None,
        "b/result.json": '{"schema": "theirs"}',
        "b/masks.png": None,
        "b/overlay.png": None,
        "c/masks.png": None,
        "d/masks/x.png": None,
        "e/pictures/0123456789abcdef.jpg": None,
        "e/report.html": "x",
        "e/metrics.json": "{}",
        "f/journal.sqlite": "x",
        "f/deidentified/x.dcm": None,
        "g/index.csv": "image,diagnosis\n",
        "g/1/masks.png": None,
    }
    films = sorted(name for name, content in theirs.items() if content is None)
    found = list(discover([write_tree(tmp_path, theirs)]))
    assert {source.problem for source in found} == {None}
    assert {s.path.relative_to(tmp_path).as_posix() for s in found} >= set(films)


@pytest.mark.parametrize("start", [".", "studies", "studies/1.2", "studies/1.2/1.2.3"])
def test_results_given_as_input_are_no_films(start, tmp_path):
    run = write_run(tmp_path / "run")
    found = by_reason(list(discover([run / start])), run)
    found.pop("", None)
    assert set(found) == {Reason.OWN_RESULT}
    pictures = [s for s in discover([run / start]) if not s.problem and s.path.suffix != ".dcm"]
    assert [s.path.name for s in pictures if s.path.suffix in (".png", ".jpg")] == []


def test_single_files_of_results_are_no_films(tmp_path):
    run = write_run(tmp_path / "run")
    pictures = sorted(run.rglob("*.jpg")) + sorted(run.glob("studies/**/*.png"))
    assert {s.problem and s.problem[0] for s in discover(pictures)} == {Reason.OWN_RESULT}


@pytest.mark.parametrize("spell", [lambda p: p, lambda p: p / ".." / p.name, os.path.relpath])
def test_the_folder_of_the_results_is_not_walked(spell, tmp_path):
    write_tree(tmp_path, {"a.dcm": None, "out/half/written.png": None})
    for out in (tmp_path / "out", tmp_path / "new"):
        found = by_reason(list(discover([tmp_path], out=Path(spell(out)))), tmp_path)
        assert found[""] == ["a.dcm"] + ["out/half/written.png"] * (out.name == "new")
    linked = tmp_path.parent / f"{tmp_path.name}-link"
    linked.symlink_to(tmp_path / "out")
    assert by_reason(list(discover([tmp_path], out=linked)), tmp_path) == {"": ["a.dcm"]}


def test_results_that_go_to_the_input_itself_are_left_out(tmp_path):
    write_tree(write_run(tmp_path), {"a.dcm": None, "sub/b.dcm": None})
    for known in (True, False):
        if not known:
            (tmp_path / "run.json").unlink()
            (tmp_path / "journal.sqlite").unlink()
        found = by_reason(list(discover([tmp_path], out=tmp_path)), tmp_path)
        assert found == {"": ["a.dcm", "sub/b.dcm"]}


def test_an_input_below_the_results_is_read(tmp_path):
    copies = write_tree(tmp_path / "deidentified" / "p", {"s/a.dcm": None})
    assert by_reason(list(discover([copies], out=tmp_path)), copies) == {"": ["s/a.dcm"]}


INDEX = "name,image,masks,truth,view\n0,0/image.png,0/masks.png,0/truth.json,ap_pelvis\n"


@pytest.mark.parametrize("known_by", ["truth.json", "index.csv"])
def test_masks_of_a_simulated_film_are_no_films(known_by, tmp_path):
    files = {"000000/image.png": None, "000000/masks.png": None, "000000/ignore.png": None}
    files |= {"000000/truth.json": "{}"} if known_by == "truth.json" else {"index.csv": INDEX}
    masks = ["000000/ignore.png", "000000/masks.png"]
    write_tree(tmp_path, files)
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found[Reason.LABEL_MASK] == masks
    assert "000000/image.png" in found[""]
    given = sorted((tmp_path / "000000").glob("*.png"))  # as a shell's *.png
    found = by_reason(list(discover(given)), tmp_path)
    assert found == {"": ["000000/image.png"], Reason.LABEL_MASK: masks}


@pytest.mark.parametrize(
    ("films", "masks"),
    [
        (["images/a.png", "images/b.dcm"], ["masks/a.png", "masks/b.png", "ignore/a.png"]),
        (["imagesTr/a_0000.png"], ["labelsTr/a.png"]),
        (["imagesTs/a_0000.tif"], ["labelsTs/a.tif"]),
    ],
)
def test_masks_of_a_labelled_set_are_no_films(films, masks, tmp_path):
    strangers = [f"{Path(masks[0]).parent}/z.png"]  # a mask of no film is looked at
    write_tree(tmp_path, dict.fromkeys([*films, *strangers]) | dict.fromkeys(masks, b"x"))
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found == {"": sorted([*films, *strangers]), Reason.LABEL_MASK: sorted(masks)}


def test_pictures_of_an_evaluation_are_no_films(tmp_path):
    write_tree(
        tmp_path, {"e/metrics.json": '{\n "schema": "hoseg-metrics-1",', "e/report.html": "x"}
    )
    write_tree(tmp_path, {"e/pictures/0123456789abcdef.jpg": None, "e/pictures/mine.jpg": None})
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found[Reason.OWN_RESULT] == ["e/pictures"]
    assert "e/pictures/mine.jpg" in found[""]
    assert "e/pictures/0123456789abcdef.jpg" not in found[""]


LITTER = {
    "._film.dcm": APPLE_DOUBLE,
    "sub/._film.png": b"\0\5\x16\7",
    "._empty.dcm": b"",
    "__MACOSX/film.dcm": b"anything",
    "__MACOSX/sub/._film.dcm": APPLE_DOUBLE,
    ".DS_Store": b"\0\0\0\1Bud1",
    "sub/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "sub/desktop.ini": b"[.ShellClassInfo]",
}
FILMS = {"film.dcm": None, "sub/film.png": None, "._IM1": None, "__MACOSX/kept.dcm": None}


def test_litter_of_systems_is_skipped_and_films_of_such_names_are_not(tmp_path):
    write_tree(tmp_path, LITTER | FILMS)
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found == {"": sorted(FILMS), Reason.SYSTEM_FILE: sorted(LITTER)}
    assert Reason.SYSTEM_FILE.status == "skipped"


def test_litter_in_an_archive(tmp_path):
    tree = write_tree(tmp_path / "tree", LITTER | FILMS)
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in (*LITTER, *FILMS):
            out.write(tree / name, name)
    found = by_reason(list(discover([archive])), tmp_path)
    assert found == {
        "": [f"films.zip!{name}" for name in sorted(FILMS)],
        Reason.SYSTEM_FILE: [f"films.zip!{name}" for name in sorted(LITTER)],
    }


def test_folders_of_systems_have_one_row(tmp_path):
    hidden = {"@eaDir/a.dcm/thumb.jpg": None, "$RECYCLE.BIN/b.dcm": None}
    write_tree(tmp_path, {"a.dcm": None} | hidden)
    found = by_reason(list(discover([tmp_path])), tmp_path)
    assert found == {"": ["a.dcm"], Reason.SYSTEM_FILE: ["$RECYCLE.BIN", "@eaDir"]}
    inside = by_reason(list(discover([tmp_path / "$RECYCLE.BIN"])), tmp_path)
    assert inside == {"": ["$RECYCLE.BIN/b.dcm"]}


@pytest.mark.parametrize("top", ["", "old/"])
def test_results_in_an_archive(top, tmp_path):
    run = write_run(tmp_path / "run")
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(path for path in run.rglob("*") if path.is_file()):
            out.write(path, f"{top}{path.relative_to(run)}")
        out.write(run / "deidentified/p/s/a.dcm", f"{top}studies/mine/film.dcm")
    found = by_reason(list(discover([archive])), tmp_path)
    row = f"films.zip!{top}" if top else "films.zip"
    assert found == {"": [f"films.zip!{top}studies/mine/film.dcm"], Reason.OWN_RESULT: [row]}


def test_masks_of_a_simulated_film_in_an_archive(tmp_path):
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in ("image.png", "masks.png", "truth.json"):
            out.writestr(f"set/000000/{name}", b"x")
    found = by_reason(list(discover([archive])), tmp_path)
    assert found[Reason.LABEL_MASK] == ["films.zip!set/000000/masks.png"]
    assert "films.zip!set/000000/image.png" in found[""]
