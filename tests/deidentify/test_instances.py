"""Files, manifest and command of de-identification."""

import csv
import json
import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEGLSLossless
from typer.testing import CliRunner

from hoseg.cli.deidentify import app
from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.copies import is_complete
from hoseg.deidentify.instances import deidentify_files, deidentify_source
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.dicom.discover import discover
from hoseg.dicom.source import Source
from hoseg.errors import InputError, SettingError

from .identified import NAMES, film, identified, saved


def test_manifest_accounts_for_every_input_without_naming_it(tmp_path):
    folder = tmp_path / "in"
    saved(identified(), folder / "Zyxwolf.dcm")
    (folder / "Quentin.txt").write_text("not DICOM")
    outcome = deidentify_files(discover([folder]), tmp_path / "out", Policy(), NAMES)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {"written": 1, "duplicate": 0, "refused": 1}
    assert {entry["status"] for entry in manifest["files"]} == {"written", "refused"}
    assert manifest["key_id"] == NAMES.key_id
    (entry,) = [e for e in manifest["files"] if e["status"] == "written"]
    assert (tmp_path / "out" / entry["output"]).is_file()
    assert entry["actions"]["removed"] > 20
    assert [Path(refusal.source).name for refusal in outcome.refused] == ["Quentin.txt"]


