"""Labelled radiographs in the formats people have: read, checked, converted.

Start with ``open_dataset``; ``formats`` holds the table of formats and ``convert``, ``check.check``
lists what is wrong with a data set, ``pool.pool`` makes several into one.
"""

from hoseg.datasets.formats import FORMATS, open_dataset
from hoseg.datasets.labelled import Dataset, GradedHip, LabelledFilm, LabelledImage

__all__ = ["FORMATS", "Dataset", "GradedHip", "LabelledFilm", "LabelledImage", "open_dataset"]
