"""``hoseg train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML configuration, see configs/.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the model.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped or killed.")
    ] = False,
    init: Annotated[
        str | None, typer.Option(help="Model to fine-tune: a name or a folder.")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads on a CPU; 0 = all cores.")] = 0,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for simulated geometries, shared between runs.")
    ] = None,
    release_only: Annotated[
        bool, typer.Option("--release-only", help="Write the model of a run as far as it got.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Train or fine-tune a network; writes OUT/model when it ends.

    Research use only. Not a medical device.
    """
    from hoseg.extras import require

    require("train")

    from hoseg.cli.console import plain_console
    from hoseg.errors import SettingError
    from hoseg.segment.weights import load_model
    from hoseg.train.config import read_config
    from hoseg.train.grading_models import carry_over
    from hoseg.train.loop import RunOptions, is_first_process
    from hoseg.train.loop import train as run_training
    from hoseg.train.release import release

    if accelerator not in ("auto", "cpu", "cuda"):
        raise SettingError("--accelerator", accelerator, "auto, cpu or cuda")
    settings = read_config(config)
    source = load_model(init) if init is not None else None
    state = None if source is None else source.state
    if not release_only:
        run_training(settings, RunOptions(out, resume, state, accelerator, threads, cache))
    if not is_first_process():  # on several GPUs, every process runs this command
        return
    card = release(out, out / "model", cache)
    if source is not None:
        card = carry_over(source, out / "model")
    if json_output:
        typer.echo(card.model_dump_json())
    else:
        plain_console().print(f"{card.label} in {out / 'model'}")
