"""One page a study that reads like a structured report: HTML that prints, nothing to fetch."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from numpy.typing import NDArray

from hoseg.errors import OutputError
from hoseg.radiograph import Side, View
from hoseg.report.paths import inside
from hoseg.report.schema import (
    RESEARCH_USE,
    ComponentFacts,
    HipFacts,
    ImageFacts,
    ResultFile,
    read_result,
)
from hoseg.report.segments import split_segments

DOCUMENT_NAME = "report.html"
PICTURE_PX = 1100  # width of the embedded picture
LIMITS = (
    "An AP view cannot tell a bridge from superimposition; consider a lateral view or CT. "
    "Osteophytes, avulsed fragments, vascular calcification and phleboliths can look like "
    "ossification. Accuracy on real heterotopic ossification has not been measured."
)
CLASS_NAMES = ("0", "I", "II", "III", "IV")
_VIEWS = {
    View.AP_PELVIS: "AP pelvis",
    View.AP_HIP: "AP hip",
    View.FROG_LEG: "Frog-leg lateral",
    View.CROSS_TABLE: "Cross-table lateral",
    View.JUDET: "Judet",
    View.OTHER: "Other view",
    View.UNKNOWN: "View not stated",
}
_CALIBRATIONS = {
    "fiducial": "calibrated with an object in the film",
    "implant_head": "from the known diameter of the implant head",
    "user": "given by the user",
    "geometry": "corrected by the device for an assumed depth",
    "magnification": "detector spacing over the stated magnification",
    "assumed_magnification": "detector spacing over an ASSUMED magnification of 1.20",
    "untyped": "spacing of unknown meaning, an assumed magnification applied",
}


@dataclass(frozen=True, eq=False)
class Film:
    """One image of a study on the page.

    picture: JPEG or PNG bytes of the overlay, or None
    masks: (H, W) uint8 bits of ``Structure``, or None; says which hips hold an implant
    """

    result: ResultFile
    picture: bytes | None = None
    masks: NDArray[np.uint8] | None = None

    @property
    def implant_sides(self) -> frozenset[Side]:
        """Sides on which metal was segmented."""
        if self.masks is None:
            return frozenset()
        segments = split_segments(self.masks, self.result)
        return frozenset(s.side for s in segments if s.structure == "implant")


def render_study(films: Sequence[Film], priors: Sequence[ResultFile] = ()) -> str:
    """HTML of one study: complete, self-contained, every value escaped.

    Parameters
    ----------
    films : sequence of Film
        Images of one study, at least one with image facts.
    priors : sequence of ResultFile
        Earlier results of the same patient; the latest one of each side is compared.
    """
    first = next(film.result for film in films if film.result.image is not None)
    return _template().render(
        image=first.image,
        result=first,
        films=[_film_view(film, film.result.image, priors) for film in films if film.result.image],
        limits=LIMITS,
        research_use=RESEARCH_USE,
        study_date=_date(first.image.study_date if first.image else ""),
    )


def write_documents(run_dir: Path) -> list[Path]:
    """Write ``studies/<study>/report.html`` for every study of a finished run.

    Raises
    ------
    InputError
        ``bad_result``: a ``result.json`` is damaged.
    OutputError
        A page cannot be written.
    """
    paths = sorted(run_dir.glob("studies/*/*/result.json"))
    index = _dated(paths)
    written = []
    for study, group in groupby(paths, key=lambda path: path.parent.parent):
        films = [_read_film(path.parent, read_result(path)) for path in group]
        if all(film.result.image is None for film in films):
            continue
        page = inside(run_dir, *study.relative_to(run_dir).parts, DOCUMENT_NAME)
        _write(page, render_study(films, _earlier(films, index)))
        written.append(page)
    return written


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hoseg.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("document.html")


def _film_view(film: Film, image: ImageFacts, priors: Sequence[ResultFile]) -> dict[str, object]:
    """What the template shows of one film, in words."""
    implants = film.implant_sides
    return {
        "result": film.result,
        "view": _VIEWS[image.view],
        "picture": _data_uri(film.picture),
        "calibration": _calibration(image),
        "implant": ", ".join(sorted(side.value for side in implants)) or "none seen",
        "notes": film.result.notes,
        "hips": [_hip_view(hip, _latest(hip.side, priors)) for hip in film.result.hips],
    }


def _hip_view(hip: HipFacts, prior: tuple[str, HipFacts] | None) -> dict[str, object]:
    reasons = [line.sentence for line in hip.trace if line.system == "brooker" and line.fired]
    return {
        "hip": hip,
        "name": "Hip, side not known" if hip.side is Side.UNKNOWN else f"{hip.side.value} hip",
        "brooker": None if hip.brooker is None else CLASS_NAMES[hip.brooker],
        "probabilities": list(zip(CLASS_NAMES, hip.brooker_probabilities, strict=False)),
        "rests_on": hip.counterfactuals.get("brooker") or (reasons[0] if reasons else hip.summary),
        "gap": _gap(hip),
        "others": [
            (_words(system).title(), _words(str(value)))
            for system, value in hip.classes.items()
            if system != "brooker" and value is not None
        ],
        "pieces": [_piece(piece) for piece in hip.ossifications],
        "maturity": ", ".join(
            dict.fromkeys(_words(p.maturity) for p in hip.ossifications if p.maturity)
        ),
        "comparison": _comparison(hip, prior),
        "provisional": [_words(code) for code in hip.provisional],
    }


def _piece(piece: ComponentFacts) -> str:
    size = (
        f"{piece.length_mm:.0f} mm long, {piece.area_mm2:.0f} mm²"
        if piece.length_mm is not None and piece.area_mm2 is not None
        else "size not calibrated"
    )
    where = ", ".join(_words(site) for site in piece.sites) or "site not known"
    touches = " and ".join(piece.attached_to)
    return f"{where}: {size}; " + (f"attached to {touches}" if touches else "free in soft tissue")


def _gap(hip: HipFacts) -> str:
    if hip.gap_mm is None:
        return "none to measure"
    text = f"{hip.gap_mm:.1f} mm"
    if hip.gap_interval_mm is not None:
        low, high = hip.gap_interval_mm
        text += f" (95 % interval {low:.1f}–{high:.1f})"
    return text


def _comparison(hip: HipFacts, prior: tuple[str, HipFacts] | None) -> str:
    if prior is None:
        return "no earlier film in this run"
    when, old = prior
    was = "no class" if old.brooker is None else f"Brooker {CLASS_NAMES[old.brooker]}"
    text = f"{when}: {was}, gap {_gap(old)}"
    if hip.gap_mm is not None and old.gap_mm is not None:
        text += f"; change {hip.gap_mm - old.gap_mm:+.1f} mm"
    return text


def _calibration(image: ImageFacts) -> str:
    if image.spacing is None:
        return "none: nothing is measured in millimetres"
    spacing = image.spacing
    source = _CALIBRATIONS.get(spacing.source, spacing.source)
    return f"{spacing.row_mm:.3f} mm a pixel ± {1.96 * spacing.relative_sd:.0%}, {source}"


def _dated(paths: Sequence[Path]) -> dict[str, list[tuple[str, Path]]]:
    """Patient ID to (study date, file): all that is held of every image of a run."""
    index: dict[str, list[tuple[str, Path]]] = {}
    for path in paths:
        image = read_result(path).image
        if image is not None and image.patient_id and image.study_date:
            index.setdefault(image.patient_id, []).append((image.study_date, path))
    return index


def _earlier(films: Sequence[Film], index: dict[str, list[tuple[str, Path]]]) -> list[ResultFile]:
    """Results of the same patient with an earlier study date, oldest first."""
    me = next(film.result.image for film in films if film.result.image is not None)
    found = sorted(entry for entry in index.get(me.patient_id, []) if entry[0] < me.study_date)
    return [read_result(path) for _, path in found]


def _latest(side: Side, priors: Sequence[ResultFile]) -> tuple[str, HipFacts] | None:
    for result in reversed(priors):
        for hip in result.hips:
            if hip.side is side and side is not Side.UNKNOWN and result.image is not None:
                return _date(result.image.study_date), hip
    return None


def _read_film(folder: Path, result: ResultFile) -> Film:
    overlay = _read_image(folder / "overlay.png", cv2.IMREAD_COLOR)
    masks = _read_image(folder / "masks.png", cv2.IMREAD_UNCHANGED)
    picture = None
    if overlay is not None:
        scale = min(1.0, PICTURE_PX / overlay.shape[1])
        small = cv2.resize(overlay, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    return Film(result, picture, masks)


def _read_image(path: Path, flags: int) -> NDArray[np.uint8] | None:
    if not path.exists():
        return None
    pixels = cv2.imread(str(path), flags)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _data_uri(picture: bytes | None) -> str:
    if picture is None:
        return ""
    kind = "png" if picture[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _date(value: str) -> str:
    return (
        f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) == 8 and value.isdigit() else value
    )


def _words(code: str | None) -> str:
    return (code or "").replace("_", " ")


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: {error.strerror}; free space and try again") from error
