"""De-identified copies of the inputs, so that nothing of a run's output identifies a patient."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from hoseg.batch.plan import file_facts
from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.copies import is_complete
from hoseg.deidentify.instances import Outcome, deidentify_files
from hoseg.deidentify.pseudonyms import Pseudonyms, load_key
from hoseg.dicom.discover import discover
from hoseg.errors import SettingError
from hoseg.files import make_folder, write_whole

FOLDER = "deidentified"
INPUTS = "inputs.sha256"


def deidentified_inputs(
    inputs: Sequence[str | Path], out: Path, key_file: Path | None = None
) -> tuple[list[Path], Outcome | None]:
    """Copy the DICOM inputs without what identifies the patient, once for a run.

    key_file: secret behind the pseudonyms; None = HOSEG_DEIDENTIFY_KEY, else a random one that
        is not kept

    Returns the folders of the copies, one a patient, and what became of the inputs, or None when
    an earlier start of the same run had made the copies. Inputs that cannot be cleaned (pictures
    that are not DICOM among them) are left out: they are named by ``Outcome.refused`` and counted
    in the manifest, and do not appear in the tables, where their names could identify.

    Raises
    ------
    SettingError: the copies in ``out`` are of other inputs
    """
    copies = out / FOLDER
    sources = list(discover(inputs, out=out))
    told_by = hashlib.sha256("\n".join(map(file_facts, sources)).encode()).hexdigest()
    if is_complete(copies):
        if (copies / INPUTS).exists() and (copies / INPUTS).read_text() != told_by:
            text = "another folder: the de-identified copies in this one are of other inputs"
            raise SettingError("--out", str(out), text)
        return _patients(copies), None
    shutil.rmtree(copies, ignore_errors=True)  # half-made, under names of a key that is gone
    key, _ = load_key(key_file)
    make_folder(copies)
    write_whole(copies / INPUTS, told_by)  # sizes and times: a name could identify
    outcome = deidentify_files(sources, copies, Policy(shift_dates=True), Pseudonyms(key))
    return _patients(copies), outcome


def _patients(copies: Path) -> list[Path]:
    """Folders of the copies; the manifest beside them is no input."""
    return sorted(path for path in copies.iterdir() if path.is_dir())
