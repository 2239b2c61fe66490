"""Score a data set film by film: reading, network and scoring overlap; memory stays bounded."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from hoseg.datasets.labelled import LabelledFilm, LabelledImage
from hoseg.errors import InputError, SettingError
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.gallery import hip_crop, side_by_side
from hoseg.evaluate.journal import EvaluationJournal
from hoseg.evaluate.score import Prediction, score_case
from hoseg.files import make_folder, write_whole
from hoseg.grade import HipFinding
from hoseg.imaging.reading import Reading
from hoseg.radiograph import Radiograph

PICTURES = "pictures"
_AHEAD = 2  # films read before they are needed, and films waiting to be scored


@dataclass(frozen=True, eq=False)
class Segmented:
    """A film and what the network found on it.

    refused: reason code when the quality gate stopped the film, which a user would not have
        seen graded; its masks are judged all the same
    """

    reading: Reading
    refused: str = ""


class EvaluatedModel(Protocol):
    """A model with everything it needs to read a film."""

    def segment(self, radiograph: Radiograph) -> Segmented:
        """Run the network; called from one thread."""

    def conclude(self, found: Segmented) -> Prediction:
        """Grade what the network found, or refuse; called from another thread."""

    def grade_truth(self, truth: LabelledImage) -> tuple[HipFinding, ...]:
        """Grade the true masks; called from that other thread."""


def score_films(
    films: Sequence[LabelledFilm],
    model: EvaluatedModel,
    journal: EvaluationJournal,
    out: Path,
    advance: Callable[[], None],
) -> tuple[CaseScore, ...]:
    """Judge every film that the journal does not hold yet; return all, in data set order.

    One thread reads ahead, this one runs the network, a third grades and scores. A film that
    cannot be read or scored is recorded with its error and does not stop the rest.

    Parameters
    ----------
    films : the data set
    model : what is evaluated
    journal : where finished films are written
    out : folder for the small pictures
    advance : called once for every film, done before or now
    """
    todo = [film for film in films if not _finished(journal, film.case)]
    for _ in range(len(films) - len(todo)):
        advance()
    pictures = out / PICTURES
    make_folder(pictures)
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as scoring:
        waiting: deque[Future[CaseScore]] = deque()

        def settle(keep: int) -> None:
            while len(waiting) > keep:
                journal.add(waiting.popleft().result())
                advance()

        for film, future in _read_ahead(todo, reading):
            try:
                truth = future.result()
                found = model.segment(truth.radiograph)
            except (InputError, SettingError) as error:
                waiting.append(scoring.submit(CaseScore, film.case, film.patient, error=str(error)))
            else:
                waiting.append(scoring.submit(_score, model, truth, found, pictures))
            settle(_AHEAD)
        settle(0)
    return tuple(journal.done[film.case] for film in films)


def _finished(journal: EvaluationJournal, case: str) -> bool:
    return case in journal.done and not journal.done[case].error


def _read_ahead(
    films: Sequence[LabelledFilm], pool: ThreadPoolExecutor
) -> Iterator[tuple[LabelledFilm, Future[LabelledImage]]]:
    """Films in order, with ``_AHEAD`` of them being read."""
    pending: deque[tuple[LabelledFilm, Future[LabelledImage]]] = deque()
    for film in films:
        pending.append((film, pool.submit(film.read)))
        if len(pending) > _AHEAD:
            yield pending.popleft()
    while pending:
        yield pending.popleft()


def _score(
    model: EvaluatedModel, truth: LabelledImage, found: Segmented, pictures: Path
) -> CaseScore:
    """Grade, judge and draw one film."""
    try:
        prediction = model.conclude(found)
        case = score_case(truth, prediction, model.grade_truth(truth))
    except (InputError, SettingError) as error:
        return CaseScore(truth.case, truth.patient, error=str(error))
    name = hashlib.sha256(truth.case.encode()).hexdigest()[:16] + ".jpg"
    picture = side_by_side(truth.radiograph, truth.masks, found.reading.segmentation.masks)
    write_whole(pictures / name, picture)
    case = replace(case, picture=f"{PICTURES}/{name}")
    return _with_crops(case, found, pictures, name) if case.read else case


def _with_crops(case: CaseScore, found: Segmented, pictures: Path, name: str) -> CaseScore:
    """Draw every false and every missed hip of a film that was read without outlines."""
    if case.read is None:
        return case
    hips = []
    for i, hip in enumerate(case.read.hips):
        if hip.false or hip.missed:
            file = name.replace(".jpg", f"-{i}.jpg")
            reading = found.reading
            picture = hip_crop(reading.radiograph, reading.segmentation.masks, hip.box_px)
            write_whole(pictures / file, picture)
            hip = replace(hip, picture=f"{PICTURES}/{file}")
        hips.append(hip)
    return replace(case, read=replace(case.read, hips=tuple(hips)))
