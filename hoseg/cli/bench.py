"""``hoseg bench``: films a second on this machine, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hoseg.batch.bench import Bench, BenchPath
    from hoseg.radiograph import Radiograph

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    films: Annotated[int, typer.Option(min=2, help="Simulated films of 3000 x 2500.")] = 8,
    passes: Annotated[int, typer.Option(min=1, help="Timed passes over them.")] = 3,
    encoding: Annotated[
        str, typer.Option(help="jpeg_lossless, jpeg_ls, jpeg_2000 or explicit.")
    ] = "jpeg_lossless",
    model: Annotated[str | None, typer.Option(help="Name or folder of a model.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    runtime: Annotated[str | None, typer.Option(help="torch, onnx or openvino.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.")] = None,
    full_decode: Annotated[
        bool, typer.Option("--full-decode", help="JPEG 2000 in full, as for pictures.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure inference on this machine: 12-bit DICOM files in, masks on disk out."""
    import json
    from dataclasses import asdict
    from tempfile import TemporaryDirectory

    from hoseg.batch.bench import measure

    bench_path = open_bench_path(model, device, runtime, precision, full_decode=full_decode)
    with TemporaryDirectory(prefix="hoseg-bench-") as name:
        folder = Path(name)
        paths = write_films(folder, films, encoding)
        result = measure(bench_path, paths, folder, passes)
    if as_json:
        choice = asdict(bench_path.predictor.choice)
        typer.echo(json.dumps(asdict(result) | {"encoding": encoding, "choice": choice}))
    else:
        _show(result, bench_path, encoding)


def open_bench_path(
    model: str | None,
    device: str,
    runtime: str | None,
    precision: str | None,
    *,
    full_decode: bool = False,
) -> BenchPath:
    """Make the path from a file to ``masks.png`` ready, for masks without pictures.

    full_decode: JPEG 2000 too at full resolution, as ``hoseg run`` needs it for its pictures
    """
    from functools import partial

    import cv2

    from hoseg.batch.bench import BenchPath
    from hoseg.infer.predictor import Options, Predictor
    from hoseg.memory import keep_freed_memory

    cv2.setNumThreads(1)  # films run side by side: one thread each
    keep_freed_memory()
    predictor = Predictor(model, device, runtime, Options(precision=precision))
    spacing_mm = None if full_decode else predictor.spacing_mm
    return BenchPath(predictor, partial(_decode, for_spacing_mm=spacing_mm), _write)


def write_films(folder: Path, count: int, encoding: str) -> list[Path]:
    """Write simulated films of 3000 x 2500, 12 bits, as DICOM; two different ones."""
    import numpy as np

    from hoseg.radiograph import Side, View
    from hoseg.simulate import SceneSettings, project, render, sample_scene
    from hoseg.simulate.dicom_out import Acquisition, DicomVariant, write_dicom

    spacing_mm, shape = 0.14, (3000, 2500)
    variant = DicomVariant("DX", "fiducial", encoding)
    paths = [folder / f"film-{index:04d}.dcm" for index in range(count)]
    drawn = []
    for index, path in enumerate(paths):
        if index < 2:
            rng = np.random.default_rng([7, index])
            film = render(project(sample_scene(SceneSettings(), rng), spacing_mm, shape), rng)
            top = 2**film.recipe.processing.bits - 1
            drawn.append(film.pixels * (4095 / top))
        pixels = np.rint(drawn[index % len(drawn)]).astype(np.uint16)
        facts = Acquisition(
            f"bench-{index}", View.AP_PELVIS, Side.UNKNOWN, Side.LEFT, spacing_mm, 1.15
        )
        write_dicom(path, pixels, 12, facts, variant)
    return paths


def _decode(path: Path, for_spacing_mm: float | None = None) -> Radiograph:
    from hoseg.dicom import Source, decode

    return decode(Source(path, str(path)), for_spacing_mm=for_spacing_mm)[0]


def _write(path: Path, masks: NDArray[np.uint8]) -> None:
    from hoseg.report.png import write_png

    write_png(path, masks)


def _show(result: Bench, bench_path: BenchPath, encoding: str) -> None:
    from rich.table import Table

    from hoseg.cli.console import plain_console

    console = plain_console()
    choice = bench_path.predictor.choice
    console.print(f"{choice.runtime} on {choice.device} in {choice.precision}: {choice.reason}")
    if result.half_resolution:
        console.print("Films are decoded at half resolution: masks without pictures.")
    table = Table("stage", "ms a film, alone on one core")
    for name, value in result.stages_ms.items():
        table.add_row(name, f"{value:.1f}")
    console.print(table, soft_wrap=False)
    for name, speed in (("file to masks on disk", result.end_to_end), ("network", result.network)):
        console.print(
            f"{name} ({encoding}): {speed.median:.2f} films/s "
            f"({speed.slowest:.2f} to {speed.fastest:.2f} over {speed.passes} passes)"
        )
    share = f"{100 * result.share_of_bound:.0f} %"
    console.print(
        f"bound ({result.bound_by}) {result.bound_films_s:.2f} films/s, {share} of it reached; "
        f"peak memory {result.peak_memory_mb:.0f} MB"
    )
