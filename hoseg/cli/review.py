"""``hoseg review``: the review page on this machine, with corrections saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command(
    help="Serve the review page of a run on this machine, so that corrections are saved.\n\n"
    "Corrections are an append-only history in RUN/review.sqlite.\n\n"
    "Research use only. Not a medical device."
)
def review(
    run: Annotated[Path, typer.Argument(help="Folder written by hoseg run.")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on the loopback address; 0 = any.")
    ] = 0,
    blinded: Annotated[
        bool,
        typer.Option(
            "--blinded",
            help="Show nothing that the computer or another reader found. "
            "With an export: only what came of such sessions.",
        ),
    ] = False,
    reader: Annotated[str | None, typer.Option(help="With an export: this reader only.")] = None,
    grades: Annotated[
        Path | None, typer.Option(help="Write the readers' grades to this CSV and stop.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Write corrected masks as a labelled folder and stop.")
    ] = None,
    import_file: Annotated[
        Path | None,
        typer.Option("--import", help="Add a corrections.json from a page opened from disk."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Import or export corrections, or serve the page until Ctrl-C."""
    from hoseg.errors import SettingError

    exports = grades is not None or dataset is not None
    if reader is not None and not exports:
        text = "--grades or --dataset with it; who reads at the page is written there"
        raise SettingError("--reader", reader, text)
    if import_file is not None:
        _import(run, import_file, as_json)
    if exports:
        _export(run, grades, dataset, reader, blinded, as_json)
    elif import_file is None:
        _serve(run, port, blinded, as_json)


def _import(run: Path, path: Path, as_json: bool) -> None:
    import json

    from hoseg.batch.run import review_entries
    from hoseg.review.imports import import_corrections

    images = {entry["id"] for entry in review_entries(run)}
    added, known = import_corrections(run, path, images)
    if as_json:
        typer.echo(json.dumps({"imported": added, "already_there": known}))
    else:
        typer.echo(f"{added} corrections added to {run / 'review.sqlite'}, {known} were there.")


def _export(
    run: Path,
    grades: Path | None,
    dataset: Path | None,
    reader: str | None,
    blinded: bool,
    as_json: bool,
) -> None:
    import json

    from hoseg.review.exports import export_dataset, export_grades

    counts: dict[str, int] = {}
    if grades is not None:
        readers = export_grades(run, grades, reader, blinded=blinded)
        counts["grades"] = len(readers)
        if not as_json:
            typer.echo(f"{len(readers)} grades in {grades}")
        if not as_json and len(set(readers)) > 1:
            names = ", ".join(sorted(set(readers)))
            typer.echo(f"Readers: {names}. For hoseg evaluate, write one file each with --reader.")
    if dataset is not None:
        counts["images"] = export_dataset(run, dataset, reader, blinded=blinded)
        if not as_json:
            typer.echo(f"{counts['images']} images with corrected masks in {dataset}")
    if as_json:
        typer.echo(json.dumps(counts))


def _serve(run: Path, port: int, blinded: bool, as_json: bool) -> None:
    import json

    from hoseg.batch.run import review_entries
    from hoseg.review.server import ReviewServer, ReviewSettings

    server = ReviewServer(ReviewSettings(run, review_entries(run), blinded), port)
    if as_json:
        typer.echo(json.dumps({"url": server.url}))
    else:
        typer.echo(f"Open {server.url}\nCorrections go to {run / 'review.sqlite'}. Stop: Ctrl-C.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
