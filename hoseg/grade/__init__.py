"""From masks and spacing to classes, with their trace and their uncertainty. No torch in it.

``grade`` takes what a network read of a film, ``grade_masks`` masks that anyone drew; ``combine``
decides which image of a study speaks for a hip.
"""

from hoseg.grade.abstain import REASONS
from hoseg.grade.bones import check_masks
from hoseg.grade.combine import combine
from hoseg.grade.finding import Component, HipFinding, Landmarks, TraceLine
from hoseg.grade.grading import grade, grade_masks
from hoseg.grade.models import GradingModels, read_grading_models
from hoseg.grade.rules import SYSTEMS, System
from hoseg.grade.settings import GradeSettings

__all__ = [
    "REASONS",
    "SYSTEMS",
    "Component",
    "GradeSettings",
    "GradingModels",
    "HipFinding",
    "Landmarks",
    "System",
    "TraceLine",
    "check_masks",
    "combine",
    "grade",
    "grade_masks",
    "read_grading_models",
]
