"""``hoseg``: the table of commands, and the one place where errors become exit statuses.

Exit status: 0 all good, 1 some inputs failed (they are listed), 2 wrong usage, 3 can't run.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

import hoseg
from hoseg.cli.console import plain_console
from hoseg.cli.options import refuse_swallowed_options
from hoseg.errors import HosegError
from hoseg.words import RESEARCH_USE

# command: (module below hoseg.cli with a typer ``app``, one-line help). A module is imported
# only when its command runs, which keeps ``hoseg --help`` fast; inside the modules heavy
# imports (numpy, torch) belong in the function bodies all the same, for ``COMMAND --help``.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Read, segment and grade every hip radiograph in files and folders."),
    "grade": ("grade", "Grade masks drawn by anyone."),
    "review": ("review", "Serve the review page, so that corrections are saved."),
    "export": ("export", "Write DICOM objects of a finished run, or a model for a runtime."),
    "deidentify": ("deidentify", "Copy DICOM files without what identifies the patient."),
    "simulate": ("simulate", "Make labelled hip radiographs."),
    "dataset": ("dataset", "Check and convert labelled datasets."),
    "train": ("train", "Train or fine-tune a network."),
    "adapt": ("adapt", "Make a model for a site's own unlabelled films."),
    "evaluate": ("evaluate", "Judge a model, or compare readers."),
    "accept": ("accept", "Test a model on your own films against limits that you set."),
    "models": ("models", "List models and verify their hashes."),
    "bench": ("bench", "Measure inference on this machine."),
    "doctor": ("doctor", "Say what this installation can and cannot do."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in table order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command; while the table is listed, its line of help is enough."""
        if cmd_name not in COMMANDS:
            return None
        module_name, summary = COMMANDS[cmd_name]
        if self._listing or ctx.resilient_parsing:
            return typer.main.get_command(_summary_only(cmd_name, summary))
        command = typer.main.get_command(import_module(f"hoseg.cli.{module_name}").app)
        command.name = cmd_name
        refuse_swallowed_options(command)
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _summary_only(name: str, summary: str) -> typer.Typer:
    app = typer.Typer()

    @app.command(name, help=summary)
    def nothing() -> None:
        pass

    return app


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Heterotopic ossification on hip radiographs: segment, measure, grade.\n\n" + RESEARCH_USE,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hoseg {hoseg.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; known errors become one clear line and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a path may hold what a terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except HosegError as error:
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": error.code, "message": str(error)}))
        console = plain_console(stderr=True)
        console.print("error", style="red", end="")
        console.print(f" ({error.code}): {error}")
        sys.exit(error.exit_code)
