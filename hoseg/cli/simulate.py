"""``hoseg simulate``: labelled hip radiographs with exact truth."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


class Prevalence(StrEnum):
    """Which frequencies of classes, sites and implants."""

    natural = "natural"
    balanced = "balanced"


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="New or empty folder to write to.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many films.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 0,
    dicom: Annotated[bool, typer.Option("--dicom", help="Write CR and DX objects.")] = False,
    prevalence: Annotated[
        Prevalence, typer.Option(help="Natural frequencies, or every class alike.")
    ] = Prevalence.balanced,
    spacing_mm: Annotated[
        float, typer.Option("--spacing-mm", help="Pixel spacing at the plane of the hip.")
    ] = 0.3,
    size: Annotated[
        str, typer.Option("--size", help="ROWSxCOLUMNS; empty = as large as the view needs.")
    ] = "",
    meshes: Annotated[
        str,
        typer.Option(
            "--meshes", metavar="DIR", help="Own anatomy: closed STL, OBJ or PLY meshes (mm)."
        ),
    ] = "",
    label_map: Annotated[
        str, typer.Option("--label-map", metavar="FILE", help="Own anatomy: a segmented CT, NIfTI.")
    ] = "",
    labels: Annotated[
        str,
        typer.Option(
            "--labels", metavar="BONE=N,...", help="With --label-map: the value of each bone."
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes; 0 = one for every core.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Make labelled hip radiographs: pixels, masks, classes and every measurement.

    Writes a folder a film (image.png or image.dcm, masks.png, ignore.png, truth.json), index.csv
    and simulate.json, which holds the settings: the same ones again have nothing to do, others
    need another folder. ignore.png marks what cannot be known from the picture: all outside the
    exposed field, and hidden ossification. The class of each hip is given twice, from the 3D
    construction and from the 2D masks: the share in which they differ is reported.
    docs/simulate.md says what --meshes and --label-map need. Research use only. Not a medical
    device.
    """
    from hoseg.cli.console import plain_console, progress
    from hoseg.simulate.body.own_anatomy import AnatomySettings, parse_labels
    from hoseg.simulate.folder import FolderSettings, parse_size, write_folder

    settings = FolderSettings(
        count=count,
        seed=seed,
        dicom=dicom,
        prevalence=prevalence.value,
        spacing_mm=spacing_mm,
        size=parse_size(size),
        anatomy=AnatomySettings(meshes, label_map, parse_labels(labels)),
    )
    with progress("simulating", count, quiet=as_json) as bar:
        summary = write_folder(out, settings, workers, bar.advance)
    if as_json:
        typer.echo(json.dumps(summary.as_dict()))
        return
    console = plain_console(stderr=True)
    if not bar.done:
        console.print("Nothing to do: these films were made before.")
    console.print(f"{summary.films} films in {out}; {out / 'index.csv'} lists them.")
    if summary.hips_graded:
        console.print(
            f"Class in 3D and in 2D differ in {summary.hips_differ} of {summary.hips_graded} hips."
        )
