"""The picture in docs/architecture.md is the one that import-linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_picture_shows_the_layers_that_are_held():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    held = [sorted(re.split(r"\W+", layer)) for layer in contract["layers"]]
    rooms = {room for layer in held for room in layer}
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text.split("```")[1].strip().splitlines()
    drawn = [re.split(r"\s{3,}", line.replace(".py", ""))[0].split() for line in picture]
    assert [sorted(set(names) & rooms) for names in drawn] == held


def test_every_room_is_described():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "hoseg").glob("*/__init__.py")}
    assert rooms <= named


def test_its_words_are_names_in_the_code():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    words = set(re.findall(r"`(?:\w+\.)*([A-Z][a-z]\w+)`", text)) - {"AveragedModel"}
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "hoseg").rglob("*.py"))
    defined = set(re.findall(r"^class (\w+)", code, re.MULTILINE))
    assert len(words) > 15
    assert words <= defined
