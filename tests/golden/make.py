"""Write the golden files: ``python -m golden.make [FOLDER]``, by default beside this script.

Only ever with the code of 0.3.1: what a later version gives is compared with it, not written
over it. The version is pinned, because UIDs of DICOM objects follow from it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import hoseg

from .arithmetic import PLAIN, is_plain
from .store import RELEASE, write_golden


def main() -> None:
    """Recompute in a temporary folder and write the files."""
    if not is_plain():
        again = [sys.executable, "-m", f"{__package__}.make", *sys.argv[1:]]
        sys.exit(subprocess.run(again, env={**os.environ, **PLAIN}, check=False).returncode)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent).resolve()
    hoseg.__version__ = RELEASE  # before anything else of hoseg is imported
    from .recompute import recompute

    start = perf_counter()
    with TemporaryDirectory() as place:
        os.chdir(place)  # results name inputs as they were given: relative to here
        texts = recompute()
        os.chdir(folder)
    write_golden(folder, texts)
    where = Path(hoseg.__file__).parent
    print(f"{len(texts)} texts of {where} in {folder}, {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
