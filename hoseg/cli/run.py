"""``hoseg run``: files and folders in, graded overlays and tables out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from hoseg.batch.run import Progress

app = typer.Typer(add_completion=False)

_FAILURES_SHOWN = 20


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
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results, of one run only.")
    ],
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
    override_spacing_mm: Annotated[
        float | None,
        typer.Option(help="The same, in place of what files carry; results say so."),
    ] = None,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Also write DICOM SEG, SR and secondary capture.")
    ] = False,
    parquet: Annotated[
        bool | None,
        typer.Option(
            "--parquet/--no-parquet",
            help="Tables as Parquet too, with typed columns; default: where pyarrow is installed.",
        ),
    ] = None,
    reports: Annotated[
        bool, typer.Option("--reports", help="Also write a one-page HTML report a study.")
    ] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Work on de-identified copies of the inputs.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="With --deidentify: secret behind the pseudonyms.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Results of other settings or another version in --out may go."
        ),
    ] = False,
    second_look: Annotated[
        bool,
        typer.Option(
            "--second-look/--no-second-look",
            help="Set aside ossification that variants of a film do not confirm.",
        ),
    ] = True,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line an input, the sum in the last.")
    ] = False,
) -> None:
    """Run the batch and say what came of it."""
    from hoseg.batch.folder import claim_folder
    from hoseg.batch.run import run_batch
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
        override_spacing_mm=override_spacing_mm,
        parquet=parquet,
        deidentify=deidentify,
        replace=replace,
        second_look=second_look,
    )
    _check_key(key_file, deidentify=deidentify)
    predictor = Predictor(model, device=device, runtime=runtime)
    claim_folder(settings, predictor.label)
    refused = 0
    if deidentify:
        inputs, refused = _deidentified(inputs, out, key_file)
    steps = run_batch(inputs, settings, predictor)
    try:
        counts = _print_json(steps) if json else _show(steps)
        exported = _write_more(out, dicom=dicom, reports=reports)
    except KeyboardInterrupt:
        steps.close()
        typer.echo("Stopped. Run the same command again to continue.", err=True)
        raise typer.Exit(130) from None
    _sum_up(counts, out, as_json=json)
    raise typer.Exit(1 if counts["failed"] + refused + exported else 0)


def _check_key(key_file: Path | None, *, deidentify: bool) -> None:
    """Refuse a key that cannot be used before any work is done."""
    from hoseg.deidentify.pseudonyms import Pseudonyms, load_key
    from hoseg.errors import SettingError

    if key_file is not None and not deidentify:
        raise SettingError("--key-file", str(key_file), "--deidentify with it")
    if deidentify:
        Pseudonyms(load_key(key_file)[0])


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
    if reports:
        from hoseg.report.document import write_documents

        write_documents(out)
    if not dicom:
        return 0
    from hoseg.report.export import export_run

    summary = export_run(out)
    for folder, code, sentence in summary.failed:
        typer.echo(f"no DICOM objects for {folder} ({code}): {sentence}", err=True)
    if summary.about_pictures:
        typer.echo(summary.about_pictures, err=True)
    return len(summary.failed)


def _print_json(steps: Iterator[Progress]) -> Counter[str]:
    """One line an input; returns how many there are of each kind."""
    import json as codec
    from collections import Counter

    from hoseg.report.tables import IMAGE_COLUMNS, hip_values, image_row, values

    counts: Counter[str] = Counter()
    for step in steps:
        _count(step, counts)
        findings = [
            {"frame": result.image.frame if result.image else 0, **hip}
            for result in step.entry.frames
            for hip in hip_values(result)
        ]
        line = {"done": step.done, "total": step.total, "done_before": step.before}
        row = values(IMAGE_COLUMNS, image_row(step.entry.result))
        counts["hips"] += len(findings)
        typer.echo(codec.dumps({**line, **row, "findings": findings}))
    return counts


def _show(steps: Iterator[Progress]) -> Counter[str]:
    """A progress bar, then what failed; returns how many inputs there are of each kind."""
    from collections import Counter

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    from hoseg.cli.console import plain_console

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
            _count(step, counts)
            if step.entry.status == "failed" and len(failures) < _FAILURES_SHOWN:
                failures.append(f"{step.entry.source}: {step.entry.result.sentence}")
    for line in failures:
        console.print(f"  failed: {line}", style="yellow")
    return counts


def _count(step: Progress, counts: Counter[str]) -> None:
    counts["inputs"] += 1
    counts[step.entry.status] += 1
    counts["done_before"] += step.before


def _sum_up(counts: Counter[str], out: Path, *, as_json: bool) -> None:
    """Say how many inputs there were of each kind, and where to look."""
    import json as codec

    from hoseg.cli.console import plain_console
    from hoseg.file_names import as_text
    from hoseg.words import RESEARCH_USE

    statuses = ("graded", "abstained", "skipped", "failed")
    if as_json:
        names = ("inputs", *statuses, "done_before", "hips")
        typer.echo(codec.dumps({name: counts[name] for name in names} | {"out": as_text(out)}))
        return
    console = plain_console()
    said = ", ".join(f"{counts[name]} {name}" for name in statuses if counts[name])
    before = f" ({counts['done_before']} done before)" if counts["done_before"] else ""
    console.print(said + before)
    console.print(f"Tables: {out / 'images.csv'}, {out / 'findings.csv'}")
    console.print(f"Overlays: {out / 'studies'}")
    console.print(RESEARCH_USE)
