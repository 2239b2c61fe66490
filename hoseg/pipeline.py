"""One study: radiographs in, findings out. Everything the command line does to an image is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.grade import GradingModels, HipFinding, combine, grade, read_grading_models
from hoseg.grade.stored import on_stored_pixels
from hoseg.imaging.display import display
from hoseg.imaging.prepare import prepare
from hoseg.imaging.quality import GateResult, check_attributes, check_picture, check_segmentation
from hoseg.imaging.reading import Reading, dense_bright, greys_flipped
from hoseg.imaging.turn import Turn, stored_orientation, turn_of
from hoseg.infer.predictor import Options, Predictor, Segmenter
from hoseg.infer.second_look import SecondLook, look_again, second_look_of
from hoseg.infer.strays import without_strays
from hoseg.infer.trial import segment, stand_upright
from hoseg.radiograph import Note, Prepared, Radiograph, Structure
from hoseg.reasons import Reason
from hoseg.report.overlay import Contours, Overlay, overlay, side_name, trace_contours
from hoseg.report.schema import ResultFile, SourceImage, result_for_image
from hoseg.segment.weights import Model

GREYS_FLIPPED = (
    "Shown with grey levels inverted: as the file has it, bone would be dark. "
    "Compare with the original."
)
"""On the overlay of a film whose bones look dark in the file's own display."""

