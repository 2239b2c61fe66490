"""``hoseg review``: the review page on this machine, with corrections saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command(
    help="Serve the review page of a run on this machine, so that corrections are saved.\n\n"
    "Corrections are an append-only history in RUN/review.sqlite.\n\n"
    "Research use only. Not a medical device."
)
def review(
    run: Annotated[Path, typer.Argument(help="Folder written by hoseg run.")],
    port: Annotated[int, typer.Option(help="Port on the loopback address; 0 = any.")] = 0,
    blinded: Annotated[
        bool, typer.Option("--blinded", help="Show nothing that the computer found.")
    ] = False,
    reader: Annotated[str | None, typer.Option(help="With an export: this reader only.")] = None,
    grades: Annotated[
        Path | None, typer.Option(help="Write the readers' grades to this CSV and stop.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Write corrected masks as a labelled folder and stop.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Export corrections, or serve the page until Ctrl-C."""
    import json as codec

    from hoseg.report.review.exports import export_dataset, export_grades

    if grades is not None:
        count = export_grades(run, grades, reader)
        typer.echo(codec.dumps({"rows": count}) if json else f"{count} grades in {grades}")
    if dataset is not None:
        count = export_dataset(run, dataset, reader)
        typer.echo(codec.dumps({"images": count}) if json else f"{count} images in {dataset}")
    if grades is None and dataset is None:
        _serve(run, port, blinded, json)


def _serve(run: Path, port: int, blinded: bool, as_json: bool) -> None:
    import json as codec

    from hoseg.batch.run import review_entries
    from hoseg.report.review.server import ReviewServer, ReviewSettings

    server = ReviewServer(ReviewSettings(run, review_entries(run), blinded), port)
    if as_json:
        typer.echo(codec.dumps({"url": server.url}))
    else:
        typer.echo(f"Open {server.url}\nCorrections go to {run / 'review.sqlite'}. Stop: Ctrl-C.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
