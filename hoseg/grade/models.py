"""What a model folder holds for grading besides the weights that make masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoseg.errors import ModelError
from hoseg.grade.chances import BY_CLOSE_UP, ClassModel, read_class_model
from hoseg.grade.closeup import (
    ATTACHMENT,
    HIP,
    AttachmentNetwork,
    CloseUpNetwork,
    ContactClassifier,
    network_in,
)


@dataclass(frozen=True, eq=False)
class GradingModels:
    """Networks and regressions that grading asks; each may be missing.

    classes: calibrated P(class)
    hip: classifies close-ups of hips, for the class model
    contacts: tells attachment from superimposition; without it every contact counts
    """

    classes: ClassModel | None = None
    hip: CloseUpNetwork | None = None
    contacts: ContactClassifier | None = None


def read_grading_models(
    classes: dict[str, Any] | None, files: Mapping[str, bytes], folder: str
) -> GradingModels:
    """The models for grading in one model folder.

    Parameters
    ----------
    classes
        ``classes`` of its card.
    files
        Contents of the files that its card names.
    folder
        Its path, for messages.

    Raises
    ------
    ModelError
        The class model is none, or lacks its network.
    """
    class_model = read_class_model(classes, folder)
    hip, attachment = (network_in(files, kind, folder) for kind in (HIP, ATTACHMENT))
    if class_model is not None and hip is None and set(class_model.measurements) & set(BY_CLOSE_UP):
        raise ModelError(
            f"{folder}: classes: its measurements need {HIP.file}, which the card does not name. "
            "Fit them anew with scripts/fit_classes.py."
        )
    contacts = None if attachment is None else AttachmentNetwork(attachment)
    return GradingModels(class_model, hip, contacts)