TURNED_BY_PICTURE = "turned_by_picture"
"""Code of the note of a film that only its bones show how to turn."""


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What became of one radiograph. Pictures and points are those of the film as it is stored.

    result: the record of it, as ``result.json`` holds it
    prepared: as the network saw it, None when the gate stopped the film before that
    reading: with what the network found, None when the gate stopped it before the network
    turn: how the film was turned upright for ``prepared`` and ``reading``; None = not at all
    """

    radiograph: Radiograph
    result: ResultFile
    prepared: Prepared | None = None
    reading: Reading | None = None
    turn: Turn | None = None

    @classmethod
    def of(
        cls,
        result: ResultFile,
        radiograph: Radiograph,
        prepared: Prepared | None = None,
        reading: Reading | None = None,
    ) -> ImageResult:
        """A result, with the model that found it and what was noticed on the way to it."""
        model, notes = "", [*result.notes]
        if prepared is not None:
            notes += prepared.notes
        if reading is not None:
            model = reading.segmentation.model
            if reading.layers[Structure.IMPLANT].mask.any():
                notes.append(Note("implant_seen", "Metal or cement was found."))
        noted = result.model_copy(update={"model": model, "notes": tuple(notes)})
        return cls(radiograph, noted, prepared, reading)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(H, W) the film as displayed, dense bright, whatever the file says of its polarity."""
        if self.reading is not None:
            return self._back(self.reading.grey)
        film, prepared = self.radiograph, self.prepared
        return display(film if prepared is None else dense_bright(film, prepared))

    @property
    def greys_flipped(self) -> bool:
        """Whether the film is shown with its grey levels inverted against what the file says."""
        return self.prepared is not None and greys_flipped(self.radiograph, self.prepared)

    @cached_property
    def contours(self) -> Contours:
        """Outlines of every structure, for all the pictures that show them."""
        upright = self.reading if self.turn is None else None
        return trace_contours(self.masks(), None if upright is None else upright.layers)

    def masks(self) -> NDArray[np.uint8]:
        """(H, W) uint8 bits of ``Structure`` on the original grid; zeros without a segmentation."""
        if self.reading is None:
            return np.zeros(self.radiograph.shape, np.uint8)
        return self._back(self.reading.segmentation.masks)

    def _back(self, upright: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return upright if self.turn is None else self.turn.picture_back(upright)

    def overlay(self) -> Overlay:
        """Draw the result on the film."""
        hips = self.result.hips
        remarks = [self.result.sentence] if self.result.status != "graded" else []
        if self.greys_flipped:
            remarks.append(GREYS_FLIPPED)
        remarks += [note.text for note in self.result.notes if note.code == TURNED_BY_PICTURE]
        remarks += [f"{side_name(hip.side)} · {hip.summary}" for hip in hips]
        return overlay(
            self.radiograph, self.masks(), hips, tuple(remarks), self.grey, self.contours
        )


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What became of the radiographs of one study.

    images: one result for each radiograph, in their order
    hips: one finding for each hip, the views combined
    """

    images: tuple[ImageResult, ...]
    hips: tuple[HipFinding, ...]


class Pipeline:
    """A model and what goes before and after it.

    Parameters
    ----------
    model: a name, a folder, a loaded ``Model``, or None for the released default; or a predictor
        that is ready, and then device, runtime and options are its own
    device: "auto", "cpu", "cuda" or "cuda:N"
    runtime: name in the table of runtimes, or None = the fastest that passes its parity gate
    options: threads, precision, test-time augmentation
    seed: of the draws behind probabilities and intervals; each image starts from it
    grading: networks and regressions of the model folder that grading asks, for what is no
        ``Predictor``, which knows its own
    second_look: whether ossification must be confirmed by variants of the film, as the card of a
        ``Predictor`` asks

    Examples
    --------
    >>> import hoseg  # doctest: +SKIP
    >>> for radiograph in hoseg.load("film.dcm"):  # doctest: +SKIP
    ...     study = hoseg.Pipeline()(radiograph)
    ...     print(study.hips[0].summary)
    """

    def __init__(
        self,
        model: str | Path | Model | Segmenter | None = None,
        *,
        device: str = "auto",
        runtime: str | None = None,
        options: Options | None = None,
        seed: int = 0,
        grading: GradingModels | None = None,
        second_look: bool = True,
    ) -> None:
        self.predictor: Segmenter
        if model is None or isinstance(model, (str, Path, Model)):
            self.predictor = Predictor(model, device=device, runtime=runtime, options=options)
        else:
            self.predictor = model
        self.second_look: SecondLook | None = None
        if isinstance(self.predictor, Predictor):
            grading = grading_models_of(self.predictor.models)
            cards = [model.card for model in self.predictor.models]
            self.second_look = second_look_of(cards) if second_look else None
        self.grading = grading or GradingModels()
        self.seed = seed

    def __call__(self, *radiographs: Radiograph) -> StudyResult:
        """Read the radiographs of one study."""
        images = tuple(self.read(radiograph) for radiograph in radiographs)
        hips = combine([image.result for image in images])
        return StudyResult(images, tuple(hip.finding for hip in hips))

    def read(self, radiograph: Radiograph) -> ImageResult:
        """Read one radiograph: upright, whichever way it is stored."""
        turn = turn_of(radiograph)
        film = turn.film(radiograph)
        prepared = self.examine(film)
        if isinstance(prepared, ImageResult):
            return _as_stored(prepared, radiograph, turn)
        reading = segment(self.predictor, film, prepared)
        quarters, upright = stand_upright(self.predictor, reading)
        if quarters == 0:
            return _as_stored(self.conclude(self.look_again(reading)), radiograph, turn)
        if film.orientation.source != "assumed":
            gate = GateResult(Reason.ORIENTATION_CONTRADICTED, _CONTRADICTED.format(90 * quarters))
            result = _stopped(film, gate, prepared, reading)
            return _as_stored(result, radiograph, turn)
        turn = turn.then(quarters)
        note = Note(TURNED_BY_PICTURE, _TURNED.format(90 * quarters))
        kept = (n for n in radiograph.notes if n.code != "orientation_assumed")
        radiograph = replace(
            radiograph, orientation=stored_orientation(turn, "picture"), notes=(*kept, note)
        )
        return _as_stored(self.conclude(self.look_again(upright)), radiograph, turn)

    def examine(self, radiograph: Radiograph) -> Prepared | ImageResult:
        """Prepare a film for the network, or say why it does not get there."""
        gate = check_attributes(radiograph)
        if not gate.ok:
            return _stopped(radiograph, gate)
        prepared = prepare(radiograph, self.predictor.spacing_mm)
        gate = check_picture(radiograph, prepared)
        if not gate.ok:
            return _stopped(radiograph, gate, prepared)
        return prepared

    def look_again(self, reading: Reading) -> Reading:
        """Leave out stray pieces, and ossification that variants of the film do not confirm."""
        if self.second_look is None or not check_segmentation(reading).ok:
            return reading
        reading = without_strays(reading, self.second_look.thresholds)
        return look_again(self.predictor, reading, self.second_look)

    def conclude(self, reading: Reading) -> ImageResult:
        """Grade what the network found, or abstain."""
        gate = check_segmentation(reading)
        if not gate.ok:
            return _stopped(reading.radiograph, gate, reading.prepared, reading)
        hips = grade(reading, self.grading, rng=np.random.default_rng(self.seed))
        graded = any(hip.abstained is None for hip in hips)
        result = result_for_image(
            reading.radiograph,
            hips,
            status="graded" if graded else "abstained",
            reason="" if graded else str(hips[0].abstained),
            sentence="" if graded else hips[0].abstained_because,
        )
        return ImageResult.of(result, reading.radiograph, reading.prepared, reading)


def grading_models_of(models: Sequence[Model]) -> GradingModels:
    """What a model folder holds for grading; that of several together would be none's own.

    Raises ModelError when the card's class model is none, or lacks its network.
    """
    if len(models) != 1:
        return GradingModels()
    (model,) = models
    return read_grading_models(model.card.classes, model.files, str(model.path))


_CONTRADICTED = (
    "by the bones the film lies {} degrees from where its attributes say: sides cannot be trusted"
)
_TURNED = (
    "Nothing says how the film lies; by its bones it lies {} degrees clockwise: sides and class "
    "are those of the film turned upright."
)


def _as_stored(image: ImageResult, stored: Radiograph, turn: Turn) -> ImageResult:
    """The result of an upright film, as that of the film as it is stored."""
    if turn.quarters == 0:
        return replace(image, radiograph=stored)
    ratio = 1.0
    if stored.spacing is not None and turn.quarters % 2:
        ratio = stored.spacing.row_mm / stored.spacing.column_mm
    result = image.result.model_copy(
        update={
            "image": SourceImage.of(stored),
            "hips": tuple(on_stored_pixels(hip, turn, ratio) for hip in image.result.hips),
            "notes": (*stored.notes, *image.result.notes[len(image.radiograph.notes) :]),
        }
    )
    return replace(image, radiograph=stored, result=result, turn=turn)


def _stopped(
    radiograph: Radiograph,
    gate: GateResult,
    prepared: Prepared | None = None,
    reading: Reading | None = None,
) -> ImageResult:
    """Result of an image that the quality gate does not let through."""
    result = result_for_image(
        radiograph,
        (),
        status="skipped" if gate.status == "skipped" else "abstained",
        reason="" if gate.reason is None else gate.reason.value,
        sentence=gate.sentence,
    )
    return ImageResult.of(result, radiograph, prepared, reading)
