"""What a reader said on a page opened from disk, brought into the run."""

import base64
import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.app import app
from hoseg.errors import InputError
from hoseg.review.imports import import_corrections
from hoseg.review.store import STORE, ReviewStore

from .films import CURRENT, FILMS

IMAGES = {film.folder for film in FILMS}


def png_of(run, film):
    masks = cv2.imread(str(run / film.folder / "masks.png"), cv2.IMREAD_UNCHANGED)
    picture = np.zeros((*masks.shape, 4), np.uint8)
    picture[10:20, 10:30] = 255
    return cv2.imencode(".png", picture)[1].tobytes()


def kept(image=CURRENT.folder, **changes):
    said = {
        "image": image, "kind": "grade", "side": "left", "value": "2", "reader": "Ada",
        "time": "2026-03-01T10:00:00.250Z",
    }  # fmt: skip
    return said | changes


def write(path, *corrections, **changes):
    document = {"schema_id": "hoseg-corrections-1", "corrections": list(corrections)}
    path.write_text(json.dumps(document | changes))
    return path


def test_corrections_enter_the_history_once(run, tmp_path):
    png = png_of(run, CURRENT)
    mask = kept(kind="mask", side="", value="", mask_png=base64.b64encode(png).decode())
    path = write(tmp_path / "corrections.json", kept(), mask)
    done = CliRunner().invoke(app, ["review", str(run), "--import", str(path), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.stdout) == {"imported": 2, "already_there": 0}
    assert import_corrections(run, path, IMAGES) == (0, 2)
    with ReviewStore(run / STORE) as store:
        entries = list(store.history())
        assert store.latest_mask(CURRENT.folder) == png
    assert [(e["kind"], e["value"], e["reader"]) for e in entries] == [
        ("grade", "2", "Ada"), ("mask", "", "Ada"),
    ]  # fmt: skip
    assert {e["time"] for e in entries} == {"2026-03-01T10:00:00.250+00:00"}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "withdraw", "value": "1"},
        {"image": "../../etc"},
        {"image": "studies/no/such"},
        {"value": "7"},
        {"kind": "mask"},
        {"kind": "mask", "mask_png": "AAAA"},
        {"kind": "mask", "mask_png": "no base64"},
        {"time": "yesterday"},
        {"time": "2026-03-01T10:00:00"},  # of no zone
        {"surprise": 1},
    ],
)
def test_one_bad_correction_refuses_the_file(run, tmp_path, changes):
    path = write(tmp_path / "corrections.json", kept(), kept(**changes))
    with pytest.raises(InputError) as caught:
        import_corrections(run, path, IMAGES)
    assert str(path) in str(caught.value)
    assert not (run / STORE).exists()


def test_other_files_are_refused(run, tmp_path):
    for number, text in enumerate((b"", b"[]", b"\xff", b'{"corrections": []}')):
        path = tmp_path / f"{number}.json"
        path.write_bytes(text)
        with pytest.raises(InputError):
            import_corrections(run, path, IMAGES)
    with pytest.raises(InputError):
        import_corrections(run, tmp_path / "missing.json", IMAGES)


def test_a_mask_of_another_size_is_refused(run, tmp_path):
    picture = cv2.imencode(".png", np.zeros((30, 30, 4), np.uint8))[1].tobytes()
    mask = kept(kind="mask", side="", value="", mask_png=base64.b64encode(picture).decode())
    with pytest.raises(InputError, match="the film has"):
        import_corrections(run, write(tmp_path / "c.json", mask), IMAGES)
