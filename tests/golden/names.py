"""Where things are in hoseg: the only module here that changes when hoseg's modules move."""

# ruff: noqa: F401
from __future__ import annotations

import json
from typing import Any

from hoseg.batch.item import Task, process
from hoseg.batch.journal import JOURNAL
from hoseg.batch.journal import RunJournal as Journal
from hoseg.batch.run import review_entries, write_tables
from hoseg.batch.settings import RunSettings
from hoseg.cli.app import app
from hoseg.dicom import discover, load
from hoseg.grade import GradingModels, HipFinding
from hoseg.pipeline import Pipeline, grading_models_of
from hoseg.radiograph import Grid, Prepared, Segmentation
from hoseg.report.document import write_documents
from hoseg.report.export import export_run
from hoseg.report.schema import read_result, to_json
from hoseg.review.case import CASE_FILE
from hoseg.review.exports import export_dataset, export_grades
from hoseg.review.imports import import_corrections
from hoseg.review.server import ReviewServer, ReviewSettings
from hoseg.review.store import STORE, ReviewStore
from hoseg.segment.weights import load_model
from hoseg.simulate.folder import FolderSettings, write_film, write_folder


def finding_to_json(hip: HipFinding) -> dict[str, Any]:
    """One element of ``hips``, as ``hoseg grade --json`` prints it."""
    return dict(json.loads(hip.model_dump_json()))
