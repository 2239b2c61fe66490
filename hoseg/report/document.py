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

from hoseg.files import write_whole
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side
from hoseg.report import document_words as words
from hoseg.report.document_picture import picture
from hoseg.report.paths import inside
from hoseg.report.schema import ResultFile, SourceImage, read_result
from hoseg.report.segments import split_segments
from hoseg.words import RESEARCH_USE

DOCUMENT_NAME = "report.html"
LIMITS = (
    "An AP view cannot tell a bridge from superimposition; consider a lateral view or CT. "
    "Osteophytes, avulsed fragments, vascular calcification and phleboliths can look like "
    "ossification. Accuracy on real heterotopic ossification has not been measured."
)


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
        study_date=words.date(first.image.study_date if first.image else ""),
        age=words.age(first.image.patient_age if first.image else ""),
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
        write_whole(page, render_study(films, _earlier(films, index)))
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


def _film_view(film: Film, image: SourceImage, priors: Sequence[ResultFile]) -> dict[str, object]:
    """What the template shows of one film, in words."""
    result = film.result
    return {
        "view": words.VIEWS[image.view],
        "side": words.sides(image, result.hips),
        "graded": result.status == "graded",
        "quality": words.quality(result),
        "picture": _data_uri(film.picture),
        "calibration": words.calibration(image),
        "implant": ", ".join(sorted(side.value for side in film.implant_sides)) or "none seen",
        "notes": [words.sentence(note.text) for note in result.notes],
        "hips": [_hip_view(hip, _latest(hip.side, priors)) for hip in result.hips],
    }


def _hip_view(hip: HipFinding, prior: tuple[str, HipFinding] | None) -> dict[str, object]:
    names = words.CLASS_NAMES
    maturities = (words.words(p.maturity) for p in hip.ossifications if p.maturity)
    return {
        "name": words.name(hip.side),
        "brooker": None if hip.brooker is None else names[hip.brooker],
        "at_least": None if hip.at_least is None else names[hip.at_least],
        "abstained": hip.abstained_because or words.words(hip.abstained),
        "probabilities": list(zip(names, hip.brooker_probabilities, strict=False)),
        "rests_on": words.rests_on(hip),
        "pattern": words.words(hip.pattern) or "pattern not known",
        "gap": words.gap(hip),
        "others": words.other_systems(hip),
        "pieces": [words.piece(piece) for piece in hip.ossifications],
        "maturity": ", ".join(dict.fromkeys(maturities)),
        "comparison": words.comparison(hip, prior),
        "provisional": [words.words(code) for code in hip.provisional],
        "caveats": [words.sentence(caveat.text) for caveat in hip.caveats],
    }


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


def _latest(side: Side, priors: Sequence[ResultFile]) -> tuple[str, HipFinding] | None:
    for result in reversed(priors):
        for hip in result.hips:
            if hip.side is side and side is not Side.UNKNOWN and result.image is not None:
                return words.date(result.image.study_date), hip
    return None


def _read_film(folder: Path, result: ResultFile) -> Film:
    masks = _read_image(folder / "masks.png", cv2.IMREAD_UNCHANGED)
    return Film(result, picture(folder, result, masks), masks)


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
