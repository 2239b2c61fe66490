"""What the base install takes, and how long a newcomer waits: a fresh clone outside this checkout.

python scripts/measure_install.py [--json out.json]

Clones the last commit into a temporary folder, runs the README's first command there with an
empty cache of pip, and prints seconds, processor seconds of it, megabytes on disk (as ``du -sm``
counts) and the largest packages. The package mirror, the disk and what else the machine does are
part of the figure: say them beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]


def megabytes(path: Path) -> int:
    return int(subprocess.check_output(["du", "-sm", path], text=True).split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="hoseg-install-") as name:
        clone, cache = Path(name) / "hoseg", Path(name) / "cache"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        fresh = os.environ | {"PIP_NO_CACHE_DIR": "1", "HOSEG_CACHE": str(cache)}
        fresh.pop("PYTHONPATH", None)
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "scripts/bootstrap.py", "example"], cwd=clone, env=fresh, check=True
        )
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        packages = next((clone / ".venv").glob("[Ll]ib/**/site-packages"))
        sizes = {path.name: megabytes(path) for path in packages.iterdir()}
        largest = sorted(sizes.items(), key=lambda item: -item[1])[:15]
        found = {
            "seconds": round(seconds, 1),
            "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
            "environment_mb": megabytes(clone / ".venv"),
            "largest_mb": dict(largest),
            "load_average": os.getloadavg(),
        }
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
