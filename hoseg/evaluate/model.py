"""The model that is evaluated: exactly the pipeline that ``hoseg run`` uses."""

from __future__ import annotations

from hoseg.datasets.labelled import LabelledImage
from hoseg.evaluate.score import Prediction
from hoseg.evaluate.stream import Segmented
from hoseg.grade import HipFinding, grade_masks
from hoseg.imaging.prepare import prepare
from hoseg.infer.trial import segment
from hoseg.pipeline import ImageResult, Pipeline
from hoseg.radiograph import Radiograph


class EvaluatedPipeline:
    """A pipeline whose masks are judged even where its quality gate refuses the film."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.label = pipeline.predictor.label

    def segment(self, radiograph: Radiograph) -> Segmented:
        """Run gate and network."""
        seen = self._pipeline.examine(radiograph)
        refused = seen.result.reason if isinstance(seen, ImageResult) else ""
        prepared = seen.prepared if isinstance(seen, ImageResult) else seen
        if prepared is None:
            prepared = prepare(radiograph, self._pipeline.predictor.spacing_mm)
        reading = segment(self._pipeline.predictor, radiograph, prepared)
        return Segmented(self._pipeline.look_again(reading), refused)

    def conclude(self, found: Segmented) -> Prediction:
        """Grade, or refuse."""
        segmentation = found.reading.segmentation
        if found.refused:
            return Prediction(segmentation, refused=found.refused)
        result = self._pipeline.conclude(found.reading).result
        return Prediction(segmentation, result.hips, "" if result.hips else result.reason)

    def grade_truth(self, truth: LabelledImage) -> tuple[HipFinding, ...]:
        """Grade the true masks of a film; without masks there is nothing to grade.

        The class probabilities of this finding are not used, so one draw is enough.
        """
        if truth.masks is None:
            return ()
        return grade_masks(truth.masks, truth.radiograph.geometry, draws=1)
