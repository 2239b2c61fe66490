"""Packages that the base install leaves out: one table of what needs what, and how to get it.

The base install reads, segments, grades, reviews, simulates and evaluates on a CPU. Whatever needs
more asks ``require`` before its work begins.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hoseg.errors import MissingExtra


@dataclass(frozen=True)
class Extra:
    """An extra of ``pip install 'hoseg[NAME]'``.

    purpose: what needs it, as it is asked for on the command line
    packages: import names
    """

    purpose: str
    packages: tuple[str, ...]


EXTRAS = {
    "train": Extra(
        "hoseg train",
        (
            "torch",
            "torchvision",
            "lightning",
            "segmentation_models_pytorch",
            "tensorboard",
            "yaml",
        ),
    ),
    "gpu": Extra("--device cuda", ("torch", "torchvision")),
    "export": Extra("hoseg export --runtime", ("torch", "onnx", "openvino")),
    "parquet": Extra("--parquet", ("pyarrow",)),
}
"""Extra to what it brings; the same as in pyproject.toml, where distributions are named."""

_RECORDED = (
    "numpy",
    "opencv-python-headless",
    "pydicom",
    "imagecodecs",
    "torch",
    "onnxruntime",
    "openvino",
)


def missing(extra: str, *packages: str) -> tuple[str, ...]:
    """Import names that an extra brings (or those of them that are named) and are not here."""
    return tuple(name for name in packages or EXTRAS[extra].packages if find_spec(name) is None)


def command(extra: str) -> str:
    """Return what to type for an extra."""
    return f"pip install 'hoseg[{extra}]'"


def require(extra: str, *packages: str, purpose: str = "") -> None:
    """Refuse work whose packages are not installed; nothing is imported.

    packages: those of the extra that this work needs; default: all
    purpose: what needs them, where it is not what the table says

    Raises
    ------
    MissingExtra: one sentence with the command that brings them
    """
    absent = missing(extra, *packages)
    if absent:
        needs = f"{purpose or EXTRAS[extra].purpose} needs {', '.join(absent)}"
        raise MissingExtra(f"{needs}, which the base install leaves out: {command(extra)}")


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures may depend on, for records."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _RECORDED}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
