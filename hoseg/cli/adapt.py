"""``hoseg adapt``: a model for one site's own films."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def adapt(
    films: Annotated[list[Path], typer.Argument(help="Films: files and folders, unlabelled.")],
    out: Annotated[Path, typer.Option(help="New folder for the model.")],
    init: Annotated[
        str | None, typer.Option(help="Model to start from: a name or a folder.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="CSV: file, and any of patient, spacing_mm, ossification (none, ...)."),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the new model; default: that of the folder.")] = "",
    license: Annotated[str, typer.Option(help="Licence of the new model.")] = "not stated",
    copies: Annotated[
        int, typer.Option(min=1, max=20, help="Copies of each film with ossification set in.")
    ] = 3,
    held_back: Annotated[float, typer.Option(help="Share of patients to judge on.")] = 0.25,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same films held back.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Of the training; 0 = all cores.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Adapt a model to a site's own unlabelled films, most of them without ossification.

    Some 30 to 300 films; 45 minutes at most on two cores. Bones are outlined by the model itself;
    simulated ossification is set into copies, so that the truth is known. Old and new model are
    compared on patients held back, and a worse one is not written. Films that may show
    ossification of their own are marked in the table: what they show is not asked for. Without a
    table each file's own Patient ID counts, and a picture is a patient of its own.

    Research use only. Not a medical device.
    """
    from hoseg.extras import require

    require("train")

    from hoseg.cli.console import plain_console
    from hoseg.segment.weights import load_model
    from hoseg.train.adapt import AdaptSettings, describe
    from hoseg.train.adapt import adapt as run

    console = plain_console(stderr=True)
    settings = AdaptSettings(
        name or out.name.lower(), "Adapted to the films of one site by hoseg adapt.", license,
        copies, held_back, steps, seed=seed, threads=threads,
    )  # fmt: skip
    done = run(films, out, load_model(init), settings, table, console.print)
    if as_json:
        figures = {"before": done.before.as_dict(), "after": done.after.as_dict()}
        typer.echo(json.dumps({"model": done.card.label, "out": str(out)} | figures))
    else:
        plain_console().print(f"{done.card.label} in {out}")
        plain_console().print(describe(done.before, done.after))
