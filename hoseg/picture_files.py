"""PNG, JPEG and TIFF files by OpenCV, under any file name.

OpenCV opens files itself by names of its own encoding: one that is not UTF-8 ends the process,
and on Windows one that is not ASCII is not found. Here it only ever sees bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.files import write_whole


def read_pixels(path: Path, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[Any] | None:
    """Pixels as ``cv2.imread`` gives them; None when there is no picture that can be read.

    flags: ``cv2.IMREAD_...``
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        return cv2.imdecode(data, flags) if data.size else None
    except (OSError, cv2.error):  # cv2.error: more pixels than OpenCV reads
        return None


def write_pixels(path: Path, pixels: NDArray[np.generic], options: Sequence[int] = ()) -> None:
    """Write pixels in the format of the name's suffix, never half of them.

    options: ``cv2.IMWRITE_...`` and values

    Raises
    ------
    OutputError: disk full, no permission, no such folder
    """
    coded = cv2.imencode(path.suffix, np.asarray(pixels), list(options))[1]
    write_whole(path, coded.tobytes())
