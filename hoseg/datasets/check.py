"""What is wrong with a labelled dataset, and in which file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hoseg.datasets.labelled import Dataset, LabelledFilm, LabelledImage
from hoseg.dicom import exif
from hoseg.errors import InputError
from hoseg.radiograph import STRUCTURES, Structure

_USUAL_SPACING_MM = (0.05, 1.5)
_SPACING_OUTLIER = 3.0
_FEMUR_MM2 = (300.0, 60_000.0)


@dataclass(frozen=True)
class Finding:
    """One problem.

    severity: "error" makes the film unusable or a result wrong, "warning" deserves a look
    code: ``size_mismatch``, ``unknown_label``, ``empty_mask``, ``empty_ossification``,
        ``no_area``, ``patient_leak``, ``exif_applied``, ``wrong_spacing``, ``no_spacing``,
        ``duplicate``, or the code of the error that reading raised
    case, path: where
    """

    severity: str
    code: str
    case: str
    path: str
    text: str


@dataclass(frozen=True)
class Summary:
    """Counts over a dataset; areas in pixels are left out, they say little across spacings."""

    films: int
    patients: int
    with_structure: dict[str, int]
    graded_hips: int


def check(
    dataset: Dataset, advance: Callable[[], None] = lambda: None
) -> tuple[Summary, list[Finding]]:
    """Read every film once and list what is wrong.

    dataset: an open dataset
    advance: called after each film
    """
    findings = list(leaked_patients(dataset.films)) + list(repeated_names(dataset.films))
    counts = dict.fromkeys(STRUCTURES, 0)
    graded = 0
    spacings: list[tuple[LabelledFilm, float]] = []
    pixels_seen: dict[str, LabelledFilm] = {}
    for film in dataset.films:
        try:
            image = film.read()
        except InputError as error:
            findings.append(_finding("error", error.code, film, str(error)))
            advance()
            continue
        findings += check_image(film, image)
        graded += sum(hip.brooker is not None for hip in image.hips)
        if image.masks is not None:
            for channel, name in enumerate(STRUCTURES):
                counts[name] += bool((image.masks >> channel & 1).any())
        if image.radiograph.spacing is not None:
            spacings.append((film, image.radiograph.spacing.mean_mm))
        findings += _same_pixels(film, image, pixels_seen)
        advance()
    findings += list(odd_spacings(spacings))
    patients = len({film.patient for film in dataset.films})
    return Summary(len(dataset.films), patients, counts, graded), findings


def check_image(film: LabelledFilm, image: LabelledImage) -> Iterator[Finding]:
    """Problems of one film that could be read."""
    spacing = image.radiograph.spacing
    if spacing is None:
        text = "no pixel spacing; give --spacing-mm, or a column spacing_mm in its table"
        yield _finding("warning", "no_spacing", film, text)
    elif not _USUAL_SPACING_MM[0] <= spacing.mean_mm <= _USUAL_SPACING_MM[1]:
        text = f"spacing {spacing.mean_mm:.4g} mm; radiographs have 0.05 to 1.5 mm"
        yield _finding("error", "wrong_spacing", film, text)
    for hip in image.hips:
        if hip.brooker is not None and not 0 <= hip.brooker <= 4:
            text = f"brooker = {hip.brooker}; expected 0-4"
            yield _finding("error", "bad_class", film, text)
    for note in image.notes:
        yield _finding("warning", "no_area", film, note)
    if image.masks is None:
        return
    if any(note.code == exif.APPLIED for note in image.radiograph.notes):
        text = "EXIF turns this picture: masks are taken to lie on it as it is shown, unless their "
        text += "size says otherwise. Look at one, or export the picture without the tag."
        yield _finding("warning", exif.APPLIED, film, text)
    if not image.masks.any():
        yield _finding("error", "empty_mask", film, "no structure is labelled")
        return
    classes = [hip.brooker for hip in image.hips if hip.brooker is not None]
    if classes and max(classes) > 0 and not (image.masks & Structure.OSSIFICATION).any():
        text = f"graded Brooker {max(classes)}, but no ossification is labelled"
        yield _finding("warning", "empty_ossification", film, text)
    if spacing is not None:
        femur_mm2 = float(((image.masks & Structure.FEMUR) > 0).sum()) * spacing.mean_mm**2
        if femur_mm2 and not _FEMUR_MM2[0] <= femur_mm2 <= _FEMUR_MM2[1]:
            text = f"femur of {femur_mm2 / 100:.1f} cm2: is {spacing.mean_mm:.4g} mm a pixel right?"
            yield _finding("warning", "wrong_spacing", film, text)


def leaked_patients(films: Sequence[LabelledFilm]) -> Iterator[Finding]:
    """Patients with films on both sides of a declared split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for film in films:
        if film.split:
            splits[film.patient].add(film.split)
    for film in films:
        if len(splits[film.patient]) > 1:
            names = ", ".join(sorted(splits[film.patient]))
            text = f"patient {film.patient!r:.80} is in {names}; keep each patient in one split"
            yield _finding("error", "patient_leak", film, text)


def repeated_names(films: Sequence[LabelledFilm]) -> Iterator[Finding]:
    """Films that share a name."""
    seen: set[str] = set()
    for film in films:
        if film.case in seen:
            yield _finding("error", "duplicate", film, f"the name {film.case!r} is used twice")
        seen.add(film.case)


def odd_spacings(spacings: Sequence[tuple[LabelledFilm, float]]) -> Iterator[Finding]:
    """Films whose spacing is far from the median of their dataset."""
    if len(spacings) < 5:
        return
    median = float(np.median([mm for _, mm in spacings]))
    for film, mm in spacings:
        if not 1 / _SPACING_OUTLIER <= mm / median <= _SPACING_OUTLIER:
            text = f"spacing {mm:.4g} mm, the median of the dataset is {median:.4g} mm"
            yield _finding("warning", "wrong_spacing", film, text)


def _same_pixels(
    film: LabelledFilm, image: LabelledImage, seen: dict[str, LabelledFilm]
) -> Iterator[Finding]:
    """The same picture twice: under two patients it leaks across any split."""
    digest = hashlib.sha256(image.radiograph.pixels.tobytes()).hexdigest()
    other = seen.setdefault(digest, film)
    if other is not film:
        severity = "error" if other.patient != film.patient else "warning"
        yield _finding(severity, "duplicate", film, f"same pixels as {other.case}")


def _finding(severity: str, code: str, film: LabelledFilm, text: str) -> Finding:
    return Finding(severity, code, film.case, str(film.path), text)
