"""Small DICOM files with known pixels."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import jpeg_ls
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

from hoseg.dicom import Limits, Source, decode
from hoseg.radiograph import Radiograph

CR = "1.2.840.10008.5.1.4.1.1.1"


def film(rows: int = 48, columns: int = 64, bits: int = 12) -> np.ndarray:
    """A smooth picture with some texture, (rows, columns) uint16 within ``bits``."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(rows) * 11, np.arange(columns) * 17)
    return ((smooth + rng.integers(0, 9, (rows, columns))) % (1 << bits)).astype(np.uint16)


def dataset(pixels: np.ndarray, bits: int = 12, **attributes: object) -> Dataset:
    """An uncompressed CR image, little endian explicit."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CR
    ds.SOPClassUID = CR
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = generate_uid()
    ds.Modality = "CR"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = min(bits, ds.BitsAllocated)
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def compress(ds: Dataset, syntax: UID, *frames: bytes) -> Dataset:
    """Replace the pixel data by encapsulated frames."""
    ds.PixelData = encapsulate(list(frames))
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


ENCODERS = {
    uid.JPEGExtended12Bit: lambda a: imagecodecs.jpeg8_encode(a, level=100, bitspersample=12),
    uid.JPEGLosslessSV1: lambda a: imagecodecs.jpeg8_encode(a, lossless=True),
    uid.JPEGLossless: lambda a: imagecodecs.jpeg8_encode(a, lossless=True, predictor=6),
    uid.JPEGLSLossless: lambda a: imagecodecs.jpegls_encode(a),
    uid.JPEGLSNearLossless: lambda a: imagecodecs.jpegls_encode(a, level=2),
    uid.JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(
        a, level=0, codecformat="j2k", reversible=True
    ),
    uid.JPEG2000: lambda a: imagecodecs.jpeg2k_encode(a, level=90, codecformat="j2k"),
    uid.HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
}


def _wavelet(pixels: np.ndarray, bits: int, reversible: bool) -> bytes:
    level = 0 if reversible else 90
    options = {"codecformat": "j2k", "bitspersample": bits, "reversible": reversible}
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=level, **options))


def _lossless(pixels: np.ndarray, bits: int, predictor: int) -> bytes:
    options = {"lossless": True, "predictor": predictor, "bitspersample": bits}
    return bytes(imagecodecs.jpeg8_encode(pixels, **options))


def _jpeg_ls(pixels: np.ndarray, bits: int, error: int) -> bytes:
    return bytes(jpeg_ls.encode_buffer(pixels.tobytes(), *pixels.shape, 1, bits, error))


EXACT = {
    uid.JPEGExtended12Bit: lambda a, bits: bytes(
        imagecodecs.jpeg8_encode(a, level=100, bitspersample=bits)
    ),
    uid.JPEGLosslessSV1: lambda a, bits: _lossless(a, bits, 1),
    uid.JPEGLossless: lambda a, bits: _lossless(a, bits, 6),
    uid.JPEGLSLossless: lambda a, bits: _jpeg_ls(a, bits, 0),
    uid.JPEGLSNearLossless: lambda a, bits: _jpeg_ls(a, bits, 2),
    uid.JPEG2000Lossless: lambda a, bits: _wavelet(a, bits, True),
    uid.JPEG2000: lambda a, bits: _wavelet(a, bits, False),
}
"""Encoders that put a stated precision into the codestream (16-bit input)."""


def save(ds: Dataset, path: Path) -> Path:
    """Write a conformant file."""
    ds.save_as(path, enforce_file_format=True)
    return path


def read(path: Path, **limits: int) -> list[Radiograph]:
    """Decode one file."""
    return decode(Source(Path(path), str(path)), Limits(**limits))


def read_one(ds: Dataset, folder: Path) -> Radiograph:
    """Write a dataset and read it back."""
    (radiograph,) = read(save(ds, folder / "film.dcm"))
    return radiograph


def codes(radiograph: Radiograph) -> set[str]:
    """Codes of the notes."""
    return {note.code for note in radiograph.notes}
