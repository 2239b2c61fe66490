"""``hoseg export``: DICOM objects of a finished run, or a model for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def export(
    target: Annotated[
        str, typer.Argument(help="Folder of a finished run; with --runtime a model.")
    ],
    runtime: Annotated[
        str | None, typer.Option(help="Write the model for onnx or openvino.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the model's files; default: beside its weights."),
    ] = None,
    objects: Annotated[
        str, typer.Option(help="DICOM objects to write: any of seg, sr, sc.")
    ] = "seg,sr,sc",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write DICOM objects of a finished run, or a model for a runtime.

    A model comes with its parity report; exit status 1 when it does not agree with torch.
    Research use only. Not a medical device.
    """
    if runtime is None:
        failed = _export_run(Path(target), objects, as_json)
    else:
        failed = _export_model(target, runtime, out, as_json)
    raise typer.Exit(1 if failed else 0)


def _export_model(name: str, runtime: str, out: Path | None, as_json: bool) -> bool:
    """Write a model for a runtime; True when it fails the gate."""
    import json
    from dataclasses import asdict

    from hoseg.cli.console import plain_console
    from hoseg.infer.export import export_model
    from hoseg.segment.weights import load_model

    model = load_model(name)
    done = export_model(model, runtime, out or model.path)
    if as_json:
        files = [str(path) for path in done.files]
        typer.echo(json.dumps({"files": files, "parity": asdict(done.parity)}))
    else:
        console = plain_console()
        for path in done.files:
            console.print(str(path))
        outcome = "passed" if done.parity.passed else "FAILED"
        console.print(f"Parity {outcome}: {done.parity.sentence}")
    return not done.parity.passed


def _export_run(folder: Path, objects: str, as_json: bool) -> bool:
    """Write DICOM objects; True when some images could not be exported."""
    import json

    from hoseg.cli.console import plain_console, progress
    from hoseg.report.export import count_images, export_run
    from hoseg.words import RESEARCH_USE

    kinds = tuple(part.strip() for part in objects.split(",") if part.strip())
    with progress("exporting", count_images(folder), quiet=as_json) as bar:
        summary = export_run(folder, kinds=kinds, progress=bar.advance)
    if as_json:
        failed = [
            {"folder": place, "code": code, "sentence": sentence}
            for place, code, sentence in summary.failed
        ]
        typer.echo(
            json.dumps({"written": summary.written, "failed": failed, "pictures": summary.pictures})
        )
    else:
        console = plain_console()
        console.print(f"{len(summary.written)} DICOM objects written below {folder}")
        for place, code, sentence in summary.failed:
            console.print(f"  failed: {place} ({code}): {sentence}", style="yellow")
        if summary.about_pictures:
            console.print(summary.about_pictures)
        console.print(RESEARCH_USE)
    return bool(summary.failed)
