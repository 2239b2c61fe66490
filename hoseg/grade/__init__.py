"""From masks and spacing to classes, with their trace and their uncertainty. No torch in it."""

from hoseg.grade.abstain import REASONS
from hoseg.grade.bones import check_masks
from hoseg.grade.combine import combine
from hoseg.grade.exposure import Exposed
from hoseg.grade.film import Film, Probabilities
from hoseg.grade.finding import Component, HipFinding, Landmarks, TraceLine
from hoseg.grade.grading import grade
from hoseg.grade.rules import SYSTEMS, System
from hoseg.grade.settings import GradeSettings

__all__ = [
    "REASONS",
    "SYSTEMS",
    "Component",
    "Exposed",
    "Film",
    "GradeSettings",
    "HipFinding",
    "Landmarks",
    "Probabilities",
    "System",
    "TraceLine",
    "check_masks",
    "combine",
    "grade",
]
