"""``hoseg grade``: grade masks drawn by anyone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console

    from hoseg.grade import HipFinding
    from hoseg.radiograph import Spacing

app = typer.Typer(add_completion=False)


@app.command()
def grade(
    masks: Annotated[
        Path,
        typer.Argument(
            help="8-bit one-channel PNG or TIFF; pelvis 1 + femur 2 + implant 4 + ossification 8."
        ),
    ],
    spacing_mm: Annotated[
        str,
        typer.Option(
            help="Pixel spacing in mm at the plane of the hip: S, or ROW,COLUMN. Left out: pixels "
            "only, and no rule in millimetres fires."
        ),
    ] = "",
    spacing_sd_mm: Annotated[
        float, typer.Option(help="Standard deviation of the spacing in mm.")
    ] = 0.0,
    side: Annotated[str, typer.Option(help="The patient's side: left or right.")] = "unknown",
    view: Annotated[
        str,
        typer.Option(help="ap_pelvis, ap_hip, frog_leg, cross_table, judet or other."),
    ] = "unknown",
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="The patient's left is on the viewer's left.")
    ] = False,
    image: Annotated[
        Path | None,
        typer.Option(help="The radiograph, bright = dense, same size: adds the maturity."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Grade every hip of a mask image. Research use only. Not a medical device."""
    import json

    from rich.console import Console

    from hoseg.grade import check_masks, grade_masks
    from hoseg.radiograph import Geometry, Orientation, Side, View
    from hoseg.words import RESEARCH_USE

    columns = Side.RIGHT if mirrored else Side.LEFT
    pixels = _read(masks)
    check_masks(pixels, where=str(masks))
    geometry = Geometry(
        _spacing(spacing_mm, spacing_sd_mm),
        Side(_one_of("--side", side, list(Side))),
        View(_one_of("--view", view, list(View))),
        Orientation(columns, source="user" if mirrored else "assumed"),
    )
    grey = None if image is None else _grey(_read(image))
    findings = grade_masks(pixels, geometry, image=grey)
    if as_json:
        typer.echo(json.dumps({"hips": [finding.model_dump(mode="json") for finding in findings]}))
        return
    console = Console(highlight=False)
    for finding in findings:
        _show(console, finding)
    console.print(RESEARCH_USE, style="dim")


def _read(path: Path) -> NDArray[Any]:
    """Pixels of a picture as they are stored; the whole file is named where that fails."""
    import cv2
    import numpy as np

    from hoseg.errors import InputError

    if not path.is_file():
        raise InputError(str(path), "no such file; give a PNG or TIFF of masks", code="not_found")
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(str(path), "not a picture that can be read; expected PNG or TIFF")
    return np.asarray(pixels)


def _grey(pixels: NDArray[Any]) -> NDArray[Any]:
    """One channel of a picture."""
    import numpy as np

    return pixels if pixels.ndim == 2 else np.asarray(pixels[..., :3].mean(axis=-1))


def _spacing(text: str, sd_mm: float) -> Spacing | None:
    """Read "0.2" or "0.2,0.21"; None when left out."""
    import math

    from hoseg.errors import SettingError
    from hoseg.radiograph import Spacing, SpacingSource

    if not text:
        if sd_mm:
            raise SettingError("--spacing-sd-mm", sd_mm, "--spacing-mm with it")
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(math.isfinite(v) and 0 < v < 100 for v in values):
        allowed = "mm in (0, 100), one number or ROW,COLUMN such as 0.2,0.21"
        raise SettingError("--spacing-mm", text, allowed)
    if not 0 <= sd_mm < 0.5 * min(values):
        raise SettingError("--spacing-sd-mm", sd_mm, "mm, zero or more, below half the spacing")
    return Spacing(values[0], values[-1], sd_mm / min(values), SpacingSource.USER)


def _one_of(option: str, value: str, allowed: list[Any]) -> str:
    from hoseg.errors import SettingError

    names = [item.value for item in allowed]
    if value.lower() not in names:
        raise SettingError(option, value, f"one of {', '.join(names)}")
    return value.lower()


def _show(console: Console, finding: HipFinding) -> None:
    """One hip for people."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{finding.side.value} hip   ", style="bold") + Text(finding.summary))
    if finding.abstained is None:
        classes = Table("system", "class", "probability", "nearest change", box=None)
        for system, grade in finding.classes.items():
            chance = None if grade is None else finding.probabilities(system).get(grade)
            classes.add_row(
                system.replace("_", " "),
                "undecided" if grade is None else str(grade),
                "" if chance is None else f"{chance:.2f}",
                finding.counterfactuals.get(system, ""),
            )
        console.print(classes)
    shown = Table("ossification", "site", "attached to", "length", "area", box=None)
    for number, item in enumerate(finding.ossifications, start=1):
        length = (
            f"{item.length_px:.0f} px" if item.length_mm is None else f"{item.length_mm:.1f} mm"
        )
        area = f"{item.area_px} px" if item.area_mm2 is None else f"{item.area_mm2:.0f} mm2"
        attached = " and ".join(item.attached_to) or "free"
        shown.add_row(str(number), ", ".join(item.sites).replace("_", "-"), attached, length, area)
    if shown.row_count:
        console.print(shown)
    for line in (line for line in finding.trace if line.system == "brooker"):
        console.print(Text(f"  {line.sentence}", style="dim"))
        if line.fired:
            break
    for note in finding.caveats:
        console.print(Text(f"  note: {note.text}"))
    console.print()
