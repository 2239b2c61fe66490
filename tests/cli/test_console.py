"""Names and sentences are printed as they are."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from typer.testing import CliRunner

from hoseg.cli import app as command_line
from hoseg.cli.console import plain_console, progress
from hoseg.cli.models import app as models
from hoseg.errors import ModelError


def printed(*things: object) -> str:
    console = plain_console()
    console.file = io.StringIO()
    for thing in things:
        console.print(thing)
    return console.file.getvalue()


def test_brackets_are_no_markup():
    table = Table("folder")
    table.add_row("films [red]old[/red]")
    text = printed("pip install 'hoseg[train]'", table)
    assert "pip install 'hoseg[train]'" in text
    assert "films [red]old[/red]" in text


def test_an_error_keeps_its_brackets(monkeypatch, capsys):
    def fail() -> None:
        raise ModelError("films [old]: pip install 'hoseg[train]'")

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 3
    found = capsys.readouterr().err
    assert found == "error (model_unusable): films [old]: pip install 'hoseg[train]'\n"


def test_a_folder_is_named_whole(tmp_path):
    folder = tmp_path / "models [old] of a rather long name that no column of a table can hold"
    folder.mkdir()
    result = CliRunner().invoke(models, [str(folder)], env={"COLUMNS": "60"})
    assert result.exit_code == 1
    cells = "".join(
        line.split("│")[-2].strip() for line in result.output.splitlines() if "│" in line
    )
    assert str(folder).replace(" ", "") in cells.replace(" ", "")


def test_progress_counts_what_was_done(capsys):
    with progress("reading [x]", 3, quiet=True) as bar:
        bar.advance()
        bar.advance()
    assert bar.done == 2
    assert capsys.readouterr() == ("", "")
