"""One page a study that reads like a structured report: HTML that prints, nothing to fetch."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from numpy.typing import NDArray

from hoseg.files import write_whole
from hoseg.grade.finding import Component, HipFinding
from hoseg.grade.summary import class_percents, describe_provisional
from hoseg.picture_files import read_pixels
from hoseg.radiograph import Side, Structure
from hoseg.report.lettering import text_mask
from hoseg.report.overlay import trace_contours
from hoseg.report.palette import COLOURS, GAP_RGB, GLASS
from hoseg.report.paths import inside
from hoseg.report.schema import ResultFile, SourceImage, read_result, studies_in
from hoseg.report.segments import split_segments
from hoseg.words import BROOKER, CALIBRATIONS, RESEARCH_USE, VIEWS

DOCUMENT_NAME = "report.html"
LIMITS = (
    "An AP view cannot tell a bridge from superimposition; consider a lateral view or CT. "
    "Osteophytes, avulsed fragments, vascular calcification and phleboliths can look like "
    "ossification. Accuracy on real heterotopic ossification has not been measured."
)
PICTURE_PX = 1000  # longest side
_MARGIN = 0.08  # kept round the bones, as a share of the longer side of their box
_LINE_PX = 3
_LETTER_PX = 48

_SAID_ELSEWHERE = {"side_both", "implant_seen"}
"""Notes that say no more than the lines on sides and implants."""
_SYSTEMS = {
    "della_valle": "Della Valle",
    "schmidt_hackenbroch": "Schmidt-Hackenbroch",
    "filled_fraction": "filled fraction",
}
_AGES = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}


@dataclass(frozen=True, eq=False)
class FilmPicture:
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


def render_study(films: Sequence[FilmPicture], priors: Sequence[ResultFile] = ()) -> str:
    """HTML of one study: complete, self-contained, every value escaped.

    Parameters
    ----------
    films : sequence of FilmPicture
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
        age=_age(first.image.patient_age if first.image else ""),
    )


def write_documents(run_dir: Path) -> list[Path]:
    """Write ``studies/<study>/report.html`` for every study of a finished run.

    A film that is a study of its own has its page in its own folder.

    Raises
    ------
    InputError
        ``bad_result``: a ``result.json`` is damaged.
    OutputError
        A page cannot be written.
    """
    index = _dated(run_dir)
    written = []
    for folder, paths in studies_in(run_dir):
        films = [_read_film(path.parent, read_result(path)) for path in paths]
        if all(film.result.image is None for film in films):
            continue
        page = inside(run_dir, *folder.relative_to(run_dir).parts, DOCUMENT_NAME)
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


def _film_view(
    film: FilmPicture, image: SourceImage, priors: Sequence[ResultFile]
) -> dict[str, object]:
    """What the template shows of one film, in words."""
    result = film.result
    return {
        "view": VIEWS[image.view][:1].upper() + VIEWS[image.view][1:],
        "side": _sides(image, result.hips),
        "graded": result.status == "graded",
        "quality": _quality(result),
        "picture": _data_uri(film.picture),
        "calibration": _calibration(image),
        "implant": ", ".join(sorted(side.value for side in film.implant_sides)) or "none seen",
        "notes": [_sentence(n.text) for n in result.notes if n.code not in _SAID_ELSEWHERE],
        "structures": _structures(film.masks),
        "has_gap": any(hip.gap_points_px is not None for hip in result.hips),
        "hips": [_hip_view(hip, _latest(hip.side, priors)) for hip in result.hips],
    }


def _hip_view(hip: HipFinding, prior: tuple[str, HipFinding] | None) -> dict[str, object]:
    names = BROOKER
    maturities = (_words(p.maturity) for p in hip.ossifications if p.maturity)
    return {
        "name": _hip_name(hip.side),
        "brooker": None if hip.brooker is None else names[hip.brooker],
        "at_least": None if hip.at_least is None else names[hip.at_least],
        "abstained": hip.abstained_because or _words(hip.abstained),
        "probabilities": _probabilities(hip),
        "rests_on": _rests_on(hip),
        "pattern": _words(hip.pattern) or "pattern not known",
        "gap": _gap(hip),
        "others": _other_systems(hip),
        "pieces": [_piece(piece) for piece in hip.ossifications],
        "maturity": ", ".join(dict.fromkeys(maturities)),
        "comparison": _comparison(hip, prior),
        "provisional": describe_provisional(hip),
        "calibrated": hip.class_probabilities_from == "model",
        "caveats": [_sentence(caveat.text) for caveat in hip.caveats],
    }


def _dated(run_dir: Path) -> dict[str, list[tuple[str, Path]]]:
    """Patient ID to (study date, file): all that is held of every image of a run."""
    index: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(run_dir.glob("studies/*/*/result.json")):
        image = read_result(path).image
        if image is not None and image.patient_id and image.study_date:
            index.setdefault(image.patient_id, []).append((image.study_date, path))
    return index


