"""One study: radiographs in, findings out. Everything the command line does to an image is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import ModelError
from hoseg.grade import Exposed, Film, HipFinding, Probabilities, combine, grade
from hoseg.grade.attachment import Attachment
from hoseg.grade.bones import Layer, layers
from hoseg.grade.chances import BY_CLOSE_UP, ClassModel, apply_class_model, read_class_model
from hoseg.grade.closeup import ATTACHMENT, HIP, CloseUpNetwork, network_in
from hoseg.imaging.display import display
from hoseg.imaging.prepare import prepare
from hoseg.imaging.quality import GateResult, check_attributes, check_picture, check_segmentation
from hoseg.infer.predictor import Options, Predictor, Segmenter
from hoseg.infer.trial import segment
from hoseg.radiograph import Note, Prepared, Radiograph, Segmentation, Structure
from hoseg.report.contours import Contours, trace
from hoseg.report.overlay import Overlay, overlay, side_name
from hoseg.report.schema import ResultFile, result_for_image
from hoseg.segment.weights import Model
from hoseg.words import Status

TURNED = (
    "Shown with grey levels inverted: as the file has it, bone would be dark. "
    "Compare with the original."
)
"""On the overlay of a film whose bones look dark in the file's own display."""


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What became of one radiograph.

    status: "graded", "abstained" or "skipped"
    reason: stable code, empty when graded
    sentence: the reason in words
    prepared, segmentation: None when the quality gate stopped before the network
    hips: findings, empty unless the picture shows a hip
    shown: (H, W) ``display(radiograph)`` when it was needed on the way, else None
    structures: each structure of the masks on the part of the film where it is, likewise
    """

    radiograph: Radiograph
    status: Status
    reason: str = ""
    sentence: str = ""
    prepared: Prepared | None = None
    segmentation: Segmentation | None = None
    hips: tuple[HipFinding, ...] = ()
    shown: NDArray[np.uint8] | None = None
    structures: dict[Structure, Layer] | None = None

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """(H, W) the film as displayed, dense bright, whatever the file says of its polarity."""
        return _shown(self.radiograph, self.prepared) if self.shown is None else self.shown

    @property
    def turned(self) -> bool:
        """Whether the film is shown with its grey levels inverted against what the file says."""
        return self.prepared is not None and _turned(self.radiograph, self.prepared)

    @cached_property
    def contours(self) -> Contours:
        """Outlines of every structure, for all the pictures that show them."""
        return trace(self.masks(), self.structures)

    def masks(self) -> NDArray[np.uint8]:
        """(H, W) uint8 bits of ``Structure`` on the original grid; zeros without a segmentation."""
        if self.segmentation is None:
            return np.zeros(self.radiograph.shape, np.uint8)
        return self.segmentation.masks

    def overlay(self) -> Overlay:
        """Draw the result on the film."""
        remarks = [self.sentence] if self.status != "graded" else []
        if self.turned:
            remarks.append(TURNED)
        remarks += [f"{side_name(hip.side)} · {hip.summary}" for hip in self.hips]
        return overlay(
            self.radiograph, self.masks(), self.hips, tuple(remarks), self.grey, self.contours
        )

    def result(self) -> ResultFile:
        """Everything as the contents of ``result.json``."""
        result = result_for_image(
            self.radiograph,
            self.hips,
            status=self.status,
            reason=self.reason,
            sentence=self.sentence,
            model="" if self.segmentation is None else self.segmentation.model,
        )
        notes = [] if self.prepared is None else list(self.prepared.notes)
        if self.segmentation is not None and len(self.contours[Structure.IMPLANT]):
            notes.append(Note("implant_seen", "Metal or cement was found."))
        return result.model_copy(update={"notes": (*result.notes, *notes)})


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
    grading: networks and regressions of the model folder that grading asks, for a predictor that
        lives in another process; others bring their own

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
    ) -> None:
        self.predictor: Segmenter
        if model is None or isinstance(model, (str, Path, Model)):
            self.predictor = Predictor(model, device=device, runtime=runtime, options=options)
        else:
            self.predictor = model
        if isinstance(self.predictor, Predictor):
            grading = grading_models_of(self.predictor.models)
        self.grading = grading or GradingModels()
        self.seed = seed

    def __call__(self, *radiographs: Radiograph) -> StudyResult:
        """Read the radiographs of one study."""
        images = tuple(self.read(radiograph) for radiograph in radiographs)
        return StudyResult(images, combine([image.hips for image in images]))

    def read(self, radiograph: Radiograph) -> ImageResult:
        """Read one radiograph."""
        prepared = self.examine(radiograph)
        if isinstance(prepared, ImageResult):
            return prepared
        return self.conclude(radiograph, *segment(self.predictor, radiograph, prepared))

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

    def conclude(
        self, radiograph: Radiograph, prepared: Prepared, segmentation: Segmentation
    ) -> ImageResult:
        """Grade what the network found, or abstain."""
        gate = check_segmentation(radiograph, prepared, segmentation)
        if not gate.ok:
            return _stopped(radiograph, gate, prepared, segmentation)
        grey = _shown(radiograph, prepared)
        found = Probabilities(segmentation.probabilities, segmentation.grid)
        structures = layers(segmentation.masks)
        film, brought = Film(prepared.pixels, found, radiograph.orientation), self.grading
        hips = grade(
            segmentation.masks,
            radiograph.spacing,
            side=radiograph.side,
            orientation=radiograph.orientation,
            view=radiograph.view,
            image=grey,
            field=Exposed(prepared.field, prepared.grid),
            probabilities=found,
            attachment=Attachment(brought.attachment, film) if brought.attachment else None,
            rng=np.random.default_rng(self.seed),
            structures=structures,
        )
        if brought.classes is not None:
            hips = apply_class_model(hips, film, brought.classes, brought.hip)
        graded = any(hip.abstained is None for hip in hips)
        return ImageResult(
            radiograph,
            "graded" if graded else "abstained",
            "" if graded else str(hips[0].abstained),
            "" if graded else hips[0].abstained_because,
            prepared,
            segmentation,
            hips,
            grey,
            structures,
        )


@dataclass(frozen=True, eq=False)
class GradingModels:
    """What a model folder brings to grading besides masks; each may be missing.

    classes: calibrated P(class)
    hip: network whose look at a hip the class model asks
    attachment: network that tells attachment from superimposition
    """

    classes: ClassModel | None = None
    hip: CloseUpNetwork | None = None
    attachment: CloseUpNetwork | None = None


def grading_models_of(models: Sequence[Model]) -> GradingModels:
    """What a model folder brings to grading; an ensemble brings nothing of its own.

    Raises ModelError when the card's class model is none, or lacks its network.
    """
    if len(models) != 1:
        return GradingModels()
    (model,) = models
    classes = read_class_model(model.card.classes, str(model.path))
    hip, attachment = (network_in(model.files, kind, str(model.path)) for kind in (HIP, ATTACHMENT))
    if classes is not None and hip is None and set(classes.measurements) & set(BY_CLOSE_UP):
        raise ModelError(
            f"{model.path}: classes: its measurements need {HIP.file}, which the card does not "
            "name. Fit them anew with scripts/fit_classes.py."
        )
    return GradingModels(classes, hip, attachment)


def _turned(radiograph: Radiograph, prepared: Prepared) -> bool:
    return prepared.inverted != radiograph.display.inverted


def _shown(radiograph: Radiograph, prepared: Prepared | None) -> NDArray[np.uint8]:
    """The film in its own window, with bone bright: readers compare films that way round."""
    if prepared is not None and _turned(radiograph, prepared):
        upright = replace(radiograph.display, inverted=prepared.inverted)
        radiograph = replace(radiograph, display=upright)
    return display(radiograph)


def _stopped(
    radiograph: Radiograph,
    gate: GateResult,
    prepared: Prepared | None = None,
    segmentation: Segmentation | None = None,
) -> ImageResult:
    """Result of an image that the quality gate does not let through."""
    reason = "" if gate.reason is None else gate.reason.value
    status: Status = "skipped" if gate.status == "skipped" else "abstained"
    return ImageResult(radiograph, status, reason, gate.sentence, prepared, segmentation)