def test_command(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    out, link = tmp_path / "out", tmp_path / "link.csv"
    done = CliRunner().invoke(app, [str(folder), "--out", str(out), "--link", str(link), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"written": 1, "duplicates": 0, "refused": []}
    assert "film.dcm" in link.read_text()
    assert "secret" not in "".join(p.read_text("latin-1") for p in out.rglob("*") if p.is_file())

    again = tmp_path / "again"
    CliRunner().invoke(app, [str(folder), "--out", str(again), "--json"])
    names = [sorted(p.name for p in root.rglob("*.dcm")) for root in (out, again)]
    assert names[0] == names[1]


def test_copies_below_the_input_and_litter_are_no_inputs(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    (folder / "._film.dcm").write_bytes(b"\0\5\x16\7")
    (folder / "DICOMDIR").write_bytes(b"x")
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    arguments = [str(folder), "--out", str(folder / "clean"), "--json"]
    for _ in range(2):
        done = CliRunner().invoke(app, arguments)
        assert json.loads(done.stdout) == {"written": 1, "duplicates": 0, "refused": []}
        assert done.exit_code == 0
    manifest = json.loads((folder / "clean" / "manifest.json").read_text())
    assert manifest["counts"] == {"written": 1, "duplicate": 0, "refused": 0}
    assert len(list((folder / "clean").rglob("*.dcm"))) == 1


def small(number=0, **changes):
    """A film of its own pixels, with the UIDs of all others."""
    pixels = film()[:240, :260].copy()
    pixels[100:110, 100:110] += np.uint16(number)
    dataset = identified(pixels)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def run(folder, out, policy=Policy(), names=NAMES):
    outcome = deidentify_files(discover([folder], out=out), out, policy, names)
    manifest = json.loads((out / "manifest.json").read_text())
    for entry in manifest["files"] + manifest["earlier"]:
        if entry["status"] != "refused":
            assert (out / entry["output"]).is_file()
    listed = {e["output"] for e in manifest["files"] + manifest["earlier"]} - {""}
    assert {str(p.relative_to(out)) for p in out.rglob("*.dcm")} == listed
    return outcome, manifest


def rows_of(link):
    with link.open(newline="") as stream:
        return list(csv.DictReader(stream))


def pixels_below(out):
    return {pydicom.dcmread(path).pixel_array.tobytes() for path in out.rglob("*.dcm")}


def test_films_of_one_instance_uid_are_all_kept(tmp_path):
    films = [small(number) for number in (0, 300, 600)]
    for number, dataset in enumerate(films):
        saved(dataset, tmp_path / "in" / f"{number}.dcm")
    saved(films[0], tmp_path / "in" / "again.dcm")
    packed = small()
    packed.StudyDescription = "differs in what goes"
    packed.compress(JPEGLSLossless, generate_instance_uid=False)
    saved(packed, tmp_path / "in" / "packed.dcm")
    outcome, manifest = run(tmp_path / "in", tmp_path / "out")
    assert manifest["counts"] == {"written": 3, "duplicate": 2, "refused": 0}
    assert len(pixels_below(tmp_path / "out")) == 3
    outputs = [record.output for record in outcome.records]
    assert len(outputs) == 5
    assert len(set(outputs)) == 3
    uids = set()
    for path in (tmp_path / "out").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        assert path.name == f"{dataset.SOPInstanceUID}.dcm"
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        uids.add(dataset.SOPInstanceUID)
    assert len(uids) == 3


def test_running_again_changes_nothing_whatever_the_order(tmp_path):
    for number, place in enumerate(("a", "b")):
        saved(small(300 * number), tmp_path / "in" / f"{place}.dcm")
    _, first = run(tmp_path / "in", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")}
    assert run(tmp_path / "in", tmp_path / "out")[1] == first
    (tmp_path / "in" / "a.dcm").rename(tmp_path / "in" / "c.dcm")
    run(tmp_path / "in", tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")} == before


def test_more_films_are_added_and_earlier_ones_stay_in_the_manifest(tmp_path):
    saved(small(), tmp_path / "one" / "film.dcm")
    saved(small(300), tmp_path / "two" / "film.dcm")
    saved(small(SOPInstanceUID="1.2.3.4"), tmp_path / "two" / "other.dcm")
    run(tmp_path / "one", tmp_path / "out")
    _, manifest = run(tmp_path / "two", tmp_path / "out")
    assert manifest["counts"] == {"written": 2, "duplicate": 0, "refused": 0}
    assert len(manifest["earlier"]) == 1
    assert len(pixels_below(tmp_path / "out")) == 2
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 3


def test_own_copies_are_never_copied_again(tmp_path):
    out = tmp_path / "all"
    saved(small(), out / "in" / "film.dcm")
    for _ in range(2):
        outcome = deidentify_files(discover([out / "in", out]), out, Policy(), NAMES)
        assert outcome.count("written") == 1
    assert len(list(out.glob("P*/*/*.dcm"))) == 1


@pytest.mark.parametrize(
    ("policy", "names", "what"),
    [
        (Policy(), Pseudonyms(bytes(32)), "another key"),
        (Policy(shift_dates=True), NAMES, "other options"),
    ],
)
def test_copies_under_other_settings_do_not_mix(tmp_path, policy, names, what):
    saved(small(), tmp_path / "in" / "film.dcm")
    run(tmp_path / "in", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(SettingError, match=what):
        run(tmp_path / "in", tmp_path / "out", policy, names)
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after == before


def test_an_interrupted_run_is_continued(tmp_path, monkeypatch):
    for number in range(2):
        saved(small(300 * number), tmp_path / "in" / f"{number}.dcm")

    def break_off(*, calls=[]):  # noqa: B006
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        deidentify_files(discover([tmp_path / "in"]), out, Policy(), NAMES, break_off)
    assert not is_complete(out)
    assert run(tmp_path / "in", out)[1]["counts"]["written"] == 2
    assert is_complete(out)


def test_a_manifest_of_something_else_is_left_alone(tmp_path):
    saved(small(), tmp_path / "in" / "film.dcm")
    (tmp_path / "out").mkdir()
    for text in ("{}", "[1]", "no JSON", '{"files": 3}'):
        (tmp_path / "out" / "manifest.json").write_text(text)
        with pytest.raises(SettingError, match=r"manifest\.json"):
            run(tmp_path / "in", tmp_path / "out")
        assert (tmp_path / "out" / "manifest.json").read_text() == text


def test_names_in_paths_reach_the_link_file_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    folder = tmp_path / "Smithers"
    saved(small(), folder / "=Waylon.dcm")
    (folder / "Burns.dcm").write_text("no film")
    out, link = tmp_path / "out", tmp_path / "link.csv"
    told = []
    for more in (["--json"], [], ["--link", str(link)]):
        done = CliRunner().invoke(app, [str(folder), "--out", str(out), *more])
        assert done.exit_code == 1
        told.append(done.output)
    told += [path.read_text("latin-1") for path in out.rglob("*") if path.is_file()]
    for text in told:
        for name in ("Waylon", "Burns", "Smithers"):
            assert name not in text
    assert json.loads(told[0])["refused"][0]["number"] == 2
    rows = rows_of(link)
    assert [(Path(r["source"]).name, r["status"], r["number"]) for r in rows] == [
        ("=Waylon.dcm", "written", "1"), ("Burns.dcm", "refused", "2"),
    ]  # fmt: skip


def test_links_of_earlier_runs_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    monkeypatch.chdir(tmp_path)
    saved(small(), tmp_path / "-a" / "film.dcm")
    saved(small(300), tmp_path / "b" / "film.dcm")
    for folder in ("./-a", "b", "b"):
        arguments = [folder, "--out", "out", "--link", "link.csv", "--json"]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    rows = rows_of(Path("link.csv"))
    assert [(row["source"], row["number"]) for row in rows] == [
        ("'-a/film.dcm", ""), ("b/film.dcm", "1"),
    ]  # fmt: skip
    Path("other.csv").write_text("precious,table\n1,2\n")
    done = CliRunner().invoke(app, ["b", "--out", "out", "--link", "other.csv"])
    assert isinstance(done.exception, SettingError)
    assert Path("other.csv").read_text() == "precious,table\n1,2\n"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_copied_or_refused(tmp_path, seed):
    path = tmp_path / "film.dcm"
    if not path.exists():
        saved(small(SpecificCharacterSet=["ISO 2022 IR 100", "ISO 2022 IR 87"]), path)
    whole = path.read_bytes()
    header, draw = len(whole) - 2 * 240 * 260, random.Random(seed)
    data = bytearray(whole)
    for _ in range(draw.choice((1, 2, 5, 20))):
        start = draw.randrange(132, header)
        cut, more = draw.choice((0, 1, 1, 2, 8)), draw.choice((0, 1, 1, 2, 8))
        data[start : start + cut] = draw.randbytes(more)
    (tmp_path / "damaged.dcm").write_bytes(data)
    source = Source(tmp_path / "damaged.dcm", "damaged.dcm")
    with suppress(InputError):
        deidentify_source(source, Policy(draw.random() < 0.5, draw.random() < 0.5, "keep"), NAMES)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--out", "{in}"], "--out"),
        (["--out", "{out}", "--link", "{out}/link.csv"], "--link"),
        (["--out", "{out}", "--key-file", "{in}/missing"], "--key-file"),
    ],
)
def test_wrong_usage_names_the_option(tmp_path, arguments, key):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    places = {"in": str(folder), "out": str(tmp_path / "out")}
    done = CliRunner().invoke(app, [str(folder), *(a.format(**places) for a in arguments)])
    assert isinstance(done.exception, SettingError)
    assert done.exception.key == key
