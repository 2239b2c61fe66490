"""``export_run``: DICOM objects of a finished run, checked by other people's programs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pydicom
import pytest

from hoseg.errors import SettingError
from hoseg.report.document import write_documents
from hoseg.report.export import export_run

from .samples import STUDY, source_dataset, write_run

ROOT = Path(__file__).parents[2]
PROGRAMS = ("dciodvfy", "dcmdump", "dsrdump", "storescu", "Orthanc", "bash")


def digests(run):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(run.rglob("*.dcm"))}


def test_objects_of_a_run(tmp_path):
    run = write_run(tmp_path)
    seen = []
    summary = export_run(run, progress=lambda: seen.append(1))
    assert summary.failed == []
    assert len(seen) == 2
    assert sorted(Path(name).name for name in summary.written) == [
        "overlay.dcm", "overlay.dcm", "report.dcm", "segmentation.dcm", "segmentation.dcm",
    ]  # fmt: skip
    assert f"studies/{STUDY}/report.dcm" in summary.written
    assert not list(run.rglob("*.part"))


def test_films_of_two_patients_under_one_study_uid_share_no_report(tmp_path):
    run = write_run(tmp_path)
    second = run / "studies" / STUDY / f"{STUDY}.1.2" / "result.json"
    second.write_text(second.read_text().replace("P-0815", "P-0816"))
    summary = export_run(run, kinds=("sr",))
    assert summary.written == [f"studies/{STUDY}/{STUDY}.1.{k}/report.dcm" for k in (1, 2)]
    pages = write_documents(run)
    assert [page.parent.name for page in pages] == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    assert "P-0816" not in pages[0].read_text()


def test_exporting_again_writes_the_same_bytes(tmp_path):
    run = write_run(tmp_path)
    export_run(run)
    before = digests(run)
    export_run(run)
    assert digests(run) == before
    assert len(before) == 5


def test_kinds_can_be_chosen(tmp_path):
    run = write_run(tmp_path, films=1)
    assert [Path(name).name for name in export_run(run, kinds=("seg",)).written] == [
        "segmentation.dcm"
    ]
    with pytest.raises(SettingError, match="seg, sr, sc"):
        export_run(run, kinds=("pdf",))


def test_one_lost_source_does_not_stop_the_others(tmp_path):
    run = write_run(tmp_path)
    (tmp_path / "in" / "film1.dcm").unlink()
    summary = export_run(run)
    ((folder, code, sentence),) = summary.failed
    assert code == "source_missing"
    assert "film1.dcm" in sentence
    assert folder.endswith(".1")
    assert len(summary.written) == 3


def test_headers_can_be_changed_on_the_way(tmp_path):
    run = write_run(tmp_path, films=1)

    def rename(dataset):
        dataset.PatientName = "Someone^Else"
        return dataset

    export_run(run, header=rename)
    names = {str(pydicom.dcmread(path).PatientName) for path in run.rglob("*.dcm")}
    assert names == {"Someone^Else"}


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(SettingError, match="hoseg run"):
        export_run(tmp_path)


def rename_source(run, name):
    """Make the result of the only film name another input."""
    path = next(run.glob("studies/*/*/result.json"))
    content = json.loads(path.read_text())
    content["source"] = str(name)
    path.write_text(json.dumps(content))


def only_failure(run):
    ((_, code, sentence),) = export_run(run).failed
    assert not list(run.rglob("*.dcm"))
    return code, sentence


def test_a_run_folder_of_strangers_names_no_other_file(tmp_path):
    run = write_run(tmp_path, films=1)
    secret = tmp_path / "secret.txt"
    secret.write_text("PASSWORD=hunter2\n" * 20)
    rename_source(run, secret)
    code, sentence = only_failure(run)
    assert code == "not_dicom"
    assert "hunter2" not in sentence
    private = source_dataset(7)
    private.save_as(tmp_path / "private.dcm", enforce_file_format=True)
    rename_source(run, tmp_path / "private.dcm")
    code, sentence = only_failure(run)
    assert code == "source_changed"
    assert "Yamada" not in sentence
    rename_source(run, "/dev/zero")
    assert only_failure(run)[0] == "source_missing"


def test_members_of_archives_are_read_within_limits(tmp_path):
    run = write_run(tmp_path, films=1)
    film = tmp_path / "in" / "film1.dcm"
    archive = tmp_path / "a!b.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.write(film, "in/film!1.dcm")
        with files.open("bomb.dcm", "w", force_zip64=True) as stream:
            for _ in range(80):
                stream.write(bytes(2**20))
    rename_source(run, f"{archive}!bomb.dcm")
    assert only_failure(run)[0] == "unsafe_archive"
    rename_source(run, f"{archive}!absent.dcm")
    assert only_failure(run)[0] == "source_missing"
    rename_source(run, f"{archive}!in/film!1.dcm")
    assert export_run(run).failed == []


@pytest.mark.tools
def test_other_peoples_programs_accept_everything(tmp_path):
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    run = write_run(tmp_path)
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "check_dicom_out.sh"), str(run)],
        env=os.environ | {"HOSEG_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 objects without errors" in done.stdout
    assert "Orthanc accepted and returned 5 objects unchanged" in done.stdout
