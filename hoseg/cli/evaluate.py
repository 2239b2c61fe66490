"""``hoseg evaluate``: judge a model on labelled films, or compare two readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hoseg.datasets import Dataset
    from hoseg.evaluate.run import Evaluation

app = typer.Typer(add_completion=False)

_NONE: tuple[Path, Path] | None = None
_NO_DATASETS: list[Path] | None = None


@app.command()
def evaluate(
    dataset: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Labelled films: a folder, a JSON file, or a CSV of grades (image, side, "
            "brooker; with patient and gap_mm where known). Several are judged together, and "
            "each by itself.",
            show_default=False,
        ),
    ] = _NO_DATASETS,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or folder of the model.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to.", show_default=False)
    ] = None,
    readers: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            help="Two CSV files of grades to compare instead (findings.csv of a run will do).",
            metavar="A.csv B.csv",
            show_default=False,
        ),
    ] = _NONE,
    format: Annotated[str, typer.Option(help="Format of the data set.")] = "auto",
    split: Annotated[str, typer.Option(help="Only films of this split, e.g. test.")] = "",
    spacing_mm: Annotated[
        float | None, typer.Option("--spacing-mm", help="For films that do not say.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    bootstrap: Annotated[int, typer.Option(help="Resamples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="metrics.json on stdout.")] = False,
) -> None:
    """Judge a model on labelled films, or compare two readers.

    Writes metrics.json, cases.csv, hips.csv, lesions.csv and report.html, all with 95 %
    intervals from a bootstrap over patients. An interrupted evaluation continues when the same
    command runs again. Research use only. Not a medical device.
    """
    from hoseg.errors import SettingError
    from hoseg.evaluate.run import Resampling

    if out is None:
        raise SettingError("--out", None, "a folder to write to")
    resampling = Resampling(bootstrap, seed)
    if readers is not None:
        if dataset:
            raise SettingError("DATASET", str(dataset[0]), "nothing beside --readers A.csv B.csv")
        _compare(readers, out, resampling.repeats, seed, as_json)
        return
    if not dataset:
        raise SettingError("DATASET", None, "labelled films, or --readers A.csv B.csv")
    from hoseg.datasets import open_dataset

    datasets = [open_dataset(path, format, spacing_mm) for path in dataset]
    if split:
        datasets = [_only(split, films) for films in datasets]

    from hoseg.cli.console import progress
    from hoseg.evaluate.model import EvaluatedPipeline
    from hoseg.evaluate.run import evaluate as run_evaluation
    from hoseg.pipeline import Pipeline

    judged = EvaluatedPipeline(Pipeline(model, device=device))
    count = sum(len(films.films) for films in datasets)
    with progress("judging", count, quiet=as_json) as bar:
        found = run_evaluation(
            datasets,
            judged,
            out,
            label=judged.label,
            resampling=resampling,
            advance=bar.advance,
        )
    if as_json:
        typer.echo((out / "metrics.json").read_text("utf-8"))
    else:
        _show(found, out)
    if found.failed:
        raise typer.Exit(1)


def _only(split: str, films: Dataset) -> Dataset:
    """Films of one split."""
    from dataclasses import replace

    from hoseg.errors import SettingError

    chosen = tuple(film for film in films.films if film.split == split)
    if not chosen:
        names = sorted({film.split for film in films.films} - {""})
        raise SettingError("--split", split, f"one of the splits {names} of {films.path}")
    return replace(films, films=chosen)


def _show(found: Evaluation, out: Path) -> None:
    """Headline figures, films that failed, and where to look."""
    from rich.table import Table

    from hoseg.cli.console import plain_console
    from hoseg.evaluate.figures import lookup
    from hoseg.evaluate.page import interval, number
    from hoseg.evaluate.report import HEADLINES

    console = plain_console()
    table = Table("figure", "value", "95 % interval", "n", box=None, pad_edge=False)
    for name, title in HEADLINES:
        figure = lookup(found.figures, name)
        if figure is not None:
            row = figure.estimate
            table.add_row(
                title, number(row.value, figure.unit), interval(row, figure.unit), str(row.n)
            )
    console.print(table, soft_wrap=False)
    for case in found.failed[:10]:
        console.print(f"not judged: {case.case}: {case.error}", style="red")
    if len(found.failed) > 10:
        console.print(f"... and {len(found.failed) - 10} more, see cases.csv")
    console.print(f"\nReport: {out / 'report.html'}. Research use only.")


def _compare(readers: tuple[Path, Path], out: Path, repeats: int, seed: int, as_json: bool) -> None:
    """Agreement of two readers."""
    import numpy as np

    from hoseg.evaluate.figures import lookup
    from hoseg.evaluate.outputs import write_metrics
    from hoseg.evaluate.page import cell, write_page
    from hoseg.evaluate.readers import compare_readers, read_grades
    from hoseg.evaluate.report import readers_page
    from hoseg.files import make_folder

    first, second = (read_grades(path) for path in readers)
    found = compare_readers(first, second, np.random.default_rng(seed), repeats)
    make_folder(out)
    facts = {
        "readers": [str(path) for path in readers],
        "counts": {
            "hips": len(found.pairs),
            "only_first": found.only_first,
            "only_second": found.only_second,
        },
        "confusion": found.matrix.astype(int).tolist(),
        "bootstrap": {"repeats": repeats, "seed": seed},
    }
    write_metrics(out / "metrics.json", found.figures, facts)
    names = [path.stem for path in readers]
    if names[0] == names[1]:
        names = [str(path) for path in readers]
    write_page(readers_page(found, names[0], names[1]), out / "report.html")
    if as_json:
        typer.echo((out / "metrics.json").read_text("utf-8"))
        return
    from hoseg.cli.console import plain_console

    console = plain_console()
    console.print(f"{len(found.pairs)} hips graded by both.")
    for name, title in (
        ("class.kappa_quadratic", "quadratic-weighted kappa"),
        ("class.kappa_plain", "plain kappa"),
        ("class.exact", "exact agreement"),
    ):
        console.print(f"{title}: {cell(lookup(found.figures, name))}")
    console.print(f"Report: {out / 'report.html'}. Research use only.")
