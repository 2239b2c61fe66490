"""The base install brings what no extra does; a missing extra is one sentence with its command."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from hoseg import extras
from hoseg.errors import MissingExtra

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NAMED_AT_RUN_TIME = {"pyjpegls": "hoseg/simulate/dicom_out.py"}
"""Dependencies that no line imports, and the file that names them to a library which does."""


INSTALLED = cache(packages_distributions)


def distributions(requirements: list[str]) -> set[str]:
    """Names of distributions, those of other extras of hoseg included."""
    found = set()
    for requirement in requirements:
        inner = re.match(r"hoseg\[(.+)\]", requirement)
        if inner:
            for extra in inner[1].split(","):
                found |= distributions(PROJECT["optional-dependencies"][extra])
        else:
            found.add(re.split(r"[<>=;\[ ]", requirement)[0].lower())
    return found


def import_names(requirements: list[str]) -> set[str]:
    """Import names of what is required; every one of them is installed where tests run."""
    wanted = {re.sub(r"[-_.]+", "-", name) for name in distributions(requirements)}
    return {
        module
        for module, names in INSTALLED().items()
        if wanted & {re.sub(r"[-_.]+", "-", name.lower()) for name in names}
        and re.fullmatch(r"[a-zA-Z]\w*", module)
    }


def imported(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield other people's packages that files import, wherever in the file."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top != "hoseg" and top not in sys.stdlib_module_names:
                    yield top, path


def test_the_table_is_that_of_pyproject():
    for name, extra in extras.EXTRAS.items():
        pytest.importorskip(extra.packages[-1])
        declared = import_names(PROJECT["optional-dependencies"][name])
        assert set(extra.packages) <= declared, name
        needed = len(distributions(PROJECT["optional-dependencies"][name]))
        assert len(extra.packages) == needed, name


def test_every_import_is_declared():
    base = import_names(PROJECT["dependencies"])
    optional = {name for extra in extras.EXTRAS.values() for name in extra.packages}
    for name, path in imported(ROOT / "hoseg"):
        assert name in base | optional, f"{path} imports {name}, which pyproject.toml does not name"


def test_no_dependency_is_brought_for_nothing():
    used = {name for name, _ in imported(ROOT / "hoseg")}
    for requirement in PROJECT["dependencies"]:
        (name,) = distributions([requirement])
        if name in NAMED_AT_RUN_TIME:
            text = (ROOT / NAMED_AT_RUN_TIME[name]).read_text(encoding="utf-8")
            assert f'"{name}"' in text
        else:
            assert used & import_names([requirement]), f"no line of hoseg imports {name}"


def test_the_sentence_says_what_lacks_and_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra) as raised:
        extras.require("train")
    assert str(raised.value) == (
        "hoseg train needs lightning, yaml, which the base install leaves out: "
        "pip install 'hoseg[train]'"
    )
    assert raised.value.code == "missing_extra"
    assert raised.value.exit_code == 3


def test_what_is_not_needed_may_lack(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    extras.require("export", "onnx")
    with pytest.raises(MissingExtra, match="--runtime openvino needs openvino"):
        extras.require("export", "onnx", "openvino", purpose="--runtime openvino")
