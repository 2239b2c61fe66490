"""``hoseg run``: files and folders in, graded overlays and tables out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hoseg.batch.run import Progress

app = typer.Typer(add_completion=False)


@app.command(
    help="Read, segment and grade every hip radiograph in files and folders.\n\n"
    "Running it again continues: what is done is not done twice.\n\n"
    "Research use only. Not a medical device."
)
def run(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="DICOM files, folders, a DICOMDIR, zip archives, PNG, TIFF, JPEG."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")],
    model: Annotated[str | None, typer.Option(help="Name or folder of a model.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: Annotated[
        str | None, typer.Option(help="torch, onnx or openvino; default: the fastest.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: one a core.")] = None,
    limit_s: Annotated[float, typer.Option(help="Longest time for one file, seconds.")] = 120.0,
    spacing_mm: Annotated[
        float | None,
        typer.Option(help="Millimetres a pixel at the hip, for files that carry none."),
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Also write DICOM SEG, SR and secondary capture.")
    ] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too.")] = False,
    reports: Annotated[
        bool, typer.Option("--reports", help="Also write a one-page HTML report a study.")
    ] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Work on de-identified copies of the inputs.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="With --deidentify: secret behind the pseudonyms.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON line an input.")] = False,
) -> None:
    """Run the batch and say what came of it."""
    from hoseg.batch.run import make_folder, run_batch
    from hoseg.batch.settings import RunSettings
    from hoseg.infer.predictor import Predictor

    settings = RunSettings(
        out=out,
        model=model,
        device=device,
        runtime=runtime,
        workers=workers,
        limit_s=limit_s,
        spacing_mm=spacing_mm,
        parquet=parquet,
        deidentify=deidentify,
    )
    make_folder(out)
    predictor = Predictor(model, device=device, runtime=runtime)
    refused = 0
    if deidentify:
        inputs, refused = _deidentified(inputs, out, key_file)
    steps = run_batch(inputs, settings, predictor)
    try:
        failed = _print_json(steps) if json else _show(steps, out)
        failed += refused + _write_more(out, dicom=dicom, reports=reports)
    except KeyboardInterrupt:
        steps.close()
        typer.echo("Stopped. Run the same command again to continue.", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(1 if failed else 0)


def _deidentified(inputs: list[Path], out: Path, key_file: Path | None) -> tuple[list[Path], int]:
    """Folders of the clean copies, and how many inputs could not be cleaned."""
    from hoseg.batch.deidentified import deidentified_inputs
    from hoseg.cli.deidentify import refusal_lines
    from hoseg.errors import HosegError

    folders, outcome = deidentified_inputs(inputs, out, key_file)
    for line in refusal_lines(outcome) if outcome else ():
        typer.echo(f"left out: {line}", err=True)
    if not folders:
        text = "no input could be de-identified; look at the reasons above and in manifest.json"
        raise HosegError(f"{out}: {text}", code="no_inputs")
    return folders, len(outcome.refused) if outcome else 0


def _write_more(out: Path, *, dicom: bool, reports: bool) -> int:
    """Write what was asked for beside the tables; returns how many images failed."""
    failed = 0
    if reports:
        from hoseg.report.document import write_documents

        write_documents(out)
    if dicom:
        from hoseg.report.export import export_run

        for folder, code, sentence in export_run(out).failed:
            typer.echo(f"no DICOM objects for {folder} ({code}): {sentence}", err=True)
            failed += 1
    return failed


def _print_json(steps: Iterator[Progress]) -> int:
    """One line an input; returns how many failed."""
    import json as codec

    from hoseg.report.tables import image_row

    failed = 0
    for step in steps:
        if step.entry is None:
            continue
        failed += step.entry.status == "failed"
        row = {key: value for key, value in image_row(step.entry.result).items() if value}
        typer.echo(codec.dumps({"done": step.done, "total": step.total, **row}))
    return failed


def _show(steps: Iterator[Progress], out: Path) -> int:
    """A progress bar and a summary; returns how many failed."""
    from collections import Counter

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    from hoseg.cli.console import plain_console
    from hoseg.words import RESEARCH_USE

    console = plain_console()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("hoseg run", total=None, rate="")
        for step in steps:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            bar.update(task, completed=step.done, total=step.total, rate=rate)
            counts["done before" if step.entry is None else step.entry.status] += 1
            if step.entry is not None and step.entry.status == "failed" and len(failures) < 20:
                failures.append(f"{step.entry.source}: {step.entry.result.sentence}")
    console.print(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    for line in failures:
        console.print(f"  failed: {line}", style="yellow")
    console.print(f"Tables: {out / 'images.csv'}, {out / 'findings.csv'}")
    console.print(f"Overlays: {out / 'studies'}")
    console.print(RESEARCH_USE)
    return counts["failed"]
