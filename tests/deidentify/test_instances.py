"""Files, manifest and command of de-identification."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hoseg.cli.deidentify import app
from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.instances import deidentify_files
from hoseg.dicom.discover import discover
from hoseg.errors import SettingError

from .identified import NAMES, identified, saved


def test_manifest_accounts_for_every_input_without_naming_it(tmp_path):
    folder = tmp_path / "in"
    saved(identified(), folder / "Zyxwolf.dcm")
    (folder / "Quentin.txt").write_text("not DICOM")
    outcome = deidentify_files(discover([folder]), tmp_path / "out", Policy(), NAMES)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {"written": 1, "refused": 1}
    assert {entry["status"] for entry in manifest["files"]} == {"written", "refused"}
    assert manifest["key_id"] == NAMES.key_id
    (entry,) = [e for e in manifest["files"] if e["status"] == "written"]
    assert (tmp_path / "out" / entry["output"]).is_file()
    assert entry["actions"]["removed"] > 20
    assert [Path(name).name for name, _, _ in outcome.refused] == ["Quentin.txt"]


def test_command(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    saved(identified(), folder / "film.dcm")
    monkeypatch.setenv("HOSEG_DEIDENTIFY_KEY", "a secret of more than sixteen letters")
    out, link = tmp_path / "out", tmp_path / "link.csv"
    done = CliRunner().invoke(app, [str(folder), "--out", str(out), "--link", str(link), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"written": 1, "refused": []}
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
        assert json.loads(done.stdout) == {"written": 1, "refused": []}
        assert done.exit_code == 0
    manifest = json.loads((folder / "clean" / "manifest.json").read_text())
    assert manifest["counts"] == {"written": 1, "refused": 0}
    assert len(list((folder / "clean").rglob("*.dcm"))) == 1


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
