"""``hoseg dataset check`` and ``hoseg dataset convert``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hoseg.datasets.check import Finding, Summary

app = typer.Typer(add_completion=False)

_SHOWN = 50


class Action(StrEnum):
    """What to do with the dataset."""

    CHECK = "check"
    CONVERT = "convert"


@app.command()
def dataset(
    action: Annotated[Action, typer.Argument(help="check: list problems; convert: rewrite.")],
    path: Annotated[Path, typer.Argument(help="Dataset: a folder, a COCO JSON or a CSV.")],
    format: Annotated[str, typer.Option("--format", help="Format of the dataset.")] = "auto",
    to: Annotated[str, typer.Option(help="Format to convert to.")] = "folder",
    out: Annotated[Path | None, typer.Option(help="New folder for the converted set.")] = None,
    spacing_mm: Annotated[
        float | None, typer.Option(help="Pixel spacing at the hip where files do not say.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a labelled dataset, or convert it.

    Formats: image and mask folders, DICOM with DICOM SEG, COCO JSON, LabelMe JSON, nnU-Net raw
    v2, folders of hoseg simulate, a CSV of grades or readings. Exit status 1 when the check finds
    errors.
    """
    import json

    from hoseg.cli.console import progress
    from hoseg.datasets import open_dataset
    from hoseg.datasets.check import check
    from hoseg.datasets.formats import convert
    from hoseg.errors import SettingError

    if action is Action.CONVERT and out is None:
        raise SettingError("--out", None, "a new or empty folder for the converted dataset")
    opened = open_dataset(path, format, spacing_mm)
    with progress(action.value, len(opened.films), quiet=json_output) as bar:
        if out is not None and action is Action.CONVERT:
            count = convert(opened, to, out, bar.advance)
            text = json.dumps({"films": count, "format": to, "out": str(out)})
            typer.echo(text if json_output else f"{count} films written to {out} as {to}")
            return
        summary, findings = check(opened, bar.advance)
    if json_output:
        typer.echo(_as_json(opened.format, summary, findings))
    else:
        _show(opened.format, summary, findings)
    raise typer.Exit(1 if any(f.severity == "error" for f in findings) else 0)


def _as_json(format: str, summary: Summary, findings: list[Finding]) -> str:
    import json
    from dataclasses import asdict

    content = {"format": format, **asdict(summary), "findings": [asdict(f) for f in findings]}
    return json.dumps(content)


def _show(format: str, summary: Summary, findings: list[Finding]) -> None:
    from rich.table import Column, Table

    from hoseg.cli.console import plain_console

    console = plain_console()
    structures = ", ".join(f"{name} {count}" for name, count in summary.with_structure.items())
    console.print(
        f"{summary.films} films of {summary.patients} patients, format {format}; films with "
        f"{structures}; {summary.graded_hips} graded hips"
    )
    if not findings:
        console.print("Nothing wrong found.")
        return
    table = Table("", "code", "film", "what", Column("file", overflow="fold"))
    for finding in findings[:_SHOWN]:
        table.add_row(finding.severity, finding.code, finding.case, finding.text, finding.path)
    console.print(table, soft_wrap=False)
    if len(findings) > _SHOWN:
        console.print(f"and {len(findings) - _SHOWN} more (--json shows all)")
