"""Folders written by ``hoseg simulate``: one a film, with ``index.csv`` over all."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

from hoseg.datasets.labelled import LazyFilm
from hoseg.errors import InputError

INDEX = "index.csv"
