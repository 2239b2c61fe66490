"""One image of a study, as its structured report sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydicom.dataset import Dataset

from hoseg.grade.finding import HipFinding
from hoseg.report.dicom_identity import reference_dataset
from hoseg.report.schema import ResultFile


@dataclass(frozen=True, eq=False)
class Evidence:
    """One image of a study, as the report sees it.

    source: the radiograph's dataset
    result: its findings
    segmentation: its DICOM Segmentation, or None when nothing was segmented
    """

    source: Dataset
    result: ResultFile
    segmentation: Dataset | None = None

    @cached_property
    def reference(self) -> Dataset:
        """The source with every attribute that a reference needs."""
        return reference_dataset(self.source, self.result.source)

    @property
    def hips(self) -> tuple[HipFinding, ...]:
        """Hips to report: those found, else one that stands for an image without any."""
        result = self.result
        if result.hips or result.image is None or result.status != "abstained":
            return result.hips
        spacing = result.image.spacing
        stand_in = HipFinding(
            side=result.image.side,
            abstained=result.reason,
            spacing_source=spacing.source if spacing else None,
        )
        return (stand_in,)

    @property
    def frames(self) -> list[int] | None:
        """1-based frame to refer to; None for a single-frame image."""
        if int(self.source.get("NumberOfFrames") or 1) == 1 or self.result.image is None:
            return None
        return [self.result.image.frame + 1]
