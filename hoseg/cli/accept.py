"""``hoseg accept``: local acceptance testing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hoseg.pipeline import Pipeline

app = typer.Typer(add_completion=False)

FAILED = 4
"""Exit status when a limit is not kept; 1-3 mean what they mean everywhere."""
_NO_LIMITS: Path | None = None


@app.command()
def accept(
    films: Annotated[Path, typer.Argument(help="Folder of the films.")],
    grades: Annotated[
        Path, typer.Argument(help="CSV of what a reader says of each hip (docs/evaluate.md).")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the records; keep it between tests.")],
    limits: Annotated[
        Path | None,
        typer.Option(help="YAML of your limits, see configs/accept.yaml.", show_default=False),
    ] = _NO_LIMITS,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or folder of the model.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    bootstrap: Annotated[int, typer.Option(help="Resamples behind the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="The record on stdout.")] = False,
) -> None:
    """Test a model on your own films against limits that you set.

    Writes a dated record (JSON and a page) with the change since the last one. Exit status: 0
    passed, 4 a limit failed, 1 passed but some films could not be judged. Repeat it after every
    update. Research use only. Not a medical device.
    """
    import json
    from datetime import UTC, datetime

    from hoseg.cli.console import progress
    from hoseg.datasets import Dataset, readings
    from hoseg.errors import SettingError
    from hoseg.evaluate.accept import (
        Tested,
        film_digest,
        latest_record,
        start_afresh,
        write_record,
    )
    from hoseg.evaluate.limits import read_limits
    from hoseg.evaluate.model import EvaluatedPipeline
    from hoseg.evaluate.run import Resampling
    from hoseg.evaluate.run import evaluate as run_evaluation
    from hoseg.pipeline import Pipeline

    asked, resampling = read_limits(limits), Resampling(bootstrap, seed)
    for key, path, kind in (("FILMS", films, films.is_dir()), ("GRADES", grades, grades.is_file())):
        if not kind:
            raise SettingError(key, str(path), "a folder" if key == "FILMS" else "a CSV file")
    dataset = Dataset(grades, "readings", tuple(readings.films(grades, None, films)))
    if not dataset.films:
        raise SettingError("GRADES", str(grades), "at least one film that was read")
    latest_record(out)  # a damaged one is named before the work, not after it
    pipeline = Pipeline(model, device=device)
    judged = EvaluatedPipeline(pipeline)
    evaluation = out / "evaluation"
    start_afresh(evaluation)
    with progress("judging", len(dataset.films), quiet=as_json) as bar:
        found = run_evaluation(
            [dataset], judged, evaluation, label=judged.label, resampling=resampling,
            advance=bar.advance,
        )  # fmt: skip
    tested = Tested(
        judged.label, _hashes(pipeline), str(films), str(grades),
        film_digest(dataset.films, grades), asked, resampling, _runtime(pipeline),
    )  # fmt: skip
    record = write_record(found, tested, evaluation, out, datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(record))
    else:
        _show(record, out)
    if not record["passed"]:
        raise typer.Exit(FAILED)
    if found.failed:
        raise typer.Exit(1)


def _hashes(pipeline: Pipeline) -> tuple[str, ...]:
    """Hashes of the weights that were tested."""
    from hoseg.infer.predictor import Predictor

    predictor = pipeline.predictor
    models = predictor.models if isinstance(predictor, Predictor) else ()
    return tuple(model.card.sha256 for model in models)


def _runtime(pipeline: Pipeline) -> dict[str, str]:
    """Engine, device and precision that ran the network."""
    from hoseg.infer.predictor import Predictor

    predictor = pipeline.predictor
    if not isinstance(predictor, Predictor):
        return {}
    choice = predictor.choice
    return {"engine": choice.runtime, "device": choice.device, "precision": choice.precision}


def _show(record: dict[str, Any], out: Path) -> None:
    """Every limit, and the result."""
    from hoseg.cli.console import plain_console

    console = plain_console()
    for line in record["limits"]:
        value = "undefined" if line["value"] is None else f"{line['value']:.3f}"
        change = "" if line["change"] is None else f" ({line['change']:+.3f} since the last)"
        result = "passed" if line["passed"] else f"FAILED: {line['why']}"
        console.print(f"{line['figure']} ({line['stratum']}): {value}{change}, {result}")
    if failed := record["counts"]["films_failed"]:
        console.print(f"{failed} films could not be judged, see evaluation/cases.csv")
    if record["last"] and not record["last"]["same_films_and_grades"]:
        console.print("The last record is of other films or readings.")
    console.print("passed" if record["passed"] else "FAILED", style="bold")
    console.print(f"Record: {out}. Research use only.")
