"""What the review page needs of one image: its result and its outlines, as a script.

A page opened from disk may not fetch files, but it may load scripts: ``case.js`` calls a function
of the page with the case as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Structure
from hoseg.report.schema import ResultFile

CASE_FILE = "case.js"
_TOLERANCE_PX = 0.6  # outlines may leave the mask's edge by this much
_BLINDED = ("schema_id", "hoseg_version", "folder", "image", "disclaimer")  # say nothing found
_PREFIX, _SUFFIX = "hosegCase(", ");\n"


def case_script(result: ResultFile, masks: NDArray[np.uint8]) -> str:
    """Text of ``case.js``.

    masks: (H, W) uint8, bits of ``Structure``
    """
    case = {
        "id": result.folder,
        "rows": masks.shape[0],
        "columns": masks.shape[1],
        "result": result.model_dump(mode="json"),
        "outlines": {
            str(structure.name).lower(): outlines(masks & np.uint8(structure))
            for structure in Structure
        },
    }
    return _PREFIX + to_script_json(case) + _SUFFIX


def blinded_script(script: str) -> str:
    """The same case without anything the computer found, for reader studies."""
    case = json.loads(script.removeprefix(_PREFIX).removesuffix(_SUFFIX))
    result = {name: case["result"][name] for name in _BLINDED}
    result |= {"status": "graded", "reason": "", "sentence": "", "hips": [], "notes": []}
    case |= {"result": result, "outlines": {}, "blinded": True}
    return _PREFIX + to_script_json(case) + _SUFFIX


def outlines(mask: NDArray[np.uint8]) -> list[list[int]]:
    """Closed polygons of a mask and its holes, each [x0, y0, x1, y1, ...] in pixels."""
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [
        [int(v) for v in cv2.approxPolyDP(contour, _TOLERANCE_PX, True).ravel()]
        for contour in contours
    ]


def to_script_json(value: Any) -> str:
    """JSON that is safe inside a script, whatever text it holds."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
