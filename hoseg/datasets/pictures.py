"""Mask files: PNG and TIFF of bits, and NIfTI."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError, MissingExtra
from hoseg.files import make_folder
from hoseg.picture_files import write_pixels

NIFTI = (".nii", ".nii.gz")


def suffix_of(path: Path) -> str:
    """Lower-case suffix, ``.nii.gz`` as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """Name without its suffix, ``.nii.gz`` taken off whole."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Read a single-channel mask (H, W) of whole numbers in 0-255.

    NIfTI arrays are (x, y[, 1]) and come back as (row, column) = (y, x).
    """
    values = read_nifti(path)[0] if suffix_of(path) in NIFTI else _read_picture(path)
    if values.ndim != 2:
        raise InputError(
            str(path), f"mask has shape {values.shape}; expected one channel", code="bad_mask"
        )
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.uint8)
    if not np.array_equal(whole, values):
        raise InputError(
            str(path), "mask values are not whole numbers in 0-255", code="unknown_label"
        )
    return whole


def read_nifti(path: Path) -> tuple[NDArray[np.generic], tuple[float, float]]:
    """Image (row, column) and (row, column) spacing in mm of a 2D NIfTI file.

    Raises
    ------
    MissingExtra
        nibabel is not installed.
    InputError
        Not a NIfTI file of one 2D image of numbers.
    """
    try:
        import nibabel
    except ImportError as error:
        text = f"{path}: NIfTI needs nibabel: pip install nibabel, or export PNG or TIFF"
        raise MissingExtra(text) from error
    try:
        image = cast(nibabel.Nifti1Image, nibabel.load(path))
        shape = image.shape[:2]
        flat = len(shape) == 2 and all(size == 1 for size in image.shape[2:])
        if not flat or shape[0] * shape[1] > Limits().frame_pixels:
            text = f"NIfTI of shape {image.shape}; expected one 2D image"
            raise InputError(str(path), text, code="bad_mask")
        array = np.asarray(image.dataobj).reshape(shape)
        zooms = [float(zoom) for zoom in image.header.get_zooms()[:2]]
    except InputError:
        raise
    except Exception as error:  # nibabel and zlib raise what they like on damaged files
        text = f"not a readable NIfTI file ({error})"
        raise InputError(str(path), text, code="corrupt") from error
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        text = f"NIfTI of {array.dtype}; expected numbers"
        raise InputError(str(path), text, code="bad_mask")
    return np.ascontiguousarray(array.T), (zooms[1], zooms[0])


def write_picture(path: Path, image: NDArray[np.generic]) -> None:
    """Write a grey PNG or TIFF of 8 or 16 bit."""
    make_folder(path.parent)
    write_pixels(path, image)


def _read_picture(path: Path) -> NDArray[np.generic]:
    data = Source(path, str(path)).read(Limits())
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # more pixels than OpenCV reads
        values = None
    if values is None:
        raise InputError(str(path), "not a readable PNG or TIFF", code="corrupt")
    return values
