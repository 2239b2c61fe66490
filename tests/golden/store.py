"""The golden files: hashes that git can show, and the texts behind them, packed."""

from __future__ import annotations

import hashlib
import json
import lzma
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RELEASE = "0.3.1"
ABSENT = "not installed"
HASHES, TEXTS = "golden.json", "texts.json.xz"
_PACKAGES = ("numpy", "scipy", "scikit-image", "opencv-python-headless", "numba", "onnxruntime",
             "pydicom", "highdicom", "pydantic", "imagecodecs", "pillow")  # fmt: skip


@dataclass(frozen=True)
class Golden:
    """What some code gave.

    texts: name -> text
    made_with: versions and processor, which may explain a difference
    """

    texts: dict[str, str]
    made_with: dict[str, str]


def write_golden(folder: Path, texts: dict[str, str]) -> None:
    """Write the texts of this process's code to a folder."""
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    about = {"release": RELEASE, "made_with": made_with(), "sha256": hashes}
    (folder / HASHES).write_text(json.dumps(about, indent=1) + "\n")
    packed = lzma.compress(json.dumps(texts).encode(), preset=9 | lzma.PRESET_EXTREME)
    (folder / TEXTS).write_bytes(packed)


def read_golden(folder: Path) -> Golden:
    """Read what ``write_golden`` wrote; both files must fit together."""
    about = json.loads((folder / HASHES).read_text())
    texts = json.loads(lzma.decompress((folder / TEXTS).read_bytes()))
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    if hashes != about["sha256"]:
        raise ValueError(f"{folder}: {HASHES} and {TEXTS} are not of one making")
    return Golden(texts, about["made_with"])


def made_with() -> dict[str, str]:
    """Versions and the processor of this process."""
    found = {"python": platform.python_version(), "processor": _processor()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ABSENT
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    told = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return told[0] if told else platform.machine()
