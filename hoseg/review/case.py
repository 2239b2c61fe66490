"""What the review page needs of one image: its result and its outlines, as a script.

A page opened from disk may not fetch files, but it may load scripts: ``case.js`` calls a function
of the page with the case as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.grade import HipFinding
from hoseg.grade.summary import class_percents
from hoseg.radiograph import Structure
from hoseg.report.overlay import Contour, Contours, trace_contours
from hoseg.report.schema import ResultFile

CASE_FILE = "case.js"
_TOLERANCE_PX = 0.6  # outlines may leave the mask's edge by this much
_BLINDED = ("schema_id", "hoseg_version", "folder", "image", "disclaimer")  # say nothing found
_PREFIX, _SUFFIX = "hosegCase(", ");\n"


def case_script(
    result: ResultFile, masks: NDArray[np.uint8], contours: Contours | None = None
) -> str:
    """Text of ``case.js``.

    masks: (H, W) uint8, bits of ``Structure``
    contours: ``trace_contours(masks)`` when they are at hand already
    """
    contours = trace_contours(masks) if contours is None else contours
    case = {
        "id": result.folder,
        "rows": masks.shape[0],
        "columns": masks.shape[1],
        "result": result.model_dump(mode="json") | {"hips": [_hip(hip) for hip in result.hips]},
        "ossification": runs(masks, contours[Structure.OSSIFICATION]),
        "outlines": {
            str(structure.name).lower(): polygons(lines) for structure, lines in contours.items()
        },
    }
    return _PREFIX + to_script_json(case) + _SUFFIX


def _hip(hip: HipFinding) -> dict[str, Any]:
    """A finding, and the whole per cent of its classes as the overlay writes them."""
    return hip.model_dump(mode="json") | {"percents": class_percents(hip)}


def blinded_script(script: str) -> str:
    """The same case without anything the computer found, for reader studies."""
    case = json.loads(script.removeprefix(_PREFIX).removesuffix(_SUFFIX))
    result = {name: case["result"][name] for name in _BLINDED}
    result |= {"status": "graded", "reason": "", "sentence": "", "hips": [], "notes": []}
    case |= {"result": result, "outlines": {}, "blinded": True, "ossification": None}
    return _PREFIX + to_script_json(case) + _SUFFIX


def polygons(contours: Sequence[Contour]) -> list[list[int]]:
    """Closed polygons near some outlines, each [x0, y0, x1, y1, ...] in pixels."""
    simpler = (cv2.approxPolyDP(line, _TOLERANCE_PX, True) for line in contours)
    return [np.asarray(line, np.int32).ravel().tolist() for line in simpler]


def runs(masks: NDArray[np.uint8], pieces: Sequence[Contour]) -> dict[str, Any] | None:
    """Ossification for a page that may read no pixels of a file; None when there is none.

    masks: (H, W) uint8, bits of ``Structure``
    pieces: outlines of its ossification

    box: first row and column, rows and columns of the part that is not empty
    counts: alternating runs of that part, row by row, outside first
    """
    if not len(pieces):
        return None
    column, row, columns, rows = cv2.boundingRect(np.concatenate(pieces))
    part = masks[row : row + rows, column : column + columns]
    flat = ((part & np.uint8(Structure.OSSIFICATION)) > 0).ravel()
    ends = [*(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    counts = np.diff([0, *([0] if flat[0] else []), *ends]).tolist()
    return {"box": [row, column, rows, columns], "counts": counts}


def to_script_json(value: Any) -> str:
    """JSON that is safe inside a script, whatever text it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