def _earlier(
    films: Sequence[FilmPicture], index: dict[str, list[tuple[str, Path]]]
) -> list[ResultFile]:
    """Results of the same patient with an earlier study date, oldest first."""
    me = next(film.result.image for film in films if film.result.image is not None)
    found = sorted(entry for entry in index.get(me.patient_id, []) if entry[0] < me.study_date)
    return [read_result(path) for _, path in found]


def _latest(side: Side, priors: Sequence[ResultFile]) -> tuple[str, HipFinding] | None:
    for result in reversed(priors):
        for hip in result.hips:
            if hip.side is side and side is not Side.UNKNOWN and result.image is not None:
                return _date(result.image.study_date), hip
    return None


def _read_film(folder: Path, result: ResultFile) -> FilmPicture:
    masks = _read_image(folder / "masks.png", cv2.IMREAD_UNCHANGED)
    return FilmPicture(result, draw_picture(folder, result, masks), masks)


def _read_image(path: Path, flags: int) -> NDArray[np.uint8] | None:
    pixels = read_pixels(path, flags)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _data_uri(picture: bytes | None) -> str:
    if picture is None:
        return ""
    kind = "png" if picture[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


# The film, drawn for a printed page.


def draw_picture(folder: Path, result: ResultFile, masks: NDArray[np.uint8] | None) -> bytes | None:
    """JPEG of a film with outlines, gap lines and the letters of the sides; None without a film.

    Parameters
    ----------
    folder : Path
        Of one image, as ``hoseg run`` wrote it.
    result : ResultFile
        Its findings.
    masks : (H, W) uint8, optional
        Bits of ``Structure``; without them the film alone is shown.
    """
    film = _read_image(folder / "film.jpg", cv2.IMREAD_COLOR)
    if film is None:
        film = _read_image(folder / "overlay.png", cv2.IMREAD_COLOR)
        if film is None:
            return None
        film = film[: result.image.rows] if result.image is not None else film
    masks = np.zeros(film.shape[:2], np.uint8) if masks is None else masks
    top, bottom, left, right = _box(masks)
    scale = min(1.0, PICTURE_PX / max(bottom - top, right - left))
    size = (round((right - left) * scale), round((bottom - top) * scale))
    shown = cv2.resize(film[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(masks[top:bottom, left:right], size, interpolation=cv2.INTER_NEAREST)
    drawn = np.asarray(shown, np.uint8)
    _draw_structures(drawn, np.asarray(small, np.uint8))
    for hip in result.hips:
        if hip.gap_points_px is not None:
            _draw_gap(drawn, (np.array(hip.gap_points_px) - (top, left)) * scale)
    _draw_sides(drawn, result)
    return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _box(masks: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of what was segmented, with a margin; else of everything."""
    height, width = masks.shape
    if not masks.any():
        return 0, height, 0, width
    column, row, columns, rows = cv2.boundingRect(masks)
    margin = round(_MARGIN * max(rows, columns))
    return (
        max(0, row - margin),
        min(height, row + rows + margin),
        max(0, column - margin),
        min(width, column + columns + margin),
    )


def _bgr(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    return rgb[2], rgb[1], rgb[0]


def _draw_structures(drawn: NDArray[np.uint8], masks: NDArray[np.uint8]) -> None:
    inside = (masks & np.uint8(Structure.OSSIFICATION)) != 0
    drawn[inside] = drawn[inside] * np.array(GLASS[::-1])
    for structure, contours in trace_contours(masks).items():
        cv2.drawContours(drawn, contours, -1, _bgr(COLOURS[structure]), _LINE_PX, cv2.LINE_AA)


def _draw_gap(drawn: NDArray[np.uint8], ends: NDArray[np.float64]) -> None:
    """ends: (2, 2) row and column of both ends, in pixels of the picture."""
    (first_y, first_x), (second_y, second_x) = np.round(ends).astype(int).tolist()
    for colour, width in (((0, 0, 0), 3 * _LINE_PX), (GAP_RGB, _LINE_PX)):
        cv2.line(drawn, (first_x, first_y), (second_x, second_y), colour, width, cv2.LINE_AA)


def _draw_sides(drawn: NDArray[np.uint8], result: ResultFile) -> None:
    """Write R and L in the upper corners, where the film shows the patient's right and left."""
    if result.image is None:
        return
    right_of_film = result.image.columns_to
    letters = {Side.LEFT: "L", Side.RIGHT: "R"}
    for side, at_left in ((right_of_film.opposite, True), (right_of_film, False)):
        ink = np.pad(text_mask((letters.get(side, ""),), _LETTER_PX), 8)
        rows, columns = ink.shape
        corner = drawn[:rows, :columns] if at_left else drawn[:rows, -columns:]
        if corner.shape[:2] == ink.shape:  # else the film is smaller than a letter
            corner[cv2.dilate(ink, np.ones((9, 9), np.uint8)) > 96] = 0
            corner[ink > 96] = 255


# What stands beside it, in words.


def _words(code: str | None) -> str:
    """A code as words: ``mature_discrete`` -> ``mature discrete``."""
    return (code or "").replace("_", " ").replace("supra acetabular", "supra-acetabular")


def _sentence(text: str) -> str:
    """Begin with a capital, end with a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _date(value: str) -> str:
    """DICOM DA as 2019-06-11; what is no date stays as it is."""
    ok = len(value) == 8 and value.isdigit()
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if ok else value


def _age(value: str) -> str:
    """DICOM AS in words: ``071Y`` -> ``71 years``."""
    number, unit = value[:-1], _AGES.get(value[-1:])
    return f"{int(number)} {unit}" if unit and number.isdecimal() else value


def _hip_name(side: Side) -> str:
    """Heading of a hip."""
    return "Hip, side not known" if side is Side.UNKNOWN else f"{side.value.capitalize()} hip"


def _sides(image: SourceImage, hips: Sequence[HipFinding]) -> str:
    """Sides that the film shows, and whether anything states them."""
    shown = [hip.side.value for hip in hips] or [image.side.value]
    text = " and ".join(dict.fromkeys(shown))
    assumed = image.orientation_source == "assumed" and image.side is Side.UNKNOWN
    if assumed or any(hip.side_source == "assumed" for hip in hips):
        return f"{text} (ASSUMED: nothing states how the film lies)"
    return text


def _quality(result: ResultFile) -> str:
    """Whether the film was good enough, in one sentence."""
    if result.status == "graded":
        return "Sufficient to grade."
    return _sentence(f"{result.status}: {result.sentence or _words(result.reason)}")


def _calibration(image: SourceImage) -> str:
    """Where the millimetres come from, and how sure they are."""
    if image.spacing is None:
        return "none: nothing is measured in millimetres"
    spacing = image.spacing
    spread = f" ± {196 * spacing.relative_sd:.0f} %" if spacing.relative_sd else ""
    return f"{spacing.row_mm:.3f} mm a pixel{spread}, {CALIBRATIONS[spacing.source]}"


def _rests_on(hip: HipFinding) -> str:
    """The measurement that decides the Brooker class, and how near another class is."""
    nearest = hip.counterfactuals.get("brooker")
    return nearest or hip.summary.partition(": ")[2] or hip.summary


def _probabilities(hip: HipFinding) -> list[tuple[str, int]]:
    """Name and whole per cent of each class, and of what was not decided: together 100."""
    shares = class_percents(hip)
    pairs = list(zip((*BROOKER, "undecided"), shares, strict=True)) if shares else []
    return [(name, share) for name, share in pairs if share or name != "undecided"]


def _structures(masks: NDArray[np.uint8] | None) -> list[str]:
    """Names of the structures that are drawn."""
    if masks is None:
        return []
    found = int(np.bitwise_or.reduce(masks, axis=None))
    return [str(structure.name).lower() for structure in Structure if found & structure]


def _gap(hip: HipFinding) -> str:
    """Gap in millimetres with its 95 % interval."""
    if hip.gap_mm is None:
        return "none to measure"
    text = f"{hip.gap_mm:.1f} mm" if hip.gap_mm > 0 else "closed"
    if hip.gap_interval_mm is None or max(hip.gap_interval_mm) == 0:
        return text
    low, high = hip.gap_interval_mm
    return f"{text} (95 % interval {low:.1f}-{high:.1f})"


def _piece(piece: Component) -> str:
    """Site, size and attachment of one piece of ossification."""
    size = (
        f"{piece.length_mm:.0f} mm long, {piece.area_mm2:.0f} mm²"
        if piece.length_mm is not None and piece.area_mm2 is not None
        else "size not calibrated"
    )
    where = ", ".join(_words(site) for site in piece.sites) or "site not known"
    touches = " and ".join(piece.attached_to)
    return f"{where}: {size}; " + (f"attached to {touches}" if touches else "free in soft tissue")


def _other_systems(hip: HipFinding) -> str:
    """Classes of the systems beside Brooker."""
    return "; ".join(
        f"{_SYSTEMS.get(system, _words(system))} {_words(str(value))}"
        for system, value in hip.classes.items()
        if system != "brooker" and value is not None
    )


def _comparison(hip: HipFinding, prior: tuple[str, HipFinding] | None) -> str:
    """The same hip on the latest earlier film: class, gap, and their change.

    prior: date and finding
    """
    if prior is None:
        return "no earlier film in this run"
    when, old = prior
    was = "no class" if old.brooker is None else f"Brooker {BROOKER[old.brooker]}"
    text = f"{when}: {was}, gap {_gap(old)}"
    if hip.gap_mm is not None and old.gap_mm is not None:
        text += f"; change of the gap {hip.gap_mm - old.gap_mm:+.1f} mm".replace(
            "-", "\N{MINUS SIGN}"
        )
        if _overlap(hip.gap_interval_mm, old.gap_interval_mm):
            text += ", within the intervals"
    return text


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool:
    return a is not None and b is not None and a[0] <= b[1] and b[0] <= a[1]
