"""Which image speaks for a hip, where several images of a study show it.

The rule: of all findings of a side, a graded one comes before an abstained one, an AP view before
another (Brooker is defined on the AP view), then the worse class, then the smaller gap, then the
first image. Nothing is averaged: the finding that decides stands with its own points and trace.
Where another graded image contradicts it, a caveat says so: above all, an open gap on another view
speaks against a bridge.

A hip whose side is unknown is merged with no other: nobody can say which hip it is. A film without
Study Instance UID is a study of its own, and so is a film whose Study Instance UID films of
another patient bear as well: nothing says that it belongs to any other film.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hoseg.grade.classify import grade_name
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Note, Side
from hoseg.words import VIEWS


class GradedImage(Protocol):
    """One image and its findings."""

    @property
    def name(self) -> str:
        """How a reader finds it: the input as the user named it."""
        ...

    @property
    def film_id(self) -> str:
        """Identifier of this image alone."""
        ...

    @property
    def study_uid(self) -> str:
        """Study Instance UID; "" when not stated."""
        ...

    @property
    def patient_id(self) -> str:
        """Patient ID; "" when not stated."""
        ...

    @property
    def hips(self) -> Sequence[HipFinding]:
        """One finding a hip, as ``grade`` returns them."""
        ...


Image = TypeVar("Image", bound=GradedImage)


@dataclass(frozen=True)
class StudyHip(Generic[Image]):
    """One hip of a study.

    key: study (or lone film), patient and side; the same whichever image decides
    image: the one that decides
    finding: what it shows, with caveats where another image disagrees
    """

    key: str
    image: Image
    finding: HipFinding


def combine(images: Iterable[Image], mixed: Collection[str] = ()) -> tuple[StudyHip[Image], ...]:
    """Combine the findings of images, study by study.

    Parameters
    ----------
    images
        Of one study or of many.
    mixed
        Study Instance UIDs known to be on films of several patients, beside those that ``images``
        themselves show to be.

    Returns
    -------
    One hip a side and study, in the order in which they were first seen.
    """
    images = list(images)
    patients: dict[str, set[str]] = {}
    for image in images:
        patients.setdefault(image.study_uid, set()).add(image.patient_id)
    studies: dict[str, list[Image]] = {}
    for image in images:
        uid = image.study_uid
        alone = not uid or uid in mixed or several_patients(patients[uid])
        studies.setdefault(image.film_id if alone else uid, []).append(image)
    return tuple(hip for study, same in studies.items() for hip in _study(study, same))


def several_patients(patient_ids: Iterable[str]) -> bool:
    """Whether Patient IDs are of more than one patient; one that is missing says nothing."""
    return len({patient for patient in patient_ids if patient}) > 1


def _study(study: str, images: Sequence[Image]) -> Iterable[StudyHip[Image]]:
    """The hips of one study."""
    patient = next((image.patient_id for image in images if image.patient_id), "")
    shown: dict[str, list[tuple[Image, HipFinding]]] = {}
    unknown = 0
    for image in images:
        seen: dict[Side, int] = {}
        for finding in image.hips:
            count = seen[finding.side] = seen.get(finding.side, 0) + 1
            name = finding.side.value if count == 1 else f"{finding.side.value}-{count}"
            if finding.side is Side.UNKNOWN:
                unknown += 1
                name = f"{finding.side.value}-{unknown}"
            shown.setdefault(f"{study}/{patient}/{name}", []).append((image, finding))
    for key, same in shown.items():
        image, finding = min(same, key=lambda item: rank(item[1]))
        notes = [_contradiction(finding, other, where) for where, other in same]
        caveats = (*finding.caveats, *(note for note in notes if note is not None))
        yield StudyHip(key, image, finding.model_copy(update={"caveats": caveats}))


def _contradiction(chosen: HipFinding, other: HipFinding, image: GradedImage) -> Note | None:
    """What another image says against the chosen one."""
    if chosen.brooker is None or other.brooker is None or chosen.brooker == other.brooker:
        return None
    where = f"{image.name} ({VIEWS[other.view]})"
    if chosen.pattern == "bridge":
        text = f"{where} shows no bridge: superimposition is likely"
        return Note("other_view_shows_no_bridge", text)
    text = f"{where} reads as {grade_name('brooker', other.brooker)}"
    return Note("other_view_disagrees", text)


def rank(finding: HipFinding) -> tuple[bool, bool, int, float]:
    """Order of preference; the smallest decides."""
    grade = finding.brooker
    gap = math.inf if finding.gap_mm is None else finding.gap_mm
    return (grade is None, not finding.view.is_ap, -(grade or 0), gap)
