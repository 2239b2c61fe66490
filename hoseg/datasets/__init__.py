"""Labelled radiographs in the formats people have: read, checked, converted."""

from hoseg.datasets.formats import FORMATS, open_dataset
from hoseg.datasets.labelled import Dataset, GradedHip, LabelledFilm, LabelledImage

__all__ = ["FORMATS", "Dataset", "GradedHip", "LabelledFilm", "LabelledImage", "open_dataset"]
