"""Mask files: PNG and TIFF of bits, and NIfTI."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.errors import InputError, OutputError

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
    whole = values.astype(np.uint8)
    if not np.array_equal(whole, values):
        raise InputError(
            str(path), "mask values are not whole numbers in 0-255", code="unknown_label"
        )
    return whole


def read_nifti(path: Path) -> tuple[NDArray[np.generic], tuple[float, float]]:
    """Image (row, column) and (row, column) spacing in mm of a 2D NIfTI file."""
    import nibabel

    try:
        image = cast(nibabel.Nifti1Image, nibabel.load(path))
        array = np.asarray(image.dataobj)
    except (OSError, nibabel.filebasedimages.ImageFileError, EOFError, ValueError) as error:
        raise InputError(
            str(path), f"not a readable NIfTI file ({error})", code="corrupt"
        ) from error
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        raise InputError(
            str(path), f"NIfTI of shape {array.shape}; expected one 2D image", code="bad_mask"
        )
    zooms = image.header.get_zooms()
    return np.ascontiguousarray(array.T), (float(zooms[1]), float(zooms[0]))


def write_picture(path: Path, image: NDArray[np.generic]) -> None:
    """Write a grey PNG or TIFF of 8 or 16 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.asarray(image)):
        raise OutputError(f"{path}: cannot be written")


def _read_picture(path: Path) -> NDArray[np.generic]:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise InputError(str(path), "not a readable PNG or TIFF", code="corrupt")
    return values
