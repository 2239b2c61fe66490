"""``hoseg models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def models(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Model folders to verify; default: all known.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List models and verify their hashes.

    Looks in the folders of HOSEG_MODELS, those of plug-ins (entry points "hoseg.models") and the
    released ones. Exit status 1 when a model is damaged, 3 when there is none.
    """
    import json

    from rich.table import Column, Table
    from rich.text import Text

    from hoseg.cli.console import plain_console
    from hoseg.errors import ModelError
    from hoseg.segment.weights import DEFAULT_MODEL, list_models, verify_model

    entries = [verify_model(folder) for folder in folders] if folders else list_models()
    if not entries:
        raise ModelError("no models found. Set HOSEG_MODELS to a folder that holds model folders.")
    if json_output:
        content = [
            {
                "name": entry.name,
                "path": str(entry.path),
                "verified": entry.card is not None,
                "default": entry.name == DEFAULT_MODEL,
                "problem": entry.problem,
                "card": None if entry.card is None else entry.card.model_dump(mode="json"),
            }
            for entry in entries
        ]
        typer.echo(json.dumps(content))
    else:
        folder = Column("folder", overflow="fold")
        table = Table("model", "verified", "spacing", "numbers", "made", folder)
        for entry in entries:
            name = entry.name + (" (default)" if entry.name == DEFAULT_MODEL else "")
            if entry.card is None:
                problem = Text(f"no: {entry.problem}", "red")
                table.add_row(name, problem, "", "", "", str(entry.path))
                continue
            card = entry.card
            table.add_row(
                name, "yes", f"{card.spacing_mm:g} mm", f"{card.parameters:,}", card.created,
                str(entry.path),
            )  # fmt: skip
        plain_console().print(table, soft_wrap=False)
    raise typer.Exit(1 if any(entry.card is None for entry in entries) else 0)
