"""Options that are given less than they need are refused, instead of taking the next option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import typer


def refuse_swallowed_options(command: Any) -> None:
    """Make a command look over its words before it parses them.

    Else ``evaluate --readers a.csv --out DIR`` reads ``--out`` as the second reader, and
    ``run IN --out --dicom`` writes to a folder named ``--dicom``.

    command: of typer
    """
    parse = command.parse_args

    def parse_checked(context: Any, words: list[str]) -> Any:
        for option, values in _options(command, words):
            for value in values:
                if value.startswith("--"):
                    text = f"needs a value before {value!r} (write ./{value} if that is a path)"
                    raise typer.BadParameter(text, ctx=context, param_hint=option)
        return parse(context, words)

    command.parse_args = parse_checked


def _options(command: Any, words: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Options among the words of a command line, each with the words it would take."""
    known = {name: param for param in command.params for name in param.opts}
    place = 0
    while place < len(words) and words[place] != "--":
        name, given, _ = words[place].partition("=")
        place += 1
        param = known.get(name) if name.startswith("-") else None
        if param is None or getattr(param, "is_flag", False) or getattr(param, "count", False):
            continue
        taken = param.nargs - bool(given)
        yield name, words[place : place + taken]
        place += taken
